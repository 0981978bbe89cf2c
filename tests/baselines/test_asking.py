"""What policies need besides the observation: normalisation, states, stacks, masks; applied, simulated or refused."""

import numpy as np
import pytest
from gymnasium.spaces import Box

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.baselines.simulation import rollout
from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementEnv
from cointer_gym.observation import PlacementLayout, SplittingLayout
from support.models import Model, Normaliser, Recurrent, RecurrentPlacer, Stacked, play_one_by_one
from support.problems import THREE_LAYERS
from support.scenarios import BY_HAND, SECOND_TOO_DEAR, SECOND_TOO_LARGE

LAYOUT = SplittingLayout.of(THREE_LAYERS)
THRESHOLDS = np.array([9.0, 5.0, 14.0])
RULE = bl.ThresholdPolicy(THREE_LAYERS, THRESHOLDS)
COST = bl.evaluate(RULE, THREE_LAYERS).cost

# The same rule on normalised observations: w . o + b > 0 of the plain ones, rewritten for (o - mean) / deviation.
WEIGHTS = np.append(-np.log10(THRESHOLDS / LAYOUT.average_snr), [0.0, 1.0])
NORMALISER = Normaliser(mean=np.array([0.5, 0.3, 0.2, 0.1, -0.2]), deviation=np.array([0.5, 0.45, 0.4, 0.3, 0.6]))


def plain(seen):
    return seen @ WEIGHTS


def normalised(seen):
    return (seen * NORMALISER.deviation + NORMALISER.mean) @ WEIGHTS


# --- normalisation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [bl.evaluate, lambda *given, **more: bl.simulate(*given, 20_000, **more)])
def test_a_model_is_asked_through_the_normalisation_that_it_carries(score):
    carried = score(Model(normalised, LAYOUT, NORMALISER), THREE_LAYERS).cost
    assert carried == pytest.approx(score(RULE, THREE_LAYERS).cost, rel=1e-6)
    assert score(Model(plain, LAYOUT), THREE_LAYERS).cost == pytest.approx(carried, rel=1e-6)
    assert abs(score(Model(normalised, LAYOUT), THREE_LAYERS).cost / carried - 1) > 0.01  # it matters


def test_transform_replaces_the_normalisation_that_a_model_carries():
    model = Model(normalised, LAYOUT, Normaliser(mean=5.0, deviation=1.0))
    score = bl.evaluate(model, THREE_LAYERS, transform=NORMALISER.normalize_obs)
    assert score.cost == pytest.approx(COST, rel=1e-6)
    moments = bl.policy_moments(model, THREE_LAYERS, transform=NORMALISER.normalize_obs)
    np.testing.assert_allclose(moments.probability, score.offload_probability, rtol=1e-15)
    found = bl.switches(model, THREE_LAYERS, transform=NORMALISER.normalize_obs)
    np.testing.assert_allclose(found.snr, THRESHOLDS, rtol=1e-5)


def test_transform_may_change_the_shape_of_what_is_seen():
    model = Model(lambda seen: seen[:, 0], LAYOUT, low=np.array([-9.0], np.float32), high=np.array([9.0], np.float32))
    score = bl.evaluate(model, THREE_LAYERS, transform=lambda seen: plain(seen)[:, None])
    assert score.cost == pytest.approx(COST, rel=1e-6)


def test_transform_of_a_policy_that_randomises():
    class Coin(bl.RandomPolicy):
        def offload_probability(self, observation):
            assert observation.shape[-1] == 1
            return super().offload_probability(observation)

    score = bl.evaluate(Coin(0.3), THREE_LAYERS, transform=lambda seen: seen[:, -1:])
    assert score.cost == pytest.approx(bl.evaluate(bl.RandomPolicy(0.3), THREE_LAYERS).cost, rel=1e-15)


def test_transform_that_gives_nan_is_refused():
    with pytest.raises(ValueError, match="the transform of the observations of Model returned NaN"):
        bl.evaluate(Model(plain, LAYOUT), THREE_LAYERS, transform=lambda seen: seen * np.nan)


