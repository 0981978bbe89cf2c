"""The trainings of a benchmark, several at a time in worker processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cointer_gym.agents.algorithms import ALGORITHMS, Algorithm
from cointer_gym.agents.runs import RunFolder, TrainingRun, read_curve
from cointer_gym.agents.settings import TrainingSettings
from cointer_gym.agents.training import train
from cointer_gym.envs.task import Task

Progress = Callable[[str, int, float, int], None]
"""Called with the name of a training, its steps, its latest relative gap, and its total steps."""

_POLL_S = 0.5


@dataclass(frozen=True)
class TrainingJob:
    """One training of a benchmark."""

    algorithm: Algorithm[Any]
    seed: int
    directory: Path
    settings: TrainingSettings

    @property
    def name(self) -> str:
        """Label in progress displays."""
        return self.directory.name


def plan(task: Task, out: Path, seeds: int, steps: int | None = None) -> list[TrainingJob]:
    """Every registered algorithm with seeds 0..seeds-1, each in a directory of its own below ``out``.

    Raises:
        ValueError: ``steps`` is no number of steps.
    """
    overrides = {} if steps is None else {"total_steps": steps}
    settings = {name: entry.load_settings(task.name, **overrides) for name, entry in ALGORITHMS.items()}
    return [
        TrainingJob(entry, seed, out / f"{name}-seed{seed}", settings[name])
        for name, entry in ALGORITHMS.items()
        for seed in range(seeds)
    ]


def train_all(
    task: Task, planned: Sequence[TrainingJob], jobs: int, on_progress: Progress | None = None
) -> list[TrainingRun]:
    """Run the trainings, ``jobs`` at the same time; progress is read from their curves on disk.

    Raises:
        ValueError: a directory holds a training of something else.
    """
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_run, task, job) for job in planned]
        try:
            pending: set[Future[TrainingRun]] = set(futures)
            while pending:
                _, pending = wait(pending, timeout=_POLL_S)
                for job in planned if on_progress else ():
                    _report(job, on_progress)
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(task: Task, job: TrainingJob) -> TrainingRun:
    return train(task, job.algorithm, job.directory, seed=job.seed, settings=job.settings)


def _report(job: TrainingJob, on_progress: Progress | None) -> None:
    curve = read_curve(RunFolder(job.directory).curve)
    if curve and on_progress is not None:
        on_progress(job.name, curve[-1].steps, curve[-1].relative_gap, job.settings.total_steps)
