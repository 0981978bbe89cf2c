"""Environment steps per second: one task at a time, and many in NumPy. Actions are drawn beforehand."""

from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import cointer_gym  # noqa: F401 (registers the ids)
from benchmarks.rounds import Side, SideBySide

SPLITTING, PLACEMENT = "CoInference-v0", "CoInferencePlacement-v0"
CARTPOLE = "CartPole-v1"
_STEPS = 500  # of one environment per run
_VECTOR_STEPS = 16


def _playing(env: gym.Env[Any, Any], actions: Iterable[Any]) -> Side:
    """Steps of a single environment; those that end are followed by a reset."""
    chosen = list(actions)
    env.reset(seed=0)

    def play() -> None:
        for action in chosen:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return Side(play, len(chosen))


def _random(env: gym.Env[Any, Any]) -> Side:
    env.action_space.seed(0)
    return _playing(env, [int(env.action_space.sample()) for _ in range(_STEPS)])


def _to_the_end(env: gym.Env[Any, Any]) -> Side:
    """Whole episodes that compute every layer on the device; all layers are placed first where that is a choice."""
    env.reset(seed=0)
    layers = env.get_wrapper_attr("problem").horizon
    episode = [layers] * (env.get_wrapper_attr("task").env_id == PLACEMENT) + [0] * layers
    return _playing(env, episode * (_STEPS // len(episode)))


@pytest.mark.parametrize("env_id", [SPLITTING, PLACEMENT])
@pytest.mark.parametrize("policy", ["random", "to-the-end"])
def bench_single(side_by_side: SideBySide, env_id: str, policy: str) -> None:
    """``gym.make`` with its default wrappers on both sides, resets included; the peer acts at random in both."""
    ours, peer = gym.make(env_id), gym.make(CARTPOLE)
    name = "single" if env_id == SPLITTING else "single-placement"
    acting, how = (_random, "random actions") if policy == "random" else (_to_the_end, "every layer on the device")
    side = acting(ours)
    what = f"{env_id}, {how}"
    side_by_side(f"{name}-{policy}", "single", what, "steps/s", side, _named(_random(peer), CARTPOLE))
    ours.close()
    peer.close()


def _named(side: Side, name: str) -> Side:
    return Side(side.run, side.count, name=name)


def _stepping(env: gym.vector.VectorEnv[Any, Any, Any], name: str = "") -> Side:
    """Steps of a vector environment under random actions."""
    env.reset(seed=0)
    last = int(env.single_action_space.n)  # type: ignore[attr-defined]
    actions = list(np.random.default_rng(0).integers(last, size=(_VECTOR_STEPS, env.num_envs)))

    def play() -> None:
        for chosen in actions:
            env.step(chosen)

    return Side(play, _VECTOR_STEPS * env.num_envs, name=name)


def _native(env_id: str, num_envs: int, **arguments: Any) -> gym.vector.VectorEnv[Any, Any, Any]:
    return gym.make_vec(env_id, num_envs, vectorization_mode="vector_entry_point", **arguments)


@pytest.mark.parametrize("num_envs", [16, 256, 4096, 65536])
@pytest.mark.parametrize(
    ("name", "env_id", "how", "arguments"),
    [
        ("vector", SPLITTING, "NextStep", {}),
        ("vector-numpy", SPLITTING, "NextStep, no Numba", {"compiled": False}),
        ("vector-same-step", SPLITTING, "SameStep", {"autoreset_mode": "SameStep"}),
        ("vector-placement", PLACEMENT, "NextStep", {}),
    ],
)
def bench_vector(
    side_by_side: SideBySide, name: str, env_id: str, how: str, arguments: dict[str, Any], num_envs: int
) -> None:
    """The native vector environment beside Gymnasium's; a step of an environment is one slot of one call."""
    ours = _stepping(_native(env_id, num_envs, **arguments))
    peer = _stepping(_native(CARTPOLE, num_envs), "CartPoleVectorEnv")
    side_by_side(f"{name}-{num_envs}", "vector", f"{env_id}, {num_envs:,} envs, {how}", "steps/s", ours, peer)


@pytest.mark.parametrize("num_envs", [16, 256])
def bench_sync(side_by_side: SideBySide, num_envs: int) -> None:
    """Gymnasium's ``SyncVectorEnv`` around single environments, both sides."""
    ours, peer = (gym.make_vec(env_id, num_envs, vectorization_mode="sync") for env_id in (SPLITTING, CARTPOLE))
    what = f"{SPLITTING}, {num_envs} envs, SyncVectorEnv"
    sides = _stepping(ours), _stepping(peer, "CartPole in SyncVectorEnv")
    side_by_side(f"sync-{num_envs}", "vector", what, "steps/s", *sides)
