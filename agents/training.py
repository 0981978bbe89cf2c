"""Train a model on a task and record the exact optimality gap on the way; the files of a training are in ``runs``."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cointer_gym.agents.algorithms import Algorithm, Learner, as_algorithm
from cointer_gym.agents.runs import GapPoint, RunFolder, RunRecord, TrainingRun, read_curve, write_curve
from cointer_gym.agents.settings import TrainingSettings
from cointer_gym.envs.task import Task
from cointer_gym.files import replace_file

Progress = Callable[[int, float], None]
"""Called with the steps done and the latest relative gap."""

_REPORT_EVERY_S = 0.2


def train(
    task: Task,
    algorithm: str | Algorithm[Any],
    out: Path,
    *,
    seed: int = 0,
    settings: TrainingSettings | None = None,
    evaluations: int = 40,
    checkpoint_every_s: float = 60.0,
    on_progress: Progress | None = None,
) -> TrainingRun:
    """Train one model, or go on with, or return, the one in ``out``.

    Args:
        task: what to train on.
        algorithm: name of an algorithm, or its entry.
        out: directory of the run.
        seed: of networks, exploration and fading.
        settings: None takes the committed ones.
        evaluations: exact evaluations during training, evenly spaced.
        checkpoint_every_s: seconds between two checkpoints.
        on_progress: called a few times a second.

    Returns:
        TrainingRun: with the exact gap over the training.

    Raises:
        ValueError: unknown algorithm, settings of another one, or ``out`` holds a run with another task, algorithm,
            seed or settings.
    """
    entry, folder = as_algorithm(algorithm), RunFolder(out)
    chosen = settings or entry.load_settings(task.name)
    if not isinstance(chosen, entry.settings):
        raise ValueError(f"settings are {type(chosen).__name__}, but {entry.name} takes {entry.settings.__name__}")
    folder.claim(RunRecord.of(task, entry, seed, chosen))
    if not folder.model.exists():
        with _one_thread():
            env = _vector_env(task, chosen.num_envs)
            model = _resume(entry, folder, env, seed) or entry.create(chosen, env, seed, folder.log)
            recorder = GapRecorder(
                task,
                entry,
                model,
                folder,
                every_steps=max(chosen.total_steps // evaluations, 1),
                checkpoint_every_s=checkpoint_every_s,
                on_progress=on_progress,
            )
            left = chosen.total_steps - model.num_timesteps
            model.learn(left, callback=recorder, reset_num_timesteps=False, tb_log_name="log")
            recorder.record_gap()
        replace_file(folder.model, model.save)
        folder.remove_checkpoint()
    return TrainingRun(out, entry, seed, tuple(read_curve(folder.curve)))


class GapRecorder:
    """Callback of ``learn``: evaluates the current policy exactly at even spacing, logs it, and writes checkpoints.

    Args:
        task: scores the policy.
        algorithm: entry of the model.
        model: that learns.
        folder: of the run; its curve goes on up to the steps that the model has done.
        every_steps: steps between two evaluations.
        checkpoint_every_s: seconds between two checkpoints, which follow an evaluation.
        on_progress: called a few times a second.
    """

    def __init__(
        self,
        task: Task,
        algorithm: Algorithm[Any],
        model: Learner,
        folder: RunFolder,
        *,
        every_steps: int,
        checkpoint_every_s: float,
        on_progress: Progress | None,
    ) -> None:
        self.model: Any = model
        self._task, self._algorithm, self._folder = task, algorithm, folder
        self._every_steps, self._checkpoint_every_s = every_steps, checkpoint_every_s
        self._on_progress, self._reported = on_progress, 0.0
        self._next = model.num_timesteps
        self._points = [point for point in read_curve(folder.curve) if point.steps <= self._next]
        spent = self._points[-1].seconds if self._points else 0.0
        self._started = time.monotonic() - spent
        self._saved = time.monotonic()

    def __call__(self, _locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
        """After every vector step; True, for the training goes on."""
        if self.model.num_timesteps >= self._next:
            self.record_gap()
            self._next += self._every_steps
            if time.monotonic() - self._saved > self._checkpoint_every_s:
                self._checkpoint()
        if self._on_progress and time.monotonic() - self._reported > _REPORT_EVERY_S:
            self._on_progress(self.model.num_timesteps, self._points[-1].relative_gap)
            self._reported = time.monotonic()
        return True

    def record_gap(self) -> None:
        """Evaluate now and rewrite ``gap.csv``."""
        steps = self.model.num_timesteps
        if self._points and self._points[-1].steps == steps:
            self._points.pop()
        score = self._task.score(self._algorithm.policy(self.model))
        seconds = time.monotonic() - self._started
        self._points.append(GapPoint(steps, seconds, score.cost, score.relative_gap))
        logger = getattr(self.model, "logger", None)  # Stable-Baselines3's, for TensorBoard
        if logger is not None:
            logger.record("optimality/relative_gap", score.relative_gap)
            logger.record("optimality/cost", score.cost)
        write_curve(self._folder.curve, self._points)

    def _checkpoint(self) -> None:
        if self._algorithm.has_replay_buffer:
            replace_file(self._folder.replay_buffer, self.model.save_replay_buffer)
        replace_file(self._folder.checkpoint, self.model.save)
        self._saved = time.monotonic()


def _vector_env(task: Task, num_envs: int) -> Any:
    from cointer_gym.agents.vec_env import NativeVecEnv  # loads torch

    return NativeVecEnv(task.vector_env(num_envs, "SameStep"))


def _resume(algorithm: Algorithm[Any], folder: RunFolder, env: Any, seed: int) -> Any:
    """The model of the last checkpoint; None if there is none."""
    if not folder.checkpoint.exists():
        return None
    model = algorithm.load(folder.checkpoint, env)
    if algorithm.has_replay_buffer:
        model.load_replay_buffer(folder.replay_buffer)
    env.seed(hash((seed, model.num_timesteps)) % 2**31)  # fading not seen before the checkpoint
    return model


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small networks are fastest, and runs reproducible, on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
