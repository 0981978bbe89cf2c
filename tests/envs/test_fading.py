"""The fading of a task depends on the seed, the number of the task and the stage, and on nothing else."""

import copy
import math
import pickle

import gymnasium as gym
import numpy as np
import pytest

from cointer_gym import Empirical, Rayleigh, StoppingProblem
from cointer_gym.channels.counter import uniform
from cointer_gym.envs.task import snr_db
from support.laws import LAWS
from support.play import (
    MODES,
    PLACEMENT,
    SPLITTING,
    all_on_the_device,
    assert_same_step,
    assert_same_steps,
    native,
    random_actions,
    rollout,
    scribble,
)
from support.scenarios import BY_HAND, THREE_LAYERS

WORD = 2**64
GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
TASKS = 150  # beyond the largest block of episodes that is tabulated at a time
COPIES = {"copy": copy.deepcopy, "pickle": lambda env: pickle.loads(pickle.dumps(env))}
every_id = pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])
every_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
every_copy = pytest.mark.parametrize("twin", COPIES.values(), ids=COPIES)


def under(law):
    """Three layers under a law whose ``min_efficiency`` is written down, so that nothing warns of it."""
    return THREE_LAYERS | {"channel": law.model_copy(update={"min_efficiency": law.min_efficiency})}


def almost_mixed(counter):
    """SplitMix64's mixer but for its last step, in whole numbers of Python."""
    word = (counter ^ (counter >> 30)) * FIRST % WORD
    return (word ^ (word >> 27)) * SECOND % WORD


def mixed(counter):
    """SplitMix64's mixer."""
    word = almost_mixed(counter)
    return word ^ (word >> 31)


def rayleigh_by_hand(seed, episode, stage, mean_snr):
    """An SNR as the documentation of the counters says it, draw by draw."""
    key = mixed((mixed((seed * GOLDEN + SECOND) % WORD) + FIRST) % WORD)
    word = almost_mixed((key + (65536 * episode + stage) * GOLDEN) % WORD)
    fraction = ((word >> 12) + 0.5) / 2**52
    return -mean_snr * math.log(fraction)


def whole_tasks(env, count, **reset):
    """SNRs in dB that the next tasks see at all stages; the placement of each is chosen for that."""
    actions = all_on_the_device(env)
    paths = []
    for number in range(count):
        steps = rollout(env, actions, **(reset if number == 0 else {}))
        paths.append([step[4]["snr_db"] for step in steps][len(actions) - env.unwrapped.problem.horizon - 1 :])
    return np.array(paths)


# --- the paths of a seed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 7, 2**63 + 5])
def test_paths_are_made_of_random_words_by_the_formula(seed):
    problem = gym.make(SPLITTING, scenario=BY_HAND).unwrapped.problem  # Rayleigh, mean SNR 10
    episodes = [0, 1, 2, 1000, 2**40]
    expected = [[rayleigh_by_hand(seed, k, n, 10.0) for n in range(3)] for k in episodes]
    np.testing.assert_allclose(problem.paths(seed, np.array(episodes)), expected, rtol=1e-12)


@every_id
@every_law
def test_the_k_th_task_after_a_seed_has_the_k_th_path_of_the_problem(name, law):
    """In the scalar environment, which tabulates more and more tasks at a time, and in every slot of the native one."""
    scenario = under(law)
    env, vector = gym.make(name, scenario=scenario), native(3, MODES[1], name, scenario=scenario)
    problem, chooses = vector.problem, name == PLACEMENT
    np.testing.assert_array_equal(whole_tasks(env, TASKS, seed=4), snr_db(problem.paths(4, np.arange(TASKS))))
    infos = [vector.reset(seed=4)[1]]
    length = problem.horizon + chooses
    infos += [
        vector.step(np.full(3, problem.horizon * (step % length == 0 and chooses)))[4] for step in range(20 * length)
    ]
    for slot in range(3):
        expected = problem.paths(4 + slot, np.arange(21))
        begun = infos[::length]
        np.testing.assert_array_equal([info["snr_db"][slot] for info in begun], snr_db(expected[:, 0]))
        final = [info["final_info"]["snr_db"][slot] for info in begun[1:]]
        np.testing.assert_array_equal(final, snr_db(expected[:-1, -1]))


