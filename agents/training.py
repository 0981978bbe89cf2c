"""Train a model on a task and record the exact optimality gap on the way; the files of a training are in ``runs``."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cointer_gym.agents.algorithms import Algorithm, Learner, as_algorithm, vector_env
from cointer_gym.agents.curve import GapPoint, read_curve, write_curve
from cointer_gym.agents.extra import require_extra
from cointer_gym.agents.folder import RunFolder, RunRecord
from cointer_gym.agents.runs import TrainingRun, finished_run
from cointer_gym.agents.settings import TrainingSettings
from cointer_gym.envs.task import Task

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
    trust: bool = False,
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
        trust: whether to go on from a checkpoint that was not written by this program on this machine, although reading
            it can run code.
        on_progress: called a few times a second.

    Returns:
        TrainingRun: with the exact gap over the training.

    Raises:
        ModuleNotFoundError: the ``agents`` extra is not installed.
        ValueError: unknown algorithm, settings of another one, or ``out`` holds a run with another task, algorithm,
            seed or settings, damaged files, or a checkpoint that needs trust.
    """
    require_extra()
    entry, folder = as_algorithm(algorithm), RunFolder(out)
    chosen = settings or entry.load_settings(task.name)
    if not isinstance(chosen, entry.settings):
        raise ValueError(f"settings are {type(chosen).__name__}, but {entry.name} takes {entry.settings.__name__}")
    record = RunRecord.of(task, entry, seed, chosen)
    folder.claim(record)
    model_file = folder.model(entry)
    if not model_file.path.exists():
        with _one_thread():
            env = vector_env(task, chosen.num_envs)
            model = _resume(entry, folder, record, env, trust) or entry.create(chosen, env, seed, folder.log)
            recorder = GapRecorder(
                task,
                entry,
                model,
                folder,
                record,
                every_steps=max(chosen.total_steps // evaluations, 1),
                checkpoint_every_s=checkpoint_every_s,
                on_progress=on_progress,
            )
            left = chosen.total_steps - model.num_timesteps
            model.learn(left, callback=recorder, reset_num_timesteps=False, tb_log_name="log")
            result = recorder.record_gap()
        if on_progress:
            on_progress(result.steps, result.relative_gap)
        model_file.write(model, record.fingerprint, result, record.versions)
    folder.remove_leftovers()
    return finished_run(out, entry, record, task, trust=trust)


class GapRecorder:
    """Callback of ``learn``: evaluates the current policy exactly at even spacing, logs it, and writes checkpoints.

    Args:
        task: scores the policy.
        algorithm: entry of the model.
        model: that learns.
        folder: of the run; its curve goes on up to the steps that the model has done.
        record: of the run.
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
        record: RunRecord,
        *,
        every_steps: int,
        checkpoint_every_s: float,
        on_progress: Progress | None,
    ) -> None:
        self.model: Any = model
        self._task, self._algorithm, self._folder, self._record = task, algorithm, folder, record
        self._every_steps, self._checkpoint_every_s = every_steps, checkpoint_every_s
        self._on_progress, self._reported = on_progress, 0.0
        self._next = model.num_timesteps
        self._points = _points_before(folder, self._next) if self._next else []
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

    def record_gap(self) -> GapPoint:
        """Evaluate now and rewrite ``gap.csv``."""
        steps = self.model.num_timesteps
        if self._points and self._points[-1].steps == steps:
            self._points.pop()
        score = self._task.score(self._algorithm.policy(self.model))
        seconds = round(time.monotonic() - self._started, 2)  # as the file has it
        self._points.append(GapPoint(steps, seconds, score.cost, score.relative_gap))
        logger = getattr(self.model, "logger", None)  # Stable-Baselines3's, for TensorBoard
        if logger is not None:
            logger.record("optimality/relative_gap", score.relative_gap)
            logger.record("optimality/cost", score.cost)
        write_curve(self._folder.curve, self._points)
        return self._points[-1]

    def _checkpoint(self) -> None:
        self._folder.checkpoint(self._algorithm).write(self.model, self._record.fingerprint)
        self._saved = time.monotonic()


def _resume(algorithm: Algorithm[Any], folder: RunFolder, record: RunRecord, env: Any, trust: bool) -> Any:
    """The model of the last checkpoint; None if there is none."""
    model = folder.checkpoint(algorithm).load(env, record.fingerprint, trust=trust)
    if model is not None:
        env.seed(hash((record.seed, model.num_timesteps)) % 2**31)  # fading not seen before the checkpoint
    return model


def _points_before(folder: RunFolder, steps: int) -> list[GapPoint]:
    """The evaluations up to a checkpoint; warns if the file is damaged."""
    curve = read_curve(folder.curve)
    if curve.fault:
        warnings.warn(
            f"{folder.curve}: {curve.fault}; the {len(curve.points)} evaluations before that are kept", stacklevel=4
        )
    return [point for point in curve.points if point.steps <= steps]


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
