"""Stopping in a channel that moves: against brute force, limits with closed forms, enumeration, simulation, bounds."""

import json
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad

from cointer_gym import Nakagami, Rayleigh, Rician, Scenario, StoppingProblem
from cointer_gym import baselines as bl
from cointer_gym.baselines import diffusion, panels
from cointer_gym.channels import FiniteState, GaussMarkov
from cointer_gym.channels.counter import keys
from support.dense import CORRELATIONS, Dense, cases, gains
from support.places import DATA
from support.problems import THREE_LAYERS, stopping_problem

REFERENCE = json.loads((DATA / "in_time_cases.json").read_text(encoding="utf-8"))
CASES = cases()
Z = 4.892  # two-sided normal quantile at alpha = 1e-6

each_case = pytest.mark.parametrize("name", CASES)


def pose(name, correlation):
    """The problem of a case, its process and its times."""
    case = CASES[name]
    limits = {"mean_snr": case["mean_snr"], "min_efficiency": case["low"], "max_efficiency": case["high"]}
    channel = Rayleigh(**limits) if case["m"] == 1.0 else Nakagami(m=case["m"], **limits)
    completes = case["airtime"][-1] == 0.0
    problem = stopping_problem(case["airtime"], case["edge"], case["device"], channel, completes)
    pace = np.array(case["pace"])
    if correlation == 0.0:
        return problem, GaussMarkov(channel, 1e-4), pace
    return problem, GaussMarkov(channel, -1.0 / np.log(correlation) if correlation < 1.0 else np.inf), pace


def steady(problem, elapsed=1.0):
    return np.full(problem.horizon, elapsed)


# --- Gauss-Markov: brute force ----------------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_cost_and_value_equal_a_dense_reference(name, correlation):
    """The target is 1e-8; what is found is rounding."""
    expected = REFERENCE["cases"][name][str(correlation)]
    solution = bl.solve_in_time(*pose(name, correlation))
    assert solution.cost == pytest.approx(expected["cost"], rel=1e-11, abs=0)
    snr = solution.problem.channel.mean_snr * np.array(gains(CASES[name]))
    assert_allclose(solution.value(0, snr), expected["value"], rtol=1e-9)


@each_case
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9])
def test_the_committed_reference_is_what_brute_force_gives(name, correlation):
    assert Dense(CASES[name], correlation).cost == pytest.approx(
        REFERENCE["cases"][name][str(correlation)]["cost"], rel=1e-13
    )


@each_case
@pytest.mark.parametrize("correlation", [0.3, 0.99])
def test_ends_of_the_sets_are_where_brute_force_changes_its_mind(name, correlation):
    solution, dense = bl.solve_in_time(*pose(name, correlation)), Dense(CASES[name], correlation)
    for n, part in enumerate(solution.stopping_sets):
        ends = part[(part > 0) & (part < 50.0 * solution.problem.channel.mean_snr)]
        if ends.size == 0:
            continue
        at = np.sqrt(ends / solution.problem.channel.mean_snr)
        below, above = at * (1 - 1e-7), at * (1 + 1e-7)
        before = dense.stop(n, below) - dense.go_on(n, below)
        after = dense.stop(n, above) - dense.go_on(n, above)
        assert (before * after < 0).all()


# --- Gauss-Markov: bands ----------------------------------------------------------------------------------------------


def band():
    """The next feature is smaller. At the rate limit it is sure to meet the limit again; below it may meet a fade."""
    channel = Rayleigh(mean_snr=6.0, min_efficiency=0.1523, max_efficiency=2.0)
    problem = stopping_problem([1.0, 0.7], [0.0, 0.0], [0.1], channel)
    return problem, GaussMarkov(channel, 1.0), [-np.log(0.9)]


