"""Solvers against reference cases, high-precision induction, enumeration of all rules, simulation and arithmetic."""

import json
import math
from itertools import product

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, Scenario, StoppingProblem
from cointer_gym import baselines as bl
from support.places import DATA

CASES = json.loads((DATA / "stopping_cases.json").read_text(encoding="utf-8"))["cases"]
Z = 4.892  # two-sided normal quantile at alpha = 1e-6


def check(problem, expected, rtol=1e-9):
    """Hold every solver against one record of expected values, thresholds and costs."""
    optimum, ahead = bl.backward_induction(problem), bl.look_ahead(problem)
    mean = expected["mean_channel_uses_per_bit"]
    assert problem.channel.mean_channel_uses_per_bit == pytest.approx(mean, rel=rtol, abs=0)
    for got, name in (
        (optimum.value, "value"),
        (optimum.threshold_snr, "threshold_snr"),
        (ahead.value, "lookahead_cost"),
        (ahead.threshold_snr, "lookahead_threshold_snr"),
    ):
        assert_allclose(got, [float(entry) for entry in expected[name]], rtol=rtol, atol=0, err_msg=name)


@pytest.fixture(params=range(len(CASES)))
def case(request):
    """One committed reference case: the problem and what is expected of it."""
    case = CASES[request.param]
    channel = Rayleigh(mean_snr=case["mean_snr"], min_efficiency=case["r_min"], max_efficiency=case["r_max"])
    arrays = {name: case[name] for name in ("airtime_cost", "edge_cost", "device_cost", "completes")}
    return StoppingProblem(channel=channel, **arrays), case["expected"]


# --- reference cases and fresh ones of that kind ----------------------------------------------------------------------


def test_reference_cases(case):
    check(*case)


def test_the_optimum_is_the_exact_cost_of_its_own_thresholds(case):
    optimum = bl.backward_induction(case[0])
    scored = bl.threshold_solution(case[0], "scored", optimum.threshold_snr)
    assert_allclose(scored.value, optimum.value, rtol=1e-13)
    assert scored.optimal


def test_reference_cases_cover_every_kind():
    horizons = {len(case["device_cost"]) for case in CASES}
    thresholds = [threshold for case in CASES for threshold in case["expected"]["threshold_snr"]]
    assert {0, 1} < horizons
    assert max(horizons) >= 60
    assert {case["completes"] for case in CASES} == {True, False}
    assert {"inf", 0.0} < set(thresholds)


def induct(exact, problem):
    """Backward induction and one-stage look-ahead in 25 digits, from the definitions."""
    airtime, edge, device = ([mp.mpf(float(v)) for v in terms] for terms in vars(problem.cost).values())
    mean, horizon = exact.mean(), problem.horizon
    slowest = 1 / mp.mpf(exact.low)
    fastest = 0 if exact.high is None else 1 / mp.mpf(exact.high)

    def snr(tau):
        return mp.mpf(0) if tau >= slowest else mp.inf if tau < fastest or tau <= 0 else mp.mpf(2) ** (1 / tau) - 1

    upload = [a * mean + b for a, b in zip(airtime, edge, strict=True)]
    value, ahead, thresholds, ahead_thresholds = [upload[-1]], [upload[-1]], [], []
    for n in reversed(range(horizon)):
        go_on = device[n] + value[0]
        tau = (go_on - edge[n]) / airtime[n]
        thresholds.insert(0, snr(tau))
        value.insert(0, go_on - airtime[n] * (exact.phi(tau) if tau > 0 else 0))
        threshold = snr((device[n] + upload[n + 1] - edge[n]) / airtime[n])
        ahead_thresholds.insert(0, threshold)
        stop = mp.mpf(0) if threshold == mp.inf else exact.survival(threshold)
        uses = mp.mpf(0) if threshold == mp.inf else exact.partial_mean(threshold)
        ahead.insert(0, airtime[n] * uses + edge[n] * stop + (1 - stop) * (device[n] + ahead[0]))
    return {
        "mean_channel_uses_per_bit": float(mean),
        "value": value,
        "threshold_snr": thresholds,
        "lookahead_cost": ahead,
        "lookahead_threshold_snr": ahead_thresholds,
    }


@pytest.mark.parametrize("seed", range(8))
def test_fresh_cases_equal_an_induction_in_25_digits(oracle, seed):
    rng = np.random.default_rng(seed)
    horizon, completes = int(rng.integers(1, 4)), bool(rng.integers(2))
    mean_snr, low = float(10 ** rng.uniform(-1, 3)), float(rng.uniform(0.05, 0.4))
    high = None if seed % 2 else float(rng.uniform(2.0, 6.0))
    arguments = {"mean_snr": mean_snr, "min_efficiency": low, "max_efficiency": high}
    channel, exact = (
        (Rayleigh(**arguments), oracle.rayleigh(mean_snr, low, high)),
        (Nakagami(m=3.0, **arguments), oracle.nakagami(3.0, mean_snr, low, high)),
        (Rayleigh(**arguments), oracle.rayleigh(mean_snr, low, high)),
        (Rician(k_factor=2.0, **arguments), oracle.rician(2.0, mean_snr, low, high)),
    )[seed % 4]
    airtime, edge = 10 ** rng.uniform(-1, 1, horizon + 1), np.sort(rng.uniform(0, 0.2, horizon + 1))[::-1].copy()
    if completes:
        airtime[-1] = edge[-1] = 0.0
    problem = StoppingProblem(
        airtime_cost=airtime,
        edge_cost=edge,
        device_cost=10 ** rng.uniform(-2, 0, horizon),
        channel=channel,
        completes=completes,
    )
    check(problem, induct(exact, problem))


