"""The curve of a training, ``gap.csv``: its exact evaluations, and what of a damaged file can be read."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cointer_gym.files import csv_text, write_text

_COLUMNS = ["steps", "seconds", "cost", "relative_gap"]


@dataclass(frozen=True)
class GapPoint:
    """One exact evaluation during training."""

    steps: int
    seconds: float
    cost: float
    relative_gap: float


@dataclass(frozen=True)
class Curve:
    """What a file of evaluations holds up to its first fault."""

    points: tuple[GapPoint, ...]
    fault: str = ""
    """What is wrong with the file; empty if nothing is."""


def write_curve(path: Path, points: Sequence[GapPoint]) -> None:
    """Write the evaluations of a training as CSV."""
    rows = ([p.steps, f"{p.seconds:.2f}", repr(p.cost), repr(p.relative_gap)] for p in points)
    write_text(path, csv_text(_COLUMNS, rows))


def read_curve(path: Path) -> Curve:
    """Read the evaluations of a training up to the first line that does not go on from the one before."""
    try:
        whole, _, torn = path.read_text(encoding="utf-8", errors="replace").rpartition("\n")
    except OSError as error:
        return Curve((), error.strerror or str(error))
    points: list[GapPoint] = []
    try:
        for point in _points(whole):
            if points and point.steps <= points[-1].steps:
                raise ValueError(f"steps = {point.steps} must be above the {points[-1].steps} before")
            points.append(point)
        if torn:
            raise ValueError(f"{torn!r} breaks off")
    except (ValueError, csv.Error) as error:
        return Curve(tuple(points), f"line {len(points) + 2}: {error}")
    return Curve(tuple(points))


def finished_curve(path: Path, result: GapPoint) -> Curve:
    """The curve of a finished training, which ends with ``result`` even if the file does not."""
    curve = read_curve(path)
    if not curve.fault and curve.points[-1:] == (result,):
        return curve
    elsewhere = curve.points and curve.points[-1].steps >= result.steps and curve.points[-1] != result
    kept = () if elsewhere else tuple(point for point in curve.points if point.steps < result.steps)
    fault = curve.fault or "it does not end with the trained model"
    return Curve((*kept, result), fault)


def _points(text: str) -> Iterator[GapPoint]:
    reader = csv.reader(io.StringIO(text, newline=""))
    if next(reader, None) != _COLUMNS:
        raise ValueError(f"the columns must be {', '.join(_COLUMNS)}")
    for row in reader:
        if len(row) != len(_COLUMNS):
            raise ValueError(f"{len(row)} cells instead of {len(_COLUMNS)}")
        point = GapPoint(int(row[0]), *map(float, row[1:]))
        if point.steps < 0 or not 0 <= point.seconds < math.inf or math.isnan(point.cost + point.relative_gap):
            raise ValueError(f"{','.join(row)} is no evaluation")
        yield point