def test_a_rate_limit_before_a_smaller_feature_makes_the_stopping_set_a_band():
    solution = bl.solve_in_time(*band())
    ((low, high),) = solution.stopping_sets[0]
    assert low < 3.0 < high  # 3 is the SNR of the rate limit
    assert solution.stops(0, [0.9 * low, 1.1 * low, 0.9 * high, 1.1 * high]).tolist() == [False, True, True, False]
    assert not solution.is_threshold
    with pytest.raises(ValueError, match=r"stopping set of stage 0 is no threshold: it is \[0.848.*, 5.97.*\)"):
        _ = solution.threshold_snr
    for threshold in (0.0, low, high, np.inf):  # no threshold is as good
        worse = bl.score_in_time(bl.threshold_sets([threshold]), *band())
        assert worse.cost > solution.cost * 1.002
    assert bl.score_in_time(solution.stopping_sets, *band()).cost == pytest.approx(solution.cost, rel=1e-13)


def test_in_a_band_stopping_costs_no_more_than_going_on_and_outside_no_less():
    problem, process, elapsed = band()
    solution = bl.solve_in_time(problem, process, elapsed)
    snr = np.geomspace(1e-3, 60.0, 400)
    stop, go_on = problem.channel.channel_uses_per_bit(snr), solution.continuation_cost(0, snr)
    assert ((stop <= go_on) == solution.stops(0, snr)).all()
    assert_allclose(solution.value(0, snr), np.minimum(stop, go_on), rtol=1e-12)


def test_a_band_far_narrower_than_any_panel_is_found():
    channel, process = Rayleigh(mean_snr=10.0), GaussMarkov(Rayleigh(mean_snr=10.0), 1.0)
    snr, saved = np.geomspace(1.0, 300.0, 200_001), 1e-6

    def solved(device):
        return bl.solve_in_time(stopping_problem([1.4, 0.8], [0.1, 0.0], [device], channel), process, [0.5])

    without = 1.4 * channel.channel_uses_per_bit(snr) + 0.1 - solved(0.0).continuation_cost(0, snr)
    least = without.argmin()
    assert 0 < least < snr.size - 1
    ((low, high),) = solved(float(without[least]) + saved).stopping_sets[0]
    assert low < snr[least] < high < 1.1 * low
    assert solved(float(without[least]) - saved).stopping_sets[0].size == 0


@pytest.mark.parametrize("saving", [1e-9, -1e-9])
def test_a_billionth_decides(saving):
    """One SNR for ever: the upload now against a smaller one after a layer."""
    problem = stopping_problem([1.0, 0.5], [0.0, 0.0], [0.25 - saving], Rayleigh(mean_snr=3.0))
    for process in (FiniteState((3.0,), [[1.0]], 1.0), GaussMarkov(problem.channel, np.inf)):
        assert bl.solve_in_time(problem, process, [1.0]).stops(0, 3.0) == (saving < 0)


@pytest.mark.parametrize("m", [1.0, 200.0, 3000.0])
@pytest.mark.parametrize("coherence_time_s", [0.0, 1.0, 10.0])
def test_no_probability_is_lost(m, coherence_time_s):
    channel = Nakagami(mean_snr=3.0, m=m, max_efficiency=5.0)
    problem = stopping_problem([1.0, 0.96, 0.9], [0.0, 0.0, 0.0], [0.02, 0.03], channel)
    solution = bl.solve_in_time(problem, GaussMarkov(channel, coherence_time_s), [1.0, 0.3])
    assert solution.split_probability.sum() == pytest.approx(1.0, abs=3e-11 if m > 1000 else 1e-11)


# --- Gauss-Markov: limits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "coherence_time_s"),
    [(name, 0.0) for name in ("alexnet-pi", "resnet18-phone", "autoencoder-mcu", "mlp-pi")]
    + [("autoencoder-mcu", 1e-7), ("mlp-pi", 1e-7)],
)
def test_a_short_coherence_time_is_backward_induction(name, coherence_time_s):
    """All layers of the last two take more than 1e-7 s."""
    problem = Scenario.load(name).problem()
    optimum = bl.backward_induction(problem)
    solution = bl.solve_in_time(problem, GaussMarkov(problem.channel, coherence_time_s))
    assert solution.cost == pytest.approx(optimum.cost, rel=1e-13)
    likely = problem.channel.survival(optimum.threshold_snr) > 1e-15
    assert_allclose(solution.threshold_snr[likely], optimum.threshold_snr[likely], rtol=1e-9)
    assert_allclose(solution.split_probability, optimum.split_probability, atol=1e-12)


