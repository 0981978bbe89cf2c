"""NativeVecEnv: Stable-Baselines3's VecEnv contract on the native vector environment, and a model that learns on it."""

import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit
from gymnasium.wrappers.vector import RecordEpisodeStatistics, TransformReward

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementVectorEnv, CoInferenceVectorEnv
from support.scenarios import SECOND_TOO_DEAR, THREE_LAYERS

pytest.importorskip("stable_baselines3")

from stable_baselines3 import DQN, PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from cointer_gym.agents.vec_env import NativeVecEnv


def native(num_envs, **arguments):
    return NativeVecEnv(CoInferenceVectorEnv(num_envs, autoreset_mode="SameStep", **arguments))


# --- the contract -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["NextStep", "Disabled"])
def test_takes_only_same_step_reset(mode):
    for wrap in (lambda env: env, RecordEpisodeStatistics):
        with pytest.raises(ValueError, match=f"autoreset_mode = {mode} must be SameStep"):
            NativeVecEnv(wrap(CoInferenceVectorEnv(2, autoreset_mode=mode)))


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


def twins(num_envs, **arguments):
    """The adapter and Stable-Baselines3's own vector of scalar environments."""
    return native(num_envs, **arguments), DummyVecEnv([lambda: Monitor(CoInferenceEnv(**arguments))] * num_envs)


SHOWN = {"stage", "placement", "snr_db", "action_mask"}  # by the observation; not passed on


def assert_same_infos(got, expected):
    """Equal entries for every slot: keys, types and values."""
    for one, other in zip(got, expected, strict=True):
        assert one.keys() == other.keys() - SHOWN
        if "episode" in one:
            assert [*one["episode"]] == ["r", "l", "t"]
            assert one["episode"]["l"] == other["episode"]["l"]
            assert one["episode"]["r"] == pytest.approx(other["episode"]["r"], abs=2e-6)  # Monitor rounds
            assert one["episode"]["t"] >= 0
        for key in one.keys() - {"episode"}:
            value = other[key]
            assert type(one[key]) is type(value), key
            np.testing.assert_allclose(one[key], value, rtol=1e-15, err_msg=key)


def play_both(own, twin, steps, seed):
    """Random actions in both, whatever is returned being equal; number of tasks that ended."""
    rng, ends = np.random.default_rng(seed), 0
    for _ in range(steps):
        actions = (rng.random(own.num_envs) < 0.2).astype(int)
        got, expected = own.step(actions), twin.step(actions)
        for one, other in zip(got[:3], expected[:3], strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
        assert_same_infos(got[3], expected[3])
        ends += got[2].sum()
    return ends


def test_equals_stable_baselines3s_own_vector_environment():
    own, twin = twins(4, placement=5)
    assert own.seed(0) == twin.seed(0)
    np.testing.assert_array_equal(own.reset(), twin.reset())
    assert play_both(own, twin, 60, seed=1) > 20


def test_truncated_tasks_are_told_from_ended_ones():
    own = native(3, placement=5, max_episode_steps=2)
    twin = DummyVecEnv([lambda: Monitor(TimeLimit(CoInferenceEnv(placement=5), 2))] * 3)
    own.seed(0), twin.seed(0)
    np.testing.assert_array_equal(own.reset(), twin.reset())
    play_both(own, twin, 30, seed=1)
    infos = own.step(np.zeros(3))[3] + own.step(np.zeros(3))[3]
    assert {info["TimeLimit.truncated"] for info in infos} == {False, True}


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


P, Q = [1.0, 2.0, 3.0, 0.5], [9.0, 0.0, 7.0, 70.0]


@pytest.mark.parametrize(
    "options",
    [
        [{}, {"snr": P}],
        [{"snr": P}, {}],
        [{"snr": P}, {"snr": Q}],
        [None, {"snr": Q}],
        [{}, {}],
        [{"snr": None}, {"snr": np.array(P)}],
        {"snr": P},
        {},
        None,
    ],
    ids=str,
)
def test_options_of_each_slot_act_as_in_stable_baselines3s_own(options):
    """A slot without a path draws its own, and the generator of a slot with one is where it would be there."""
    own, twin = twins(2, placement=3)
    own.seed(3), twin.seed(3)
    own.reset(), twin.reset()
    for _ in range(2):
        own.set_options(options), twin.set_options(options)
        np.testing.assert_array_equal(own.reset(), twin.reset())
        play_both(own, twin, 12, seed=2)
    np.testing.assert_array_equal(own.reset(), twin.reset())  # options are used once


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([{}, {"path": P}], r"reset options \['path'\] are unknown"),
        ([{}, {"snr": P[:2]}], r"options\['snr'\]\[1\] has shape \(2,\), expected \(4,\)"),
        ([{}], "options hold 1 dictionaries, expected 2, one per slot"),
    ],
)
def test_bad_options(options, message):
    env = native(2, placement=3)
    env.set_options(options)
    with pytest.raises(ValueError, match=message):
        env.reset()


def test_attributes_and_methods_come_once_per_slot():
    env = native(3, placement=4)
    assert [problem.horizon for problem in env.get_attr("problem")] == [4, 4, 4]
    assert env.get_attr("num_envs", indices=[0, 2]) == [3, 3]
    assert env.get_attr("render_mode") == [None] * 3
    assert [len(result) for result in env.env_method("reset", seed=1)] == [2] * 3
    env.set_attr("note", "seen")
    assert env.get_attr("note") == ["seen"] * 3
    with pytest.raises(AttributeError, match="nothing"):
        env.get_attr("nothing")
    assert env.env_is_wrapped(VecMonitor) == [False] * 3


