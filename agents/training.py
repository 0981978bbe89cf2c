"""Train PPO or DQN on a scenario and record the exact optimality gap on the way.

A run is a directory, so that a killed training goes on where its last checkpoint was:

    run.json         scenario, algorithm, seed and settings; a directory never mixes two runs
    gap.csv          steps, seconds, exact cost and relative gap, one line per evaluation
    checkpoint.zip   model (and replay buffer) at the last checkpoint, removed at the end
    model.zip        the trained model
    tensorboard/     Stable-Baselines3's log, with ``optimality/relative_gap``
"""

import csv
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import LinearSchedule

from cointer_gym.agents.settings import Algorithm, DqnSettings, PpoSettings, as_algorithm, load_settings
from cointer_gym.agents.storage import read_json, replace_file, write_json, write_text
from cointer_gym.agents.targets import Target
from cointer_gym.agents.vec_env import NativeVecEnv
from cointer_gym.scenario import Scenario

Progress = Callable[[int, float], None]
"""Called with the steps done and the latest relative gap."""

_REPORT_EVERY_S = 0.2

CLASSES: dict[str, type[PPO] | type[DQN]] = {"ppo": PPO, "dqn": DQN}


@dataclass(frozen=True)
class GapPoint:
    """One exact evaluation during training."""

    steps: int
    seconds: float
    cost: float
    relative_gap: float


@dataclass(frozen=True)
class TrainingRun:
    """A finished training."""

    directory: Path
    algorithm: Algorithm
    seed: int
    curve: tuple[GapPoint, ...]
    """Exact evaluations in order; the last one is the trained model's."""

    def model(self) -> BaseAlgorithm:
        """Load the trained model."""
        return CLASSES[self.algorithm].load(self.directory / "model.zip", device="cpu")


def train(
    target: Target,
    algorithm: Algorithm,
    out: Path,
    *,
    seed: int = 0,
    settings: PpoSettings | DqnSettings | None = None,
    evaluations: int = 40,
    checkpoint_every_s: float = 60.0,
    on_progress: Progress | None = None,
) -> TrainingRun:
    """Train one model, or go on with, or return, the one in ``out``.

    Args:
        target: what to train on.
        algorithm: ``ppo`` or ``dqn``.
        out: directory of the run.
        seed: of networks, exploration and fading.
        settings: None takes the committed ones.
        evaluations: exact evaluations during training, evenly spaced.
        checkpoint_every_s: seconds between two checkpoints.
        on_progress: called a few times a second.

    Returns:
        TrainingRun: with the exact gap over the training.

    Raises:
        ValueError: ``out`` holds a run with another scenario, algorithm, seed or settings.
    """
    chosen = settings or load_settings(algorithm, joint=target.joint)
    record = run_record(target, algorithm, seed, chosen)
    _claim(out, record)
    curve_file, model_file = out / "gap.csv", out / "model.zip"
    if not model_file.exists():
        env = target.vec_env(chosen.num_envs)
        with _one_thread():
            model = _resume(algorithm, out, env) or _create(chosen, env, seed, out)
            every = max(chosen.total_steps // evaluations, 1)
            recorder = GapRecorder(target, out, every, checkpoint_every_s, on_progress)
            left = chosen.total_steps - model.num_timesteps
            model.learn(left, callback=recorder, reset_num_timesteps=False, tb_log_name="log")
            recorder.record_gap()
        replace_file(model_file, model.save)
        for leftover in out.glob("checkpoint.*"):
            leftover.unlink()
    return TrainingRun(out, algorithm, seed, tuple(read_curve(curve_file)))


def run_record(target: Target, algorithm: Algorithm, seed: int, settings: PpoSettings | DqnSettings) -> dict[str, Any]:
    """Everything a run depends on, as plain data."""
    return {
        "algorithm": algorithm,
        "seed": seed,
        "env_id": target.env_id,
        "placement": target.placement,
        "settings": settings.model_dump(mode="json"),
        "scenario": target.scenario.model_dump(mode="json", exclude_none=True),
        "versions": installed_versions(),
    }


def installed_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: version(name) for name in ("cointer-gym", "gymnasium", "numpy", "stable-baselines3", "torch")}


def load_run(directory: Path) -> tuple[TrainingRun, Target]:
    """A finished training and what it was trained on.

    Raises:
        ValueError: the directory holds no finished training.
    """
    record = read_json(directory / "run.json")
    if not (directory / "model.zip").exists():
        raise ValueError(
            f"{directory} holds no model.zip: the training has not finished; run the same command to go on"
        )
    curve = tuple(read_curve(directory / "gap.csv"))
    target = Target(Scenario.load(record["scenario"]), record["env_id"], record["placement"])
    return TrainingRun(directory, as_algorithm(record["algorithm"]), record["seed"], curve), target


