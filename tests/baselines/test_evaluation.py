"""Exact scores: against the solver, against quadrature and closed forms, convergence."""

import numpy as np
import pytest
from scipy.special import expit

import cointer_gym as cg
from cointer_gym import baselines as bl
from support.scoring import (
    CHANNELS,
    COMPLETE,
    TERMS,
    WINDOWS,
    Rule,
    decode,
    in_windows,
    problem,
    rayleigh_moments,
    visible,
    window_moments,
)


class Chance:
    """Randomised: offload with ``probability(stage, snr)``."""

    def __init__(self, probability, seed=0):
        self.probability, self.rng = probability, np.random.default_rng(seed)

    def offload_probability(self, observation):
        return self.probability(*decode(observation))

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        probability = self.offload_probability(observation)
        return (self.rng.random(probability.shape) < probability).astype(np.int64), state


def cost_by_hand(terms, moments, mean_uses):
    """J_0 from P(offload) and E[x; offload] per stage, written out for three layers."""
    A, B, c = terms["airtime_cost"], terms["edge_cost"], terms["device_cost"]
    J = A[3] * mean_uses + B[3]
    for n in (2, 1, 0):
        J = A[n] * moments[n][1] + B[n] * moments[n][0] + (1 - moments[n][0]) * (c[n] + J)
    return J


MEAN_USES = rayleigh_moments(lambda snr: 1.0)[1]


# --- threshold policies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [TERMS, COMPLETE], ids=["forced", "completes"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_score_of_a_threshold_policy_is_its_value(channel, terms):
    posed = problem(channel, terms)
    rules = [*bl.reference_rules(posed).values()]
    rng = np.random.default_rng(0)
    rules += [bl.threshold_solution(posed, "any", visible(posed.channel, rng.exponential(1, 3))) for _ in range(5)]
    for rule in rules:
        score = bl.evaluate(rule.policy(), posed)
        np.testing.assert_allclose(score.value, rule.value, rtol=1e-7, err_msg=rule.rule)
        np.testing.assert_allclose(score.split_probability, rule.split_probability, rtol=1e-6, atol=1e-10)
        np.testing.assert_allclose(score.offload_probability, rule.offload_probability, rtol=1e-6, atol=1e-10)
        assert score.optimum == pytest.approx(bl.backward_induction(posed).cost, rel=1e-12)
        assert score.relative_gap == pytest.approx(rule.relative_gap, abs=2e-7)


@pytest.mark.parametrize("name", cg.list_scenarios())
def test_score_of_the_optimum_on_the_scenarios(name):
    posed = cg.Scenario.load(name).problem()
    solution = bl.backward_induction(posed)
    score = bl.evaluate(solution.policy(), posed)
    assert score.cost == pytest.approx(solution.cost, rel=1e-12)  # flat at the optimum
    weights = cg.Scenario.load(name).weights
    assert weights.time_weight * score.time_s + weights.energy_weight * score.energy_j == pytest.approx(
        score.cost, rel=1e-12
    )
    assert score.split_probability.sum() == pytest.approx(1.0, rel=1e-12)


def test_no_layers_leave_nothing_to_decide():
    posed = cg.Scenario.load("alexnet-pi").problem(0)
    for policy in (bl.backward_induction(posed).policy(), bl.RandomPolicy(0.3), Rule(lambda stage, snr: snr > 1)):
        score = bl.evaluate(policy, posed)
        assert score.cost == score.optimum == pytest.approx(posed.static_cost[0])
        assert (score.gap, score.stage_regret.size, list(score.split_probability)) == (0.0, 0, [1.0])


# --- deterministic policies with several switches ---------------------------------------------------------------------


def test_windows_are_scored_by_quadrature():
    posed = problem()
    score = bl.evaluate(Rule(in_windows), posed)
    moments = [window_moments(windows) for windows in WINDOWS]
    np.testing.assert_allclose(score.offload_probability, [p for p, _ in moments], rtol=1e-7)
    assert score.cost == pytest.approx(cost_by_hand(TERMS, moments, MEAN_USES), rel=1e-7)
    went_on = np.cumprod([1.0, *(1 - p for p, _ in moments)])
    np.testing.assert_allclose(score.split_probability, went_on * [*(p for p, _ in moments), 1.0], rtol=1e-7)


