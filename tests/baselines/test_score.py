"""What a score says: regret, time and energy, gaps, infinite uploads; and what is refused."""

import numpy as np
import pytest

from cointer_gym import Empirical, Rayleigh, StageTerms, StoppingProblem
from cointer_gym import baselines as bl
from cointer_gym.channels import OffloadMoments
from support.scoring import CHANNELS, MEAN_SNR, Rule, in_windows, problem, window_moments


class Fixed:
    """Returns the same thing whatever it sees."""

    def __init__(self, result):
        self.result = result

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.result(observation) if callable(self.result) else self.result, state


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
    posed = StoppingProblem(
        airtime_cost=time.airtime + 2 * energy.airtime,
        edge_cost=time.edge + 2 * energy.edge,
        device_cost=time.device + 2 * energy.device,
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


SHANNON = StoppingProblem(
    airtime_cost=[1.0, 0.0, 0.0],
    edge_cost=[0.0, 0.6, 0.0],
    device_cost=[0.5, 0.5],
    channel=Rayleigh(mean_snr=MEAN_SNR, min_efficiency=0.0),
    completes=True,
)


# --- a link without a most robust rate --------------------------------------------------------------------------------


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
