"""Policies of placement and splitting together: exact scores, regret, parity with the environment, learning."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
from scipy.stats import norm

from cointer_gym import Scenario, list_scenarios
from cointer_gym import baselines as bl
from cointer_gym.baselines.policies import PlacementPolicy
from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementEnv, make_task
from cointer_gym.observation import PlacementLayout
from support.scenarios import SECOND_TOO_LARGE
from support.scoring import visible

ALPHA = 1e-6
every_scenario = pytest.mark.parametrize("name", list_scenarios())


class Scripted:
    """Chooses ``placement``, then answers with ``split(observations)``; remembers what it saw and how it was asked."""

    def __init__(self, placement, split=lambda observation: np.zeros(len(observation), dtype=int)):
        self.placement, self.split = placement, split
        self.seen, self.asked = [], []

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        self.seen.append(np.array(observation))
        self.asked.append((state, episode_start, deterministic))
        if (observation[..., 0] == 1.0).all():
            return np.full(len(observation), self.placement), state
        return self.split(observation), state


def placed(scenario, placement, thresholds=None):
    """A fixed placement with given thresholds; with the optimal ones unless given."""
    problem = scenario.problem(placement)
    optimal = bl.backward_induction(problem).threshold_snr
    layout = PlacementLayout.of(scenario.problem())
    return PlacementPolicy(layout, problem, optimal if thresholds is None else thresholds)


def random_thresholds(scenario, placement, seed):
    law = scenario.channel_law
    return visible(law, np.random.default_rng(seed).exponential(size=placement))


def download_s(scenario, placement):
    return sum(scenario.dnn.parameter_bits[:placement]) / scenario.link.downlink_bps / scenario.tasks_per_update


# --- exact scores -----------------------------------------------------------------------------------------------------


@every_scenario
def test_joint_optimum_has_no_gap(name):
    scenario = Scenario.load(name)
    table, policy = bl.optimal_placement(scenario), bl.joint_optimum(scenario)
    score = bl.evaluate_joint(policy, scenario)
    assert score.placement == policy.placement == table.placement
    assert score.optimum == table.cost
    assert abs(score.gap) <= 1e-12 * table.cost
    assert abs(score.relative_gap) <= 1e-12
    assert abs(score.placement_regret) <= 1e-12 * table.cost
    assert score.cost == pytest.approx(table.cost, rel=1e-12)


@every_scenario
def test_wrong_placement_with_optimal_splitting_loses_its_regret(name):
    scenario = Scenario.load(name)
    table = bl.optimal_placement(scenario)
    for placement in range(scenario.layers + 1):
        score = bl.evaluate_joint(placed(scenario, placement), scenario)
        loss = table.total[placement] - table.total[table.placement]
        assert score.placement == placement
        assert score.placement_regret == pytest.approx(loss, rel=1e-9, abs=1e-12 * table.cost)
        assert score.gap == pytest.approx(loss, rel=1e-9, abs=1e-9 * table.cost)
        assert score.relative_gap == pytest.approx(score.gap / table.cost, rel=1e-12)
    assert table.total.max() > 1.05 * table.cost  # there is something to lose


@pytest.mark.parametrize("name", ["alexnet-pi", "mobilenetv2-phone", "vit-b-16-blocks-phone"])
@pytest.mark.parametrize("seed", [0, 1])
def test_gap_is_the_regret_of_the_placement_and_the_gap_of_the_splitting(name, seed):
    scenario = Scenario.load(name)
    for placement in (0, 1, scenario.layers // 2, scenario.layers):
        thresholds = random_thresholds(scenario, placement, seed)
        score = bl.evaluate_joint(placed(scenario, placement, thresholds), scenario)
        problem = scenario.problem(placement)
        alone = bl.evaluate(bl.ThresholdPolicy(problem, thresholds), problem)
        for field in dataclasses.fields(bl.Score):
            one, other = getattr(score.inference, field.name), getattr(alone, field.name)
            if field.name == "amounts":
                one, other = ([*amounts.known().values()] for amounts in (one, other))
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-12, err_msg=field.name)
        assert score.gap == pytest.approx(score.placement_regret + score.inference.gap, rel=1e-9, abs=1e-15)
        assert score.inference.gap > 0.0 or placement == 0
        assert score.placement_regret >= 0.0
        assert score.cost == pytest.approx(alone.cost + scenario.download.cost[placement], rel=1e-7)


@every_scenario
def test_download_is_paid_in_all_three_currencies(name):
    scenario = Scenario.load(name)
    weights, layers = scenario.weights, scenario.layers
    for placement in (0, layers // 2, layers):
        score = bl.evaluate_joint(placed(scenario, placement), scenario)
        seconds = download_s(scenario, placement)
        assert score.time_s - score.inference.time_s == pytest.approx(seconds, rel=1e-6, abs=1e-15)
        joules = scenario.link.rx_power_w * seconds
        assert score.energy_j - score.inference.energy_j == pytest.approx(joules, rel=1e-6, abs=1e-15)
        joined = weights.time_weight * score.time_s + weights.energy_weight * score.energy_j
        assert score.cost == pytest.approx(joined, rel=1e-12)
        assert score.split_probability.shape == (layers + 1,)
        assert score.split_probability.sum() == pytest.approx(1.0)
        assert not score.split_probability[placement + 1 :].any()
        np.testing.assert_array_equal(score.split_probability[: placement + 1], score.inference.split_probability)


def test_scores_by_hand():
    """Nothing placed: one upload. Everything placed and never offloaded: two layers and the whole download."""
    scenario = Scenario.load(SECOND_TOO_LARGE)
    score = bl.evaluate_joint(Scripted(0), scenario)
    # 800 bit * E[x] over 1e6 Hz at 1 + 2 * 0.5 W, and 6.2e6 FLOP on the edge: 6.2e-5 s
    assert score.cost == pytest.approx(1.6e-3 * scenario.channel_law.mean_channel_uses_per_bit + 6.2e-5, rel=1e-12)
    assert (score.cost, score.placement) == (score.inference.cost, 0)
    np.testing.assert_array_equal(score.split_probability, [1.0, 0.0, 0.0])
    score = bl.evaluate_joint(Scripted(2), scenario)
    # 6.2e-4 s at 1 + 2 * 2 W; 61 000 * 32 bit over 1e6 bit/s for 1000 tasks at 1 + 2 * 0.1 W
    assert score.cost - score.inference.cost == pytest.approx(1.952e-3 * 1.2, rel=1e-12)
    assert score.cost == pytest.approx(6.2e-4 * 5.0 + 1.952e-3 * 1.2, rel=1e-12)
    np.testing.assert_array_equal(score.split_probability, [0.0, 0.0, 1.0])


def test_memory_limit_holds_for_scores_and_the_optimum():
    scenario = Scenario.load("alexnet-pi")
    tight = scenario.replace(**{"device.memory_bytes": sum(scenario.dnn.parameter_bits[:6]) / 8})
    assert bl.optimal_placement(scenario).placement == 8
    for choice in range(12):
        assert bl.chosen_placement(Scripted(choice), tight) == min(choice, 6)
    assert bl.evaluate_joint(Scripted(11), tight).placement == 6
    score = bl.evaluate_joint(bl.joint_optimum(tight), tight)
    assert score.placement <= 6
    assert abs(score.gap) < 1e-12
    assert score.optimum == min(bl.optimal_placement(scenario).total[:7])


# --- against the environment ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "placement"), [("alexnet-pi", 5), ("alexnet-pi", 11), ("mobilenetv2-phone", 0)])
def test_score_agrees_with_a_monte_carlo_run_of_the_environment(name, placement):
    slots, scenario = 40_000, Scenario.load(name)
    policy = placed(scenario, placement, random_thresholds(scenario, placement, seed=8))
    score = bl.evaluate_joint(policy, scenario)
    env = gym.make_vec(
        "CoInferencePlacement-v0", slots, vectorization_mode="vector_entry_point", scenario=name, reward_scale=1.0
    )
    observation, _ = env.reset(seed=3)
    spent, running = np.zeros((4, slots)), np.ones(slots, dtype=bool)
    last_stage = np.zeros(slots, dtype=int)
    while running.any():
        observation, reward, terminated, _, info = env.step(policy.predict(observation)[0])
        step = np.stack([-reward, info["cost"], info["time_s"], info["energy_j"]])
        spent[:, running] += step[:, running]
        last_stage[running] = info["stage"][running]
        running &= ~terminated
    limit = norm.isf(ALPHA / 2)
    for amounts, exact in zip(spent, (score.cost, score.cost, score.time_s, score.energy_j), strict=True):
        error = amounts.std(ddof=1) / np.sqrt(slots)
        assert error < 0.01 * exact
        assert abs(amounts.mean() - exact) < limit * error
    shares = np.bincount(last_stage, minlength=scenario.layers + 1) / slots
    errors = np.sqrt(score.split_probability * (1.0 - score.split_probability) / slots)
    assert (np.abs(shares - score.split_probability) <= limit * errors + 1e-12).all()


@pytest.mark.parametrize("placement", [0, 1, 6, 10, 11])
def test_placed_policy_is_asked_what_the_environment_shows(placement):
    scenario = Scenario.load("alexnet-pi")
    joint, alone = CoInferencePlacementEnv(), CoInferenceEnv(placement=placement)
    for path in joint.problem.paths(placement, np.arange(5)):
        inner = Scripted(placement)
        policy = bl.PlacedPolicy(inner, scenario, placement)
        joint.reset(options={"snr": path})
        shown = [joint.step(placement)[0]]
        observation, _ = alone.reset(options={"snr": path[: placement + 1]})
        terminated = False
        while not terminated:
            actions, _ = policy.predict(observation[None])
            assert actions == [0]
            observation, _, terminated, _, _ = alone.step(int(actions[0]))
            shown.append(joint.step(0)[0])
        assert len(inner.seen) == len(shown)
        assert inner.seen[0][0, 0] == 1.0  # whether it keeps a state shows when it is to choose the placement
        for seen, expected in zip(inner.seen[1:], shown, strict=False):
            assert seen.dtype == expected.dtype
            np.testing.assert_array_equal(seen, expected[None])


def test_placed_policy_passes_on_how_it_is_asked_and_takes_batches_of_any_shape():
    scenario = Scenario.load(SECOND_TOO_LARGE)
    inner = Scripted(1, lambda observation: (observation[..., -1] > 0).astype(int) * 2)
    policy = bl.PlacedPolicy(inner, scenario, 1)
    start = np.array([[1, 0, 0.5], [0, 1, -0.5]], dtype=np.float32)
    actions, state = policy.predict(start, "memory", np.array([True, False]), False)
    np.testing.assert_array_equal(actions, [1, 0])  # 2 offloads as 1 does
    assert state == "memory"
    assert (inner.asked[1][0], inner.asked[1][2]) == ("memory", False)
    np.testing.assert_array_equal(inner.asked[1][1], [True, False])
    np.testing.assert_array_equal(inner.seen[1], [[0, 0, 1, 0, 1, 0, 0, 0.5], [0, 0, 1, 0, 0, 1, 0, -0.5]])
    assert policy.predict(start[0])[0] == 1
    assert policy.predict(np.tile(start, (3, 1, 1)))[0].shape == (3, 2)


def test_joint_optimum_acts_on_observations_of_all_phases_at_once():
    scenario = Scenario.load(SECOND_TOO_LARGE)
    policy = bl.joint_optimum(scenario)
    threshold = np.log10(bl.backward_induction(scenario.problem(1)).threshold_snr[0] / 10.0)
    observations = np.array(
        [
            [1, 0, 0, 0, 0, 0, 0, 0.0],
            [0, 0, 1, 0, 1, 0, 0, threshold + 0.01],
            [0, 0, 1, 0, 1, 0, 0, threshold - 0.01],
            [0, 0, 1, 0, 0, 1, 0, -6.0],  # forced
        ],
        dtype=np.float32,
    )
    np.testing.assert_array_equal(policy.predict(observations)[0], [1, 1, 0, 1])
    for observation, action in zip(observations, [1, 1, 0, 1], strict=True):
        assert policy.predict(observation)[0] == action
    assert policy.predict(observations, "memory")[1] == "memory"


def test_static_split_with_its_download_returns_minus_one():
    """The unit of reward: the exact cost of the best fixed split of the layers that were downloaded for it."""
    scenario = Scenario.load("alexnet-pi")
    never = [np.full(placement, np.inf) for placement in range(12)]
    costs = [bl.evaluate_joint(placed(scenario, m, never[m]), scenario).cost for m in range(12)]
    assert CoInferencePlacementEnv().task.reward_scale == pytest.approx(min(costs), rel=1e-12)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [[3], [-1], [1.5], [np.nan], [None], [0, 0], [[0]], 0, []])
def test_malformed_placement_is_refused(answer):
    class Bad:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return np.array(answer), state

    for ask in (bl.chosen_placement, bl.evaluate_joint):
        with pytest.raises(ValueError, match=r"predict returned array\(.*; expected one placement from 0 to 2"):
            ask(Bad(), Scenario.load(SECOND_TOO_LARGE))


@pytest.mark.parametrize("answer", [3, -1, 0.5, np.nan, None])
def test_malformed_split_is_refused(answer):
    bad = Scripted(2, lambda observation: np.full(len(observation), answer))
    with pytest.raises(ValueError, match=r"(?s)predict returned array\(.*; expected actions from 0 to 2"):
        bl.evaluate_joint(bad, Scenario.load(SECOND_TOO_LARGE))


@pytest.mark.parametrize("split", [lambda seen: np.array(0), lambda seen: np.zeros(3), lambda seen: np.zeros((1, 2))])
def test_split_of_the_wrong_shape_is_refused(split):
    with pytest.raises(ValueError, match="expected one action per observation"):
        bl.evaluate_joint(Scripted(2, split), Scenario.load(SECOND_TOO_LARGE))


def test_policy_that_randomises_has_no_one_placement():
    with pytest.raises(ValueError, match="RandomPolicy randomises: it has no one placement to score"):
        bl.evaluate_joint(bl.RandomPolicy(0.5, seed=0), Scenario.load(SECOND_TOO_LARGE))


@pytest.mark.parametrize("placement", [-1, 3, 1.5])
def test_placed_policy_needs_a_placement_that_exists(placement):
    with pytest.raises(ValueError, match=rf"placement = {placement} must be an integer from 0 to 2"):
        bl.PlacedPolicy(Scripted(1), Scenario.load(SECOND_TOO_LARGE), placement)


def test_placement_policy_needs_thresholds_of_its_own_problem():
    scenario = Scenario.load(SECOND_TOO_LARGE)
    with pytest.raises(ValueError, match=r"threshold_snr has shape \(2,\), expected \(1,\)"):
        PlacementPolicy(PlacementLayout.of(scenario.problem()), scenario.problem(1), [1.0, 1.0])


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_training")
@pytest.mark.parametrize("seed", [0, 1])
def test_ppo_learns_the_joint_optimum(seed):
    sb3, utils = pytest.importorskip("stable_baselines3"), pytest.importorskip("stable_baselines3.common.utils")
    adapter = pytest.importorskip("cointer_gym.agents.vec_env")
    scenario = Scenario.load(SECOND_TOO_LARGE)
    table = bl.optimal_placement(scenario)
    assert table.placement == 1
    assert sorted(table.total)[1] > 1.3 * table.cost  # no other placement comes near
    assert bl.best_static_split(scenario.problem(1)).relative_gap > 0.1  # nor does a fixed split
    task = make_task("placement", scenario)
    model = sb3.PPO(
        "MlpPolicy",
        adapter.NativeVecEnv(task.vector_env(128, "SameStep")),
        n_steps=16,
        batch_size=512,
        n_epochs=4,
        learning_rate=utils.LinearSchedule(5e-3, 0.0, 1.0),
        gamma=1.0,
        gae_lambda=1.0,
        policy_kwargs={"net_arch": [32]},
        seed=seed,
        device="cpu",
    )
    assert task.score(model).relative_gap > 0.1
    score = task.score(model.learn(40_000))
    assert score.placement == 1
    assert 0.0 <= score.relative_gap < 0.01