@each_case
def test_a_channel_that_never_moves_costs_the_mean_of_the_least(name):
    problem, process, elapsed = pose(name, 1.0)
    spent = np.append(0.0, np.cumsum(problem.cost.device))
    channel, terms, m = problem.channel, problem.cost, process.m

    def least(amplitude):
        snr = amplitude**2 * channel.mean_snr
        density = 2.0 * amplitude * stats_gamma(m, amplitude**2)
        return float(density * (spent + terms.airtime * channel.channel_uses_per_bit(snr) + terms.edge).min())

    ends = np.sqrt(channel.rate.snr([channel.rate.most_uses, channel.rate.fewest_uses]) / channel.mean_snr)
    fine = np.unique(np.append(np.linspace(0.0, 8.0 if m < 10 else 2.5, 400), ends[ends < 8.0]))
    expected = sum(quad(least, a, b, epsabs=1e-14)[0] for a, b in pairwise(fine))
    solution = bl.solve_in_time(problem, process, elapsed)
    assert solution.cost == pytest.approx(expected, rel=1e-9)
    assert bl.clairvoyant_in_time(problem, process, elapsed) == pytest.approx(expected, rel=2e-6)


def stats_gamma(m, gain):
    from scipy.special import gammaln, xlogy

    return np.exp(m * np.log(m) + xlogy(m - 1.0, gain) - m * gain - gammaln(m))


@each_case
def test_long_coherence_tends_to_the_channel_that_never_moves(name):
    still = bl.solve_in_time(*pose(name, 1.0)).cost
    problem, process, elapsed = pose(name, 0.5)
    gaps = [
        abs(bl.solve_in_time(problem, GaussMarkov(process.law, seconds), elapsed).cost - still)
        for seconds in (1e3, 1e5, 1e7)
    ]
    assert gaps[1] < 0.2 * gaps[0] + 1e-12
    assert gaps[2] < 1e-5 * gaps[0] + 1e-6 * still


def test_layers_that_take_no_time_keep_the_channel():
    """Two of them: the choice among three uploads at one SNR, then the end."""
    problem = stopping_problem([1.0, 0.4, 0.9, 0.0], [0.0, 0.3, 0.05, 0.0], [0.02, 0.03, 5.0], completes=True)
    solution = bl.solve_in_time(problem, GaussMarkov(problem.channel, 1.0), [0.0, 0.0, 1.0])
    snr = np.geomspace(1e-3, 1e2, 50)
    uses = problem.channel.channel_uses_per_bit(snr)
    least = np.min([uses, 0.02 + 0.4 * uses + 0.3, 0.05 + 0.9 * uses + 0.05, np.full(50, 5.05)], axis=0)
    assert_allclose(solution.value(0, snr), least, rtol=1e-10)


# --- Gauss-Markov: accounts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coherence_time_s", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("name", ["alexnet-pi", "resnet18-phone"])
def test_time_energy_and_splits_recombine_to_the_cost(name, coherence_time_s):
    scenario = Scenario.load(name)
    problem = scenario.problem()
    solution = bl.solve_in_time(problem, GaussMarkov(problem.channel, coherence_time_s))
    weights = scenario.weights
    both = weights.time_weight * solution.time_s + weights.energy_weight * solution.energy_j
    assert both == pytest.approx(solution.cost, rel=1e-11)
    assert solution.split_probability.sum() == pytest.approx(1.0, abs=1e-11)
    assert (solution.split_probability >= -1e-13).all()
    scored = bl.score_in_time(solution.stopping_sets, problem, solution.process)
    assert scored.cost == pytest.approx(solution.cost, rel=1e-11)
    assert scored.time_s == pytest.approx(solution.time_s, rel=1e-11)


