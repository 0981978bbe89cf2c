"""The folder of a training.

A run is a directory, so that a killed training goes on where its last checkpoint was:

    run.json         task, algorithm, seed and settings; a directory never mixes two runs
    gap.csv          steps, seconds, exact cost and relative gap, one line per evaluation
    checkpoint.zip   model (and replay buffer, .pkl) at the last checkpoint, removed at the end
    model.zip        the trained model
    tensorboard/     Stable-Baselines3's log, with ``optimality/relative_gap``
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, ValidationError

from cointer_gym.agents.algorithms import Algorithm, as_algorithm
from cointer_gym.agents.settings import TrainingSettings
from cointer_gym.baselines.policies import Policy
from cointer_gym.envs.task import Task
from cointer_gym.files import csv_text, read_csv_rows, read_json, write_json, write_text
from cointer_gym.records import Model


class RunRecord(Model):
    """Everything that a training depends on: the content of ``run.json``.

    Args:
        version: of this format.
        algorithm: id of the algorithm.
        seed: of networks, exploration and fading.
        task: what ``Task.record`` gives.
        settings: fields of the algorithm's settings.
        versions: of the packages that results depend on.
    """

    version: Literal[1] = 1
    algorithm: str
    seed: int
    task: dict[str, JsonValue]
    settings: dict[str, JsonValue]
    versions: dict[str, str]

    @classmethod
    def of(cls, task: Task, algorithm: Algorithm[Any], seed: int, settings: TrainingSettings) -> "RunRecord":
        """The record of a training with what is installed here."""
        return cls(
            algorithm=algorithm.id,
            seed=seed,
            task=task.record(),
            settings=settings.model_dump(mode="json"),
            versions=installed_versions(),
        )

    def differences(self, other: "RunRecord") -> list[str]:
        """Names of what differs; within the task one by one."""
        mine, theirs = self._flat(), other._flat()
        names = dict.fromkeys([*mine, *theirs])
        return [name for name in names if mine.get(name) != theirs.get(name)]

    def _flat(self) -> dict[str, Any]:
        content = self.model_dump(mode="json")
        task = content.pop("task")
        return {**content, **task}


@dataclass(frozen=True)
class RunFolder:
    """Where the files of a training lie."""

    path: Path

    @property
    def record(self) -> Path:
        """What the training depends on."""
        return self.path / "run.json"

    @property
    def curve(self) -> Path:
        """The exact evaluations."""
        return self.path / "gap.csv"

    @property
    def model(self) -> Path:
        """The trained model; there if and only if the training has finished."""
        return self.path / "model.zip"

    @property
    def checkpoint(self) -> Path:
        """The model at the last checkpoint."""
        return self.path / "checkpoint.zip"

    @property
    def replay_buffer(self) -> Path:
        """The replay buffer at the last checkpoint."""
        return self.path / "checkpoint.pkl"

    @property
    def log(self) -> Path:
        """TensorBoard's folder."""
        return self.path / "tensorboard"

    def read_record(self) -> RunRecord:
        """What the training here depends on.

        Raises:
            ValueError: there is none, or it is not one of this version.
        """
        content = read_json(self.record)
        try:
            return RunRecord.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"{self.record} is not the record of a training of this version: {error}") from error

    def claim(self, record: RunRecord) -> None:
        """Make this the folder of a training, or check that it already is.

        Raises:
            ValueError: it holds another one; names what differs.
        """
        if not self.record.exists():
            write_json(self.record, record.model_dump(mode="json"))
            return
        differing = record.differences(self.read_record())
        if differing:
            raise ValueError(
                f"{self.path} holds a run that differs in {', '.join(differing)}; choose another directory or delete it"
            )

    def remove_checkpoint(self) -> None:
        """Delete what a finished training no longer needs."""
        for leftover in (self.checkpoint, self.replay_buffer):
            leftover.unlink(missing_ok=True)


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
    algorithm: Algorithm[Any]
    seed: int
    curve: tuple[GapPoint, ...]
    """Exact evaluations in order; the last one is the trained model's."""

    def model(self) -> Any:
        """Load the trained model, an object of the algorithm's class."""
        return self.algorithm.load(RunFolder(self.directory).model)

    def policy(self) -> Policy:
        """Load what of the trained model is scored."""
        return self.algorithm.policy(self.model())


def load_run(directory: Path) -> tuple[TrainingRun, Task]:
    """A finished training and what it was trained on.

    Raises:
        ValueError: the directory holds no finished training, or one of an algorithm that is not known here.
    """
    folder = RunFolder(directory)
    record = folder.read_record()
    if not folder.model.exists():
        raise ValueError(
            f"{directory} holds no model.zip: the training has not finished; run the same command to go on"
        )
    curve = tuple(read_curve(folder.curve))
    return TrainingRun(directory, as_algorithm(record.algorithm), record.seed, curve), Task.from_record(record.task)


def write_curve(path: Path, points: Sequence[GapPoint]) -> None:
    """Write the evaluations of a training as CSV."""
    rows = ([p.steps, f"{p.seconds:.2f}", repr(p.cost), repr(p.relative_gap)] for p in points)
    write_text(path, csv_text(["steps", "seconds", "cost", "relative_gap"], rows))


def read_curve(path: Path) -> list[GapPoint]:
    """Read the evaluations of a training; none if there is no file yet."""
    rows = read_csv_rows(path) if path.exists() else []
    return [GapPoint(int(r["steps"]), float(r["seconds"]), float(r["cost"]), float(r["relative_gap"])) for r in rows]


def installed_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: version(name) for name in ("cointer-gym", "gymnasium", "numpy", "stable-baselines3", "torch")}
