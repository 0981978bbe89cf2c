"""Monte-Carlo estimates: by hand, against the exact scores, and on common random numbers."""

import numpy as np
import pytest
from scipy.stats import norm

from cointer_gym import Rayleigh, Scenario
from cointer_gym import baselines as bl
from cointer_gym.envs import CoInferenceEnv, CoInferenceVectorEnv
from support.problems import STILL_CHANNEL, TWO_LAYERS, stopping_problem

ALPHA = 1e-6
EPISODES = 100_000


class Rule:
    def __init__(self, actions):
        self.actions = actions

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.actions(observation), state


def cases():
    for name, placement in (("alexnet-pi", 8), ("alexnet-pi", None), ("resnet18-phone", None)):
        yield name, Scenario.load(name).problem(placement)
    yield "toy", TWO_LAYERS


@pytest.fixture(params=cases(), ids=lambda case: f"{case[0]}-{case[1].horizon}")
def problem(request):
    return request.param[1]


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_costs_by_hand_on_a_channel_without_chance():
    still = stopping_problem(
        airtime=[1.0, 2.0, 0.5],
        edge=[0.3, 0.2, 0.1],
        device=[0.1, 0.4],
        channel=STILL_CHANNEL,
        completes=False,
    )
    by_split = [1 / 2 + 0.3, 0.1 + 2 / 2 + 0.2, 0.1 + 0.4 + 0.5 / 2 + 0.1]
    for split, cost in enumerate(by_split):
        estimate = bl.simulate(bl.static_split(still, split).policy(), still, episodes=5)
        np.testing.assert_allclose(estimate.costs, np.full(5, cost), rtol=1e-15)
        assert (estimate.cost, estimate.standard_error) == pytest.approx((cost, 0.0), abs=1e-15)


def test_completed_tasks_upload_nothing():
    posed = stopping_problem(
        airtime=[1.0, 0.0],
        edge=[0.3, 0.0],
        device=[0.7],
        channel=Rayleigh(mean_snr=10.0),
        completes=True,
    )
    np.testing.assert_array_equal(bl.simulate(bl.device_only(posed).policy(), posed, episodes=50).costs, 0.7)


# --- agreement with the exact evaluation ------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [bl.backward_induction, bl.look_ahead, bl.best_static_split])
def test_exact_score_lies_in_the_interval(problem, rule):
    policy = rule(problem).policy()
    estimate = bl.simulate(policy, problem, EPISODES, seed=3)
    low, high = estimate.interval(1 - ALPHA)
    assert low <= bl.evaluate(policy, problem).cost <= high
    assert high - low < 0.05 * estimate.cost  # a bias of 3 % is found with power > 0.8


def test_coin_agrees_too(problem):
    low, high = bl.simulate(bl.RandomPolicy(0.3, seed=0), problem, EPISODES, seed=3).interval(1 - ALPHA)
    assert low <= bl.evaluate(bl.RandomPolicy(0.3), problem).cost <= high


def test_another_policy_lies_outside_the_interval():
    """The interval can fail."""
    best, near = bl.backward_induction(TWO_LAYERS), bl.look_ahead(TWO_LAYERS)
    assert 0.01 < near.relative_gap < 0.1
    low, high = bl.simulate(best.policy(), TWO_LAYERS, EPISODES, seed=3).interval(1 - ALPHA)
    assert not low < near.cost < high


def test_agrees_with_the_vector_environment_on_the_same_paths():
    env = CoInferenceVectorEnv(500, placement=8, reward_scale=1.0)
    policy = bl.backward_induction(env.problem).policy()
    paths = env.problem.paths(4, np.arange(500))
    observation, _ = env.reset(options={"snr": paths})
    costs, alive = np.zeros(500), np.ones(500, dtype=bool)
    while alive.any():
        observation, reward, terminated, _, _ = env.step(policy.predict(observation)[0])
        costs -= np.where(alive, reward, 0.0)
        alive &= ~terminated
    np.testing.assert_allclose(bl.simulate(policy, env.problem, 500, seed=4).costs, costs, rtol=1e-14)


@pytest.mark.parametrize("placement", [0, 8, 11])
def test_plays_the_first_tasks_of_an_environment_with_the_same_seed(placement):
    env = CoInferenceEnv(placement=placement, reward_scale=1.0)
    policy = bl.ThresholdPolicy(env.problem, np.full(placement, 14.0))
    costs = []
    for task in range(70):
        observation, _ = env.reset(seed=6 if task == 0 else None)
        cost, terminated = 0.0, False
        while not terminated:
            observation, reward, terminated, _, _ = env.step(policy.predict(observation)[0])
            cost -= reward
        costs.append(cost)
    np.testing.assert_allclose(bl.simulate(policy, env.problem, 70, seed=6).costs, costs, rtol=1e-14)


# --- the estimate -----------------------------------------------------------------------------------------------------


