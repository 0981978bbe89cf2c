"""The splitting environment many tasks at a time: parity on injected paths, resets, law, seeds, errors."""

from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import Error
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics
from scipy.stats import norm

from cointer_gym import baselines as bl
from cointer_gym.envs import CoInferenceEnv, CoInferenceVectorEnv
from support.play import MODES, PLACEMENT, SPLITTING, assert_same_step, by_the_problem, native, twins

ALPHA = 1e-6


# --- parity -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("placement", [3, 11])
def test_equals_scalar_environments_and_the_problem_on_injected_paths(placement, mode):
    slots = placement + 2
    scalar, vector = twins(slots, mode, placement=placement, reward_scale=1.0)
    problem = vector.problem
    paths = problem.paths(4, np.arange(slots))
    vector.reset(seed=3, options={"snr": paths})
    scalar.reset(seed=3)
    for slot, (env, path) in enumerate(
        zip(scalar.envs, paths, strict=True)
    ):  # SyncVectorEnv gives all slots the same options
        env.reset(seed=3 + slot, options={"snr": path})
    scripts = np.eye(slots, placement + 1, dtype=int)  # slot n offloads at stage n: all lengths occur
    by_hand = [by_the_problem(problem, path, script) for path, script in zip(paths, scripts, strict=True)]
    assert {len(steps) for steps in by_hand} == set(range(1, placement + 1 + (not problem.completes)))
    for count, actions in enumerate(scripts.T):
        got = vector.step(actions)
        assert_same_step(got, scalar.step(actions))
        for slot, steps in enumerate(by_hand):
            if count < len(steps):
                _, ended, cost = steps[count]
                assert got[2][slot] == ended
                assert got[1][slot] == pytest.approx(-cost, rel=1e-15)


@pytest.mark.parametrize("placement", [0, 8, 11])
def test_one_slot_and_one_seed_is_the_scalar_environment(placement):
    env, vector = CoInferenceEnv(placement=placement), native(1, AutoresetMode.SAME_STEP, placement=placement)
    observation, _ = env.reset(seed=9)
    np.testing.assert_array_equal(vector.reset(seed=9)[0][0], observation)
    rng = np.random.default_rng(0)
    for _ in range(50):
        action = int(rng.random() < 0.2)
        observation, reward, terminated, _, _ = env.step(action)
        got = vector.step(np.array([action]))
        assert (got[1][0], got[2][0]) == (reward, terminated)
        if terminated:
            np.testing.assert_array_equal(got[4]["final_obs"][0], observation)
            observation, _ = env.reset()
        np.testing.assert_array_equal(got[0][0], observation)


# --- the two ways to reset, by hand -----------------------------------------------------------------------------------


def test_next_step_reset_by_hand():
    env = native(2, AutoresetMode.NEXT_STEP)
    env.reset(seed=0, options={"snr": np.full((2, 12), 10.0)})
    observation, reward, terminated, _, info = env.step(np.array([1, 0]))
    np.testing.assert_array_equal(terminated, [True, False])
    np.testing.assert_array_equal(info["stage"], [0, 1])  # still the last one
    assert "final_obs" not in info
    np.testing.assert_array_equal(observation[:, -1], [0.0, 0.0])  # SNR = mean
    observation, reward, terminated, _, info = env.step(np.array([1, 0]))  # slot 0 ignores its action
    assert reward[0] == 0.0
    assert info["cost"][0] == info["time_s"][0] == info["energy_j"][0] == 0.0
    np.testing.assert_array_equal(terminated, [False, False])
    np.testing.assert_array_equal(info["stage"], [0, 2])
    assert observation[0, -1] != 0.0  # a new path
    reward = env.step(np.array([1, 0]))[1]
    assert reward[0] < 0.0


def test_same_step_reset_by_hand():
    env = native(2, AutoresetMode.SAME_STEP, reward_scale=1.0)
    env.reset(seed=0, options={"snr": np.full((2, 12), 10.0)})
    observation, reward, terminated, _, info = env.step(np.array([0, 1]))
    np.testing.assert_array_equal(terminated, [False, True])
    np.testing.assert_array_equal(info["stage"], [1, 0])
    assert info["final_obs"][0] is None
    np.testing.assert_array_equal(info["final_obs"][1], np.eye(13, dtype=np.float32)[0])  # stage 0, SNR = mean
    assert info["final_info"]["cost"][1] == -reward[1] > 0.0
    assert info["cost"][1] == 0.0  # of the new task
    assert observation[1, -1] != 0.0
    info = env.step(np.array([0, 0]))[4]
    assert not {"final_obs", "final_info"} & set(info)  # nobody ended