def test_windows_are_found_where_they_are():
    found = bl.switches(Rule(in_windows), problem())
    expected = [[edge for window in windows for edge in window if 0 < edge < np.inf] for windows in WINDOWS]
    np.testing.assert_array_equal(found.offloads_at_zero, [False, True, False])
    np.testing.assert_array_equal(found.stage, np.repeat([0, 1, 2], [len(edges) for edges in expected]))
    np.testing.assert_allclose(found.snr, np.concatenate(expected), rtol=1e-6)
    np.testing.assert_array_equal(found.to_offload, [True, False, False, True, False, True, True, False, True, False])


def test_window_on_an_empirical_law_counts_samples():
    posed = problem("empirical")
    mean = posed.channel.average_snr
    score = bl.evaluate(Rule(lambda stage, snr: (snr > 2) & (snr < 8.85), mean), posed)  # 2.9, 4.1 and 8.8 of nine
    np.testing.assert_allclose(score.offload_probability, 3 / 9, rtol=1e-12)
    uses = sum(1 / np.log2(1 + snr) for snr in (2.9, 4.1, 8.8)) / 9
    mean_uses = np.mean([1 / max(np.log2(1 + snr), 0.1523) for snr in posed.channel.snr])
    assert score.cost == pytest.approx(cost_by_hand(TERMS, [(3 / 9, uses)] * 3, mean_uses), rel=1e-12)


@pytest.mark.parametrize("grid", [64, 256, 1024])
def test_grid_only_has_to_separate_the_switches(grid):
    """Single switches are bisected, so the score of a threshold policy does not depend on the grid at all."""
    posed = problem()
    thresholds = bl.threshold_solution(posed, "any", np.array([3.3, 7.7, 11.1]))
    assert bl.evaluate(thresholds.policy(), posed, grid=grid).cost == pytest.approx(thresholds.cost, rel=1e-7)


MIDDLE, STEEPNESS = np.array([3.0, 8.0, 15.0, 1.0]), 4.0


def logistic(stage, snr):
    return expit(STEEPNESS * np.log(np.maximum(snr, 1e-300) / MIDDLE[stage]))


LOGISTIC_MOMENTS = [rayleigh_moments(lambda snr, n=n: logistic(n, snr), [MIDDLE[n]]) for n in range(3)]


# --- policies that randomise ------------------------------------------------------------------------------------------


def test_logistic_policy_is_scored_by_quadrature():
    score = bl.evaluate(Chance(logistic), problem())
    assert score.cost == pytest.approx(cost_by_hand(TERMS, LOGISTIC_MOMENTS, MEAN_USES), rel=1e-6)
    np.testing.assert_allclose(score.offload_probability, [p for p, _ in LOGISTIC_MOMENTS], rtol=1e-5)


def test_logistic_policy_by_simulation():
    posed = problem()
    estimate = bl.simulate(Chance(logistic), posed, episodes=200_000, seed=1)
    low, high = estimate.interval(1 - 1e-6)
    assert low < bl.evaluate(Chance(logistic), posed).cost < high
    assert high - low < 0.02 * estimate.cost  # a bias of 1 % is found with power > 0.8


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("terms", [TERMS, COMPLETE], ids=["forced", "completes"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_coin_in_closed_form(channel, terms, probability):
    """A coin ignores the SNR: the cost is the mean of the static costs over the stage at which it lands."""
    posed = problem(channel, terms)
    score = bl.evaluate(bl.RandomPolicy(probability), posed)
    lands = np.array([(1 - probability) ** n * probability for n in range(3)] + [(1 - probability) ** 3])
    np.testing.assert_allclose(score.split_probability, lands, rtol=1e-12, atol=1e-15)
    assert score.cost == pytest.approx(lands @ posed.static_cost, rel=1e-12)


def test_a_probability_of_zero_and_one_is_the_deterministic_policy():
    posed = problem()
    for chosen in (0, 1):
        sure = bl.evaluate(Chance(lambda stage, snr, p=chosen: np.full(snr.shape, float(p))), posed)
        plain = bl.evaluate(Rule(lambda stage, snr, p=chosen: np.full(snr.shape, p)), posed)
        assert sure.cost == pytest.approx(plain.cost, rel=1e-12)
