"""The folder of a training.

A run is a directory, so that a killed training goes on where its last checkpoint was:

    run.json            task, algorithm, seed and settings; a directory never mixes two runs
    gap.csv             steps, seconds, exact cost and relative gap, one line per evaluation
    checkpoint.zip      learner and replay buffer at the last checkpoint, removed at the end
    model.safetensors   the trained policy (model.zip: of a learner with a format of its own)
    tensorboard/        Stable-Baselines3's log, with ``optimality/relative_gap``

Nothing is unpickled that was not written here, see ``trust``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, StrictInt, ValidationError

from cointer_gym.agents.algorithms import Algorithm
from cointer_gym.agents.models import Checkpoint, FinalModel, final_model
from cointer_gym.agents.settings import TrainingSettings
from cointer_gym.agents.trust import fingerprint, is_sealed, seal
from cointer_gym.envs.task import Task
from cointer_gym.files import is_draft, read_json, write_json
from cointer_gym.records import Model

_FILES = ("gap.csv", "checkpoint.zip", "model.safetensors", "model.zip", "run.json")
"""What a training writes beside its log; ``run.json``, which tells that the others are its, goes last."""
_PARTS = ("learner.zip", "replay_buffer.pkl")
"""What is for a moment beside them while an archive is made."""
_EARLIER = ("checkpoint.pkl",)
"""What the first version of this format wrote, too."""
_LOG, _LOG_FOLDERS, _LOG_FILES = "tensorboard", "log_*", "events.out.tfevents.*"


class TaskRecord(Model):
    """What ``Task.record`` gives: the arguments of an environment."""

    env_id: str
    scenario: dict[str, JsonValue]
    placement: StrictInt | None = None
    reward_scale: float | None = None


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

    version: Literal[2] = 2
    algorithm: str
    seed: int
    task: TaskRecord
    settings: dict[str, JsonValue]
    versions: dict[str, str]

    @classmethod
    def of(cls, task: Task, algorithm: Algorithm[Any], seed: int, settings: TrainingSettings) -> "RunRecord":
        """The record of a training with what is installed here."""
        return cls(
            algorithm=algorithm.id,
            seed=seed,
            task=TaskRecord.model_validate(task.record()),
            settings=settings.model_dump(mode="json"),
            versions=installed_versions(),
        )

    @cached_property
    def content(self) -> bytes:
        """The record in one way of writing it, for seals and fingerprints."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()

    @cached_property
    def fingerprint(self) -> str:
        """What other files of the training carry, so that those of two trainings are never mixed."""
        return fingerprint(self.content)

    def differences(self, other: "RunRecord") -> list[str]:
        """Names of what differs; within the task one by one."""
        mine, theirs = self._flat(), other._flat()
        return [name for name, value in mine.items() if value != theirs[name]]

    def imports(self) -> Iterator[str]:
        """The import paths that making task and algorithm from this record follows."""
        channel = self.task.scenario.get("channel")
        law = channel.get("law") if isinstance(channel, dict) else None
        yield from (name for name in (self.algorithm, law) if isinstance(name, str) and ":" in name)

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
    def log(self) -> Path:
        """TensorBoard's folder."""
        return self.path / _LOG

    def model(self, algorithm: Algorithm[Any]) -> FinalModel:
        """The trained model."""
        return final_model(algorithm, self.path)

    def checkpoint(self, algorithm: Algorithm[Any]) -> Checkpoint:
        """The last checkpoint."""
        return Checkpoint(algorithm, self.path)

    def read_record(self, *, trust: bool = True) -> RunRecord:
        """What the training here depends on.

        Args:
            trust: whether it may name modules that are imported, even if it was not written here.

        Raises:
            ValueError: there is none, it is not one of this version, or it needs a trust that it does not have.
        """
        content = read_json(self.record)
        sealed = content.pop("seal", "") if isinstance(content, dict) else ""
        try:
            record = RunRecord.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = "".join(f"{part}: " for part in first["loc"][:2])
            raise ValueError(
                f"{self.record} is not the record of a training of this version: {where}{first['msg']}"
            ) from error
        named = list(record.imports())
        if named and not trust and not (isinstance(sealed, str) and is_sealed(record.content, sealed)):
            raise ValueError(
                f"{self.record} names {' and '.join(named)}, which would be imported, and was not written by this "
                "program on this machine; say --trust (trust=True in Python) if you know where it comes from"
            )
        return record

    def check(self, record: RunRecord) -> None:
        """Check that the folder is free, or already that of a training.

        Raises:
            ValueError: it holds another one, and what differs is named; or files of one that no ``run.json`` tells of.
        """
        if self.record.exists():
            differing = record.differences(self.read_record())
            if differing:
                raise ValueError(
                    f"{self.path} holds a run that differs in {', '.join(differing)}; "
                    "choose another directory or delete it"
                )
        elif orphans := [name for name in _FILES if (self.path / name).exists()]:
            raise ValueError(
                f"{self.path} holds {', '.join(orphans)} but no run.json that tells what they are of; "
                "choose another directory or delete them"
            )

    def claim(self, record: RunRecord) -> None:
        """Make this the folder of a training, or check that it already is.

        Raises:
            ValueError: as ``check``.
        """
        self.check(record)
        if not self.record.exists():
            write_json(self.record, record.model_dump(mode="json") | {"seal": seal(record.content)})

    def remove_leftovers(self) -> None:
        """Delete what a finished training no longer needs."""
        for leftover in [self.path / "checkpoint.zip", *self._drafts()]:
            leftover.unlink(missing_ok=True)

    def delete(self) -> None:
        """Delete what a training writes and nothing else; the folder, too, if nothing else is in it.

        Raises:
            ValueError: the folder is a link, holds something but not the record of a training, or something that no
                training writes has the name of one of its files.
        """
        if self.path.is_symlink():
            raise ValueError(f"{self.path} is a link, which --fresh does not follow")
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not self.is_run:
            raise ValueError(f"{self.path} is not the directory of a training; --fresh does not delete it")
        own = [path for name in (*_EARLIER, *_FILES) if (path := self.path / name).exists() or path.is_symlink()]
        for path in own:
            if path.is_symlink() or not path.is_file():
                raise ValueError(f"{path} is no file, so no training wrote it; --fresh does not delete it")
        self._delete_log()
        for path in (*self._drafts(), *own):
            path.unlink()
        _remove_if_empty(self.path)

    @property
    def is_run(self) -> bool:
        """Whether a training, of whatever version, was or is made here; decided by its record."""
        try:
            content = read_json(self.record)
        except ValueError:
            return False
        return isinstance(content, dict) and {"version", "algorithm", "seed", "task", "settings"} <= content.keys()

    def _drafts(self) -> list[Path]:
        """What a killed process left behind."""
        return [path for path in self.path.iterdir() if is_draft(path.name, (*_FILES, *_PARTS)) and _is_plain(path)]

    def _delete_log(self) -> None:
        if self.log.is_symlink() or not self.log.is_dir():
            return
        for folder in self.log.glob(_LOG_FOLDERS):
            if folder.is_dir() and not folder.is_symlink():
                for file in folder.glob(_LOG_FILES):
                    if _is_plain(file):
                        file.unlink()
                _remove_if_empty(folder)
        _remove_if_empty(self.log)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def installed_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: version(name) for name in ("cointer-gym", "gymnasium", "numpy", "stable-baselines3", "torch")}
