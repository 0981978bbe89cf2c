"""Policies: Stable-Baselines3's predict, decisions on observations, and what they refuse."""

import inspect

import numpy as np
import pytest
from scipy.stats import binomtest

from cointer_gym import baselines as bl
from cointer_gym.baselines.policies import RandomPolicy, StochasticPolicy, ThresholdPolicy
from cointer_gym.envs import CoInferenceEnv
from cointer_gym.observation import SplittingLayout
from support.problems import THREE_LAYERS

ALPHA = 1e-6
LAYOUT = SplittingLayout.of(THREE_LAYERS)
POLICIES = [ThresholdPolicy(THREE_LAYERS, [5.0, 0.0, np.inf]), RandomPolicy(0.5, seed=0)]
STAGES = np.array([0, 0, 1, 2, 3])
OBSERVATIONS = LAYOUT.encode(STAGES, np.array([4.9, 5.1, 1e-3, 1e3, 1e-3]))


# --- the protocol -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
def test_predict_has_stable_baselines3s_signature(policy):
    own = inspect.signature(policy.predict).parameters
    wanted = {"observation": inspect.Parameter.empty, "state": None, "episode_start": None, "deterministic": True}
    assert {name: parameter.default for name, parameter in own.items()} == wanted
    library = pytest.importorskip("stable_baselines3.common.base_class")
    assert list(own) == list(inspect.signature(library.BaseAlgorithm.predict).parameters)[1:]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (0,), (2, 3)])
def test_predict_gives_one_action_per_observation(policy, shape):
    observation = np.broadcast_to(OBSERVATIONS[0], (*shape, 5))
    actions, state = policy.predict(observation, "recurrent state", np.ones(shape, dtype=bool), False)
    assert actions.shape == shape
    assert np.isin(actions, (0, 1)).all()
    assert np.issubdtype(actions.dtype, np.integer)
    assert state == "recurrent state"


@pytest.mark.parametrize("policy", POLICIES)
def test_predict_takes_lists_and_nothing_but_the_observation(policy):
    actions, state = policy.predict(OBSERVATIONS.tolist())
    assert actions.shape == (5,)
    assert state is None


@pytest.mark.parametrize("policy", POLICIES)
def test_the_environment_takes_the_action_as_it_is(policy):
    env = CoInferenceEnv("alexnet-pi", 3)
    observation, _ = env.reset(seed=0)
    observation = env.step(policy.predict(observation)[0])[0]
    assert observation in env.observation_space


def test_only_policies_that_randomise_give_a_probability():
    assert [isinstance(policy, StochasticPolicy) for policy in POLICIES] == [False, True]


# --- thresholds -------------------------------------------------------------------------------------------------------


def test_offloads_from_the_threshold_of_the_stage_on():
    policy = ThresholdPolicy(THREE_LAYERS, [5.0, 0.0, np.inf])
    #           below, above, always, never, forced
    np.testing.assert_array_equal(policy.predict(OBSERVATIONS)[0], [0, 1, 1, 0, 1])
    assert [int(policy.predict(one)[0]) for one in OBSERVATIONS] == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("extreme", [0.0, 1e-300, 1e-9, 1e12])
def test_always_and_never_hold_at_the_ends_of_the_observed_range(extreme):
    seen = LAYOUT.encode(np.arange(4), np.full(4, extreme))
    assert list(ThresholdPolicy(THREE_LAYERS, [0.0, 0.0, 0.0]).predict(seen)[0]) == [1, 1, 1, 1]
    assert list(ThresholdPolicy(THREE_LAYERS, [np.inf] * 3).predict(seen)[0]) == [0, 0, 0, 1]


def test_decisions_equal_the_rule_on_the_true_snr():
    rng = np.random.default_rng(0)
    snr = THREE_LAYERS.channel.inverse_survival(rng.random(10_000))
    stage = rng.integers(0, 3, snr.size)
    thresholds = np.array([3.0, 7.0, 11.0])
    actions = ThresholdPolicy(THREE_LAYERS, thresholds).predict(LAYOUT.encode(stage, snr))[0]
    clear = np.abs(snr / thresholds[stage] - 1) > 1e-6  # the rest is float32 rounding of the observation
    assert clear.mean() > 0.999
    np.testing.assert_array_equal(actions[clear], (snr >= thresholds[stage])[clear])


def test_a_solution_acts_by_its_thresholds():
    solution = bl.backward_induction(THREE_LAYERS)
    np.testing.assert_array_equal(solution.policy().threshold_snr[:-1], solution.threshold_snr)


def test_thresholds_are_copied():
    thresholds = np.array([5.0, 0.0, np.inf])
    policy = ThresholdPolicy(THREE_LAYERS, thresholds)
    thresholds[:] = 0.0
    np.testing.assert_array_equal(policy.predict(OBSERVATIONS)[0], [0, 1, 1, 0, 1])


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([1.0, 2.0], r"threshold_snr has shape \(2,\), expected \(3,\)"),
        ([1.0, 2.0, 3.0, 4.0], r"threshold_snr has shape \(4,\), expected \(3,\)"),
        (5.0, r"threshold_snr has shape \(\), expected \(3,\)"),
        ([1.0, np.nan, 3.0], r"threshold_snr = .*nan.* must hold linear SNRs >= 0"),
        ([1.0, -2.0, 3.0], r"threshold_snr = .*-2.* must hold linear SNRs >= 0"),
    ],
)
def test_bad_thresholds(thresholds, message):
    with pytest.raises(ValueError, match=message):
        ThresholdPolicy(THREE_LAYERS, thresholds)


@pytest.mark.parametrize("slots", [4, 6])
def test_observations_of_another_problem_are_refused(slots):
    """One-hot of three or five stages instead of four."""
    foreign = np.zeros((7, slots), dtype=np.float32)
    foreign[:, slots - 2] = 1.0
    with pytest.raises(ValueError, match=f"{slots}.*5"):
        ThresholdPolicy(THREE_LAYERS, [5.0, 0.0, np.inf]).predict(foreign)


# --- the coin ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("deterministic", [True, False])
def test_coin_lands_with_its_probability(deterministic):
    batch = np.broadcast_to(OBSERVATIONS[0], (20_000, 5))  # a bias of 0.025 is found with power > 0.98
    actions = RandomPolicy(0.3, seed=1).predict(batch, deterministic=deterministic)[0]
    assert binomtest(int(actions.sum()), 20_000, 0.3).pvalue > ALPHA


def test_coin_is_seeded():
    batch = np.broadcast_to(OBSERVATIONS[0], (200, 5))
    tosses = [RandomPolicy(0.5, seed=seed).predict(batch)[0] for seed in (3, 3, 4)]
    np.testing.assert_array_equal(tosses[0], tosses[1])
    assert (tosses[0] != tosses[2]).any()
    policy = RandomPolicy(0.5, seed=3)
    assert (policy.predict(batch)[0] != policy.predict(batch)[0]).any()


def test_coin_with_two_equal_sides():
    batch = np.broadcast_to(OBSERVATIONS[0], (1000, 5))
    assert not RandomPolicy(0.0, seed=0).predict(batch)[0].any()
    assert RandomPolicy(1.0, seed=0).predict(batch)[0].all()


def test_coin_says_its_probability():
    np.testing.assert_array_equal(RandomPolicy(0.3).offload_probability(OBSERVATIONS), np.full(5, 0.3))


@pytest.mark.parametrize("probability", [-0.1, 1.1, np.nan])
def test_bad_probability(probability):
    with pytest.raises(ValueError, match=rf"probability = {probability} must be in \[0, 1\]"):
        RandomPolicy(probability)