def test_static_rules_cost_the_same_at_any_coherence_time():
    problem = Scenario.load("alexnet-pi").problem()
    for split in (0, 3, problem.horizon):
        sets = bl.threshold_sets(bl.static_split(problem, split).threshold_snr)
        for coherence_time_s in (0.0, 0.02, 3.0, np.inf):
            scored = bl.score_in_time(sets, problem, GaussMarkov(problem.channel, coherence_time_s))
            assert scored.cost == pytest.approx(problem.static_cost[split], rel=1e-12)
            assert scored.split_probability[split] == pytest.approx(1.0, rel=1e-12)


def test_independent_stages_score_as_before():
    problem = Scenario.load("alexnet-pi").problem()
    for rule in (bl.backward_induction, bl.look_ahead, bl.best_static_split):
        solution = rule(problem)
        scored = bl.score_in_time(bl.threshold_sets(solution.threshold_snr), problem, GaussMarkov(problem.channel, 0.0))
        assert scored.cost == pytest.approx(solution.cost, rel=1e-13)
        assert_allclose(scored.split_probability, solution.split_probability, atol=1e-13)


def test_a_task_without_layers_only_uploads():
    problem = Scenario.load("alexnet-pi").problem(0)
    solution = bl.solve_in_time(problem, GaussMarkov(problem.channel, 0.1))
    assert solution.cost == pytest.approx(float(problem.static_cost[0]), rel=1e-13)
    assert solution.stopping_sets == ()
    assert solution.split_probability.tolist() == pytest.approx([1.0])


# --- simulation -------------------------------------------------------------------------------------------------------


def simulated(solution, tasks):
    """Costs of tasks on drawn paths, and the stages at which they are split."""
    problem = solution.problem
    path = solution.process.paths(keys([11])[0], np.arange(tasks), solution.elapsed_s)
    stops = np.stack([solution.stops(n, path[:, n]) for n in range(problem.horizon + 1)], axis=1)
    split = stops.argmax(axis=1)
    spent = np.append(0.0, np.cumsum(problem.cost.device))
    uses = problem.channel.channel_uses_per_bit(path[np.arange(tasks), split])
    return spent[split] + problem.cost.airtime[split] * uses + problem.cost.edge[split], split


@pytest.mark.parametrize("name", ["alexnet-pi", "autoencoder-mcu", "band", "nakagami-0.7", "chain"])
def test_simulated_tasks_agree_with_the_exact_cost(name):
    """Power: a cost off by 2 z standard errors, about 1 % of it, is found with probability 1 - 1e-6."""
    if name == "band":
        solution = bl.solve_in_time(*band())
    elif name == "chain":
        solution = bl.solve_in_time(THREE_LAYERS, FiniteState.from_generator(LEVELS, RATES), steady(THREE_LAYERS, 0.3))
    elif name in CASES:
        solution = bl.solve_in_time(*pose(name, 0.9))
    else:
        problem = Scenario.load(name).problem()
        solution = bl.solve_in_time(problem, GaussMarkov(problem.channel, 0.1))
    costs, split = simulated(solution, 200_000)
    error = costs.std() / np.sqrt(costs.size)
    assert 2 * Z * error < 3e-2 * solution.cost
    assert costs.mean() == pytest.approx(solution.cost, abs=Z * error)
    share = np.bincount(split, minlength=solution.problem.horizon + 1) / split.size
    expected = np.clip(solution.split_probability, 0.0, 1.0)
    assert (np.abs(share - expected) <= Z * np.sqrt(expected * (1 - expected) / split.size) + 1e-9).all()


# --- chains -----------------------------------------------------------------------------------------------------------

LEVELS = (0.1, 2.0, 30.0)
RATES = np.array([[-3.0, 2.0, 1.0], [0.5, -1.5, 1.0], [0.0, 4.0, -4.0]])


