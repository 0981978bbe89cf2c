"""The learning algorithms, one entry each; light to import, torch is loaded when a model is made or read.

An entry says which class learns, which settings it takes and how they become arguments, what of a trained model is
scored, and how it looks in tables and figures. One's own is made like ``PPO`` below and given to ``register``.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from cointer_gym.agents.settings import (
    DqnSettings,
    NetworkSettings,
    PpoSettings,
    TrainingSettings,
    committed_settings,
)
from cointer_gym.baselines.policies import Policy
from cointer_gym.envs.task import Task
from cointer_gym.records import import_object
from cointer_gym.rendering.style import BLUE, VERMILION

S = TypeVar("S", bound=TrainingSettings)

_NAME = re.compile("[a-z0-9][a-z0-9_-]*")


class Learner(Policy, Protocol):
    """What a training asks of a model: a small part of Stable-Baselines3's algorithms.

    Its class is called with the keywords ``policy`` ("MlpPolicy"), ``env`` (a ``NativeVecEnv``), ``seed``, ``device``,
    ``tensorboard_log`` and the entry's own, and has ``load(path, env=None, device="cpu")``.
    """

    num_timesteps: int
    """Environment steps done so far, over all slots."""

    def learn(
        self,
        total_timesteps: int,
        callback: Callable[[dict[str, Any], dict[str, Any]], bool],
        *,
        tb_log_name: str,
        reset_num_timesteps: bool,
    ) -> Any:
        """Take ``total_timesteps`` further steps; call ``callback(locals(), globals())`` after every vector step."""

    def save(self, path: Path) -> None:
        """Write everything that ``load`` needs to go on."""


def _itself(model: Any) -> Any:
    return model


@dataclass(frozen=True)
class Algorithm(Generic[S]):
    """One learning algorithm.

    Args:
        name: in folders and commands; lower-case letters, digits, ``-`` and ``_``.
        label: in tables and figures.
        model: import path of the class that learns, ``package.module:Class``; see ``Learner``.
        settings: their type; its defaults hold where ``settings.toml`` has no table for ``name``.
        keywords: arguments of the class from the settings.
        colour, marker: Matplotlib's, in figures.
        has_replay_buffer: whether a checkpoint also keeps a replay buffer, by ``save_replay_buffer(path)``.
        policy: what of a trained model is scored; the model itself, acting deterministically, unless given.
        defined_in: ``package.module:NAME`` of the entry, so that other processes find it; "" where ``name`` is enough.

    Raises:
        ValueError: ``name`` has other characters.
    """

    name: str
    label: str
    model: str
    settings: type[S]
    keywords: Callable[[S], dict[str, Any]]
    colour: str
    marker: str
    has_replay_buffer: bool = False
    policy: Callable[[Any], Policy] = _itself
    defined_in: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name = {self.name!r} must consist of lower-case letters, digits, '-' and '_'")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its id: entries hold functions, and every process has the entry already."""
        return as_algorithm, (self.id,)

    @property
    def id(self) -> str:
        """What records and commands say, and ``as_algorithm`` understands."""
        return self.defined_in or self.name

    def load_settings(self, task_name: str = "splitting", **overrides: Any) -> S:
        """The committed settings for a task, with some fields replaced.

        Args:
            task_name: ``splitting`` or ``placement``.
            **overrides: fields and their new values.

        Raises:
            ValueError: unknown field, a value out of range, or one that has neither a default nor a committed value.
        """
        return self.settings.model_validate(committed_settings(self.name, task_name) | overrides)

    @property
    def is_stable_baselines(self) -> bool:
        """Whether Stable-Baselines3's rules hold for the model: what acts is its ``policy``, which ``create`` makes."""
        from stable_baselines3.common.base_class import BaseAlgorithm

        return issubclass(import_object(self.model), BaseAlgorithm)

    def create(self, settings: S, env: Any, seed: int | None, log_dir: Path | None) -> Learner:
        """A new model, ready to learn on ``env``; with a seed and a TensorBoard log if it is really to learn."""
        arguments: dict[str, Any] = {
            "policy": "MlpPolicy",
            "env": env,
            "seed": seed,
            "device": "cpu",
            "tensorboard_log": None if log_dir is None else str(log_dir),
        }
        model: Learner = import_object(self.model)(**(arguments | self.keywords(settings)))
        return model

    def rebuild(self, settings: S, task: Task) -> Any:
        """A model like one that was trained with these settings, whose numbers are still to be read."""
        with warnings.catch_warnings(action="ignore"):  # batches that do not suit two slots: it will not learn
            return self.create(settings, vector_env(task, 2), None, None)

    def load(self, path: Path, env: Any = None) -> Any:
        """The model that its class saved at ``path``, by pickle; with ``env`` it can go on learning."""
        return import_object(self.model).load(path, env=env, device="cpu")


