"""Infos that are filled when they are read: plain dictionaries for whoever uses them, of the moment of their step."""

import copy
import json
import operator
import pickle
import pprint
from collections import ChainMap, OrderedDict

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics

from cointer_gym.envs.infos import LazyInfo
from support.play import KERNELS, MODES, PLACEMENT, SPLITTING, assert_same_step, native, scribble

CONTENT = {"stage": 1, "cost": 2.5, "deep": {"a": [3]}}
WAYS = [*MODES, AutoresetMode.DISABLED]
every_id = pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])
every_kernel = pytest.mark.parametrize("compiled", KERNELS)


class Source:
    """Gives the content, and counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return copy.deepcopy(CONTENT)


def lazy():
    return LazyInfo(Source())


def keywords(**given):
    return given


def matched(info):
    match info:
        case {"stage": stage, "deep": {"a": [number]}, **rest}:
            return stage, number, rest
        case _:
            return None


def popped(info):
    return info.pop("cost"), info.pop("none", 7), dict(info)


def emptied(info):
    item = info.popitem()
    info.clear()
    return item, len(info), bool(info)


def deleted(info):
    del info["stage"]
    return dict(info)


def written(info):
    info["more"] = 5
    info["stage"] = 9
    return list(info.items())


def updated(info):
    info.update({"stage": 8}, x=1)
    return list(info.items())


def joined(info):
    info |= {"stage": 8, "x": 1}
    return list(info.items())


def refusal(kind, attempt):
    with pytest.raises(kind) as caught:
        attempt()
    return str(caught.value)


def defaults(info):
    return info.setdefault("stage", 7), info.setdefault("x", 7), dict(info)


USES = {
    "bool": bool,
    "call with keywords": lambda info: keywords(**info),
    "chain map": lambda info: dict(ChainMap({}, info)),
    "compare": lambda info: (info == CONTENT, info == {}, info != CONTENT, info != {}),
    "compare behind": lambda info: [operator.eq(CONTENT, info), operator.eq({}, info), operator.ne(CONTENT, info)],
    "contains": lambda info: ("stage" in info, "none" in info, "none" not in info),
    "copy": copy.copy,
    "copy method": lambda info: info.copy(),
    "deep copy": copy.deepcopy,
    "defaults": defaults,
    "delete": deleted,
    "dict": dict,
    "dict with more": lambda info: dict(info, x=1),
    "display": lambda info: {**info, "x": 1},
    "empty": emptied,
    "format": lambda info: f"{info}",
    "format map": lambda info: "{stage} {cost}".format_map(info),
    "from keys": lambda info: dict.fromkeys(info, 0),
    "from keys of its kind": lambda info: type(info).fromkeys(info, 0),
    "get": lambda info: (info.get("stage"), info.get("none"), info.get("none", 3)),
    "getitem": lambda info: info["deep"],
    "item getter": lambda info: operator.itemgetter("stage", "cost")(info),
    "items": lambda info: list(info.items()),
    "items as set": lambda info: info.keys() & {"stage", "x"},
    "iterate": lambda info: [key for key in info],
    "join": lambda info: info | {"x": 1},
    "join in place": joined,
    "join behind": lambda info: {"x": 1, "stage": 5} | info,
    "keys": lambda info: list(info.keys()),
    "length": len,
    "match": matched,
    "max": max,
    "missing": lambda info: refusal(KeyError, lambda: info["none"]),
    "of its kind": lambda info: type(info)(info),
    "of its kind by keywords": lambda info: type(info)(**info),
    "of its kind with more": lambda info: type(info)(info, x=1),
    "of its kind, empty": lambda info: type(info)(),
    "ordered": OrderedDict,
    "percent": lambda info: operator.mod("%(stage)d", info),
    "pickle": lambda info: pickle.loads(pickle.dumps(info)),
    "pickle of the first protocol": lambda info: pickle.loads(pickle.dumps(info, 0)),
    "pop": popped,
    "pretty print": lambda info: sorted(pprint.pformat(info)),  # in any order
    "print": str,
    "repr": repr,
    "reversed": lambda info: list(reversed(info)),
    "set": set,
    "set item": written,
    "sorted": sorted,
    "unhashable": lambda info: refusal(TypeError, lambda: hash(info))[:15],
    "unpack": lambda info: [*info],
    "update": updated,
    "update another": lambda info: operator.ior({"x": 1}, info),
    "update another by method": lambda info: (lambda other: (other.update(info), other)[1])({"x": 1}),
    "values": lambda info: list(info.values()),
    "zip": lambda info: list(zip(info, info.values(), strict=True)),
}
FILL_NOTHING = {"of its kind, empty", "unhashable"}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_every_use_is_that_of_a_dictionary(use):
    given, plain = lazy(), copy.deepcopy(CONTENT)
    result, expected = use(given), use(plain)
    if isinstance(expected, dict):
        assert isinstance(result, dict)
        assert list(result.items()) == list(expected.items())
    else:
        assert result == expected
        assert type(result) is type(expected)
    assert list(given.items()) == list(plain.items())  # and so is what is left of it


@pytest.mark.parametrize("name", [name for name in USES if name not in FILL_NOTHING])
def test_it_is_filled_by_the_first_use_and_never_again(name):
    source = Source()
    info = LazyInfo(source)
    assert source.asked == 0
    USES[name](info)
    assert source.asked == 1
    list(info), info.get("stage"), copy.deepcopy(info)
    assert source.asked == 1


def test_every_method_of_a_dictionary_is_among_the_uses():
    """Methods that dict gets one day, too, must not pass an unread info by."""
    shared = {name for name in vars(dict) if getattr(object, name, None) is not vars(dict)[name]}
    need_nothing = {"__new__", "__init__", "__doc__", "__class_getitem__", "fromkeys", "__getattribute__", "__hash__"}
    orders = {"__lt__", "__le__", "__gt__", "__ge__"}  # of which dict refuses all
    own = set(vars(LazyInfo))
    assert {name for name in shared if name not in own} <= need_nothing | orders | {"__sizeof__"}


def test_copies_are_plain_and_apart():
    for twin in (copy.deepcopy, lambda info: pickle.loads(pickle.dumps(info))):
        info = lazy()
        other = twin(info)
        assert type(other) is dict
        other["deep"]["a"].append(4)
        assert info == CONTENT
    assert type(copy.copy(lazy())) is dict


def test_it_is_a_dictionary():
    assert isinstance(lazy(), dict)
    assert issubclass(LazyInfo, dict)


def test_what_is_written_before_it_is_read_stands():
    info = lazy()
    info["stage"], info["episode"] = 7, {"r": 1.0}
    assert info == CONTENT | {"stage": 7, "episode": {"r": 1.0}}
    info.clear()
    assert info == {}  # and is not filled again


def test_a_fill_that_fails_is_not_an_empty_info():
    tries = []

    def fails_once():
        tries.append(1)
        if len(tries) == 1:
            raise MemoryError
        return {"stage": 1}

    info = LazyInfo(fails_once)
    with pytest.raises(MemoryError):
        len(info)
    assert info == {"stage": 1}


def test_an_info_that_was_read_is_json():
    info = lazy()
    assert json.loads(json.dumps(dict(info))) == CONTENT
    assert json.loads(json.dumps(info)) == CONTENT  # the encoder in C looks past an unread one


# --- infos of the native vector environment ---------------------------------------------------------------------------


def long_run(env, rng, read):
    """What all steps and resets of an eventful run returned, each shown to ``read`` at once."""
    slots, last = env.num_envs, env.single_action_space.n
    layers = env.problem.horizon
    taken = [env.reset(seed=0, options={"snr": [np.full(layers + 1, 4.0), *[None] * (slots - 1)]})]
    for count in range(60):
        if count % 7 == 3:
            options = {"reset_mask": np.arange(slots) % 3 == count % 3}
            if count % 2:
                options["snr"] = [np.full(layers + 1, 1.0 + slot) for slot in range(slots)]
            taken.append(env.reset(seed=[count] + [None] * (slots - 1), options=options))
            for given in options.values():
                read(taken[-1][-1])
                given[:] = [0] * slots if isinstance(given, list) else False
        actions = np.where(rng.random(slots) < 0.3, rng.integers(1, last, slots), 0)
        taken.append(env.step(actions))
        read(taken[-1][-1])
        actions[:] = 0  # the caller's array
        done = taken[-1][2] | taken[-1][3]
        if env.autoreset_mode is AutoresetMode.DISABLED and done.any():
            taken.append(env.reset(options={"reset_mask": done.copy()}))
            read(taken[-1][-1])
    return taken


@every_id
@every_kernel
@pytest.mark.parametrize("mode", WAYS)
def test_later_steps_do_not_change_what_was_returned(name, mode, compiled):
    """Infos that are read at the end of a run, backwards, are those that were read and copied at once."""
    arguments = {"scenario": "mlp-pi", "max_episode_steps": 3, "compiled": compiled}
    late, early = native(6, mode, name, **arguments), native(6, mode, name, **arguments)
    kept = []
    unread = long_run(late, np.random.default_rng(1), lambda info: None)
    at_once = long_run(early, np.random.default_rng(1), lambda info: info.keys() and None)
    for step in at_once:
        kept.append(copy.deepcopy(step))
    late.close()
    assert {type(step[-1]) for step in unread} == {LazyInfo}
    assert len(unread) == len(kept) > 60
    for step, expected in zip(reversed(unread), reversed(kept), strict=True):
        assert_same_step(step, expected)


@every_id
@every_kernel
@pytest.mark.parametrize("mode", WAYS)
def test_observations_rewards_and_flags_of_a_step_stay_what_they_were(name, mode, compiled):
    env = native(6, mode, name, scenario="mlp-pi", max_episode_steps=3, compiled=compiled)
    kept, originals = [], []

    def keep(step):
        originals.append(step)
        kept.append([array.copy() for array in step[:-1]])

    keep(env.reset(seed=0))
    rng = np.random.default_rng(2)
    for _ in range(40):
        step = env.step(rng.integers(0, env.single_action_space.n, 6))
        keep(step)
        done = step[2] | step[3]
        if mode is AutoresetMode.DISABLED and done.any():
            keep(env.reset(options={"reset_mask": done.copy()}))
    for step, copies in zip(originals, kept, strict=True):
        for array, before in zip(step[:-1], copies, strict=True):
            np.testing.assert_array_equal(array, before)


@every_id
@every_kernel
@pytest.mark.parametrize("mode", WAYS)
def test_scribbling_changes_neither_the_environment_nor_other_infos(name, mode, compiled):
    """On arrays of a step before its info is read, on the info itself, in any order."""
    arguments = {"scenario": "mlp-pi", "max_episode_steps": 3, "compiled": compiled}
    env, untouched = native(6, mode, name, **arguments), native(6, mode, name, **arguments)
    starts = [each.reset(seed=4) for each in (env, untouched)]
    rng = np.random.default_rng(3)
    scribble(starts[0])
    for count in range(40):
        actions = rng.integers(0, env.single_action_space.n, 6)
        step, expected = env.step(actions), untouched.step(actions)
        done = expected[2] | expected[3]
        arrays = [array.copy() for array in step[:-1]]
        if count % 2:
            scribble(step[:-1])  # before the info is read
        assert_same_step([*arrays, step[-1]], expected)
        scribble(step)
        step[-1].clear()
        if mode is AutoresetMode.DISABLED and done.any():
            one, other = (each.reset(options={"reset_mask": done.copy()}) for each in (env, untouched))
            assert_same_step(one, other)
            scribble(one)


@every_id
def test_infos_of_resets_hold_for_the_slots_of_the_mask_alone(name):
    env = native(4, name=name)
    assert all(mask.all() for key, mask in env.reset(seed=0)[1].items() if key.startswith("_"))
    mask = np.array([True, False, True, False])
    info = env.reset(options={"reset_mask": mask})[1]
    for key in (key for key in info if key.startswith("_")):
        np.testing.assert_array_equal(info[key], mask)


@every_id
@every_kernel
@pytest.mark.parametrize("mode", WAYS)
def test_amounts_and_last_observations_without_infos_are_those_of_the_infos(name, mode, compiled):
    """For callers that have no use for the rest of the info."""
    env, rng = (
        native(5, mode, name, scenario="mlp-pi", max_episode_steps=3, compiled=compiled),
        np.random.default_rng(1),
    )
    env.reset(seed=0)
    with pytest.raises(ResetNeeded, match=r"call step\(\) before last_amounts\(\)"):
        env.last_amounts()
    ends = 0
    for _ in range(40):
        info = env.step(rng.integers(0, env.single_action_space.n, 5))[4]
        done, last = info.get("_final_info", np.zeros(5, dtype=bool)), info.get("final_info", info)
        for amount, found in env.last_amounts().known().items():
            np.testing.assert_array_equal(found, np.where(done, last[amount], info[amount]))
        slots = np.flatnonzero(done)
        ends += slots.size
        if slots.size:
            np.testing.assert_array_equal(env.last_observations(slots), np.stack(info["final_obs"][slots]))
        if not done.all():
            with pytest.raises(ValueError, match=r"slots = .* must be such as the last step has ended and reset"):
                env.last_observations(np.arange(5))
        if mode is AutoresetMode.DISABLED:
            env.reset()
    assert (ends > 30) == (mode is AutoresetMode.SAME_STEP)


# --- Gymnasium's wrappers that read infos -----------------------------------------------------------------------------


def vectors(name, mode, slots=4, **arguments):
    """The native vector environment and Gymnasium's of scalar ones, and actions for both."""
    scalar = SyncVectorEnv([lambda: gym.make(name, **arguments)] * slots, autoreset_mode=mode)
    rng = np.random.default_rng(5)
    last = scalar.single_action_space.n
    scripts = [np.where(rng.random(slots) < 0.3, rng.integers(1, last, slots), 0) for _ in range(60)]
    return native(slots, mode, name, **arguments), scalar, scripts


