"""Rollouts of PPO: what Stable-Baselines3 does before it learns from them."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import cointer_gym  # noqa: F401 (registers the ids)
from benchmarks.rounds import Side, SideBySide

_ROLLOUT = 32  # steps of every environment, as in the committed settings of PPO


def _collecting(env: Any, name: str = "") -> Side:
    """Rollouts of a fresh PPO model, never updated."""
    from stable_baselines3 import PPO

    model = PPO("MlpPolicy", env, n_steps=_ROLLOUT, policy_kwargs={"net_arch": [64, 64]}, seed=0, device="cpu")
    _, callback = model._setup_learn(10**9)  # what ``learn`` does first: logger, callback, first observations
    callback.on_training_start({}, {})

    def collect() -> None:
        model.collect_rollouts(env, callback, model.rollout_buffer, _ROLLOUT)

    return Side(collect, _ROLLOUT * env.num_envs, name=name)


def _native(num_envs: int) -> Any:
    from cointer_gym.agents.vec_env import NativeVecEnv

    arguments: dict[str, Any] = {"vectorization_mode": "vector_entry_point", "autoreset_mode": "SameStep"}
    return NativeVecEnv(gym.make_vec("CoInference-v0", num_envs, **arguments))


def _free(num_envs: int) -> Any:
    """Steps that return the same arrays again and again: the time that an environment cannot save."""
    env = _native(num_envs)
    same = np.ascontiguousarray(env.reset()), np.zeros(num_envs, np.float32), np.zeros(num_envs, np.bool_)
    infos: list[dict[str, Any]] = [{}] * num_envs
    env.step_wait = lambda: (*same, infos)
    return env


@pytest.mark.parametrize("num_envs", [256, 1024])
@pytest.mark.parametrize(
    ("name", "what"), [("rollouts", "native adapter"), ("rollouts-free", "steps that cost nothing")]
)
@pytest.mark.usefixtures("one_torch_thread")
def bench_rollouts(side_by_side: SideBySide, name: str, what: str, num_envs: int) -> None:
    """The native adapter beside ``DummyVecEnv`` over CartPole, with networks of the same hidden layers."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    ours = _native(num_envs) if name == "rollouts" else _free(num_envs)
    peer = DummyVecEnv([lambda: gym.make("CartPole-v1") for _ in range(num_envs)])
    sides = _collecting(ours), _collecting(peer, "CartPole in DummyVecEnv")
    side_by_side(f"{name}-{num_envs}", "rollouts", f"CoInference-v0, {num_envs:,} envs, {what}", "steps/s", *sides)
