"""Stable-Baselines3 on top of the native vector environment (its own ``DummyVecEnv`` steps environments one by one)."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from cointer_gym.units import IntArray

_OF_A_SLOT = "action_masks"
"""The one method of which every slot has its own; sb3-contrib asks for it."""


class NativeVecEnv(VecEnv):
    """Adapts a native vector environment with same-step reset to Stable-Baselines3's ``VecEnv``.

    It acts as ``DummyVecEnv`` does on scalar environments: every slot has its own seed, its own options for the next
    reset, and its own ``info``.

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
        ended = {"terminal_observation": info.pop("final_obs", None), **info.pop("final_info", {})}
        info["TimeLimit.truncated"] = truncated & ~terminated
        infos: list[dict[str, Any]] = [{}] * self.num_envs
        for slots, held in ((np.flatnonzero(~done), info), (np.flatnonzero(done), info | ended)):
            for slot, of_slot in zip(slots.tolist(), _per_slot(held, slots), strict=True):
                infos[slot] = of_slot
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