class GapRecorder(BaseCallback):
    """Evaluates the current policy exactly at even spacing, logs it, and writes checkpoints."""

    def __init__(
        self, target: Target, out: Path, every_steps: int, checkpoint_every_s: float, on_progress: Progress | None
    ) -> None:
        super().__init__()
        self._target, self._out = target, out
        self._every_steps, self._checkpoint_every_s = every_steps, checkpoint_every_s
        self._on_progress, self._reported = on_progress, 0.0
        self._points: list[GapPoint] = []

    def _on_training_start(self) -> None:
        known = read_curve(self._out / "gap.csv")
        self._points = [point for point in known if point.steps <= self.num_timesteps]
        spent = self._points[-1].seconds if self._points else 0.0
        self._started = time.monotonic() - spent
        self._saved = time.monotonic()
        self._next = self.num_timesteps

    def _on_step(self) -> bool:
        if self.num_timesteps >= self._next:
            self.record_gap()
            self._next += self._every_steps
            if time.monotonic() - self._saved > self._checkpoint_every_s:
                self._checkpoint()
        if self._on_progress and time.monotonic() - self._reported > _REPORT_EVERY_S:
            self._on_progress(self.num_timesteps, self._points[-1].relative_gap)
            self._reported = time.monotonic()
        return True

    def record_gap(self) -> None:
        """Evaluate now and rewrite ``gap.csv``."""
        if self._points and self._points[-1].steps == self.num_timesteps:
            self._points.pop()
        score = self._target.score(self.model)
        seconds = time.monotonic() - self._started
        self._points.append(GapPoint(self.num_timesteps, seconds, score.cost, score.relative_gap))
        self.logger.record("optimality/relative_gap", score.relative_gap)
        self.logger.record("optimality/cost", score.cost)
        write_curve(self._out / "gap.csv", self._points)

    def _checkpoint(self) -> None:
        if isinstance(self.model, DQN):
            replace_file(self._out / "checkpoint.pkl", self.model.save_replay_buffer)
        replace_file(self._out / "checkpoint.zip", self.model.save)
        self._saved = time.monotonic()


def write_curve(path: Path, points: list[GapPoint]) -> None:
    """Write the evaluations of a training as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["steps", "seconds", "cost", "relative_gap"])
    writer.writerows([p.steps, f"{p.seconds:.2f}", repr(p.cost), repr(p.relative_gap)] for p in points)
    write_text(path, text.getvalue())


def read_curve(path: Path) -> list[GapPoint]:
    """Read the evaluations of a training; none if there is no file yet."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [GapPoint(int(r["steps"]), float(r["seconds"]), float(r["cost"]), float(r["relative_gap"])) for r in rows]


def _claim(out: Path, record: dict[str, Any]) -> None:
    """Make ``out`` the directory of this run, or check that it already is."""
    file = out / "run.json"
    if not file.exists():
        write_json(file, record)
        return
    known = read_json(file)
    differing = [name for name in record if known.get(name) != record[name]]
    if differing:
        raise ValueError(
            f"{out} holds a run that differs in {', '.join(differing)}; choose another directory or delete it"
        )


def _create(settings: PpoSettings | DqnSettings, env: NativeVecEnv, seed: int, out: Path) -> PPO | DQN:
    common: dict[str, Any] = {
        "learning_rate": LinearSchedule(settings.learning_rate, 0.0, 1.0),
        "batch_size": settings.batch_size,
        "gamma": 1.0,
        "policy_kwargs": {"net_arch": list(settings.net_arch)},
        "tensorboard_log": str(out / "tensorboard"),
        "seed": seed,
        "device": "cpu",
    }
    if isinstance(settings, PpoSettings):
        return PPO(
            "MlpPolicy",
            env,
            n_steps=settings.steps_per_rollout,
            n_epochs=settings.epochs,
            gae_lambda=settings.gae_lambda,
            ent_coef=settings.entropy_bonus,
            **common,
        )
    return DQN(
        "MlpPolicy",
        env,
        buffer_size=settings.buffer_size,
        learning_starts=settings.learning_starts,
        train_freq=settings.train_every,
        gradient_steps=settings.gradient_steps,
        target_update_interval=settings.target_update_every,
        exploration_fraction=settings.exploration_fraction,
        exploration_final_eps=settings.exploration_final_probability,
        **common,
    )


def _resume(algorithm: Algorithm, out: Path, env: NativeVecEnv) -> PPO | DQN | None:
    checkpoint = out / "checkpoint.zip"
    if not checkpoint.exists():
        return None
    model = CLASSES[algorithm].load(checkpoint, env=env, device="cpu")
    if isinstance(model, DQN):
        model.load_replay_buffer(out / "checkpoint.pkl")
    env.seed(hash((model.seed, model.num_timesteps)) % 2**31)  # fading not seen before the checkpoint
    return model


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small networks are fastest, and runs reproducible, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
