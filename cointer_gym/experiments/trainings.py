"""The trainings of a benchmark, several at a time in worker processes."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cointer_gym.agents.algorithms import ALGORITHMS, Algorithm
from cointer_gym.agents.curve import read_curve
from cointer_gym.agents.folder import RunFolder, RunRecord
from cointer_gym.agents.runs import TrainingRun, finished_run
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


def check_folders(task: Task, planned: Sequence[TrainingJob], *, trust: bool = False) -> None:
    """Check before anything is trained that every directory is free or holds its training, and that this can be read.

    Raises:
        ValueError: one holds something else, and what differs is named; or a file in it is damaged or needs trust.
    """
    for job in planned:
        folder, record = RunFolder(job.directory), RunRecord.of(task, job.algorithm, job.seed, job.settings)
        folder.check(record)
        if folder.model(job.algorithm).path.exists():
            finished_run(job.directory, job.algorithm, record, task, trust=trust).model()
        else:
            folder.checkpoint(job.algorithm).check(record.fingerprint, trust=trust)


def train_all(
    task: Task,
    planned: Sequence[TrainingJob],
    jobs: int,
    on_progress: Progress | None = None,
    *,
    trust: bool = False,
) -> list[TrainingRun]:
    """Run the trainings, ``jobs`` at the same time; progress is read from their curves on disk.

    Raises:
        ValueError: a directory holds a training of something else.
        ChildProcessError: a training was killed; says which are to go on.
    """
    modules = tuple({job.algorithm.settings.__module__ for job in planned})
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_import, initargs=(modules,)) as pool:
        futures = [pool.submit(_run, task, job, trust) for job in planned]
        try:
            pending: set[Future[TrainingRun]] = set(futures)
            while pending:
                done, pending = wait(pending, timeout=_POLL_S)
                for job in planned if on_progress else ():
                    _report(job, on_progress)
                for future in done:
                    future.result()  # the first failure ends the benchmark
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise ChildProcessError(_broken(planned)) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _import(modules: Sequence[str]) -> None:
    """Let a worker know the algorithms that the modules of their settings register."""
    for name in modules:
        if name != "__main__":  # which workers import themselves
            import_module(name)


def _run(task: Task, job: TrainingJob, trust: bool) -> TrainingRun:
    return train(task, job.algorithm, job.directory, seed=job.seed, settings=job.settings, trust=trust)


def _broken(planned: Sequence[TrainingJob]) -> str:
    """What to say when a worker process is gone."""
    folders = [(job, RunFolder(job.directory)) for job in planned]
    open_jobs = [(job, folder) for job, folder in folders if not folder.model(job.algorithm).path.exists()]
    begun = [job.name for job, folder in open_jobs if folder.record.exists()]
    return (
        f"a training process was killed (by the system, if memory ran out), which ended {' and '.join(begun) or 'it'}; "
        f"{len(planned) - len(open_jobs)} of {len(planned)} trainings have finished; "
        "the same command goes on from the last checkpoints"
    )


def _report(job: TrainingJob, on_progress: Progress | None) -> None:
    points = read_curve(RunFolder(job.directory).curve).points
    if points and on_progress is not None:
        on_progress(job.name, points[-1].steps, points[-1].relative_gap, job.settings.total_steps)
