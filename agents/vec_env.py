"""Stable-Baselines3 on top of the native vector environment (its own ``DummyVecEnv`` steps environments one by one)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from cointer_gym.envs.vector import TaskVectorEnv


class NativeVecEnv(VecEnv):
    """Adapts a native vector environment with same-step reset to Stable-Baselines3's ``VecEnv``.

    Args:
        env: the vector environment.

    Raises:
        ValueError: ``env`` does not reset within the step, which Stable-Baselines3 needs.
    """

    def __init__(self, env: TaskVectorEnv) -> None:
        if env.autoreset_mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f"autoreset_mode = {env.autoreset_mode.value} must be {AutoresetMode.SAME_STEP.value}")
        self.env = env
        self._next_seed: int | None = None
        self._actions: Any = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Start a new task in every slot; what ``seed`` and ``set_options`` gave is used once."""
        options = {name: [of_slot[name] for of_slot in self._options] for name in self._options[0]}
        observations, _ = self.env.reset(seed=self._next_seed, options=options)
        self._next_seed = None
        self._reset_options()
        return observations

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed slot i with ``seed + i`` at the next reset, as Stable-Baselines3's own vector environments do."""
        self._next_seed = seed
        return [None if seed is None else seed + slot for slot in range(self.num_envs)]

    def step_async(self, actions: Any) -> None:
        """Keep the actions for ``step_wait``."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Step all slots; ended ones carry ``terminal_observation`` and ``TimeLimit.truncated``."""
        observations, rewards, terminated, truncated, info = self.env.step(self._actions)
        infos: list[dict[str, Any]] = [{"TimeLimit.truncated": False} for _ in range(self.num_envs)]
        for slot in np.flatnonzero(terminated | truncated):
            infos[slot]["terminal_observation"] = info["final_obs"][slot]
        return observations, rewards.astype(np.float32), terminated | truncated, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same attribute once per slot: all slots share one environment."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Slots share one environment, so an attribute is set for all."""
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of the vector environment."""
        result = getattr(self.env, method_name)(*args, **kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Never wrapped."""
        return [False] * len(list(self._get_indices(indices)))
