"""Finished trainings, read back from their folders."""

import json
import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cointer_gym.agents.algorithms import Algorithm, as_algorithm
from cointer_gym.agents.curve import GapPoint, finished_curve
from cointer_gym.agents.extra import require_extra
from cointer_gym.agents.folder import RunFolder, RunRecord
from cointer_gym.baselines.policies import Policy
from cointer_gym.envs.task import Task
from cointer_gym.files import naming

_SAME = 1e-6  # relative; other machines round the outputs of a network otherwise, which moves its switches a little


@dataclass(frozen=True)
class TrainingRun:
    """A finished training."""

    directory: Path
    algorithm: Algorithm[Any]
    record: RunRecord
    curve: tuple[GapPoint, ...]
    """Exact evaluations in order; the last one is the trained model's."""
    task: Task = field(compare=False, repr=False)
    """What it was trained on."""
    trust: bool = field(default=False, compare=False)
    """Whether a model that needs pickle may have been written elsewhere."""

    @property
    def seed(self) -> int:
        """Of networks, exploration and fading."""
        return self.record.seed

    def model(self) -> Any:
        """Load the trained model, an object of the algorithm's class.

        Raises:
            ValueError: its file is damaged, of another training, or needs a trust that it does not have.
        """
        require_extra()
        folder = RunFolder(self.directory)
        with naming(folder.record):
            settings = self.algorithm.settings.model_validate_json(json.dumps(self.record.settings))
        file = folder.model(self.algorithm)
        return file.load(self.task, settings, self.record.fingerprint, trust=self.trust)

    def policy(self) -> Policy:
        """Load what of the trained model is scored."""
        return self.algorithm.policy(self.model())

    def confirm(self, cost: float) -> None:
        """Check that the loaded policy costs on its task what the training recorded.

        Raises:
            ValueError: it does not: the file was changed, or an observation means something else in this version.
        """
        recorded = self.curve[-1].cost
        if not math.isclose(cost, recorded, rel_tol=_SAME):
            raise ValueError(
                f"the model in {self.directory} costs {cost!r} now, but {recorded!r} when it was trained with "
                f"cointer-gym {self.record.versions.get('cointer-gym')}; train it again (--fresh)"
            )


def load_run(directory: Path, *, trust: bool = False) -> tuple[TrainingRun, Task]:
    """A finished training and what it was trained on.

    Args:
        directory: of the run.
        trust: whether a run that was not written here may import the modules that it names, and unpickle the model of a
            learner with a format of its own; models of Stable-Baselines3 need no trust.

    Raises:
        ValueError: the directory holds no finished training, a damaged one, one of an algorithm that is not known here,
            or one that needs trust.
    """
    require_extra()
    folder = RunFolder(directory)
    record = folder.read_record(trust=trust)
    with naming(folder.record):
        algorithm = as_algorithm(record.algorithm)
    file = folder.model(algorithm)
    if not file.path.exists():
        raise ValueError(
            f"{directory} holds no {file.path.name}: the training has not finished; run the same command to go on"
        )
    with naming(folder.record):
        task = Task.from_record(record.task.model_dump())
    return finished_run(directory, algorithm, record, task, trust=trust), task


def finished_run(
    directory: Path, algorithm: Algorithm[Any], record: RunRecord, task: Task, *, trust: bool
) -> TrainingRun:
    """The training that has finished in a directory; warns of a damaged curve.

    Raises:
        ValueError: its model is damaged or of another training.
    """
    folder = RunFolder(directory)
    result = folder.model(algorithm).result(record.fingerprint)
    curve = finished_curve(folder.curve, result)
    if curve.fault:
        warnings.warn(
            f"{folder.curve}: {curve.fault}; {len(curve.points) - 1} evaluations before the last one could be read",
            stacklevel=3,
        )
    return TrainingRun(directory, algorithm, record, curve.points, task, trust)