def chain_table(problem, chain, elapsed):
    """Every path of levels with its probability, and the cost of stopping at every stage of it."""
    spent = np.append(0.0, np.cumsum(problem.cost.device))
    moves = [chain.transition(seconds) for seconds in elapsed]
    uses = problem.channel.channel_uses_per_bit(chain.levels_snr)
    table = spent[:, None] + problem.cost.airtime[:, None] * uses + problem.cost.edge[:, None]
    for path in product(range(chain.levels_snr.size), repeat=problem.horizon + 1):
        likely = chain.stationary[path[0]]
        for n, move in enumerate(moves):
            likely *= move[path[n], path[n + 1]]
        yield likely, path, [table[n, state] for n, state in enumerate(path)]


def drawn_chain(seed, size, horizon):
    rng = np.random.default_rng(seed)
    levels = np.sort(10.0 ** rng.uniform(-1.5, 2.0, size))
    chain = FiniteState(levels, rng.dirichlet(np.full(size, 0.7), size), 0.5)
    completes = bool(seed % 2)
    airtime, edge = rng.uniform(0.1, 2.0, horizon + 1), rng.uniform(0.0, 0.3, horizon + 1)
    if completes:
        airtime[-1] = edge[-1] = 0.0
    channel = Rayleigh(mean_snr=1.0, max_efficiency=4.0)
    problem = stopping_problem(airtime, edge, rng.uniform(0.02, 0.5, horizon), channel, completes)
    return problem, chain, 0.5 * rng.integers(0, 4, horizon)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("size", "horizon"), [(2, 2), (3, 2), (2, 3)])
def test_no_rule_of_the_whole_history_beats_the_solution_of_a_chain(seed, size, horizon):
    """2^6, 2^12 and 2^14 rules."""
    problem, chain, elapsed = drawn_chain(seed, size, horizon)
    histories = [past for n in range(horizon) for past in product(range(size), repeat=n + 1)]
    bit, rules = {past: k for k, past in enumerate(histories)}, np.arange(2 ** len(histories))
    total, least = np.zeros(rules.size), 0.0
    for likely, path, costs in chain_table(problem, chain, elapsed):
        cost = np.full(rules.size, costs[-1])
        for n in reversed(range(horizon)):
            cost = np.where((rules >> bit[path[: n + 1]]) & 1 == 1, costs[n], cost)
        total += likely * cost
        least += likely * min(costs)
    solution = bl.solve_in_time(problem, chain, elapsed)
    assert solution.cost == pytest.approx(total.min(), rel=1e-12, abs=0)
    assert bl.clairvoyant_in_time(problem, chain, elapsed) == pytest.approx(least, rel=1e-12, abs=0)


@pytest.mark.parametrize("seed", range(6))
def test_scores_on_a_chain_are_means_over_all_paths(seed):
    problem, chain, elapsed = drawn_chain(seed, 3, 3)
    rng = np.random.default_rng(seed)
    sets = [np.sort(10.0 ** rng.uniform(-2, 2, 4)).reshape(2, 2) for _ in range(3)]
    cost, splits = 0.0, np.zeros(4)
    for likely, path, costs in chain_table(problem, chain, elapsed):
        at = [any(low <= chain.levels_snr[path[n]] < high for low, high in sets[n]) for n in range(3)]
        stage = at.index(True) if any(at) else 3
        cost += likely * costs[stage]
        splits[stage] += likely
    scored = bl.score_in_time(sets, problem, chain, elapsed)
    assert scored.cost == pytest.approx(cost, rel=1e-12, abs=0)
    assert_allclose(scored.split_probability, splits, atol=1e-14)


def test_sets_of_a_chain_name_its_levels():
    problem, chain, elapsed = drawn_chain(0, 3, 3)
    solution = bl.solve_in_time(problem, chain, elapsed)
    for n in range(3):
        stop = problem.cost.airtime[n] * problem.channel.channel_uses_per_bit(chain.levels_snr) + problem.cost.edge[n]
        go_on = solution.continuation_cost(n, chain.levels_snr)
        assert solution.stops(n, chain.levels_snr).tolist() == (stop <= go_on).tolist()
        assert_allclose(solution.value(n, chain.levels_snr), np.minimum(stop, go_on), rtol=1e-14)
    assert set(np.concatenate(solution.stopping_sets).ravel()) <= {0.0, *chain.levels_snr, np.inf}


