"""Exact scores: against the solver, against quadrature and closed forms, convergence, attribution, refusals."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

import cointer_gym as cg
from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, StageTerms, StoppingProblem
from cointer_gym import baselines as bl
from cointer_gym.channel import OffloadMoments
from cointer_gym.observation import decode

MEAN_SNR = 10.0
TERMS = {"airtime_cost": [1.0, 2.0, 0.4, 0.6], "edge_cost": [0.3, 0.25, 0.1, 0.05], "device_cost": [0.1, 0.05, 0.2]}
COMPLETE = {"airtime_cost": [1.0, 2.0, 0.4, 0.0], "edge_cost": [0.3, 0.25, 0.1, 0.0], "device_cost": [0.1, 0.05, 0.5]}
CHANNELS = {
    "rayleigh": Rayleigh(mean_snr=MEAN_SNR),
    "rayleigh, capped": Rayleigh(mean_snr=MEAN_SNR, max_efficiency=5.5547),
    "rayleigh, -5 dB": Rayleigh(mean_snr=10**-0.5),
    "rician": Rician(mean_snr=MEAN_SNR, k_factor=4.0),
    "nakagami": Nakagami(mean_snr=MEAN_SNR, m=2.5),
    "empirical": Empirical(snr=(0.0, 0.3, 1.7, 2.9, 4.1, 8.8, 8.9, 15.0, 31.0)),
}


def problem(channel="rayleigh", terms=TERMS, **more):
    law = CHANNELS[channel] if isinstance(channel, str) else channel
    return StoppingProblem(**terms, channel=law, completes=terms is COMPLETE, **more)


class Rule:
    """Deterministic: offload where ``offloads(stage, snr)`` says so."""

    def __init__(self, offloads, mean_snr=MEAN_SNR):
        self.offloads, self.mean_snr = offloads, mean_snr

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        assert deterministic
        return np.asarray(self.offloads(*decode(observation, self.mean_snr))).astype(np.int64), state


class Chance:
    """Randomised: offload with ``probability(stage, snr)``."""

    def __init__(self, probability, seed=0):
        self.probability, self.rng = probability, np.random.default_rng(seed)

    def offload_probability(self, observation):
        return self.probability(*decode(observation, MEAN_SNR))

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        probability = self.offload_probability(observation)
        return (self.rng.random(probability.shape) < probability).astype(np.int64), state


class Fixed:
    """Returns the same thing whatever it sees."""

    def __init__(self, result):
        self.result = result

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.result(observation) if callable(self.result) else self.result, state


# --- an independent reference: quadrature over the density, no Phi, no thresholds -------------------------------------


def rayleigh_moments(probability, breaks=()):
    """P(offload) and E[x; offload] under Rayleigh fading for an offload probability that is a function of the SNR."""
    lowest = 2**0.1523 - 1  # below this SNR the most robust rate is kept

    def integrate(integrand):
        edges = [0.0, *sorted({lowest, *breaks}), 50 * MEAN_SNR]  # e^-50 is left out
        return sum(quad(integrand, a, b, epsabs=0, epsrel=1e-11, limit=400)[0] for a, b in pairwise(edges))

    def density(snr):
        return np.exp(-snr / MEAN_SNR) / MEAN_SNR

    return (
        integrate(lambda snr: probability(snr) * density(snr)),
        integrate(lambda snr: probability(snr) * density(snr) / max(np.log2(1 + snr), 0.1523)),
    )


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
    rules += [bl.threshold_solution(posed, "any", posed.channel.average_snr * rng.exponential(1, 3)) for _ in range(5)]
    for rule in rules:
        score = bl.evaluate(rule.policy(), posed)
        np.testing.assert_allclose(score.value, rule.value, rtol=1e-7, err_msg=rule.rule)
        np.testing.assert_allclose(score.split_probability, rule.split_probability, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(score.offload_probability, rule.offload_probability, rtol=1e-6, atol=1e-12)
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

WINDOWS = [
    ((2.0, 9.0),),
    ((0.0, 1.0), (5.0, 5.5), (20.0, np.inf)),
    ((0.01, 0.02), (30.0, 60.0)),
]


def in_windows(stage, snr):
    inside = [sum((snr >= low) & (snr < high) for low, high in windows) for windows in WINDOWS]
    return np.choose(np.minimum(stage, 2), inside)


def window_moments(windows):
    probability, uses = 0.0, 0.0
    for low, high in windows:
        probability += np.exp(-low / MEAN_SNR) - np.exp(-high / MEAN_SNR)
        breaks = [edge for edge in (low, high) if 0 < edge < np.inf]
        uses += rayleigh_moments(lambda snr, a=low, b=high: float(a <= snr < b), breaks)[1]
    return probability, uses


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


def test_narrow_window_goes_unseen_only_within_a_cell():
    posed = problem()
    wide = 10 ** (8 / 2048)  # a cell
    always = bl.evaluate(Rule(lambda stage, snr: snr >= 0), posed).cost
    for width, seen in ((wide**1.5, True), (wide**0.01, False)):
        gap = Rule(lambda stage, snr, high=5.0013 * width: (snr < 5.0013) | (snr > high))
        cost = bl.evaluate(gap, posed, grid=2048).cost
        assert (abs(cost / always - 1) > 1e-6) is seen
    found = bl.evaluate(Rule(lambda stage, snr: (snr < 5.0013) | (snr > 5.0013 * wide**0.01)), posed, grid=400_000)
    assert found.cost != always


# --- policies that randomise ------------------------------------------------------------------------------------------

MIDDLE, STEEPNESS = np.array([3.0, 8.0, 15.0, 1.0]), 4.0


def logistic(stage, snr):
    return expit(STEEPNESS * np.log(np.maximum(snr, 1e-300) / MIDDLE[stage]))


LOGISTIC_MOMENTS = [rayleigh_moments(lambda snr, n=n: logistic(n, snr), [MIDDLE[n]]) for n in range(3)]


def test_logistic_policy_is_scored_by_quadrature():
    score = bl.evaluate(Chance(logistic), problem())
    assert score.cost == pytest.approx(cost_by_hand(TERMS, LOGISTIC_MOMENTS, MEAN_USES), rel=1e-6)
    np.testing.assert_allclose(score.offload_probability, [p for p, _ in LOGISTIC_MOMENTS], rtol=1e-5)


def test_randomised_score_converges_with_the_square_of_the_cell():
    exact = cost_by_hand(TERMS, LOGISTIC_MOMENTS, MEAN_USES)
    errors = [abs(bl.evaluate(Chance(logistic), problem(), grid=grid).cost - exact) for grid in (64, 128, 256, 512)]
    ratios = np.divide(errors[:-1], errors[1:])
    assert (ratios > 3.5).all()
    assert (ratios < 4.5).all()


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


# --- what the score says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_gap_is_the_sum_of_the_regrets(channel):
    posed = problem(channel)
    for policy in (
        bl.look_ahead(posed).policy(),
        bl.RandomPolicy(0.4),
        Rule(in_windows, posed.channel.average_snr),
        Rule(lambda stage, snr: stage == 1),
    ):
        score = bl.evaluate(policy, posed)
        assert score.gap >= 0
        assert (score.stage_regret >= -1e-15).all()
        assert score.stage_regret.sum() == pytest.approx(score.gap, abs=1e-14)


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_regret_lies_with_the_stage_that_causes_it(wrong):
    posed = problem()
    best = bl.backward_induction(posed)
    thresholds = best.threshold_snr.copy()
    thresholds[wrong] *= 3.0
    score = bl.evaluate(bl.ThresholdPolicy(posed, thresholds), posed)
    elsewhere = np.delete(score.stage_regret, wrong)
    assert score.stage_regret[wrong] == pytest.approx(score.gap, rel=1e-9)
    np.testing.assert_allclose(elsewhere, 0.0, atol=1e-12 * score.optimum)
    # P(reach) E[regret]: between the two thresholds it goes on where s_n(x) would have been cheaper
    goes_on = posed.cost.device[wrong] + best.value[wrong + 1]
    low, high = best.threshold_snr[wrong], thresholds[wrong]
    probability, uses = window_moments([(low, high)])
    regret = goes_on * probability - (posed.cost.airtime[wrong] * uses + posed.cost.edge[wrong] * probability)
    assert score.gap == pytest.approx(np.prod(1 - best.offload_probability[:wrong]) * regret, rel=1e-6)


def test_time_and_energy_by_hand():
    """One layer, half the tasks offload at once: every term enters once."""
    time = StageTerms(airtime=np.array([2.0, 3.0]), edge=np.array([0.5, 0.25]), device=np.array([1.5]))
    energy = StageTerms(airtime=np.array([1.0, 5.0]), edge=np.zeros(2), device=np.array([4.0]))
    both = time.weighted(1.0, energy, 2.0)
    posed = StoppingProblem(
        airtime_cost=both.airtime,
        edge_cost=both.edge,
        device_cost=both.device,
        channel=Empirical(snr=(3.0, 15.0)),  # x = 1/2 and 1/4
        completes=False,
        time=time,
        energy=energy,
    )
    score = bl.evaluate(Rule(lambda stage, snr: snr > 9, 9.0), posed)
    # 15: 2 / 4 + 0.5 = 1 s, 1 / 4 = 0.25 J.  3: 1.5 + 3 * 3/8 + 0.25 = 2.875 s, 4 + 5 * 3/8 = 5.875 J
    assert score.time_s == pytest.approx((1.0 + 2.875) / 2)
    assert score.energy_j == pytest.approx((0.25 + 5.875) / 2)
    assert score.cost == pytest.approx(score.time_s + 2 * score.energy_j)
    without = problem()
    assert (score := bl.evaluate(bl.RandomPolicy(), without)).time_s is score.energy_j is None


def test_relative_gap():
    score = bl.evaluate(bl.RandomPolicy(0.5), problem())
    assert score.gap == pytest.approx(score.cost - score.optimum)
    assert score.relative_gap == pytest.approx(score.cost / score.optimum - 1)


def free_of_charge():
    """Running everything on the device costs nothing."""
    return StoppingProblem(
        airtime_cost=[1.0, 0.0], edge_cost=[0.0, 0.0], device_cost=[0.0], channel=CHANNELS["rayleigh"], completes=True
    )


def test_a_costly_policy_is_not_optimal_where_the_optimum_is_free():
    posed = free_of_charge()
    edge = bl.edge_only(posed)
    assert edge.cost > 0
    assert not edge.optimal
    assert edge.relative_gap == np.inf
    assert bl.evaluate(edge.policy(), posed).relative_gap == np.inf


def test_a_free_policy_is_optimal_where_the_optimum_is_free():
    posed = free_of_charge()
    assert bl.device_only(posed).optimal
    assert bl.evaluate(bl.device_only(posed).policy(), posed).relative_gap == 0.0


# --- a link without a most robust rate --------------------------------------------------------------------------------

SHANNON = StoppingProblem(
    airtime_cost=[1.0, 0.0, 0.0],
    edge_cost=[0.0, 0.6, 0.0],
    device_cost=[0.5, 0.5],
    channel=Rayleigh(mean_snr=MEAN_SNR, min_efficiency=0.0),
    completes=True,
)


def test_infinite_uploads_are_scored_as_such():
    score = bl.evaluate(bl.edge_only(SHANNON).policy(), SHANNON)
    assert score.cost == np.inf
    np.testing.assert_array_equal(score.stage_regret, [np.inf, 0.0])  # the second stage is never reached


def test_policies_that_avoid_infinite_uploads_are_scored():
    assert bl.static_split(SHANNON, 1).cost == pytest.approx(0.5 + 0.6)
    solution = bl.backward_induction(SHANNON)
    assert bl.evaluate(solution.policy(), SHANNON).cost == pytest.approx(solution.cost, rel=1e-9)
    assert bl.evaluate(bl.RandomPolicy(0.0), SHANNON).cost == pytest.approx(1.0)
    assert bl.evaluate(bl.RandomPolicy(0.5), SHANNON).cost == np.inf


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_better_than_optimal_is_an_error():
    posed = problem()
    best = bl.backward_induction(posed).moments
    bl.score_moments(best, posed)
    cheats = best.channel_uses * np.array([1.0, 1.0, 0.999])  # uploads that cost less than the channel allows
    with pytest.raises(ArithmeticError, match=r"is below the optimum .*: the policy or the evaluation is faulty"):
        bl.score_moments(OffloadMoments(best.probability, cheats), posed)


@pytest.mark.parametrize(
    "result",
    [
        1,
        None,
        [0, 1],
        lambda seen: np.zeros((len(seen), 1), dtype=int),
        lambda seen: np.full(len(seen), 7),
        lambda seen: np.full(len(seen), 0.5),
        lambda seen: np.full(len(seen), np.nan),
    ],
)
def test_malformed_predict(result):
    with pytest.raises(ValueError, match=r"predict returned .* for \d+ observations; expected one action per obs"):
        bl.evaluate(Fixed(result), problem())


@pytest.mark.parametrize(
    "result",
    [
        lambda seen: np.full(seen.shape[0], 1.5),
        lambda seen: np.full(seen.shape[0], -0.01),
        lambda seen: np.full(seen.shape[0], np.nan),
        lambda seen: np.full((seen.shape[0], 1), 0.5),
        lambda seen: 0.5,
    ],
)
def test_malformed_probability(result):
    policy = bl.RandomPolicy()
    policy.offload_probability = result
    with pytest.raises(ValueError, match=r"offload_probability returned"):
        bl.evaluate(policy, problem())


@pytest.mark.parametrize("grid", [0, -3, 10.5])
def test_bad_grid(grid):
    with pytest.raises(ValueError, match=f"grid = {grid} must be an integer >= 1"):
        bl.evaluate(bl.backward_induction(problem()).policy(), problem(), grid=grid)


def test_a_solution_is_not_a_policy():
    posed = problem()
    with pytest.raises(TypeError, match=r"predict"):
        bl.evaluate(bl.backward_induction(posed), posed)
