"""The contract of an environment: what must hold for every id, whatever the scenario.

A subclass, named ``Test...`` and decorated with ``every_case(...)``, runs it on its cases: an id and the arguments of
``gym.make``. Tests of one environment's arithmetic, seeds and messages stand in files of their own.
"""

import copy
import json
import pickle
import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from cointer_gym import Scenario
from support.play import (
    INFO_KEYS,
    MODES,
    PLACEMENT,
    all_on_the_device,
    assert_same_info,
    assert_same_step,
    assert_same_steps,
    native,
    rollout,
    scribble,
    snr_path_db,
    twins,
)

FORMS = {  # of the arguments: as they are, and with the scenario as an object
    "given": dict,
    "object": lambda given: given | {"scenario": Scenario.load(given.get("scenario", "alexnet-pi"))},
}
TWINS = {"copy": copy.deepcopy, "pickle": lambda env: pickle.loads(pickle.dumps(env))}
BAD_ACTIONS = (-1, 1.5, 1.0, None, "offload", np.array([1]), np.nan)
BAD_BATCHES = (
    [0, 0],
    ["1", "0", "1"],
    [[0, 0, 0]],
    [[0], [0], [0]],
    1,
    None,
    [-1, 0, 0],
    [1.5, 0, 0],
    [None, 0, 0],
    [np.nan, 0, 0],
)


def every_case(*cases):
    """Parametrise a contract by (name of the case, id, arguments of ``gym.make``)."""
    return pytest.mark.parametrize("case", [case[1:] for case in cases], ids=[case[0] for case in cases])


def slot_number(text, layers):
    """``2L+3`` or ``M+1`` as a number, for L or M layers."""
    terms = [re.fullmatch(r"(\d*)([LM]?)", term).groups() for term in text.split("+")]
    return sum(int(factor or 1) * layers if letter else int(factor) for factor, letter in terms)


def reach(env, chooses):
    """Most layers on the device and most steps of a task, for an environment whose first action ``chooses`` them."""
    layers = env.problem.horizon
    room = min(layers, env.task.scenario.largest_placement) if chooses else layers
    completes = env.problem.completes and room == layers
    return room, chooses + room + (not completes)