def test_a_fine_chain_tends_to_the_gauss_markov_channel():
    """Levels at equal probability, moved by the transition density: two sums that share nothing but the model."""
    problem, process, _ = pose("rayleigh", 0.9)
    size = 800
    gain = -np.log1p(-(np.arange(size) + 0.5) / size)
    moves = np.sqrt(gain)[:, None], np.sqrt(gain)
    step = process.transition(1.0)
    matrix = step.density(*moves) / (2.0 * moves[1] * np.exp(-gain))
    chain = FiniteState(10.0 * gain, matrix / matrix.sum(axis=1, keepdims=True), 1.0)
    unit = np.array([1.0, 0.0, 2.0, 1.0])
    coarse = bl.solve_in_time(problem, chain, unit).cost
    assert coarse == pytest.approx(bl.solve_in_time(problem, process, unit).cost, rel=2e-3)


# --- bounds -----------------------------------------------------------------------------------------------------------

check = settings(derandomize=True, deadline=None, max_examples=60, database=None)
few = settings(check, max_examples=25)
amount = st.just(0.0) | st.floats(1e-3, 3.0)


@st.composite
def costs(draw, channel, most):
    horizon = draw(st.integers(1, most))
    completes = draw(st.booleans())
    airtime, edge = (draw(st.lists(amount, min_size=horizon + 1, max_size=horizon + 1)) for _ in range(2))
    if completes:
        airtime[-1] = edge[-1] = 0.0
    device = draw(st.lists(amount, min_size=horizon, max_size=horizon))
    return stopping_problem(airtime, edge, device, channel, completes)


@st.composite
def chains(draw):
    size = draw(st.integers(1, 5))
    levels = np.cumsum(draw(st.lists(st.floats(1e-3, 30.0), min_size=size, max_size=size)))
    rows = [draw(st.lists(st.floats(0.0, 1.0), min_size=size, max_size=size)) for _ in range(size)]
    matrix = np.array(rows) + 0.01
    return FiniteState(levels, matrix / matrix.sum(axis=1, keepdims=True), 1.0)


@st.composite
def moving(draw):
    limits = {
        "mean_snr": 10.0 ** draw(st.floats(-1.5, 3.0)),
        "min_efficiency": draw(st.floats(0.05, 0.5)),
        "max_efficiency": draw(st.none() | st.floats(1.0, 6.0)),
    }
    m = draw(st.just(1.0) | st.floats(0.5, 40.0))
    channel = Rayleigh(**limits) if m == 1.0 else Nakagami(m=m, **limits)
    return GaussMarkov(channel, draw(st.sampled_from([0.0, np.inf]) | st.floats(-3.0, 5.0).map(lambda x: 10.0**x)))


@st.composite
def sets(draw, horizon):
    ends = st.lists(st.floats(-3.0, 3.0).map(lambda decades: 10.0**decades), max_size=4, unique=True)
    found = []
    for _ in range(horizon):
        part = sorted(draw(ends))
        part = [0.0, *part] if draw(st.booleans()) else part
        found.append(np.array([*part, np.inf] if len(part) % 2 else part).reshape(-1, 2))
    return found


