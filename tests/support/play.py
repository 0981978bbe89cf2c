"""Playing tasks: scripts of actions, vectors of tasks, comparisons of what was seen, and costs written out by hand."""

from importlib.util import find_spec

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from cointer_gym import Scenario
from cointer_gym.envs import CoInferencePlacementEnv

SPLITTING, PLACEMENT = "CoInference-v0", "CoInferencePlacement-v0"
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
KERNELS = [False, True] if find_spec("numba") else [False]  # NumPy's, and the compiled one where it can be had
AMOUNTS = ("cost", "time_s", "energy_j")
INFO_KEYS = {"placement", "stage", "snr_db", "action_mask", *AMOUNTS}


def own_ids():
    """Ids of single environments that this package registers."""
    return sorted(
        name for name, spec in gym.registry.items() if str(spec.entry_point).startswith("cointer_gym.") and spec.name
    )


# --- one task at a time -----------------------------------------------------------------------------------------------


def rollout(env, actions, **reset):
    """Reset, then play ``actions`` until the task ends: what each returned, the reset as a step with reward 0."""
    observation, info = env.reset(**reset)
    steps = [(observation, 0.0, False, False, info)]
    for action in actions:
        steps.append(env.step(action))
        if steps[-1][2]:
            break
    return steps


def snr_path_db(env, actions, **reset):
    """The SNRs that a rollout saw."""
    return [step[4]["snr_db"] for step in rollout(env, actions, **reset)]


def all_on_the_device(env):
    """Actions of the longest task: place everything where there is a choice, then continue."""
    layers = env.unwrapped.problem.horizon
    return [layers] * isinstance(env.unwrapped, CoInferencePlacementEnv) + [0] * (layers + 1)


def random_actions(rng, layers, placement=None):
    """A placement, then mostly continue: every length occurs."""
    first = rng.integers(0, layers + 1) if placement is None else placement
    later = np.where(rng.random(layers + 1) < 0.3, rng.integers(1, layers + 1, layers + 1), 0)
    return [int(first), *map(int, later)]


def assert_same_steps(one, other):
    """Equal observations, rewards, flags and infos."""
    assert len(one) == len(other)
    for (obs_a, *rest_a, info_a), (obs_b, *rest_b, info_b) in zip(one, other, strict=True):
        np.testing.assert_array_equal(obs_a, obs_b)
        assert rest_a == rest_b
        assert info_a.keys() == info_b.keys()
        for key in info_a:
            np.testing.assert_array_equal(info_a[key], info_b[key])


# --- many tasks at a time ---------------------------------------------------------------------------------------------


def native(num_envs, mode=AutoresetMode.NEXT_STEP, name=SPLITTING, **arguments):
    """This package's own vector environment."""
    return gym.make_vec(name, num_envs, vectorization_mode="vector_entry_point", autoreset_mode=mode, **arguments)


def native_placement(num_envs, mode=AutoresetMode.SAME_STEP, **arguments):
    """This package's own vector environment of ``CoInferencePlacement-v0``."""
    return native(num_envs, mode, PLACEMENT, **arguments)


def twins(num_envs, mode, name=SPLITTING, **arguments):
    """Gymnasium's vector of scalar environments and the native one: the same seed gives the same run."""
    scalar = SyncVectorEnv([lambda: gym.make(name, **arguments).unwrapped] * num_envs, autoreset_mode=mode)
    return scalar, native(num_envs, mode, name, **arguments)


def assert_same_info(got, expected):
    """Equal keys, masks and types, and the very same values wherever the mask says that a value holds."""
    got, expected = dict(got), dict(expected)
    assert got.keys() == expected.keys()
    for key in (key for key in expected if not key.startswith("_")):
        mask = expected[f"_{key}"]
        assert_identical(got[f"_{key}"], mask, f"_{key}")
        if isinstance(expected[key], dict):
            assert_same_info(got[key], expected[key])
            continue
        assert (got[key].dtype, got[key].shape) == (expected[key].dtype, expected[key].shape), key
        if got[key].dtype == object:
            assert [each is None for each in got[key]] == [each is None for each in expected[key]], key
            for one, other in zip(got[key][mask], expected[key][mask], strict=True):
                assert_identical(one, other, key)
        elif mask.all():
            assert_identical(got[key], expected[key], key)
        else:
            assert_identical(got[key][mask], expected[key][mask], key)


def assert_identical(one, other, name=""):
    """The same type, shape and numbers; shows where they differ."""
    if (one.dtype, one.shape) != (other.dtype, other.shape) or one.tobytes() != other.tobytes():
        assert one.dtype == other.dtype, name
        np.testing.assert_array_equal(one, other, err_msg=name, strict=True)


def assert_same_step(got, expected):
    """A step or a reset of two vector environments: the very same observations, rewards, flags, infos and types."""
    for one, other in zip(got[:-1], expected[:-1], strict=True):
        assert_identical(one, other)
    assert_same_info(got[-1], expected[-1])


def scribble(values):
    """Overwrite every array in place."""
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, dict | list):
            scribble(value)
        elif value is not None:
            if value.dtype == object:
                scribble(value.tolist())
            value[...] = 1


# --- by hand ----------------------------------------------------------------------------------------------------------


def by_the_problem(problem, path, actions):
    """Stage, end and ETC of every step, as the docstring of the problem says it: A_n x + B_n to stop, c_n to go on."""
    steps = []
    for stage, action in enumerate(actions):
        if action or stage == problem.horizon:
            uses = problem.channel.channel_uses_per_bit(path[stage])
            steps.append((stage, True, problem.airtime_cost[stage] * uses + problem.edge_cost[stage]))
        else:
            ready = problem.completes and stage + 1 == problem.horizon
            steps.append((stage + 1, ready, problem.device_cost[stage]))
        if steps[-1][1]:
            break
    return steps


def hand_amounts(scenario, path, actions):
    """Seconds and joules of every step, from the scenario's own numbers and the words of the documentation."""
    s = Scenario.load(scenario)
    placement = min(actions[0], s.largest_placement)
    bits = sum(s.dnn.parameter_bits[:placement])
    seconds = bits / s.link.downlink_bps / s.tasks_per_update
    amounts, stage = [(seconds, s.link.rx_power_w * seconds)], 0
    device_s, device_j, edge_s = s.device.layer_s(s.dnn), s.device.layer_j(s.dnn), s.edge.layer_s(s.dnn)
    for action in actions[1:]:
        if stage == s.layers:
            break
        if action == 0 and stage < placement:
            amounts.append((device_s[stage], device_j[stage]))
            stage += 1
            continue
        efficiency = max(np.log2(1.0 + path[stage]), s.channel.min_efficiency)
        upload_s = s.dnn.output_bits[stage] / (s.link.bandwidth_hz * efficiency)
        amounts.append((upload_s + sum(edge_s[stage:]), s.link.tx_power_w * upload_s))
        break
    return amounts
