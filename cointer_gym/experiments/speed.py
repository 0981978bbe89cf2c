"""What ``make bench`` measured, as records: comparisons with peers, the parts of a step, growth, and the machine.

A run is a folder of three CSV files and ``machine.json``. Times are seconds; a ratio is ours over the peer's, where
each round of ours is compared with the two of the peer around it: what slows the machine down hits both.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from cointer_gym.experiments.results import first_problem, load
from cointer_gym.files import csv_text, read_csv_rows, write_json, write_text
from cointer_gym.records import Label, Model, Name

Group = Literal["import", "single", "vector", "rollouts", "solver", "training"]
Axis = Literal["devices", "layers"]
Size = Annotated[int, Field(ge=1)]
Measured = Annotated[float, Field(gt=0)]

COMPARISONS, STEP, GROWTH, MACHINE = "speed.csv", "step.csv", "growth.csv", "machine.json"
"""Files of a run."""


class Goal(Model):
    """What a number of a comparison should be.

    Args:
        number: ``ratio`` of ours to the peer's, or ``ours`` alone, in the unit of the comparison.
        relation: of the number to ``bound``.
        bound: the limit.
    """

    number: Literal["ratio", "ours"]
    relation: Literal["at_least", "at_most"]
    bound: float

    def __str__(self) -> str:
        """As a cell of a CSV has it, e.g. ``ratio at_least 2.5``."""
        return f"{self.number} {self.relation} {self.bound!r}"


class Comparison(Model):
    """One measurement, beside that of a peer if there is one.

    Args:
        id: short name; goals refer to it.
        group: what it is about.
        what: was measured.
        unit: of ``ours`` and ``peer``: ``s``, or something per second.
        ours: median over the rounds.
        peer_name: who is compared with, or why there is no number; empty if there is no peer.
        peer: median over the rounds; None without a peer.
        ratio: median over the rounds of ours over the peer's in the rounds around.
        ratio_low, ratio_high: quartiles of these.
        ours_error: distance of the result from the exact value as a share of that, where there is one.
        peer_error: the same of the peer.
        goal: what should be reached, if anything.
    """

    id: Name
    group: Group
    what: Label
    unit: Label
    ours: Measured
    peer_name: str = ""
    peer: Measured | None = None
    ratio: Measured | None = None
    ratio_low: Measured | None = None
    ratio_high: Measured | None = None
    ours_error: float | None = Field(default=None, ge=0)
    peer_error: float | None = Field(default=None, ge=0)
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal, or without the peer that it is about."""
        value = None if self.goal is None else self.ratio if self.goal.number == "ratio" else self.ours
        if self.goal is None or value is None:
            return None
        return value >= self.goal.bound if self.goal.relation == "at_least" else value <= self.goal.bound


class StepPart(Model):
    """Time of one call per environment, measured on arrays of a whole batch.

    Args:
        num_envs: size of the batch.
        bar: what the part belongs to; the parts of a bar add up.
        part: what the call does.
        seconds: per environment.
    """

    num_envs: Size
    bar: Label
    part: Label
    seconds: Measured


class GrowthPoint(Model):
    """Time of one solution of many problems.

    Args:
        curve: what solves them.
        axis: which of the two numbers grows along the curve.
        devices: number of problems.
        layers: of each.
        seconds: for all.
    """

    curve: Label
    axis: Axis
    devices: Size
    layers: Size
    seconds: Measured

    @property
    def size(self) -> int:
        """The number that grows."""
        return self.devices if self.axis == "devices" else self.layers


class Machine(Model):
    """Where and with what a run was made.

    Args:
        version: of this shape.
        date: ISO 8601, of the start.
        cpu: model.
        cores: that the run may use.
        load: mean number of processes that wanted a core in the minute before.
        python: version.
        versions: of packages; absent ones are left out.
        quick: whether it was a short run, whose numbers are rough.
    """

    version: Literal[1] = 1
    date: str
    cpu: Label
    cores: Size
    load: float = Field(ge=0)
    python: str
    versions: dict[str, str]
    quick: bool


@dataclass(frozen=True)
class SpeedResults:
    """All of one run."""

    comparisons: Sequence[Comparison]
    step: Sequence[StepPart]
    growth: Sequence[GrowthPoint]
    machine: Machine

    def of(self, group: Group) -> list[Comparison]:
        """The comparisons of a group, in their order."""
        return [each for each in self.comparisons if each.group == group]


Row = TypeVar("Row", bound=Model)


def write_speed(results: SpeedResults, out: Path) -> None:
    """Write the files of a run into ``out``."""
    tables: list[tuple[str, type[Model], Sequence[Model]]] = [
        (COMPARISONS, Comparison, results.comparisons),
        (STEP, StepPart, results.step),
        (GROWTH, GrowthPoint, results.growth),
    ]
    for name, kind, rows in tables:
        write_text(out / name, csv_text(_header(kind), map(_cells, rows)))
    write_json(out / MACHINE, results.machine.model_dump(mode="json"))


def read_speed(folder: Path) -> SpeedResults:
    """Read what ``write_speed`` wrote.

    Raises:
        ValueError: a file is missing, or holds something else; names it.
    """
    comparisons = _read(folder / COMPARISONS, Comparison, _comparison)
    ids = [each.id for each in comparisons]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(f"cannot read {folder / COMPARISONS}: there are several rows with id = {name!r}")
    return SpeedResults(
        comparisons,
        _read(folder / STEP, StepPart, dict),
        _read(folder / GROWTH, GrowthPoint, dict),
        load(folder / MACHINE, Machine),
    )


def _header(kind: type[Model]) -> list[str]:
    return [*kind.model_fields, *(["met"] if kind is Comparison else [])]


_VERDICTS = {True: "yes", False: "no", None: ""}


def _cells(row: Model) -> list[object]:
    cells = ["" if (value := getattr(row, name)) is None else value for name in type(row).model_fields]
    return [*cells, _VERDICTS[row.met]] if isinstance(row, Comparison) else cells


def _comparison(line: Mapping[str, str]) -> dict[str, Any]:
    """The cells that are not empty, with the goal taken apart; ``met`` follows from the others."""
    cells: dict[str, Any] = {name: cell for name, cell in line.items() if cell and name != "met"}
    words = cells.pop("goal", "").split(maxsplit=len(Goal.model_fields))
    goal = dict(zip([*Goal.model_fields, "more"], words, strict=False))  # the record refuses more
    return cells | ({"goal": goal} if goal else {})


def _read(path: Path, kind: type[Row], fields: Callable[[Mapping[str, str]], dict[str, Any]]) -> list[Row]:
    rows = []
    for number, line in enumerate(read_csv_rows(path), start=2):
        if list(line) != _header(kind):
            raise ValueError(f"cannot read {path}: the columns must be {', '.join(_header(kind))}")
        try:
            row = kind.model_validate(fields(line), strict=False)
        except ValidationError as error:
            raise ValueError(f"cannot read {path}, line {number}: {first_problem(error)}") from error
        if isinstance(row, Comparison) and line["met"] != _VERDICTS[row.met]:
            raise ValueError(f"cannot read {path}, line {number}: met = {line['met']!r} must be {_VERDICTS[row.met]!r}")
        rows.append(row)
    return rows