def bounds(problem, process, elapsed, data, slack):
    solution = bl.solve_in_time(problem, process, elapsed)
    allowed = slack * (problem.static_cost.sum() + solution.cost)
    assert bl.clairvoyant_in_time(problem, process, elapsed, rtol=1e-5) <= solution.cost + 2e-5 * allowed / slack
    for _ in range(3):
        drawn = bl.score_in_time(data.draw(sets(problem.horizon)), problem, process, elapsed)
        assert drawn.cost >= solution.cost - allowed
        assert drawn.split_probability.sum() == pytest.approx(1.0, abs=1e-9)
    for split in range(problem.horizon + 1):
        static = bl.threshold_sets(bl.static_split(problem, split).threshold_snr)
        assert bl.score_in_time(static, problem, process, elapsed).cost >= solution.cost - allowed
    own = bl.score_in_time(solution.stopping_sets, problem, process, elapsed)
    assert own.cost == pytest.approx(solution.cost, rel=1e-9, abs=allowed)
    return solution


@check
@given(chains(), st.data())
def test_clairvoyant_then_optimum_then_every_rule_on_chains(chain, data):
    problem = data.draw(costs(Rayleigh(mean_snr=1.0, max_efficiency=3.0), 5))
    times = st.lists(st.integers(0, 3).map(float), min_size=problem.horizon, max_size=problem.horizon)
    bounds(problem, chain, data.draw(times), data, 1e-12)


@few
@given(moving(), st.data())
def test_clairvoyant_then_optimum_then_every_rule_in_gauss_markov_channels(process, data):
    problem = data.draw(costs(process.law, 3))
    times = st.lists(st.sampled_from([0.0, 0.1, 1.0, 7.0]), min_size=problem.horizon, max_size=problem.horizon)
    elapsed = data.draw(times)
    solution = bounds(problem, process, elapsed, data, 1e-9)
    snr = process.law.inverse_survival(np.linspace(0.01, 0.99, 20))
    for n in range(problem.horizon):  # more SNR never hurts, and no choice is missed
        stop = problem.cost.airtime[n] * process.law.channel_uses_per_bit(snr) + problem.cost.edge[n]
        value, go_on = solution.value(n, snr), solution.continuation_cost(n, snr)
        scale = 1e-9 * (1e-6 + value.max())
        assert (np.diff(value) >= -scale).all()  # the SNRs fall
        assert_allclose(value, np.minimum(stop, go_on), rtol=1e-9, atol=scale)


@st.composite
def steep(draw):
    """Rates that rise where hardly any SNR lies, or a long way, and times from nothing to forgetting everything."""
    limits = {
        "mean_snr": 10.0 ** draw(st.floats(-2.0, 4.0)),
        "min_efficiency": 10.0 ** draw(st.floats(-3.0, -0.3)),
        "max_efficiency": draw(st.none() | st.floats(1.0, 8.0)),
    }
    m = draw(st.just(1.0) | st.floats(-0.3, 2.5).map(lambda decades: 10.0**decades))
    channel = Rayleigh(**limits) if m == 1.0 else Nakagami(m=m, **limits)
    problem = draw(costs(channel, 5))
    times = st.just(0.0) | st.floats(-6.0, 1.0).map(lambda decades: 10.0**decades)
    return problem, draw(st.lists(times, min_size=problem.horizon, max_size=problem.horizon))


@check
@given(steep())
def test_no_coherence_is_backward_induction_whatever_the_rate(posed):
    problem, elapsed = posed
    solution, optimum = (
        bl.solve_in_time(problem, GaussMarkov(problem.channel, 0.0), elapsed),
        bl.backward_induction(problem),
    )
    assert solution.cost == pytest.approx(optimum.cost, rel=1e-10, abs=1e-300)


@check
@given(steep())
def test_finer_panels_and_cells_change_nothing(posed):
    problem, elapsed = posed
    process = GaussMarkov(problem.channel, 1.0)
    cost = bl.solve_in_time(problem, process, elapsed).cost
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(panels, "_BLURRED", 1.2)
        for name, value in (("_CELL", 1.7), ("_POLE", 8.0), ("_SCAN", 21)):
            patch.setattr(diffusion, name, value)
        assert bl.solve_in_time(problem, process, elapsed).cost == pytest.approx(cost, rel=1e-9, abs=1e-300)


# --- what is refused --------------------------------------------------------------------------------------------------

