"""Planning for independent fading in a channel that stays coherent, against the library and simulated tasks."""

import numpy as np
import pytest

from cointer_gym import Nakagami, Rayleigh, Scenario, list_scenarios
from cointer_gym import baselines as bl
from cointer_gym.channels.counter import keys
from cointer_gym.channels.markov import GaussMarkov
from cointer_gym.experiments.mismatch import IN_TIME, mismatch_answer
from support.places import ROOT

NAKAGAMI = {"channel.law": "nakagami", "channel.m": 2.0}


@pytest.fixture(scope="module")
def alexnet():
    return mismatch_answer(Scenario.load("alexnet-pi"), 0.036, 5)


def test_what_is_promised_is_what_the_solver_of_independent_stages_says(alexnet):
    problem = Scenario.load("alexnet-pi").problem(5)
    for name, solution in bl.reference_rules(problem).items():
        assert alexnet.rules[name].promised == solution.cost


def test_a_bound_below_the_optimum_below_every_rule(alexnet):
    optimum = alexnet.rules[IN_TIME]
    assert alexnet.clairvoyant_cost < optimum.got
    assert optimum.loss == 0.0
    assert optimum.promised >= alexnet.rules["optimal"].promised  # each is best in its own world
    for name, row in alexnet.rules.items():
        assert row.loss >= -1e-9, name
        assert row.loss == pytest.approx(row.got / optimum.got - 1.0)
        assert row.difference == pytest.approx(row.got / row.promised - 1.0)
    assert alexnet.rules["optimal"].difference > 0.02
    assert 1e-4 < alexnet.rules["optimal"].loss < 0.05


@pytest.mark.parametrize("law", [{}, NAKAGAMI], ids=["rayleigh", "nakagami"])
def test_simulated_tasks_agree_with_what_is_got(law):
    """Thresholds of the independent optimum and of look-ahead on 200,000 paths, and how long their uploads take."""
    scenario = Scenario.load("alexnet-pi", **law)
    problem = scenario.problem(5)
    process = GaussMarkov(problem.channel, 0.036)
    answer = mismatch_answer(scenario, 0.036, 5, bound=False)
    snr = process.paths(keys([3]), np.arange(200_000), problem.time.device)
    uses = problem.channel.channel_uses_per_bit(snr)
    before = np.append(0.0, np.cumsum(problem.cost.device))
    cost = before + problem.cost.edge + problem.cost.airtime * uses
    for name in ("optimal", "look-ahead"):
        thresholds = np.append(bl.as_rule(name).solve(problem).threshold_snr, 0.0)
        stop = (snr >= thresholds).argmax(axis=1)
        got = cost[np.arange(stop.size), stop]
        assert abs(got.mean() - answer.rules[name].got) < 4.0 * got.std() / np.sqrt(got.size)
    optimum = bl.solve_in_time(problem, process)
    stops = np.column_stack([optimum.stops(n, snr[:, n]) for n in range(6)])
    stop = stops.argmax(axis=1)
    upload = (problem.time.airtime * uses)[np.arange(stop.size), stop]
    assert abs(upload.mean() - answer.upload_s) < 4.0 * upload.std() / np.sqrt(upload.size)


def test_a_short_coherence_time_keeps_the_promise():
    """Every layer of this network takes time."""
    answer = mismatch_answer(Scenario.load("mlp-pi"), 1e-4, bound=False)
    assert max(answer.snr_correlation) < 1e-100
    for row in answer.rules.values():
        assert row.got == pytest.approx(row.promised, rel=1e-9)


def test_a_static_split_does_not_care(alexnet):
    for name in ("edge-only", "device-only", "best-static"):
        assert alexnet.swept_cost[name] == pytest.approx([alexnet.rules[name].promised] * len(alexnet.swept_s))


@pytest.mark.parametrize(("asked", "points"), [(0.036, 14), (1e-4, 13), (10.0, 13), (1e4, 21), (1e-6, 18)])
def test_the_sweep_holds_the_coherence_time_that_is_asked_for(asked, points):
    answer = mismatch_answer(Scenario.load("mlp-pi"), asked, 2, bound=False)
    times = np.array(answer.swept_s)
    assert times.size == points
    assert (times[0], times[-1]) == (pytest.approx(min(1e-4, asked)), pytest.approx(max(10.0, asked)))
    assert (np.diff(np.log10(times)) < 5 / 12 + 1e-9).all()
    at = answer.swept_s.index(asked)
    assert {name: cost[at] for name, cost in answer.swept_cost.items()} == {
        name: row.got for name, row in answer.rules.items()
    }


def test_a_rule_of_infinite_cost_has_none_and_says_why():
    scenario = Scenario.load("alexnet-pi", **{"channel.min_efficiency": 0})
    answer = mismatch_answer(scenario, 0.036, bound=False)
    edge = answer.rules["edge-only"]
    assert (edge.promised, edge.got, edge.difference, edge.loss) == (None,) * 4
    assert "uploads at every SNR" in edge.null_because
    assert answer.rules["optimal"].null_because is None
    assert answer.swept_cost["edge-only"] == (None,) * len(answer.swept_s)


@pytest.mark.parametrize(
    ("name", "seconds", "message"),
    [
        ("vit-b-16-jetson", 0.036, "law = rician: its power alone is not Markov"),
        ("mobilenetv2-phone", 0.036, "law = empirical has no Gauss-Markov process"),
        ("mlp-pi", 0.0, "coherence_time_s = 0 must be from 1e-06 to 10000 seconds"),
        ("mlp-pi", float("nan"), "coherence_time_s = nan must be"),
    ],
)
def test_what_has_no_answer_is_refused(name, seconds, message):
    with pytest.raises(ValueError, match=message):
        mismatch_answer(Scenario.load(name), seconds)


@pytest.mark.checkout
def test_the_page_says_where_the_promise_holds():
    """At two correlations across the median layer that takes time."""
    problems = [
        s.problem() for s in map(Scenario.load, list_scenarios()) if isinstance(s.channel_law, Rayleigh | Nakagami)
    ]
    worst = []
    for correlation in (0.01, 0.1):
        above = []
        for problem in problems:
            layer_s = np.median(problem.time.device[problem.time.device > 0])
            process = GaussMarkov(problem.channel, 2.0 * layer_s / np.log(1.0 / correlation))
            above.append(bl.solve_in_time(problem, process).cost / bl.backward_induction(problem).cost - 1.0)
        worst.append(f"{max(above):.1%}".replace("%", " %"))
    page = (ROOT / "docs" / "fading.md").read_text(encoding="utf-8")
    assert f"at most {worst[0]} above the promise where it is 0.01" in page
    assert f"up to {worst[1]} where it is 0.1" in page