def test_normalisation_on_both_time_scales_and_after_a_placement():
    scenario = Scenario.load(SECOND_TOO_LARGE)
    layout = PlacementLayout.of(scenario.problem())
    rule = bl.joint_optimum(scenario)
    normaliser = Normaliser(mean=0.25, deviation=0.5)

    class Normalised(Model):
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            seen = observation * np.float32(0.5) + np.float32(0.25)
            seen[:, :-1] = np.round(seen[:, :-1])
            return rule.predict(seen, state)

    model = Normalised(None, layout, normaliser)
    score = bl.evaluate_joint(model, scenario)
    assert score.placement == bl.chosen_placement(model, scenario) == rule.placement == 1
    assert score.relative_gap < 1e-9
    by_hand = bl.evaluate_joint(Normalised(None, layout), scenario, transform=normaliser.normalize_obs)
    assert by_hand.cost == score.cost
    placed = bl.PlacedPolicy(model, scenario, 1)
    assert bl.simulate_updates(placed, scenario, 1, periods=2).per_task.cost == pytest.approx(
        bl.simulate_updates(bl.PlacedPolicy(rule, scenario, 1), scenario, 1, periods=2).per_task.cost, rel=1e-12
    )


# --- what shows that a normalisation is missing -----------------------------------------------------------------------


@pytest.mark.parametrize("score", [bl.evaluate, bl.simulate, bl.switches, bl.policy_moments])
def test_other_bounds_than_the_problem_shows_are_refused(score):
    """gymnasium.wrappers.NormalizeObservation leaves its mark on the space."""
    model = Model(normalised, LAYOUT, low=np.full(5, -np.inf, np.float32), high=np.full(5, np.inf, np.float32))
    with pytest.raises(ValueError, match=r"slot 0 from -inf to inf, the problem shows 0 to 1: it saw them transformed"):
        score(model, THREE_LAYERS)
    assert bl.evaluate(model, THREE_LAYERS, transform=NORMALISER.normalize_obs).cost == pytest.approx(COST, rel=1e-6)


def test_last_observations_that_no_task_shows_are_refused():
    """A zip of Stable-Baselines3 holds what the model saw last, but not the statistics of VecNormalize."""
    model = Model(normalised, LAYOUT)
    seen = LAYOUT.encode(np.array([0, 1]), np.array([3.0, 8.0]))
    model._last_obs = NORMALISER.normalize_obs(seen)
    with pytest.raises(ValueError, match=r"the last it saw hold -1 to 1.56 where the problem shows 0 to 1\. Load"):
        bl.evaluate(model, THREE_LAYERS)
    model.normaliser = NORMALISER
    assert bl.evaluate(model, THREE_LAYERS).cost == pytest.approx(COST, rel=1e-6)
    model = Model(plain, LAYOUT)
    model._last_obs = seen
    assert bl.evaluate(model, THREE_LAYERS).cost == pytest.approx(COST, rel=1e-6)


def test_snr_beyond_what_the_model_could_see_is_warned_of():
    high = LAYOUT.space().high.copy()
    high[-1] -= 0.5
    with pytest.warns(UserWarning, match=r"trained with log10\(SNR / mean SNR\) from .* up to 0.5 beyond"):
        bl.evaluate(Model(plain, LAYOUT, high=high), THREE_LAYERS)
    low = LAYOUT.space().low.copy()
    low[-1] -= 0.5
    bl.evaluate(Model(plain, LAYOUT, low=low), THREE_LAYERS)  # saw more than it is asked about


@pytest.mark.parametrize("shape", [(10,), (2, 5), (4,), ()])
@pytest.mark.parametrize("score", [bl.evaluate, bl.simulate])
def test_other_shapes_are_refused_with_what_to_do(score, shape):
    model = Model(plain, LAYOUT)
    model.observation_space = Box(-1.0, 1.0, shape)
    message = (
        r"(?s)takes observations of shape .* shows \(5,\)\. .* keeps them as its state \(bl\.simulate\).*transform="
    )
    with pytest.raises(ValueError, match=message):
        score(model, THREE_LAYERS)


