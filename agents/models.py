"""The trained model of a training on disk: without pickle where Stable-Baselines3 made it, sealed where not."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from pydantic import TypeAdapter

from cointer_gym.agents.algorithms import Algorithm
from cointer_gym.agents.curve import GapPoint
from cointer_gym.agents.sealed import check_sealed, read_manifest, unpack, write_sealed
from cointer_gym.agents.settings import NetworkSettings, TrainingSettings
from cointer_gym.agents.weights import Header, check_size, described, read_header, read_weights, write_weights
from cointer_gym.envs.task import Task
from cointer_gym.files import naming


class FinalModel(Protocol):
    """The file of a trained model; it is there if and only if the training has finished."""

    path: Path

    def write(self, model: Any, run: str, result: GapPoint, versions: dict[str, str]) -> None:
        """Write the model of the training with fingerprint ``run`` and its exact score."""

    def result(self, run: str) -> GapPoint:
        """Its exact score.

        Raises:
            ValueError: the file is damaged or of another training; names it.
        """

    def load(self, task: Task, settings: TrainingSettings, run: str, *, trust: bool) -> Any:
        """The model, an object of the algorithm's class.

        Raises:
            ValueError: the file is damaged, of another training, or needs a trust that it does not have; names it.
        """


class Weights:
    """The numbers of a Stable-Baselines3 policy, in ``model.safetensors``; anybody's may be read."""

    def __init__(self, algorithm: Algorithm[Any], folder: Path) -> None:
        self.path = folder / "model.safetensors"
        self._algorithm = algorithm

    def write(self, model: Any, run: str, result: GapPoint, versions: dict[str, str]) -> None:
        """Write the model of the training with fingerprint ``run`` and its exact score."""
        entry = self._algorithm
        made_of = {"algorithm": entry.id, "learner": entry.model, "versions": versions, **described(model)}
        write_weights(self.path, model, Header(run=run, result=result, **made_of))

    def result(self, run: str) -> GapPoint:
        """Its exact score."""
        return read_header(self.path, run).result

    def load(self, task: Task, settings: TrainingSettings, run: str, *, trust: bool) -> Any:
        """The model, built anew; ``trust`` is not needed."""
        if isinstance(settings, NetworkSettings):
            check_size(self.path, settings.net_arch)
        with naming(self.path):
            model = self._algorithm.rebuild(settings, task)
        read_weights(self.path, model, run)
        return model


class OwnFormat:
    """What a learner's own ``save`` writes, sealed in ``model.zip``; only what was written here is read untold."""

    _part = "learner.zip"
    _result: TypeAdapter[GapPoint] = TypeAdapter(GapPoint)

    def __init__(self, algorithm: Algorithm[Any], folder: Path) -> None:
        self.path = folder / "model.zip"
        self._algorithm = algorithm

    def write(self, model: Any, run: str, result: GapPoint, versions: dict[str, str]) -> None:
        """Write the model of the training with fingerprint ``run`` and its exact score."""
        write_sealed(self.path, run, {self._part: model.save}, self._result.dump_json(result).decode())

    def result(self, run: str) -> GapPoint:
        """Its exact score."""
        with naming(self.path):
            return self._result.validate_json(read_manifest(self.path, run).note)

    def load(self, task: Task, settings: TrainingSettings, run: str, *, trust: bool) -> Any:
        """The model as its own ``load`` reads it."""
        with TemporaryDirectory(prefix="cointer-gym-") as folder:
            parts = unpack(self.path, run, Path(folder), trust=trust)
            with naming(self.path):
                return self._algorithm.load(parts[self._part])


class Checkpoint:
    """The state of an unfinished training, sealed in ``checkpoint.zip``: the learner and, if it has one, its buffer."""

    _learner, _buffer = "learner.zip", "replay_buffer.pkl"

    def __init__(self, algorithm: Algorithm[Any], folder: Path) -> None:
        self.path = folder / "checkpoint.zip"
        self._algorithm = algorithm

    def write(self, model: Any, run: str) -> None:
        """Write the state of the training with fingerprint ``run``, in place of the one before."""
        parts = {self._learner: model.save}
        if self._algorithm.has_replay_buffer:
            parts[self._buffer] = model.save_replay_buffer
        write_sealed(self.path, run, parts)

    def check(self, run: str, *, trust: bool) -> None:
        """Check that there is none, or one to go on from.

        Raises:
            ValueError: the file is damaged, of another training, or needs a trust that it does not have; names it.
        """
        if self.path.exists():
            check_sealed(self.path, run, trust=trust)

    def load(self, env: Any, run: str, *, trust: bool) -> Any:
        """The learner as it was, to go on with ``env``; None if there is no checkpoint.

        Raises:
            ValueError: as ``check``; or what is in it cannot be read.
        """
        if not self.path.exists():
            return None
        with TemporaryDirectory(prefix="cointer-gym-") as folder:
            parts = unpack(self.path, run, Path(folder), trust=trust)
            with naming(self.path):
                model = self._algorithm.load(parts[self._learner], env)
                if self._algorithm.has_replay_buffer:
                    model.load_replay_buffer(parts[self._buffer])
        return model


def final_model(algorithm: Algorithm[Any], folder: Path) -> FinalModel:
    """The file of the trained model of an algorithm in a folder."""
    kind = Weights if algorithm.is_stable_baselines else OwnFormat
    return kind(algorithm, folder)