@every_id
@every_law
def test_what_was_done_before_does_not_matter(name, law):
    """The first stages of every task are those of its path, wherever the tasks before it ended or were given up."""
    env, rng = gym.make(name, scenario=under(law)), np.random.default_rng(2)
    chooses = name == PLACEMENT
    for episode, path in enumerate(snr_db(env.unwrapped.problem.paths(9, np.arange(TASKS)))):
        for _ in range(rng.integers(3)):  # what is injected takes the place of no task
            env.reset(options={"snr": np.full(4, 5.0)}) if episode else None
        actions = random_actions(rng, 3)[not chooses :]
        actions = actions if chooses else [min(action, 1) for action in actions]
        steps = rollout(env, actions[: rng.integers(1, 6)], **({} if episode else {"seed": 9}))
        seen = {step[4]["stage"]: step[4]["snr_db"] for step in steps}
        assert [seen[stage] for stage in range(len(seen))] == path[: len(seen)].tolist()


@every_id
def test_a_seed_at_every_reset_gives_the_first_task_again(name):
    env, vector = gym.make(name), native(2, name=name)
    first, batch = env.reset(seed=3), vector.reset(seed=3)
    for again in range(5):
        rollout(env, [1] * again) if again else env.step(0)
        vector.step(np.array([1, 0]))
        vector.step(np.array([1, 0]))
        assert_same_steps([(*env.reset(seed=3),)], [(*first,)])
        assert_same_step(vector.reset(seed=3), batch)
    assert env.reset()[1]["snr_db"] != first[1]["snr_db"]


def test_seeds_episodes_and_stages_all_matter():
    problem = gym.make(SPLITTING).unwrapped.problem
    paths = np.stack([problem.paths(seed, np.arange(50)) for seed in (0, 1, 2, 2**32, 2**64, 2**64 + 1, 2**200)])
    assert np.unique(paths).size == paths.size


def test_paths_of_any_numbers_in_any_shape():
    problem = gym.make(SPLITTING, scenario=BY_HAND).unwrapped.problem
    row = problem.paths(3, np.arange(12))
    assert row.shape == (12, 3)
    np.testing.assert_array_equal(problem.paths(3, np.arange(12).reshape(3, 4)), row.reshape(3, 4, 3))
    np.testing.assert_array_equal(problem.paths(3, 5), row[5])
    np.testing.assert_array_equal(problem.paths(np.int64(3), [7, 2]), row[[7, 2]])
    assert problem.paths(3, np.array([], dtype=int)).shape == (0, 3)


@pytest.mark.parametrize(
    ("seed", "episode", "message"),
    [
        (-1, 0, "seed = -1 must be an integer >= 0"),
        (0.5, 0, "seed = 0.5 must be an integer >= 0"),
        (True, 0, "seed = True must be an integer >= 0"),
        (0, -1, "episode = -1 must be integers >= 0"),
        (0, [1, -2], r"episode = \[1, -2\] must be integers >= 0"),
        (0, 1.5, "episode = 1.5 must be integers >= 0"),
        (0, True, "episode = True must be integers >= 0"),
    ],
)
def test_bad_seeds_and_episodes(seed, episode, message):
    problem = gym.make(SPLITTING, scenario=BY_HAND).unwrapped.problem
    with pytest.raises(ValueError, match=message):
        problem.paths(seed, episode)


def test_more_stages_than_counters_are_refused():
    """They would be those of the next task."""
    layers = 2**16
    deep = StoppingProblem(
        airtime_cost=np.ones(layers + 1),
        edge_cost=np.ones(layers + 1),
        device_cost=np.ones(layers),
        channel=Rayleigh(mean_snr=1.0),
        completes=False,
    )
    with pytest.raises(ValueError, match="stages = 65537 must be at most 65536"):
        deep.paths(0, 0)


# --- a generator of the user's ----------------------------------------------------------------------------------------


@every_id
def test_a_generator_set_by_hand_begins_a_new_sequence_of_tasks(name):
    env, twin, other = (gym.make(name).unwrapped for _ in range(3))
    env.reset(seed=0), env.reset()
    env.np_random, twin.np_random = np.random.default_rng(5), np.random.default_rng(5)
    other.np_random = np.random.default_rng(6)
    one, two, three = (whole_tasks(each, 10) for each in (env, twin, other))
    np.testing.assert_array_equal(one, two)
    assert not np.isin(one, three).any()
    assert np.unique(one).size == one.size


def test_numbers_that_somebody_else_draws_change_no_path():
    env, twin = gym.make(SPLITTING).unwrapped, gym.make(SPLITTING).unwrapped
    env.reset(seed=1), twin.reset(seed=1)
    env.np_random.random(100)
    np.testing.assert_array_equal(whole_tasks(env, 5), whole_tasks(twin, 5))


@every_id
def test_without_a_seed_every_environment_and_slot_draws_its_own(name):
    tasks = [whole_tasks(gym.make(name), 3) for _ in range(3)]
    assert np.unique(tasks).size == np.size(tasks)
    starts = [native(4, name=name).reset()[1]["snr_db"] for _ in range(3)]
    assert np.unique(starts).size == 12