@every_id
@pytest.mark.parametrize("mode", MODES)
def test_episode_statistics_are_those_of_scalar_environments(name, mode):
    *pair, scripts = vectors(name, mode, scenario="mlp-pi", max_episode_steps=4)
    one, other = map(RecordEpisodeStatistics, pair)
    assert_same_step(one.reset(seed=1), other.reset(seed=1))
    episodes = 0
    for actions in scripts:
        got, expected = one.step(actions), other.step(actions)
        statistics = [step[-1].pop("episode", None) for step in (got, expected)]
        masks = [step[-1].pop("_episode", None) for step in (got, expected)]
        assert_same_step(got, expected)
        assert (statistics[0] is None) == (statistics[1] is None) == (not (got[2] | got[3]).any())
        if statistics[0] is not None:
            np.testing.assert_array_equal(*masks)
            for key in ("r", "l"):
                np.testing.assert_array_equal(statistics[0][key], statistics[1][key])
            assert (statistics[0]["r"][masks[0]] < 0).all()
            episodes += masks[0].sum()
    assert episodes > 30


@every_id
@pytest.mark.parametrize("mode", MODES)
def test_lists_of_infos_are_those_of_scalar_environments(name, mode):
    *pair, scripts = vectors(name, mode, scenario="mlp-pi")
    one, other = map(DictInfoToList, pair)
    assert_same_list(one.reset(seed=1)[1], other.reset(seed=1)[1])
    finals = 0
    for actions in scripts:
        got, expected = one.step(actions), other.step(actions)
        assert_same_list(got[4], expected[4])
        finals += sum("final_info" in each for each in got[4])
    assert (finals > 30) == (mode is AutoresetMode.SAME_STEP)


def assert_same_list(got, expected):
    assert len(got) == len(expected) == 4
    for one, other in zip(got, expected, strict=True):
        assert one.keys() == other.keys()
        for key, value in other.items():
            if isinstance(value, dict):
                assert_same_list([one[key]] * 4, [value] * 4)
            else:
                np.testing.assert_array_equal(one[key], value)