def test_what_acts_on_all_slots_is_not_asked_of_some():
    env = native(3, placement=4)
    with pytest.raises(ValueError, match=r"'reset' for indices = \[0\]: must be all 3 slots, which share one"):
        env.env_method("reset", seed=1, indices=[0])
    with pytest.raises(ValueError, match=r"'note' for indices = 1: must be all 3 slots"):
        env.set_attr("note", "seen", indices=1)


@pytest.mark.parametrize("kind", [CoInferenceVectorEnv, CoInferencePlacementVectorEnv])
def test_action_masks_as_sb3_contrib_asks_for_them(kind):
    """``is_masking_supported`` and ``get_action_masks`` of sb3-contrib, also on some of the slots and in wrappers."""
    env = VecMonitor(NativeVecEnv(RecordEpisodeStatistics(kind(3, THREE_LAYERS, autoreset_mode="SameStep"))))
    assert env.has_attr("action_masks")
    env.reset()
    actions = np.array([[3, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1]])
    for chosen in np.minimum(actions, env.action_space.n - 1):
        expected = env.unwrapped.env.unwrapped.action_masks()
        masks = np.stack(env.env_method("action_masks"))
        assert (masks.shape, masks.dtype) == ((3, env.action_space.n), np.bool_)
        np.testing.assert_array_equal(masks, expected)
        np.testing.assert_array_equal(env.env_method("action_masks", indices=[2, 0]), expected[[2, 0]])
        np.testing.assert_array_equal([of_slot() for of_slot in env.get_attr("action_masks")], expected)
        np.testing.assert_array_equal([of_slot() for of_slot in env.get_attr("action_masks", 1)], expected[[1]])
        env.step(chosen)


# --- inside and outside of wrappers -----------------------------------------------------------------------------------


def test_gymnasiums_vector_wrappers_are_passed_through():
    env = NativeVecEnv(RecordEpisodeStatistics(CoInferenceVectorEnv(2, placement=3, autoreset_mode="SameStep")))
    plain = native(2, placement=3)
    assert [problem.horizon for problem in env.get_attr("problem")] == [3, 3]
    assert env.get_attr("episode_count") == [0, 0]
    assert env.env_is_wrapped(RecordEpisodeStatistics) == [True, True]
    assert env.env_is_wrapped(VecMonitor) == [False, False]
    env.set_attr("episode_count", 7)
    assert env.env.episode_count == 7
    env.seed(0), plain.seed(0)
    np.testing.assert_array_equal(env.reset(), plain.reset())
    total = 0.0
    for actions in ([0, 0], [0, 1], [1, 0], [0, 0]):
        (observations, rewards, dones, infos), expected = env.step(np.array(actions)), plain.step(np.array(actions))
        np.testing.assert_array_equal(observations, expected[0])
        np.testing.assert_array_equal(rewards, expected[1])
        for info, done in zip(infos, dones, strict=True):
            assert ("episode" in info) == done
        total += rewards[1]
        if dones[1]:
            episode = infos[1].pop("episode")
            assert (episode["r"], episode["l"]) == (pytest.approx(total, rel=1e-6), 2)
            total = 0.0
        for info in (*infos, *expected[3]):
            info.pop("episode", None)
        assert_same_infos(infos, expected[3])


def test_rewards_are_those_of_the_wrapper():
    inner = CoInferenceVectorEnv(2, placement=3, autoreset_mode="SameStep")
    env, plain = NativeVecEnv(TransformReward(inner, lambda reward: 10.0 * reward)), native(2, placement=3)
    env.seed(0), plain.seed(0)
    np.testing.assert_array_equal(env.reset(), plain.reset())
    got, expected = env.step(np.array([1, 0])), plain.step(np.array([1, 0]))
    np.testing.assert_allclose(got[1], 10.0 * expected[1], rtol=1e-6)
    assert got[1].dtype == np.float32
    assert got[3][0].pop("episode")["r"] == pytest.approx(10.0 * expected[3][0].pop("episode")["r"], rel=1e-12)
    assert_same_infos(got[3], expected[3])


def test_monitor_takes_keywords_of_info():
    env = VecMonitor(native(2, scenario=SECOND_TOO_DEAR, reward_scale=1.0), info_keywords=("time_s", "energy_j"))
    env.reset()
    info = env.step(np.array([0, 1]))[3][1]
    assert info["episode"]["time_s"] == info["time_s"] > 0
    assert info["episode"]["energy_j"] == info["energy_j"] > 0
    assert info["episode"]["r"] == pytest.approx(-info["cost"], rel=1e-6)


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
@pytest.mark.parametrize("statistics", ["the adapter's own", "Stable-Baselines3's", "Gymnasium's"])
def test_models_see_the_statistics_of_episodes(statistics):
    inner = CoInferenceVectorEnv(8, SECOND_TOO_DEAR, autoreset_mode="SameStep")
    env = NativeVecEnv(RecordEpisodeStatistics(inner) if statistics == "Gymnasium's" else inner)
    if statistics == "Stable-Baselines3's":
        env = VecMonitor(env)
    model = PPO("MlpPolicy", env, n_steps=8, batch_size=64, n_epochs=1, seed=0, device="cpu").learn(64)
    assert len(model.ep_info_buffer) > 10
    assert all(episode["r"] < 0 and 1 <= episode["l"] <= 2 for episode in model.ep_info_buffer)


@pytest.mark.usefixtures("small_training")
def test_dqn_runs_on_the_adapter():
    env = native(4, scenario=SECOND_TOO_DEAR)
    model = DQN("MlpPolicy", env, learning_starts=64, train_freq=16, batch_size=32, buffer_size=1000, seed=0)
    model.learn(400)
    assert model.replay_buffer.dones.sum() > 100
    assert bl.evaluate(model, env.env.problem).gap >= 0