def vector_env(task: Task, num_envs: int) -> Any:
    """What an algorithm learns on."""
    from cointer_gym.agents.vec_env import NativeVecEnv  # loads torch

    return NativeVecEnv(task.vector_env(num_envs, "SameStep"))


def network_keywords(settings: NetworkSettings) -> dict[str, Any]:
    """What Stable-Baselines3's algorithms share: nothing is discounted, and the step size falls linearly to 0."""
    from stable_baselines3.common.utils import LinearSchedule

    return {
        "learning_rate": LinearSchedule(settings.learning_rate, 0.0, 1.0),
        "gamma": 1.0,
        "policy_kwargs": {"net_arch": list(settings.net_arch)},
    }


def _ppo_keywords(settings: PpoSettings) -> dict[str, Any]:
    return network_keywords(settings) | {
        "n_steps": settings.steps_per_rollout,
        "batch_size": settings.batch_size,
        "n_epochs": settings.epochs,
        "gae_lambda": settings.gae_lambda,
        "ent_coef": settings.entropy_bonus,
    }


def _dqn_keywords(settings: DqnSettings) -> dict[str, Any]:
    return network_keywords(settings) | {
        "buffer_size": settings.buffer_size,
        "learning_starts": settings.learning_starts,
        "batch_size": settings.batch_size,
        "train_freq": settings.train_every,
        "gradient_steps": settings.gradient_steps,
        "target_update_interval": settings.target_update_every,
        "exploration_fraction": settings.exploration_fraction,
        "exploration_final_eps": settings.exploration_final_probability,
    }


PPO = Algorithm(
    name="ppo",
    label="PPO",
    model="stable_baselines3:PPO",
    settings=PpoSettings,
    keywords=_ppo_keywords,
    colour=BLUE,
    marker="o",
)
DQN = Algorithm(
    name="dqn",
    label="DQN",
    model="stable_baselines3:DQN",
    settings=DqnSettings,
    keywords=_dqn_keywords,
    colour=VERMILION,
    marker="^",
    has_replay_buffer=True,
)

ALGORITHMS: dict[str, Algorithm[Any]] = {}
"""By name, in the order of tables and benchmarks."""


def register(algorithm: Algorithm[S]) -> Algorithm[S]:
    """Add an algorithm to ``ALGORITHMS``: benchmarks train it, commands know its name.

    Raises:
        ValueError: the name is taken.
    """
    if algorithm.name in ALGORITHMS:
        raise ValueError(f"algorithm = {algorithm.name!r} is taken; there are {', '.join(ALGORITHMS)}")
    ALGORITHMS[algorithm.name] = algorithm
    return algorithm


register(PPO)
register(DQN)


def as_algorithm(algorithm: str | Algorithm[Any]) -> Algorithm[Any]:
    """The entry with this name, or, as ``package.module:NAME``, the one to import from there.

    Raises:
        ValueError: there is none.
    """
    if isinstance(algorithm, Algorithm):
        return algorithm
    if algorithm in ALGORITHMS:
        return ALGORITHMS[algorithm]
    if ":" not in algorithm:
        known = ", ".join(ALGORITHMS)
        raise ValueError(f"algorithm = {algorithm!r} must be one of {known}, or package.module:NAME of one's own")
    found = import_object(algorithm)
    if not isinstance(found, Algorithm):
        raise ValueError(f"algorithm = {algorithm!r} names no Algorithm but a {type(found).__name__}")
    return replace(found, defined_in=algorithm)