class EnvContract:
    """Checks of one case, scalar and native vector environment."""

    @pytest.fixture
    def make(self, case):
        """Make the bare environment of the case, with further arguments."""
        name, arguments = case
        return lambda **more: gym.make(name, **arguments | more).unwrapped

    @pytest.fixture
    def vector_of(self, case):
        """Make the native vector environment of the case: slots, mode, further arguments."""
        name, arguments = case
        return lambda slots, mode=AutoresetMode.NEXT_STEP, **more: native(slots, mode, name, **arguments | more)

    # --- one task at a time -------------------------------------------------------------------------------------------

    def test_passes_gymnasiums_checker(self, make):
        env = make()
        check_env(env, skip_render_check=env.problem.horizon > 14)  # pictures of deep networks take long

    def test_passes_stable_baselines3s_checker(self, make):
        checker = pytest.importorskip("stable_baselines3.common.env_checker")
        env = make()
        if env.problem.horizon <= 3:
            env = make(render_mode="rgb_array")
        checker.check_env(env, warn=True, skip_render_check=env.render_mode is None)

    def test_observation_space_is_the_table_of_the_documentation(self, make):
        env = make()
        space, layers = env.observation_space, env.problem.horizon
        rows = re.findall(r"^ *\| (?!slot)(\w[\w.+]*) \| (.+?) \| (.+?) \|$", type(env).__doc__, re.MULTILINE)
        described = env.task.layout.describe()
        assert rows == [(slot.slots, slot.name, slot.range) for slot in described]
        law = env.problem.channel
        from_law = [
            min(0.0, np.log10(law.snr_range[0] / law.average_snr)),
            np.log10(law.snr_range[1] / law.average_snr),
        ]
        low, high = np.full(space.shape, np.nan), np.full(space.shape, np.nan)
        for place, _, words in rows:
            first, last = (slot_number(end, layers) for end in (place.split("..") * 2)[:2])
            assert np.isnan(low[first : last + 1]).all()
            smallest, largest = from_law if words == "that of the channel law" else map(float, words.split(" to "))
            low[first : last + 1], high[first : last + 1] = np.float32(smallest), np.float32(largest)
        np.testing.assert_array_equal(low, space.low)
        np.testing.assert_array_equal(high, space.high)
        assert space.dtype == np.float32

    def test_types_places_and_finite_info_at_every_step(self, make):
        env = make()
        layers, choices = env.problem.horizon, env.action_space.n
        actions = all_on_the_device(env)
        chosen = len(actions) - layers - 1  # one more step where the placement is chosen
        room, longest = reach(env, chosen)
        for seed in range(3):
            steps = rollout(env, actions, seed=seed)
            assert len(steps) - 1 == longest
            for count, (observation, reward, terminated, truncated, info) in enumerate(steps):
                assert observation in env.observation_space
                assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
                assert not truncated
                assert terminated == (count == len(steps) - 1)
                assert set(info) == INFO_KEYS
                assert info["stage"] == np.clip(count - chosen, 0, room)
                assert info["placement"] == (room if count >= chosen else -1)
                assert (info["action_mask"].shape, info["action_mask"].dtype) == ((choices,), np.int8)
                assert np.isfinite([*(info[key] for key in INFO_KEYS - {"action_mask"}), reward]).all()
                json.dumps({key: info[key] for key in INFO_KEYS - {"action_mask"}})

    def test_mask_is_the_truth(self, make):
        """Allowed actions do different things; the others do what the largest allowed one does."""
        env = make()
        actions = all_on_the_device(env)
        longest = len(rollout(env, actions, seed=0)) - 1
        for prefix in sorted({0, 1, 2, longest // 2, longest - 1} & set(range(longest))):
            outcomes = []
            for action in range(env.action_space.n):
                steps = rollout(env, actions[:prefix], seed=0)
                _, reward, terminated, _, info = env.step(action)
                outcomes.append((terminated, info["stage"], info["placement"], reward))
            mask = steps[-1][4]["action_mask"]
            allowed = np.flatnonzero(mask)
            assert set(mask) <= {0, 1}
            assert len({outcomes[action][:3] for action in allowed}) == allowed.size > 0
            assert {outcomes[action] for action in np.flatnonzero(mask == 0)} <= {outcomes[allowed[-1]]}

    def test_action_masks_of_the_current_state(self, case, vector_of):
        """As sb3-contrib asks for them: of one task, also through wrappers, and of a batch."""
        env, vector = gym.make(case[0], **case[1]), vector_of(1)
        seen, batch = env.reset(seed=0)[1], vector.reset(seed=0)[1]
        for action in all_on_the_device(env):
            one, all_slots = env.get_wrapper_attr("action_masks")(), vector.action_masks()
            assert one.dtype == all_slots.dtype == np.bool_
            np.testing.assert_array_equal(one, seen["action_mask"])
            np.testing.assert_array_equal(all_slots, batch["action_mask"])
            np.testing.assert_array_equal(all_slots, one[None])
            _, _, ended, _, seen = env.step(action)
            batch = vector.step([action])[-1]
            if ended:
                break

    def test_seeds_reproduce_and_differ(self, make):
        env, twin = make(), make()
        actions = all_on_the_device(env)
        first = rollout(env, actions, seed=11)
        assert_same_steps(first, rollout(env, actions, seed=11))
        assert_same_steps(first, rollout(twin, actions, seed=11))
        one, other = snr_path_db(env, actions, seed=11), snr_path_db(env, actions, seed=12)
        assert one != other
        if env.task.scenario.channel.law != "empirical":  # a trace has few values
            assert not set(one) & set(other)
        streams = [[snr_path_db(e, actions, seed=seed) for seed in (4, None, None)] for e in (env, twin)]
        assert streams[0] == streams[1]  # resets without a seed go on in the stream
        assert len({tuple(path) for path in streams[0]}) == 3
        assert snr_path_db(make(), actions) != snr_path_db(make(), actions)

    @pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
    def test_copies_go_on_alike_and_apart(self, make, twin):
        env = make()
        actions = all_on_the_device(env)
        ended = rollout(env, actions[: max(1, len(actions) // 2)], seed=5)[-1][2]
        other = twin(env)
        first, second = (
            [*([] if ended else [one.step(1)]), *rollout(one, actions), *rollout(one, actions)] for one in (env, other)
        )
        assert_same_steps(first, second)

    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
    def test_spec_survives_json(self, case, form):
        name, arguments = case
        env = gym.make(name, **form(arguments), reward_scale=2.0)
        spec = EnvSpec.from_json(env.spec.to_json())
        assert spec == env.spec
        again, actions = gym.make(spec), all_on_the_device(env)
        assert again.unwrapped.problem.horizon == env.unwrapped.problem.horizon
        assert_same_steps(rollout(env, actions, seed=3), rollout(again, actions, seed=3))

    def test_step_and_render_need_a_reset(self, case, make):
        for env in (make(), gym.make(case[0], **case[1])):
            with pytest.raises(ResetNeeded, match="reset"):
                env.step(0)
            for last in ([0] * 99, [1] * 99):  # to the end on the device, and offloaded
                actions = [*all_on_the_device(env)[: -env.unwrapped.problem.horizon - 1], *last]
                assert rollout(env, actions, seed=0)[-1][2]
                with pytest.raises(ResetNeeded, match=r"the task has ended .*; call reset\(\)"):
                    env.step(0)
                env.reset()
                env.step(0)
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
            make().step(0)
        for mode in make().metadata["render_modes"]:
            with pytest.raises(ResetNeeded, match=r"call reset\(\) before render\(\)"):
                make(render_mode=mode).render()

    def test_bad_action_is_refused_and_changes_nothing(self, make):
        env, twin = make(), make()
        choices, actions = env.action_space.n, all_on_the_device(env)
        for prefix in (0, 1):
            if prefix >= len(rollout(env, actions, seed=0)) - 1:
                continue
            rollout(env, actions[:prefix], seed=0), rollout(twin, actions[:prefix], seed=0)
            for action in (choices, choices + 5, *BAD_ACTIONS):
                with pytest.raises(InvalidAction, match=rf"action = .* must be an integer in Discrete\({choices}\)"):
                    env.step(action)
            assert_same_steps([env.step(1), env.reset()], [twin.step(1), twin.reset()])

    def test_integers_of_any_kind_are_actions(self, make):
        for action in (1, np.int64(1), np.int8(1), np.array(1)):
            env, twin = make(), make()
            env.reset(seed=0), twin.reset(seed=0)
            assert_same_steps([env.step(action)], [twin.step(1)])

    # --- many tasks at a time -----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("mode", MODES)
    def test_native_vector_is_a_vector_of_scalar_environments(self, case, mode):
        """In both ways to reset; slot 0 runs every task to its end on the device."""
        name, arguments = case
        scalar, vector = twins(3, mode, name=name, **arguments)
        got, expected = vector.reset(seed=1), scalar.reset(seed=1)
        np.testing.assert_array_equal(got[0], expected[0])
        assert_same_info(got[1], expected[1])
        rng, ended, choices = np.random.default_rng(2), np.zeros(3, dtype=int), vector.single_action_space.n
        for _ in range(24):
            actions = np.where(rng.random(3) < 0.3, rng.integers(1, choices, 3), 0)
            choosing = got[-1]["placement"] < 0
            actions[choosing] = rng.integers(0, choices, choosing.sum())
            actions[0] = choices - 1 if choosing[0] else 0
            got, expected = vector.step(actions), scalar.step(actions)
            assert_same_step(got, expected)
            ended += expected[2]
        assert ended.min() > 0  # every slot was reset,
        assert ended[1:].min() > 2  # two of them several times
        chooses = name == PLACEMENT
        assert np.ptp(ended) > 0 or reach(vector, chooses)[1] == 1 + chooses  # at different times, if lengths differ

    @pytest.mark.parametrize("mode", MODES)
    def test_vector_stays_in_the_batched_spaces_and_declares_its_mode(self, make, vector_of, mode):
        single = make()
        for given in (mode, mode.value):
            env = vector_of(4, given)
            assert (env.num_envs, env.metadata["autoreset_mode"]) == (4, mode)
        assert env.single_observation_space == single.observation_space
        assert env.single_action_space == single.action_space
        assert env.observation_space == gym.vector.utils.batch_space(single.observation_space, 4)
        assert env.action_space == gym.vector.utils.batch_space(single.action_space, 4)
        observation, info = env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(12):
            assert observation in env.observation_space
            assert set(info) - {key for key in info if key.startswith(("_", "final"))} == INFO_KEYS
            for key in INFO_KEYS:
                assert np.isfinite(info[key]).all()
                assert info[f"_{key}"].all()
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
            assert reward.shape == terminated.shape == truncated.shape == (4,)
            assert not truncated.any()

    def test_without_autoreset_it_is_a_vector_of_scalar_environments_reset_by_masks(self, case):
        name, arguments = case
        scalar, vector = twins(3, AutoresetMode.DISABLED, name=name, **arguments)
        got, expected = vector.reset(seed=1), scalar.reset(seed=1)
        rng, resets, choices = np.random.default_rng(3), 0, vector.single_action_space.n
        for _ in range(24):
            got, expected = vector.step(actions := rng.integers(0, choices, 3)), scalar.step(actions)
            assert_same_step(got, expected)
            if (done := expected[2]).any():
                seed = (None, 7, (1, None, 3))[resets % 3]
                got, expected = (env.reset(seed=seed, options={"reset_mask": done}) for env in (vector, scalar))
                np.testing.assert_array_equal(got[0], expected[0])
                assert_same_info(got[1], expected[1])
                resets += 1
        assert resets > 2

    @pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
    def test_vector_is_the_default_of_make_vec_and_rebuilt_from_its_spec(self, case, form, vector_of):
        name, arguments = case
        env = gym.make_vec(name, num_envs=3, reward_scale=2.0, autoreset_mode="SameStep", **form(arguments))
        again = gym.make_vec(EnvSpec.from_json(env.spec.to_json()))
        assert type(env) is type(again) is type(vector_of(1))
        assert (again.num_envs, again.autoreset_mode, again.task.reward_scale) == (3, AutoresetMode.SAME_STEP, 2.0)
        assert again.problem.horizon == env.problem.horizon
        np.testing.assert_array_equal(env.reset(seed=1)[0], again.reset(seed=1)[0])
        actions = np.array([env.single_action_space.n - 1, 1, 0])
        np.testing.assert_array_equal(env.step(actions)[0], again.step(actions)[0])

    @pytest.mark.parametrize(("twin", "mode"), [*zip(TWINS.values(), MODES, strict=True)], ids=TWINS)
    def test_vector_copies_go_on_alike_and_apart(self, vector_of, twin, mode):
        """Copied while some slots have ended, some run and, where the placement is chosen, some choose."""
        env = vector_of(4, mode)
        last = env.single_action_space.n - 1
        env.reset(seed=0)
        for actions in ([0, 1, last, last], [0, 0, 1, 0]):
            env.step(np.array(actions))
        other = twin(env)
        script = [np.array([0, min(2, last), 1, 0])] * 8
        first = [env.step(actions) for actions in script]
        for actions, step in zip(script, first, strict=True):
            assert_same_step(other.step(actions), step)

    @pytest.mark.parametrize("mode", MODES)
    def test_what_is_returned_is_not_the_state(self, vector_of, mode):
        env, untouched = vector_of(3, mode), vector_of(3, mode)
        starts = env.reset(seed=0), untouched.reset(seed=0)
        scribble(starts[0])
        for actions in ([0, 1, 0], [1, 0, 0], [0, 0, 0]):
            step, expected = env.step(np.array(actions)), untouched.step(np.array(actions))
            assert_same_step(step, expected)
            scribble(step)

    def test_bad_actions_of_the_vector_are_refused(self, vector_of):
        env = vector_of(3)
        with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
            env.step(np.array([0, 0, 0]))
        env.reset(seed=0)
        last = env.single_action_space.n - 1
        for actions in ([last + 1, 0, 0], *BAD_BATCHES):
            with pytest.raises(InvalidAction, match=rf"actions = .* must be 3 integers from 0 to {last}"):
                env.step(actions)

    def test_whole_numbers_of_any_kind_are_actions_of_the_vector(self, vector_of):
        for actions in ([1.0, 0.0], np.array([1, 0], dtype=np.uint8), (1, 0)):
            env, twin = vector_of(2), vector_of(2)
            env.reset(seed=0), twin.reset(seed=0)
            assert_same_step(env.step(actions), twin.step(np.array([1, 0])))