def test_mean_and_standard_error_are_those_of_the_costs():
    estimate = bl.simulate(bl.backward_induction(TWO_LAYERS).policy(), TWO_LAYERS, 1000, seed=0)
    assert estimate.costs.shape == (1000,)
    assert estimate.cost == pytest.approx(np.sum(estimate.costs) / 1000)
    assert estimate.standard_error == pytest.approx(np.sqrt(np.sum((estimate.costs - estimate.cost) ** 2) / 999 / 1000))


@pytest.mark.parametrize("confidence", [0.5, 0.95, 1 - 1e-6])
def test_interval_is_normal(confidence):
    estimate = bl.simulate(bl.edge_only(TWO_LAYERS).policy(), TWO_LAYERS, 1000, seed=0)
    wanted = norm.interval(confidence, loc=estimate.cost, scale=estimate.standard_error)
    assert estimate.interval(confidence) == pytest.approx(wanted)
    assert estimate.interval() == pytest.approx(estimate.interval(0.95))


def test_intervals_cover_as_often_as_they_say():
    """200 intervals of 90 %: the number that miss is Binomial(200, 0.1), within 3 to 43 but for 1e-6."""
    exact = bl.edge_only(TWO_LAYERS).cost
    policy = bl.edge_only(TWO_LAYERS).policy()
    estimates = [bl.simulate(policy, TWO_LAYERS, 1000, seed=seed) for seed in range(200)]
    missed = sum(not low < exact < high for low, high in (estimate.interval(0.9) for estimate in estimates))
    assert 3 <= missed <= 43


# --- common random numbers --------------------------------------------------------------------------------------------


def test_same_seed_same_costs_and_another_seed_others():
    policy = bl.backward_induction(TWO_LAYERS).policy()
    first, again, other = (bl.simulate(policy, TWO_LAYERS, 1000, seed=seed).costs for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_differences_on_the_same_paths_vary_less():
    posed = Scenario.load("alexnet-pi").problem(8)
    best = bl.backward_induction(posed)
    near = bl.threshold_solution(posed, "cautious", 1.2 * best.threshold_snr)
    costs = [bl.simulate(rule.policy(), posed, 20_000, seed=0).costs for rule in (best, near)]
    apart = bl.simulate(near.policy(), posed, 20_000, seed=1).costs
    paired, independent = np.var(costs[1] - costs[0]), np.var(apart - costs[0])
    assert independent == pytest.approx(np.var(costs[0]) + np.var(costs[1]), rel=0.1)
    assert paired < 0.2 * independent
    error = np.sqrt(paired / 20_000)
    assert abs(np.mean(costs[1] - costs[0]) - (near.cost - best.cost)) < norm.isf(ALPHA / 2) * error


def test_paired_difference_is_the_gap_with_a_narrow_interval():
    posed = Scenario.load("alexnet-pi").problem(8)
    best = bl.backward_induction(posed)
    near = bl.threshold_solution(posed, "cautious", 1.2 * best.threshold_snr)
    one, other = (bl.simulate(rule.policy(), posed, 20_000, seed=0) for rule in (near, best))
    gap = one.minus(other)
    np.testing.assert_array_equal(gap.costs, one.costs - other.costs)
    assert gap.cost == pytest.approx(one.cost - other.cost, rel=1e-9)
    low, high = gap.interval(1 - ALPHA)
    assert low < bl.evaluate(near.policy(), posed).gap < high
    assert high - low < 0.5 * np.ptp(one.interval(1 - ALPHA))
    assert low > 0.0  # that it is not optimal shows


def test_only_as_many_tasks_are_compared_in_pairs():
    policy = bl.edge_only(TWO_LAYERS).policy()
    one, other = (bl.simulate(policy, TWO_LAYERS, tasks) for tasks in (10, 11))
    with pytest.raises(ValueError, match="10 tasks cannot be compared in pairs with 11"):
        one.minus(other)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("episodes", [1, 0, -5, 10.5, "many"])
def test_bad_episodes(episodes):
    with pytest.raises(ValueError, match=f"episodes = {episodes!r} must be an integer >= 2"):
        bl.simulate(bl.edge_only(TWO_LAYERS).policy(), TWO_LAYERS, episodes)


@pytest.mark.parametrize("seed", [-1, 0.5, "many", None])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match=f"seed = {seed!r} must be an integer >= 0"):
        bl.simulate(bl.edge_only(TWO_LAYERS).policy(), TWO_LAYERS, 10, seed)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, -0.5])
def test_bad_confidence(confidence):
    with pytest.raises(ValueError, match=f"confidence = {confidence} must be between 0 and 1"):
        bl.simulate(bl.edge_only(TWO_LAYERS).policy(), TWO_LAYERS, 10).interval(confidence)


@pytest.mark.parametrize(
    "actions",
    [
        lambda seen: 1,
        lambda seen: None,
        lambda seen: np.ones((len(seen), 1), dtype=int),
        lambda seen: np.full(len(seen), 7),
        lambda seen: np.full(len(seen), np.nan),
    ],
)
def test_malformed_predict(actions):
    with pytest.raises(ValueError, match=r"predict returned .* expected one action per observation"):
        bl.simulate(Rule(actions), TWO_LAYERS, 10)