def returns_of_two_tasks(mode, policy, slots, seed):
    """Undiscounted returns of the first and the second task of every slot, shape (2, slots)."""
    env = native(slots, mode, placement=8)
    observation, _ = env.reset(seed=seed)
    total, task = np.zeros((2, slots)), np.zeros(slots, dtype=int)
    while (task < 2).any():
        observation, reward, terminated, _, _ = env.step(policy.predict(observation)[0])
        open_slots = np.flatnonzero(task < 2)
        total[task[open_slots], open_slots] += reward[open_slots]
        task += terminated
    return total, env.task.reward_scale


# --- the law ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])
def test_both_modes_play_the_same_tasks(name):
    """So that whatever holds for the tasks of one mode, such as their mean return, holds for those of the other."""

    def first_tasks(mode):
        env, played = native(20, mode, name), [[] for _ in range(20)]
        _, info = env.reset(seed=5)
        for _ in range(40):
            at = info["stage"]
            decisions = np.where(info["placement"] < 0, 1 + np.arange(20) % 11, at >= np.arange(20) % 9)
            _, reward, terminated, _, info = env.step(decisions)
            for slot in range(20):
                played[slot].append((reward[slot], bool(terminated[slot])))
        resets = (0.0, False)  # of the mode that spends a step on them
        return [[step for step in steps if step != resets][:15] for steps in played]

    assert first_tasks(MODES[0]) == first_tasks(MODES[1])


@pytest.mark.parametrize(
    ("rule", "mode"),
    [(bl.backward_induction, MODES[0]), (bl.look_ahead, MODES[1]), (bl.best_static_split, MODES[0])],
)
def test_mean_return_is_the_exact_value(rule, mode):
    slots = 30_000  # standard error below 1 % of the cost: a bias of 6 % is found with power > 0.8
    problem = CoInferenceEnv(placement=8).problem
    solution = rule(problem)
    total, scale = returns_of_two_tasks(mode, solution.policy(), slots, seed=5)
    for costs in -total * scale:
        error = costs.std(ddof=1) / np.sqrt(slots)
        assert error < 0.01 * solution.cost
        assert abs(costs.mean() - solution.cost) < norm.isf(ALPHA / 2) * error


# --- seeds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_same_seed_same_episodes_and_another_seed_others(mode):
    def run(seed):
        env = native(3, mode)
        seen = [env.reset(seed=seed)[0]]
        seen += [env.step(np.array([0, 1, count % 2]))[0] for count in range(30)]
        return np.stack(seen)

    np.testing.assert_array_equal(run(1), run(1))
    assert (run(1) != run(2))[..., -1].all()


@pytest.mark.parametrize("mode", MODES)
def test_same_seed_gives_every_policy_the_same_fading(mode):
    """The k-th task of a slot has the same SNRs whatever the policy did in this slot and in the others before."""

    def first_snrs(actions):
        env, starts = native(2, mode, placement=4), [[], []]
        _, info = env.reset(seed=3)
        for _ in range(25):
            for slot in range(2):
                if info["stage"][slot] == 0 and (not starts[slot] or info["snr_db"][slot] != starts[slot][-1]):
                    starts[slot].append(info["snr_db"][slot])
            info = env.step(actions)[4]
        return starts

    short, long, mixed = (first_snrs(np.array(actions)) for actions in ([1, 1], [0, 0], [0, 1]))
    for slot in range(2):
        assert short[slot][:4] == long[slot][:4] == mixed[slot][:4]


def test_slots_see_different_fading():
    first = native(50).reset(seed=0)[0]
    assert len(np.unique(first[:, -1])) == 50


def test_reset_forgets_what_went_on():
    env, fresh = native(3), native(3)
    env.reset(seed=1)
    for actions in ([1, 0, 0], [0, 0, 1]):
        env.step(np.array(actions))  # slot 2 has just ended and would be reset by the next step
    np.testing.assert_array_equal(env.reset(seed=7)[0], fresh.reset(seed=7)[0])
    for actions in ([0, 0, 0], [0, 1, 0], [0, 0, 1]):
        assert_same_step(env.step(np.array(actions)), fresh.step(np.array(actions)))


# --- Gymnasium's contract ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_gymnasiums_wrappers_understand_it(mode):
    env = DictInfoToList(RecordEpisodeStatistics(native(2, mode, placement=2, reward_scale=1.0)))
    env.reset(seed=0)
    costs, lengths = [], []
    for _ in range(5):
        infos = env.step(np.array([0, 1]))[4]
        costs.append(infos[0]["cost"])
        if "episode" in infos[0]:
            lengths.append((infos[0]["episode"]["l"], -infos[0]["episode"]["r"]))
    assert lengths[0][0] == 3  # two layers, then the forced upload
    assert lengths[0][1] > sum(costs[:2])


