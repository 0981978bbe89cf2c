"""Which slots a reset starts anew and on which paths, resets by the caller, step limits; all held against scalars."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from support.play import MODES, PLACEMENT, SPLITTING, assert_same_info, assert_same_step, native, twins

DISABLED = AutoresetMode.DISABLED
RISING = [1.0, 2.0, 4.0, 8.0]  # one SNR per stage of three layers


def some(*slots, of):
    """A mask that is true at ``slots``."""
    return np.isin(np.arange(of), slots)


# --- paths of some slots ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [*MODES, DISABLED])
def test_slots_without_a_path_draw_theirs_as_scalar_environments_do(mode):
    scalar, vector = twins(3, mode, placement=3)
    scalar.reset(seed=4), vector.reset(seed=4)
    for paths in ([None, RISING, None], [None] * 3, [RISING, None, RISING], [None, None, RISING]):
        got, info = vector.reset(options={"snr": paths})
        options = [{} if path is None else {"snr": path} for path in paths]
        expected = [env.reset(options=given) for env, given in zip(scalar.envs, options, strict=True)]
        np.testing.assert_array_equal(got, [observation for observation, _ in expected])
        np.testing.assert_allclose(info["snr_db"], [told["snr_db"] for _, told in expected], rtol=1e-15)
        for actions in ([0, 0, 1], [0, 0, 0]) if mode is not DISABLED else ([0, 0, 0],):
            assert_same_step(vector.step(np.array(actions)), scalar.step(np.array(actions)))


def test_paths_of_all_slots_may_be_any_sequence():
    paths = np.array([RISING, RISING[::-1]])
    for given in (paths, paths.tolist(), tuple(map(tuple, paths)), [paths[0], RISING[::-1]]):
        info = native(2, placement=3).reset(options={"snr": given})[1]
        np.testing.assert_allclose(info["snr_db"], 10 * np.log10([1.0, 8.0]), atol=1e-12)


def test_a_refused_reset_changes_nothing():
    env, twin = native(2), native(2)
    env.reset(seed=0), twin.reset(seed=0)
    for seed, options in ((5, {"snr": [None, [1.0]]}), ([1, "2"], None), (5, {"reset_mask": [True, False]})):
        with pytest.raises(ValueError, match=r"options|seed"):
            env.reset(seed=seed, options=options)
    for actions in ([1, 0], [0, 1], [0, 0]):
        assert_same_step(env.step(np.array(actions)), twin.step(np.array(actions)))
    np.testing.assert_array_equal(env.reset()[0], twin.reset()[0])


# --- some slots -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [*MODES, DISABLED])
def test_a_mask_resets_its_slots_alone_as_in_gymnasiums_vector(mode):
    scalar, vector = twins(4, mode, placement=3)
    scalar.reset(seed=4), vector.reset(seed=4)
    masks = [some(1, of=4), some(0, 3, of=4), some(0, 1, 2, 3, of=4), some(2, of=4)]
    for mask, seed in zip(masks, (None, 8, [1, 2, None, 3], None), strict=True):
        assert_same_step(vector.step(np.array([0, 0, 0, 0])), scalar.step(np.array([0, 0, 0, 0])))
        got, expected = (env.reset(seed=seed, options={"reset_mask": mask}) for env in (vector, scalar))
        np.testing.assert_array_equal(got[0], expected[0])
        assert_same_info(got[1], expected[1])
        np.testing.assert_array_equal(got[1]["_stage"], mask)


def test_a_mask_with_paths_uses_those_of_its_slots():
    env = native(3, placement=3)
    env.reset(seed=0, options={"snr": [RISING] * 3})
    env.step(np.array([0, 0, 0]))
    options = {"reset_mask": some(1, of=3), "snr": [RISING[::-1]] * 3}
    info = env.reset(options=options)[1]
    assert set(options) == {"reset_mask", "snr"}  # the caller's, and wrappers read them after us
    assert info["snr_db"][1] == pytest.approx(10 * np.log10(8.0))
    info = env.step(np.array([0, 0, 0]))[-1]
    np.testing.assert_array_equal(info["stage"], [2, 1, 2])
    np.testing.assert_allclose(info["snr_db"], 10 * np.log10([4.0, 4.0, 4.0]))


def test_a_slot_that_has_ended_and_is_reset_is_not_reset_again():
    env = native(2, AutoresetMode.NEXT_STEP)
    env.reset(seed=0)
    env.step(np.array([1, 0]))
    observation = env.reset(options={"reset_mask": some(0, of=2)})[0]
    _, reward, _, _, info = env.step(np.array([0, 0]))
    assert (info["stage"][0], observation[0, 0]) == (1, 1.0)
    assert info["cost"][0] == pytest.approx(-reward[0] * env.task.reward_scale, rel=1e-14)
    assert reward[0] < 0


def test_a_mask_needs_a_whole_reset_before():
    env = native(2)
    with pytest.raises(ResetNeeded, match=r"call reset\(\) for all slots before options\['reset_mask'\]"):
        env.reset(options={"reset_mask": some(0, of=2)})
    env.reset(options={"reset_mask": some(0, 1, of=2)})
    env.step(np.array([0, 0]))


@pytest.mark.parametrize("mask", [[True, False], some(0, of=3), np.array([1, 0]), some(of=2), True, np.array("x")])
def test_bad_masks(mask):
    env = native(2)
    env.reset(seed=0)
    message = r"options\['reset_mask'\] = .* must be a boolean array of shape \(2,\), true somewhere"
    with pytest.raises(ValueError, match=message):
        env.reset(options={"reset_mask": mask})


# --- resets by the caller ---------------------------------------------------------------------------------------------


def test_disabled_reset_by_hand():
    env = native(3, DISABLED, placement=3)
    assert env.metadata["autoreset_mode"] is DISABLED
    env.reset(seed=0, options={"snr": [RISING] * 3})
    observation, _, terminated, _, info = env.step(np.array([0, 1, 1]))
    np.testing.assert_array_equal(terminated, [False, True, True])
    np.testing.assert_array_equal(np.argmax(observation[:, :-1], axis=1), [1, 0, 0])  # the last ones
    assert "final_obs" not in info
    for mask in (some(1, of=3), some(2, of=3)):
        with pytest.raises(ResetNeeded, match=r"slots \[(1, )?2\] have ended; call reset\(options=\{'reset_mask'"):
            env.step(np.array([0, 0, 0]))
        env.reset(options={"reset_mask": mask})
    info = env.step(np.array([0, 0, 0]))[-1]
    np.testing.assert_array_equal(info["stage"], [2, 1, 1])


def test_gymnasiums_statistics_understand_masks():
    env = RecordEpisodeStatistics(native(2, DISABLED, placement=1))
    env.reset(seed=0)
    lengths = []
    for actions in ([0, 1], [0, 0], [1, 1]):
        _, _, terminated, _, info = env.step(np.array(actions))
        lengths.append(np.where(info["_episode"], info["episode"]["l"], 0).tolist() if "episode" in info else [0, 0])
        if terminated.any():
            env.reset(options={"reset_mask": terminated})
    assert lengths == [[0, 1], [2, 0], [1, 2]]


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_a_limit_truncates_as_that_of_make(name, limit, mode):
    vector = native(3, mode, name, max_episode_steps=limit)
    scalar = SyncVectorEnv([lambda: gym.make(name, max_episode_steps=limit)] * 3, autoreset_mode=mode)
    got, expected = vector.reset(seed=2), scalar.reset(seed=2)
    rng, truncated = np.random.default_rng(0), 0
    for _ in range(40):
        actions = np.where(rng.random(3) < 0.2, 1, 0)
        actions[got[-1]["placement"] < 0] = 9
        got, expected = vector.step(actions), scalar.step(actions)
        assert_same_step(got, expected)
        truncated += got[3].sum()
    assert (truncated > 5) == (limit < 50)


@pytest.mark.parametrize("none", [None, -1])
def test_no_limit(none):
    env = native(2, max_episode_steps=none)
    assert env.max_episode_steps is None
    env.reset(seed=0)
    for _ in range(11):
        _, _, terminated, truncated, _ = env.step(np.array([0, 0]))
        assert not truncated.any()
    assert terminated.all()


@pytest.mark.parametrize(
    ("name", "arguments", "longest"), [(SPLITTING, {"placement": 3}, 4), (SPLITTING, {}, 11), (PLACEMENT, {}, 12)]
)
def test_a_limit_of_the_longest_task_truncates_only_what_has_ended(name, arguments, longest):
    env = native(1, MODES[1], name, max_episode_steps=longest, **arguments)
    env.reset(seed=0)
    actions = [11] * (name == PLACEMENT) + [0] * 12
    ends = [(bool(step[2][0]), bool(step[3][0])) for step in (env.step([action]) for action in actions[:longest])]
    assert ends == [(False, False)] * (longest - 1) + [(True, True)]