# --- copies in the middle of a run ------------------------------------------------------------------------------------


@every_id
@every_copy
@pytest.mark.parametrize("episodes", [0, 1, 2, 5, 70])
def test_a_copy_goes_on_exactly_and_apart(name, twin, episodes):
    """Whatever tasks are tabulated ahead, in the middle of a task, which may be an injected one; seeded or not."""
    for seed, injected in ((3, None), (None, None), (3, [7.0, 8.0, 9.0, 6.0])):
        env, uncopied = gym.make(name, scenario=THREE_LAYERS), gym.make(name, scenario=THREE_LAYERS)
        for one in (env, uncopied):
            one.reset(seed=seed)
            for _ in range(episodes):
                one.reset()
            if injected:
                one.reset(options={"snr": injected})
            one.step(2 if name == PLACEMENT else 0)
        other, rng = twin(env), np.random.default_rng(episodes)
        scripts = [random_actions(rng, 3) for _ in range(80)]
        if name == SPLITTING:
            scripts = [[min(action, 1) for action in script] for script in scripts]

        def goes_on(one, scripts=scripts):
            return [one.step(1), *(step for script in scripts for step in rollout(one, script))]

        first = goes_on(env)
        assert_same_steps(goes_on(other), first)
        if seed is not None:
            assert_same_steps(goes_on(uncopied), first)


@every_id
@every_copy
@pytest.mark.parametrize("mode", MODES)
def test_a_copy_of_a_batch_goes_on_exactly_and_apart(name, twin, mode):
    """While some slots play injected paths, some have ended and some are about to be truncated."""
    env, uncopied = (native(5, mode, name, scenario=THREE_LAYERS, max_episode_steps=3) for _ in range(2))
    last = env.single_action_space.n
    for one in (env, uncopied):
        one.reset(seed=1)
        one.step(np.zeros(5, dtype=int))
        one.reset(options={"snr": [None, [1.0, 2.0, 3.0, 4.0], None, None, None], "reset_mask": np.arange(5) < 2})
        one.step(np.array([1, last - 1, 0, 0, 1]))
    other, script = twin(env), np.random.default_rng(0).integers(0, last, (60, 5))
    for expected, actions in zip([env.step(actions) for actions in script], script, strict=True):
        assert_same_step(other.step(actions), expected)
        assert_same_step(uncopied.step(actions), expected)
    begun = env.reset()
    for one in (other, uncopied):
        assert_same_step(one.reset(), begun)


# --- what is returned -------------------------------------------------------------------------------------------------


@every_id
def test_scribbling_on_what_one_task_returned_does_not_change_the_environment(name):
    env, untouched = gym.make(name), gym.make(name)
    rng = np.random.default_rng(0)
    for episode in range(8):
        observation, info = env.reset(seed=1 if episode == 0 else None)
        expected = untouched.reset(seed=1 if episode == 0 else None)
        assert_same_steps([(observation, info)], [expected])
        actions = random_actions(rng, 11)[name == SPLITTING :]
        for action in actions if name == PLACEMENT else [min(action, 1) for action in actions]:
            scribble([observation, info["action_mask"]])
            info.update(stage=-5, cost=np.nan)
            step, wanted = env.step(action), untouched.step(action)
            assert_same_steps([step], [wanted])
            observation, _, terminated, _, info = step
            if terminated:
                break


# --- extreme random words ---------------------------------------------------------------------------------------------


def counter_of(word):
    """The counter whose word before the mixer's last step is ``word``: the steps of the mixer, undone."""

    def unshifted(shifted, bits):
        found = shifted
        for _ in range(64 // bits):
            found = shifted ^ (found >> bits)
        return found

    return unshifted(unshifted(word * pow(SECOND, -1, WORD) % WORD, 27) * pow(FIRST, -1, WORD) % WORD, 30)


@every_law
def test_no_random_word_gives_an_snr_of_0_or_infinity(law):
    words = [0, 1, 2**12 - 1, 2**63, WORD - 2**12, WORD - 1]
    counters = np.array([counter_of(word) for word in words], dtype=np.uint64)
    smallest, largest = 2.0**-53, 1.0 - 2.0**-53
    np.testing.assert_array_equal(uniform(counters), [*[smallest] * 3, 0.5 + smallest, *[largest] * 2])
    process = gym.make(SPLITTING, scenario=under(law)).unwrapped.problem.process
    snr = process.snr(counters)
    if isinstance(law, Empirical):
        np.testing.assert_array_equal(snr[[0, -1]], [max(law.snr), min(law.snr)])  # that holds a 0 of its own
    else:
        assert (np.isfinite(snr) & (snr > 0)).all()
        assert snr[0] > law.average_snr > snr[-1]
        assert np.diff(snr).max() <= 0
