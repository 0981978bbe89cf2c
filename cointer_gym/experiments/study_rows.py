"""Rows of studies, and their CSV.

A row is a record whose fields stand in the order of the columns: the costs of all alternatives, headed by their labels,
and what the joint optimum does, are columns of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import numpy as np
from pydantic import Field, ValidationError

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.results import first_problem
from cointer_gym.files import csv_text, read_csv_rows, write_text
from cointer_gym.records import Model
from cointer_gym.units import FloatArray

Unbounded = Annotated[float, Field(allow_inf_nan=True)]
"""A number that may be infinite."""

Costs = dict[Alternative, Unbounded]
"""Expected ETC per task; infinite where the rate has no lower limit and an upload is forced."""


class Facts(Model):
    """What the joint optimum does, and what the other rules place.

    Args:
        layers: of the network, L.
        placement: layers that the joint optimum places.
        look_ahead_placement: layers that look-ahead would place.
        static_split: layers that the best static split downloads and always runs.
        split_depth: mean number of layers on the device before the joint optimum splits.
        split_entropy_bits: entropy of the layer after which it splits; at 0 the channel decides nothing.
    """

    layers: int
    placement: int
    look_ahead_placement: int
    static_split: int
    split_depth: float
    split_entropy_bits: float


class SweepRow(Model):
    """One value of one swept parameter; seconds and joules per task are the joint optimum's, download included.

    A price of time of 0 makes the ratio of the weights infinite.
    """

    scenario: str
    parameter: str
    value: Unbounded
    mean_snr_db: float
    costs: Costs
    facts: Facts
    time_s: float
    energy_j: float


class WeightRow(SweepRow):
    """One ratio of the weights, with seconds and joules of look-ahead and of the best static split, too."""

    look_ahead_time_s: float
    look_ahead_energy_j: float
    static_time_s: float
    static_energy_j: float


class StructureRow(Model):
    """One network, in its own scenario (``hardware`` is ``own``) or on the hardware of another one."""

    hardware: str
    dnn: str
    scenario: str
    costs: Costs
    facts: Facts
    time_s: float
    energy_j: float


class PhaseRow(Model):
    """One mean SNR and one ratio of the weights."""

    scenario: str
    mean_snr_db: float
    weight_ratio: float
    costs: Costs
    facts: Facts


class ClosedFormRow(Model):
    """One mean SNR and number of tasks between two updates, K, with the closed form for equal layers."""

    scenario: str
    mean_snr_db: float
    tasks_per_update: float
    closed_form_placement: int
    closed_form_cost: float
    costs: Costs
    facts: Facts
    time_s: float
    energy_j: float


StudyRow = SweepRow | WeightRow | StructureRow | PhaseRow | ClosedFormRow
Kind = TypeVar("Kind", SweepRow, WeightRow, StructureRow, PhaseRow, ClosedFormRow)
Cell = str | int | float


@dataclass(frozen=True, eq=False)
class Study:
    """Rows of one kind."""

    name: str
    rows: Sequence[StudyRow]

    @property
    def alternatives(self) -> tuple[Alternative, ...]:
        """What the rows compare, in the order of the columns."""
        return tuple(self.rows[0].costs)

    def rows_of(self, kind: type[Kind]) -> list[Kind]:
        """The rows, known to be of one kind.

        Raises:
            TypeError: they are of another one.
        """
        rows = [row for row in self.rows if isinstance(row, kind)]
        if len(rows) < len(self.rows):
            raise TypeError(f"the rows of the study {self.name!r} are no {kind.__name__}")
        return rows

    def column(self, name: str) -> FloatArray:
        """A numeric field of the rows, or of their facts, shape (rows,).

        Raises:
            ValueError: there is no such field.
        """
        return np.array([_field(row, name) for row in self.rows], dtype=np.float64)

    def cost(self, alternative: Alternative) -> FloatArray:
        """Cost of an alternative, shape (rows,)."""
        return np.array([row.costs[alternative] for row in self.rows], dtype=np.float64)

    def excess(self, alternative: Alternative) -> FloatArray:
        """Cost of an alternative above the joint optimum, as a share of it, shape (rows,)."""
        return np.asarray(self.cost(alternative) / self.cost(Alternative.JOINT) - 1.0)

    def only(self, name: str, value: object) -> "Study":
        """The rows whose field ``name`` holds ``value``."""
        return Study(self.name, [row for row in self.rows if _field(row, name) == value])

    def distinct(self, name: str) -> list[Any]:
        """The values of a field in order of appearance."""
        return list(dict.fromkeys(_field(row, name) for row in self.rows))


def _field(row: StudyRow, name: str) -> Any:
    for part in (row, row.facts):
        if name in type(part).model_fields:
            return getattr(part, name)
    known = ", ".join([*_plain_fields(type(row)), *Facts.model_fields])
    raise ValueError(f"field = {name!r} must be one of {known}")


def cells(row: StudyRow) -> dict[str, Cell]:
    """The row as the cells of its CSV, by heading."""
    flat: dict[str, Cell] = {}
    for name in type(row).model_fields:
        value = getattr(row, name)
        if name == "costs":
            flat |= {alternative.label: cost for alternative, cost in row.costs.items()}
        elif name == "facts":
            flat |= {fact: getattr(row.facts, fact) for fact in Facts.model_fields}
        else:
            flat[name] = value
    return flat


def study_csv(study: Study) -> str:
    """The CSV of a study, numbers with twelve significant digits."""
    lines = [cells(row) for row in study.rows]
    texts = [[f"{cell:.12g}" if isinstance(cell, float) else cell for cell in line.values()] for line in lines]
    return csv_text(list(lines[0]), texts)


def write_csv(study: Study, path: Path) -> None:
    """Write a study with twelve significant digits."""
    write_text(path, study_csv(study))


def read_csv(path: Path) -> Study:
    """Read what ``write_csv`` wrote; the headings tell the kind of the rows.

    Raises:
        ValueError: the file is missing or empty, its columns are those of no study, or a cell does not fit; names the
            file.
    """
    lines = read_csv_rows(path)
    if not lines:
        raise ValueError(f"cannot read {path}: there are no rows")
    kind = _kind(lines[0], path)
    rows = []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(kind.model_validate(_nested(kind, line), strict=False))
        except ValidationError as error:
            raise ValueError(f"cannot read {path}, line {number}: {first_problem(error)}") from error
    return Study(path.stem, rows)


def _kind(headings: Iterable[str], path: Path) -> type[StudyRow]:
    """The kind of rows that has just these columns, whatever alternatives they compare."""
    plain = set(headings) - {alternative.label for alternative in Alternative}
    for kind in get_args(StudyRow):
        if plain == set(_plain_fields(kind)) | set(Facts.model_fields):
            return kind  # type: ignore[no-any-return]
    raise ValueError(f"cannot read {path}: the columns {', '.join(sorted(plain))} are those of no study")


def _nested(kind: type[StudyRow], line: Mapping[str, str]) -> dict[str, Any]:
    """The cells as fields; pydantic turns their texts into numbers."""
    fields: dict[str, Any] = {name: line[name] for name in _plain_fields(kind)}
    fields["costs"] = {each: line[each.label] for each in Alternative if each.label in line}
    return fields | {"facts": {name: line[name] for name in Facts.model_fields}}


def _plain_fields(kind: type[StudyRow]) -> list[str]:
    return [name for name in kind.model_fields if name not in ("costs", "facts")]