GAUSS = GaussMarkov(THREE_LAYERS.channel, 1.0)
SHANNON = Nakagami(mean_snr=5.0, m=2.0, min_efficiency=0.0)
TIMES = [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bl.solve_in_time(THREE_LAYERS, GAUSS), "elapsed_s is missing"),
        (lambda: bl.solve_in_time(THREE_LAYERS, GAUSS, [1.0, 2.0]), r"elapsed_s has shape \(2,\), expected \(3,\)"),
        (lambda: bl.solve_in_time(THREE_LAYERS, GAUSS, [1.0, np.inf, 1.0]), r"elapsed_s\[1\] = inf must be finite"),
        (
            lambda: bl.solve_in_time(THREE_LAYERS, GaussMarkov(Rayleigh(mean_snr=2.0), 1.0), TIMES),
            "process.law = .*mean_snr=2.0.* must be the channel of the problem, .*mean_snr=10.0",
        ),
        (lambda: bl.solve_in_time(THREE_LAYERS, THREE_LAYERS.process, TIMES), "must be a GaussMarkov or a FiniteState"),
        (lambda: bl.score_in_time([[], []], THREE_LAYERS, GAUSS, TIMES), "stopping_sets has 2 entries, expected 3"),
        (lambda: bl.score_in_time([[], [], [1.0]], THREE_LAYERS, GAUSS, TIMES), r"stopping_sets\[2\] has shape \(1,\)"),
        (
            lambda: bl.score_in_time([[], [], [[2, 1]]], THREE_LAYERS, GAUSS, TIMES),
            r"stopping_sets\[2\] = .* that rise",
        ),
        (
            lambda: bl.solve_in_time(THREE_LAYERS, GAUSS, TIMES).value(4, 1.0),
            "stage = 4 must be an integer from 0 to 3",
        ),
        (lambda: bl.solve_in_time(THREE_LAYERS, GAUSS, TIMES).value(0, -1.0), "snr = -1.0 must be >= 0"),
        (
            lambda: bl.solve_in_time(THREE_LAYERS, GAUSS, TIMES).continuation_cost(3, 1.0),
            "stage = 3 is the last one: nothing goes on",
        ),
        (lambda: bl.clairvoyant_in_time(THREE_LAYERS, GAUSS, TIMES, rtol=0.0), "rtol = 0.0 must be from 1e-9"),
        (
            lambda: bl.solve_in_time(stopping_problem([1, 1], [0, 0], [0], SHANNON), GaussMarkov(SHANNON, 1.0), [1.0]),
            "min_efficiency = 0 and an upload at stage 1 at any SNR",
        ),
        (
            lambda: bl.solve_in_time(
                stopping_problem([1, 0], [0, 0], [1], SHANNON, completes=True),
                FiniteState((0.0, 1.0), [[0.5, 0.5], [0.5, 0.5]], 1.0),
                [1.0],
            ),
            "never gets a bit through at min_efficiency = 0",
        ),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_pure_shannon_link_is_solved_where_no_upload_is_forced():
    problem = stopping_problem([1.0, 0.5, 0.0], [0.1, 0.1, 0.0], [0.1, 0.4], SHANNON, completes=True)
    solution = bl.solve_in_time(problem, GaussMarkov(SHANNON, 0.0), [1.0, 1.0])
    assert solution.cost == pytest.approx(bl.backward_induction(problem).cost, rel=1e-12)
    assert bl.solve_in_time(problem, GaussMarkov(SHANNON, 5.0), [1.0, 1.0]).cost > solution.cost


def test_rician_in_time_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="power alone is not Markov"):
        GaussMarkov(Rician(mean_snr=1.0, k_factor=2.0), 0.1)


def test_a_problem_without_times_knows_no_seconds():
    solution = bl.solve_in_time(THREE_LAYERS, GAUSS, TIMES)
    assert solution.time_s is None
    assert solution.energy_j is None


def test_stopping_problem_is_untouched():
    """The process of a problem is still the independent one."""
    assert isinstance(Scenario.load("alexnet-pi").problem(), StoppingProblem)