# --- policies that keep a state ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [bl.evaluate, bl.switches, bl.policy_moments])
def test_recurrent_policies_have_no_exact_score(score):
    message = (
        r"Recurrent keeps a state from stage to stage .*; simulate it: bl\.simulate carries the state of every task"
    )
    with pytest.raises(TypeError, match=message):
        score(Recurrent(), THREE_LAYERS)


def test_recurrent_placements_have_no_exact_score_but_a_placement():
    scenario = Scenario.load(SECOND_TOO_LARGE)
    assert bl.chosen_placement(RecurrentPlacer(1), scenario) == 1
    with pytest.raises(TypeError, match=r"RecurrentPlacer keeps a state .*add scenario\.download\.cost\[placement\]"):
        bl.evaluate_joint(RecurrentPlacer(1), scenario)
    placed = bl.PlacedPolicy(RecurrentPlacer(1), scenario, 1)
    with pytest.raises(TypeError, match="PlacedPolicy keeps a state"):
        bl.evaluate(placed, scenario.problem(1))


def memory_env(kind=CoInferenceEnv):
    env = kind("alexnet-pi", reward_scale=1.0)
    return env, env.problem, env.problem.paths(5, np.arange(300))


@pytest.mark.parametrize("policy", [Recurrent, Stacked])
def test_simulated_states_are_those_of_tasks_played_one_by_one(policy):
    env, problem, paths = memory_env()
    costs = rollout(policy(), problem, paths).cost
    np.testing.assert_allclose(costs, play_one_by_one(policy(), env, paths), rtol=1e-12)
    estimate = bl.simulate(policy(), problem, 300, seed=5)
    np.testing.assert_array_equal(estimate.costs, costs)
    assert len(set(np.round(costs, 12))) > 250  # hardly two end alike


def test_a_recurrent_policy_is_asked_once_a_stage_about_all_tasks():
    _, problem, paths = memory_env()
    policy = Recurrent()
    rollout(policy, problem, paths)
    assert policy.asked == [(300, 300), *[(300, 0)] * (len(policy.asked) - 1)]
    assert len(policy.asked) == problem.horizon  # until all tasks have ended


def test_states_are_kept_whole_where_the_tasks_take_several_batches(monkeypatch):
    _, problem, paths = memory_env()
    costs = rollout(Recurrent(), problem, paths).cost
    exact = rollout(bl.backward_induction(problem).policy(), problem, paths).cost
    monkeypatch.setattr("cointer_gym.baselines.asking._NUMBERS_PER_BATCH", 50 * (problem.horizon + 2))
    np.testing.assert_array_equal(rollout(Recurrent(), problem, paths).cost, costs)
    np.testing.assert_array_equal(rollout(bl.backward_induction(problem).policy(), problem, paths).cost, exact)


def test_a_state_that_comes_late_is_refused():
    class Late:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return np.zeros(len(observation), dtype=int), observation if observation[0, 0] == 0 else None

    with pytest.raises(ValueError, match="Late returned a state at stage 1, but none at the first"):
        bl.simulate(Late(), THREE_LAYERS, 10)


def test_the_choice_of_the_placement_is_part_of_what_a_recurrent_policy_remembers():
    env, problem, paths = memory_env(CoInferencePlacementEnv)
    scenario, layers = env.task.scenario, problem.horizon
    played = play_one_by_one(RecurrentPlacer(layers), env, paths)
    placed = bl.PlacedPolicy(RecurrentPlacer(layers), scenario, layers)
    costs = rollout(placed, problem, paths).cost + scenario.download.cost[layers]
    np.testing.assert_allclose(costs, played, rtol=1e-12)
    forgetful = rollout(Recurrent(), problem, paths).cost + scenario.download.cost[layers]
    assert (forgetful != costs).mean() > 0.2
    state = placed.predict(SplittingLayout.of(problem).encode(np.zeros(2, int), np.ones(2)))[1]
    with pytest.raises(ValueError, match=r"episode_start holds 1 of 2 tasks, but all or none must begin"):
        placed.predict(SplittingLayout.of(problem).encode(np.zeros(2, int), np.ones(2)), state, np.array([True, False]))