def test_injected_paths_are_copied():
    env = native(2, AutoresetMode.SAME_STEP, placement=1)
    paths = np.full((2, 2), 10.0)
    env.reset(seed=0, options={"snr": paths})
    env.step(np.array([1, 1]))
    np.testing.assert_array_equal(paths, 10.0)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"snr": np.ones(12)}, r"options\['snr'\] has 12 entries, expected 2: per slot 12 linear SNRs, or None"),
        ({"snr": np.ones((3, 12))}, r"has 3 entries, expected 2"),
        ({"snr": 1.0}, r"has 1 entries, expected 2"),
        ({"snr": np.ones((2, 11))}, r"options\['snr'\]\[0\] has shape \(11,\), expected \(12,\)"),
        ({"snr": [None, [1.0]]}, r"options\['snr'\]\[1\] has shape \(1,\), expected \(12,\)"),
        ({"snr": [None, ["1"] * 12]}, r"options\['snr'\]\[1\] = .* must be numbers"),
        ({"snr": np.full((2, 12), np.nan)}, r"options\['snr'\]\[0\] holds nan"),
        ({"snr": -np.ones((2, 12))}, "holds -1.0"),
        ({"paths": np.ones((2, 12))}, r"reset options \['paths'\] are unknown"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        native(2).reset(options=options)


@pytest.mark.parametrize("seed", [[1, 2], (1, 2, 3, 4), 1.5, "123", ["1", "2", "3"], [1, 2, 3.0], {}])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match=r"seed = .* must be an integer, None, or a sequence of 3, each an integer or"):
        native(3).reset(seed=seed)


@pytest.mark.parametrize("seed", [-1, [0, -1], (None, -5), np.array([3, -1])])
def test_negative_seeds_are_refused_in_every_slot_and_change_nothing(seed):
    env, twin = native(2), native(2)
    env.reset(seed=0), twin.reset(seed=0)
    with pytest.raises(ValueError, match=r"seed = -[15] must be >= 0"):
        env.reset(seed=seed)
    assert_same_step(env.reset(), twin.reset())
    with pytest.raises(Error, match="greater or equal to zero"):
        CoInferenceEnv().reset(seed=-1)  # Gymnasium's own refusal


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_a_seed_per_slot(kind):
    first, again = native(3).reset(seed=kind([7, 8, 20]))[0], native(3).reset(seed=7)[0]
    np.testing.assert_array_equal(first[:2], again[:2])
    assert first[2, -1] != again[2, -1]


def test_a_slot_without_a_seed_goes_on_as_in_gymnasiums_vector():
    scalar, vector = twins(3, MODES[0])
    for seed in (1, (None, 5, None), None, [9, None, None]):
        np.testing.assert_array_equal(vector.reset(seed=seed)[0], scalar.reset(seed=seed)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 0}, "num_envs = 0 must be an integer >= 1"),
        ({"num_envs": 1.5}, r"num_envs = 1.5 must be an integer >= 1"),
        ({"num_envs": "2"}, "num_envs = '2' must be an integer >= 1"),
        ({"num_envs": True}, "num_envs = True must be an integer >= 1"),
        ({"autoreset_mode": "Never"}, r"'Never' must be one of \['NextStep', 'SameStep', 'Disabled'\]"),
        ({"max_episode_steps": 0}, "max_episode_steps = 0 must be an integer >= 1, or None or -1 for no limit"),
        ({"max_episode_steps": "3"}, "max_episode_steps = '3' must be an integer >= 1"),
        ({"render_mode": "rgb_array"}, "render_mode = 'rgb_array': the vector environment has no picture"),
        ({"placement": 99}, "placement = 99 must be an integer from 0 to 11"),
        ({"scenario": "nowhere"}, "'nowhere' is neither a file nor one of the built-in scenarios"),
        ({"reward_scale": 0}, "reward_scale = 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CoInferenceVectorEnv(**arguments)


def test_make_vec_refuses_what_it_cannot_pass_on():
    with pytest.raises(Error, match="vector_kwargs"):
        gym.make_vec(
            "CoInference-v0", 2, vectorization_mode="vector_entry_point", vector_kwargs={"autoreset_mode": "SameStep"}
        )
    with pytest.raises(Error, match="wrappers"):
        gym.make_vec("CoInference-v0", 2, vectorization_mode="vector_entry_point", wrappers=[SimpleNamespace])