DISCRETE = [  # samples, horizon, completes: 2^14, 2^12, 2^12 and 2^14 rules of the whole history
    ((9.0, 0.4), 3, False),
    ((9.0, 0.4, 2.0), 2, False),
    ((30.0, 1.0, 0.2), 2, True),
    ((0.05, 5.0), 3, True),
]


@pytest.fixture(params=[(*kind, seed) for kind in DISCRETE for seed in (1, 2, 3)], ids=str)
def discrete(request):
    """A problem on a trace of a few samples, and its stage costs as a table, shape (M+1, samples)."""
    snr, horizon, completes, seed = request.param
    rng = np.random.default_rng(seed)
    airtime, edge = rng.uniform(0.1, 2.0, horizon + 1), rng.uniform(0.0, 0.3, horizon + 1)
    if completes:
        airtime[-1] = edge[-1] = 0.0
    device = rng.uniform(0.02, 0.5, horizon)
    problem = StoppingProblem(
        airtime_cost=airtime,
        edge_cost=edge,
        device_cost=device,
        channel=Empirical(snr=snr, min_efficiency=0.1523),
        completes=completes,
    )
    uses = 1.0 / np.maximum(np.log2(1.0 + np.array(snr)), 0.1523)
    spent = np.concatenate([[0.0], np.cumsum(device)])
    return problem, spent[:, None] + airtime[:, None] * uses + edge[:, None]


def paths(table):
    """Every equally likely fading path, as sample indices."""
    return product(range(table.shape[1]), repeat=table.shape[0])


# --- enumeration ------------------------------------------------------------------------------------------------------


def test_no_rule_of_the_whole_history_is_cheaper_than_backward_induction(discrete):
    problem, table = discrete
    histories = [past for n in range(problem.horizon) for past in product(range(table.shape[1]), repeat=n + 1)]
    bit = {past: k for k, past in enumerate(histories)}
    rules = np.arange(2 ** len(histories))
    total = np.zeros(rules.size)
    for path in paths(table):
        cost = np.full(rules.size, table[-1, path[-1]])
        for n in reversed(range(problem.horizon)):
            stops = (rules >> bit[path[: n + 1]]) & 1 == 1
            cost = np.where(stops, table[n, path[n]], cost)
        total += cost
    assert bl.backward_induction(problem).cost == pytest.approx(
        total.min() / table[0].size ** table.shape[0], rel=1e-12
    )


@pytest.mark.parametrize("rule", [bl.backward_induction, bl.look_ahead, bl.best_static_split, bl.edge_only])
def test_cost_of_a_rule_is_its_mean_over_all_paths(discrete, rule):
    problem, table = discrete
    solution = rule(problem)
    stops = np.array(problem.channel.snr) >= solution.threshold_snr[:, None]
    stops = np.vstack([stops, np.ones(table.shape[1], dtype=bool)])
    costs, splits = [], np.zeros(problem.horizon + 1)
    for path in paths(table):
        n = next(n for n, sample in enumerate(path) if stops[n, sample])
        costs.append(table[n, path[n]])
        splits[n] += 1
    assert solution.cost == pytest.approx(np.mean(costs), rel=1e-12)
    assert_allclose(solution.split_probability, splits / len(costs), atol=1e-15)


def test_clairvoyant_is_the_mean_of_the_minimum_over_all_paths(discrete):
    problem, table = discrete
    cheapest = [min(table[n, sample] for n, sample in enumerate(path)) for path in paths(table)]
    assert bl.clairvoyant_cost(problem) == pytest.approx(np.mean(cheapest), rel=1e-12)


@pytest.fixture(scope="module")
def simulated():
    """Stage costs of 10^6 simulated tasks on alexnet-pi with nothing but NumPy, shape (M+1, 10^6), and their SNRs."""
    problem = Scenario.load("alexnet-pi").problem()
    snr = 10.0 * np.random.default_rng(2022).standard_exponential((problem.horizon + 1, 1_000_000))
    uses = 1.0 / np.maximum(np.log2(1.0 + snr), 0.1523)
    spent = np.concatenate([[0.0], np.cumsum(problem.cost.device)])
    return problem, spent[:, None] + problem.cost.airtime[:, None] * uses + problem.cost.edge[:, None], snr


# --- simulation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [bl.backward_induction, bl.look_ahead, lambda problem: bl.look_ahead(problem, 3)])
def test_a_million_simulated_tasks_agree_with_the_exact_cost(simulated, rule):
    """Power: a cost off by 2 z standard errors, less than 1 % of it, is found with probability 1 - 1e-6."""
    problem, table, snr = simulated
    solution = rule(problem)
    stops = np.vstack([snr[:-1] >= solution.threshold_snr[:, None], np.ones((1, snr.shape[1]), dtype=bool)])
    split = stops.argmax(axis=0)
    costs = table[split, np.arange(split.size)]
    error = costs.std() / math.sqrt(costs.size)
    assert 2 * Z * error < 1e-2 * solution.cost
    assert costs.mean() == pytest.approx(solution.cost, abs=Z * error)
    share, expected = np.bincount(split, minlength=stops.shape[0]) / split.size, solution.split_probability
    assert (np.abs(share - expected) <= Z * np.sqrt(expected * (1 - expected) / split.size) + 1e-9).all()


def test_clairvoyant_agrees_with_a_million_paths(simulated):
    problem, table, _ = simulated
    cheapest = table.min(axis=0)
    assert bl.clairvoyant_cost(problem) == pytest.approx(cheapest.mean(), abs=Z * cheapest.std() / 1e3)


def test_static_cost_under_fading_is_the_mean(simulated):
    problem, table, _ = simulated
    for split in (0, 4, problem.horizon):
        error = table[split].std() / 1e3
        assert bl.static_split(problem, split).cost == pytest.approx(table[split].mean(), abs=Z * error + 1e-15)