def test_updates_carry_the_state_too():
    scenario = Scenario.load(SECOND_TOO_DEAR, tasks_per_update=100)
    run = bl.simulate_updates(Recurrent(), scenario, periods=2, seed=5)
    paths = scenario.problem().paths(5, np.arange(200))
    np.testing.assert_array_equal(
        run.per_task.costs - scenario.one_download(2).cost / 100, rollout(Recurrent(), scenario.problem(), paths).cost
    )


# --- policies that are no function of the observation -----------------------------------------------------------------


class Counting:
    """Remembers by itself, and returns no state."""

    def __init__(self):
        self.calls = 0

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        self.calls += 1
        return (observation[:, -1] > 0.1 * self.calls).astype(int), state


class Coin:
    """Randomises and does not say how."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return self.rng.integers(0, 2, len(observation)), state


@pytest.mark.parametrize("policy", [Counting, Coin])
def test_other_answers_to_the_same_observations_are_refused(policy):
    with pytest.raises(
        ValueError, match=rf"{policy.__name__} answered \d+ of \d+ observations otherwise when asked ag"
    ):
        bl.evaluate(policy(), THREE_LAYERS)


# --- masks ------------------------------------------------------------------------------------------------------------


class Maskable:
    """``MaskablePPO``: takes the allowed action that it likes best, the last one."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False, action_masks=None):
        return (action_masks * np.arange(1, action_masks.shape[1] + 1)).argmax(axis=1), state


def test_policies_that_take_masks_are_given_them():
    assert bl.evaluate(Maskable(), THREE_LAYERS).offload_probability == pytest.approx(1.0)
    scenario = Scenario.load(BY_HAND, **{"device.memory_bytes": 1e9})
    assert bl.chosen_placement(Maskable(), scenario) == 2
    seen = []

    class Watched(Maskable):
        def predict(self, observation, state=None, episode_start=None, deterministic=False, action_masks=None):
            seen.append(action_masks[0].tolist())
            return super().predict(observation, state, episode_start, deterministic, action_masks)

    small = scenario.replace(**{"device.memory_bytes": 0.0 + sum(scenario.dnn.parameter_bits[:1]) / 8})
    bl.evaluate_joint(Watched(), small)
    largest = small.largest_placement
    assert seen[0] == [placement <= largest for placement in range(3)]
    assert {tuple(mask) for mask in seen[2:]} <= {(True, True, False)}


# --- Stable-Baselines3 itself -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_training")
def test_a_ppo_that_was_trained_under_vec_normalize(tmp_path):
    sb3, adapter = pytest.importorskip("stable_baselines3"), pytest.importorskip("cointer_gym.agents.vec_env")
    from stable_baselines3.common.vec_env import VecNormalize

    from cointer_gym.envs import make_task

    task = make_task("splitting", SECOND_TOO_DEAR)
    env = VecNormalize(adapter.NativeVecEnv(task.vector_env(64, "SameStep")))
    model = sb3.PPO("MlpPolicy", env, n_steps=16, batch_size=256, learning_rate=5e-3, gamma=1.0, seed=0, device="cpu")
    score = task.score(model.learn(8_000))
    assert score.relative_gap < 0.1
    low, high = bl.simulate(model, task.problem, 20_000, seed=1).interval(1 - 1e-6)
    assert low < score.cost < high
    by_hand = bl.evaluate(model, task.problem, transform=env.normalize_obs)
    assert by_hand.cost == score.cost
    assert bl.evaluate(model, task.problem, transform=lambda seen: seen).relative_gap > 2 * score.relative_gap
    model.save(tmp_path / "model")
    alone = sb3.PPO.load(tmp_path / "model", device="cpu")
    with pytest.raises(ValueError, match=r"trained on transformed observations"):
        bl.evaluate(alone, task.problem)
    assert bl.evaluate(alone, task.problem, transform=env.normalize_obs).cost == score.cost
