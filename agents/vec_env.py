"""Stable-Baselines3 on top of the native vector environment (its own ``DummyVecEnv`` steps environments one by one)."""

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from cointer_gym.envs.infos import LazyInfo
from cointer_gym.units import BoolArray, IntArray

if TYPE_CHECKING:
    from cointer_gym.envs.vector import TaskVectorEnv

_AMOUNTS = ("cost", "time_s", "energy_j")
_OWN = frozenset((*_AMOUNTS, "stage", "placement", "snr_db", "action_mask"))
"""What the environment tells: the amounts are passed on, and where a task is, the observation says."""
_OF_A_SLOT = "action_masks"
"""The one method of which every slot has its own; sb3-contrib asks for it."""


class NativeVecEnv(VecEnv):
    """Adapts a native vector environment with same-step reset to Stable-Baselines3's ``VecEnv``.

    It acts as ``DummyVecEnv`` does on scalar environments: every slot has its own seed, its own options for the next
    reset, and its own ``info``: what the last decision took (``cost``, ``time_s``, ``energy_j``), of a task that ended
    also its return, length and age (``episode``, as Stable-Baselines3's ``Monitor`` has it), and whatever wrappers add.
    Where a task is, the observation says.

    Args:
        env: the vector environment, also inside of Gymnasium's vector wrappers. (Those that change observations refuse
            same-step reset themselves: use Stable-Baselines3's, such as ``VecNormalize``, around the adapter.)

    Raises:
        ValueError: ``env`` does not reset within the step, which Stable-Baselines3 needs.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            given = mode.value if isinstance(mode, AutoresetMode) else mode
            raise ValueError(f"autoreset_mode = {given} must be {AutoresetMode.SAME_STEP.value}")
        self.env = env
        self._actions: Any = None
        self._since = time.monotonic()
        self._returns, self._lengths = np.zeros(env.num_envs), np.zeros(env.num_envs, dtype=np.int64)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Start a new task in every slot; what ``seed`` and ``set_options`` gave is used once.

        Raises:
            ValueError: not one dictionary of options per slot, or an option that the environment refuses.
        """
        given = [of_slot or {} for of_slot in self._options]
        if len(given) != self.num_envs:
            raise ValueError(f"options hold {len(given)} dictionaries, expected {self.num_envs}, one per slot")
        names = {name for of_slot in given for name in of_slot}
        options = {name: [of_slot.get(name) for of_slot in given] for name in names}
        self._returns[:], self._lengths[:] = 0.0, 0
        observations, _ = self.env.reset(seed=self._seeds, options=options)  # type: ignore[arg-type]
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: Any) -> None:
        """Keep the actions for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Step all slots; ended ones carry ``terminal_observation``, and the ``info`` of the task that ended."""
        observations, rewards, terminated, truncated, info = self.env.step(self._actions)
        done = terminated | truncated
        ended = np.flatnonzero(done)
        self._returns += rewards
        self._lengths += 1
        if isinstance(info, LazyInfo) and not info.read:  # no wrapper has a part in it
            native = cast("TaskVectorEnv", self.env.unwrapped)
            amounts, last = native.last_amounts(), list(native.last_observations(ended))
            infos = _amounts(amounts.known(), truncated & ~terminated)
        else:
            final_info, final = info.pop("final_info", {}), info.pop("final_obs", None)
            last = [] if final is None else list(final[ended])
            infos = _amounts(
                {name: _either(name, info, final_info, done) for name in _AMOUNTS}, truncated & ~terminated
            )
            _add(infos, info, np.arange(self.num_envs))
            _add(infos, final_info, ended)
        age_s = round(time.monotonic() - self._since, 6)
        returns, lengths = self._returns[ended].tolist(), self._lengths[ended].tolist()
        for slot, observation, gained, length in zip(ended.tolist(), last, returns, lengths, strict=True):
            of_slot = infos[slot]
            of_slot["terminal_observation"] = observation
            if "episode" not in of_slot:  # a wrapper's goes before
                of_slot["episode"] = {"r": gained, "l": length, "t": age_s}
        self._returns[ended], self._lengths[ended] = 0.0, 0
        return observations, rewards.astype(np.float32), done, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the environment or of what it wraps, once per slot: all slots share one environment."""
        value, slots = getattr(self._owner(attr_name), attr_name), self._get_indices(indices)
        return [partial(self._own, slot) if attr_name == _OF_A_SLOT else value for slot in slots]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute for all slots, which share one environment.

        Raises:
            ValueError: ``indices`` are not all slots.
        """
        self._all_slots(attr_name, indices)
        setattr(self._owner(attr_name), attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the environment, or of what it wraps, once for all slots; ``action_masks`` is each slot's.

        Raises:
            ValueError: ``indices`` are not all slots, and the method is not ``action_masks``.
        """
        if method_name != _OF_A_SLOT:
            self._all_slots(method_name, indices)
        result = getattr(self._owner(method_name), method_name)(*args, **kwargs)
        return [result[slot] if method_name == _OF_A_SLOT else result for slot in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Whether one of the wrappers of the vector environment is of that class, once per slot."""
        wrapped = any(isinstance(layer, wrapper_class) for layer in self._layers())
        return [wrapped for _ in self._get_indices(indices)]

    def _layers(self) -> Iterator[VectorEnv[Any, Any, Any]]:
        """The environment and what it wraps, from the outside."""
        layer = self.env
        yield layer
        while isinstance(layer, VectorWrapper):
            layer = layer.env
            yield layer

    def _owner(self, name: str) -> VectorEnv[Any, Any, Any]:
        """The outermost layer that has an attribute; the environment itself if none has."""
        return next((layer for layer in self._layers() if hasattr(layer, name)), self.env)

    def _own(self, slot: int) -> Any:
        return self.env_method(_OF_A_SLOT, indices=slot)[0]

    def _all_slots(self, name: str, indices: Iterable[int] | int | None) -> None:
        if set(self._get_indices(indices)) != set(range(self.num_envs)):
            raise ValueError(
                f"{name!r} for indices = {indices!r}: must be all {self.num_envs} slots, which share one environment"
            )


def _amounts(taken: Mapping[str, NDArray[Any]], truncated: BoolArray) -> list[dict[str, Any]]:
    """What the last decision took in each slot, one plain dictionary each."""
    columns = (*(taken[name].tolist() for name in _AMOUNTS), truncated.tolist())
    return [
        {"cost": cost, "time_s": time_s, "energy_j": energy_j, "TimeLimit.truncated": cut_off}
        for cost, time_s, energy_j, cut_off in zip(*columns, strict=True)
    ]


def _either(name: str, info: Mapping[str, Any], final_info: Mapping[str, Any], done: BoolArray) -> NDArray[Any]:
    """An entry of the tasks that ended, and of the others."""
    return np.where(done, final_info[name], info[name]) if name in final_info else np.asarray(info[name])


def _add(infos: list[dict[str, Any]], told: Mapping[str, Any], slots: IntArray) -> None:
    """What wrappers tell beyond the environment's own entries."""
    more = {key: value for key, value in told.items() if key.removeprefix("_") not in _OWN}
    for slot, held in zip(slots.tolist(), _per_slot(more, slots), strict=True):
        infos[slot].update(held)


def _per_slot(info: Mapping[str, Any], slots: IntArray) -> list[dict[str, Any]]:
    """What Gymnasium's dictionary of arrays holds for each of ``slots``; ``_key`` says for which ``key`` is there."""
    rows: list[dict[str, Any]] = [{} for _ in range(slots.size)]
    for key, column in info.items():
        if key.startswith("_") or not rows:
            continue
        where, those = slots, rows
        held = info[f"_{key}"][slots] if f"_{key}" in info else None
        if held is not None and np.count_nonzero(held) < slots.size:  # faster than held.all()
            where, those = slots[held], [rows[k] for k in np.flatnonzero(held)]
        for row, value in zip(those, _entries(column, where), strict=True):
            row[key] = value
    return rows


def _entries(column: Any, slots: IntArray) -> list[Any]:
    """What a dictionary or an array holds for each of the slots; numbers as Python's own."""
    if isinstance(column, Mapping):
        return _per_slot(column, slots)
    chosen = np.asarray(column)[slots]
    return chosen.tolist() if chosen.ndim == 1 else list(chosen)
