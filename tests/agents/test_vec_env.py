"""NativeVecEnv: Stable-Baselines3's VecEnv contract on the native vector environment, and a model that learns on it."""

import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.envs import CoInferenceEnv, CoInferenceVectorEnv
from support.scenarios import SECOND_TOO_DEAR

pytest.importorskip("stable_baselines3")

from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from cointer_gym.agents.vec_env import NativeVecEnv


def native(num_envs, **arguments):
    return NativeVecEnv(CoInferenceVectorEnv(num_envs, autoreset_mode="SameStep", **arguments))


# --- the contract -----------------------------------------------------------------------------------------------------


def test_takes_only_same_step_reset():
    with pytest.raises(ValueError, match="autoreset_mode = NextStep must be SameStep"):
        NativeVecEnv(CoInferenceVectorEnv(2))


def test_shapes_types_and_spaces():
    env = native(3, placement=2)
    assert (env.observation_space, env.action_space) == (
        CoInferenceEnv(placement=2).observation_space,
        CoInferenceEnv(placement=2).action_space,
    )
    observations = env.reset()
    for _ in range(10):
        assert observations.shape == (3, 4)
        assert observations.dtype == np.float32
        observations, rewards, dones, infos = env.step(np.array([env.action_space.sample() for _ in range(3)]))
        assert (rewards.shape, rewards.dtype) == ((3,), np.float32)
        assert (dones.shape, dones.dtype) == ((3,), np.bool_)
        assert [type(info) for info in infos] == [dict] * 3


def test_equals_stable_baselines3s_own_vector_environment():
    own, twin = native(4, placement=5), DummyVecEnv([lambda: CoInferenceEnv(placement=5) for _ in range(4)])
    assert own.seed(0) == twin.seed(0)
    np.testing.assert_array_equal(own.reset(), twin.reset())
    rng, ends = np.random.default_rng(1), 0
    for _ in range(60):
        actions = (rng.random(4) < 0.2).astype(int)
        got, expected = own.step(actions), twin.step(actions)
        for one, other in zip(got[:3], expected[:3], strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
        for info, expected_info, done in zip(got[3], expected[3], got[2], strict=True):
            assert info["TimeLimit.truncated"] is expected_info["TimeLimit.truncated"] is False
            assert ("terminal_observation" in info) == ("terminal_observation" in expected_info) == done
            if done:
                np.testing.assert_array_equal(info["terminal_observation"], expected_info["terminal_observation"])
        ends += got[2].sum()
    assert ends > 20


def test_terminal_observation_belongs_to_the_task_that_ended():
    env = native(2, placement=3)
    env.reset()
    env.step(np.array([0, 0]))
    observations, _, dones, infos = env.step(np.array([1, 0]))
    np.testing.assert_array_equal(dones, [True, False])
    assert np.argmax(infos[0]["terminal_observation"][:-1]) == 1
    np.testing.assert_array_equal(np.argmax(observations[:, :-1], axis=1), [0, 2])
    assert "terminal_observation" not in infos[1]
    kept = infos[0]["terminal_observation"].copy()
    env.step(np.array([0, 0]))
    np.testing.assert_array_equal(infos[0]["terminal_observation"], kept)


def test_seed_holds_for_the_next_reset_only():
    env = native(2)
    assert len(env.seed(5)) == 2
    first, second = env.reset(), env.reset()
    assert (first != second).any()
    env.seed(5)
    np.testing.assert_array_equal(env.reset(), first)
    env.seed(6)
    assert (env.reset() != first).any()


def test_options_reach_the_environment():
    """SB3: one dictionary per slot, used at the next reset."""
    env = native(2, placement=1)
    env.set_options([{"snr": [1.0, 2.0]}, {"snr": [100.0, 3.0]}])
    np.testing.assert_allclose(env.reset()[:, -1], [-1.0, 1.0])  # mean SNR 10
    assert (env.reset()[:, -1] != [-1.0, 1.0]).all()


def test_attributes_and_methods_come_once_per_slot():
    env = native(3, placement=4)
    assert [problem.horizon for problem in env.get_attr("problem")] == [4, 4, 4]
    assert env.get_attr("num_envs", indices=[0, 2]) == [3, 3]
    assert env.get_attr("render_mode") == [None] * 3
    assert [len(result) for result in env.env_method("reset", seed=1, indices=0)] == [2]
    env.set_attr("note", "seen")
    assert env.get_attr("note") == ["seen"] * 3
    with pytest.raises(AttributeError, match="nothing"):
        env.get_attr("nothing")
    assert env.env_is_wrapped(VecMonitor) == [False] * 3


def test_episode_statistics_of_the_monitor():
    env = VecMonitor(native(2, scenario=SECOND_TOO_DEAR, reward_scale=1.0))
    env.reset()
    first = env.step(np.array([0, 1]))
    second = env.step(np.array([0, 0]))
    assert first[3][1]["episode"]["r"] == pytest.approx(first[1][1], abs=1e-6)
    assert second[3][0]["episode"]["r"] == pytest.approx(first[1][0] + second[1][0], abs=1e-6)
    assert second[3][0]["episode"]["l"] == 2


# --- learning ---------------------------------------------------------------------------------------------------------


def test_toy_is_not_trivial():
    problem = Scenario.load(SECOND_TOO_DEAR).problem()
    best = bl.backward_induction(problem)
    assert ((best.offload_probability > 0.1) & (best.offload_probability < 0.95)).all()
    assert min(problem.static_cost) > 1.1 * best.cost


@pytest.mark.usefixtures("small_training")
def test_ppo_learns_the_toy_to_within_one_per_cent():
    env = native(64, scenario=SECOND_TOO_DEAR)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=16,
        batch_size=256,
        n_epochs=4,
        learning_rate=1e-2,
        gamma=1.0,
        policy_kwargs={"net_arch": [16]},
        seed=0,
        device="cpu",
    )
    before = bl.evaluate(model, env.env.problem).relative_gap
    model.learn(20_000)
    after = bl.evaluate(model, env.env.problem).relative_gap
    assert before > 0.05
    assert after < 0.01


@pytest.mark.usefixtures("small_training")
def test_dqn_runs_on_the_adapter():
    env = native(4, scenario=SECOND_TOO_DEAR)
    model = DQN("MlpPolicy", env, learning_starts=64, train_freq=16, batch_size=32, buffer_size=1000, seed=0)
    model.learn(400)
    assert model.replay_buffer.dones.sum() > 100
    assert bl.evaluate(model, env.env.problem).gap >= 0
