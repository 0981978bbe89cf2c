"""A fleet: every device of a file solved exactly, chunk by chunk."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import fsum
from pathlib import Path

import numpy as np

from cointer_gym import __version__
from cointer_gym.experiments.backends import as_backend
from cointer_gym.experiments.fleet_answers import AVERAGED, SOLVED, solve_devices
from cointer_gym.experiments.fleet_files import (
    REASON,
    Chunk,
    Columns,
    CsvDevices,
    DeviceFile,
    ParquetDevices,
    ResultFile,
    open_devices,
    refused_header,
    refused_text,
    result_file,
)
from cointer_gym.experiments.fleet_parts import FleetRecord, Part, PartRecord, Parts
from cointer_gym.experiments.fleet_rows import DeviceColumns, DeviceRows
from cointer_gym.records import checked_integer
from cointer_gym.scenario import Scenario

Placement = int | str
"""Layers on every device, ``all`` of them, or ``optimal`` for each."""
Progress = Callable[[int, int], None]
"""Called with the rows that are done and the rows that there are."""

CHUNK = 20_000
THRESHOLD = "threshold_db_"
"""Heading of the thresholds, which the stage follows."""


@dataclass(frozen=True)
class Plan:
    """What the chunks of a fleet have in common.

    Args:
        base: the scenario whose fields the rows override.
        columns: what the columns of the file are.
        placement: layers on every device, ``all`` of them, or ``optimal`` for each.
        results: the format of the parts.
        place: what the place of a row is called.
    """

    base: Scenario
    columns: DeviceColumns
    placement: Placement
    results: ResultFile
    place: str

    @property
    def kept(self) -> tuple[str, ...]:
        """Headings of what tells the devices apart; the place of a row stands for a name that it does not have."""
        return self.columns.kept or (self.place,)


def solve_chunk(piece: tuple[Plan, Chunk]) -> Part:
    """Solve the devices of a chunk."""
    plan, chunk = piece
    fields = {name: chunk.columns[name] for name in plan.columns.fields}
    placement = plan.placement if isinstance(plan.placement, int) else None
    rows = DeviceRows(plan.base, fields, len(chunk.places), placement, chunk.faults)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers = solve_devices(rows, best=plan.placement == "optimal")
    told = {name: chunk.columns.get(name, chunk.places) for name in plan.kept}
    kept = {name: [cells[row] for row in answers.rows.tolist()] for name, cells in told.items()}
    placements = np.unique(answers.columns["placement"], return_counts=True)
    return Part(
        number=chunk.number,
        record=PartRecord(
            rows=rows.count,
            refused=len(rows.faults),
            width=answers.threshold_db.shape[1],
            sums={name: float(answers.columns[name].sum()) for name in AVERAGED},
            placements={str(layers): int(count) for layers, count in zip(*placements, strict=True)},
        ),
        content=plan.results.part(Columns({**kept, **answers.columns}, answers.threshold_db)),
        refused=refused_text(chunk, rows.faults, plan.place),
        first_fault=next((f"{plan.place} {chunk.places[row]}: {rows.faults[row]}" for row in sorted(rows.faults)), ""),
        warned=tuple(dict.fromkeys((warning.category, str(warning.message)) for warning in caught)),
    )


@dataclass(frozen=True)
class FleetSummary:
    """What a fleet comes to."""

    devices: int
    """That were solved."""
    refused: int
    """Rows that were not."""
    means: dict[str, float]
    """Of numbers over the devices, by heading."""
    placements: dict[int, int]
    """Number of devices by layers placed, least layers first."""
    errors: Path
    """Where the refused rows are, if there are any."""


def solve_fleet(
    devices: Path,
    out: Path,
    base: Scenario,
    *,
    placement: Placement = "optimal",
    kept: Sequence[str] = (),
    skip: bool = False,
    chunk: int = CHUNK,
    workers: int | None = None,
    backend: str = "local",
    fresh: bool = False,
    on_progress: Progress | None = None,
) -> FleetSummary:
    """Solve every device of a file; a run that was killed goes on from its parts.

    Args:
        devices: CSV or Parquet file; a column is a dotted field that overrides the base, or is kept.
        out: CSV or Parquet file, one row per device in the order of the input; docs/fleet.md describes the columns.
        base: what the rows override.
        placement: layers on every device, ``all`` of them, or ``optimal`` for each.
        kept: columns that are kept though they have the name of a field.
        skip: leave out rows that are refused, and write them to ``<out>.errors.csv``.
        chunk: rows that are read, solved and written at a time.
        workers: that work at a time; see the backend.
        backend: name of one.
        fresh: drop the parts of an earlier run.
        on_progress: told the progress.

    Returns:
        FleetSummary: sums over all devices.

    Raises:
        ValueError: a file cannot be read, a column is no field, a row is refused and not to be skipped (tells file,
            line, field, value and what is allowed), the parts are of another run, or another run works on them.
        ModuleNotFoundError: a Parquet file without pyarrow, or Ray without Ray.
        ChildProcessError: a worker was killed.
    """
    run, size = as_backend(backend), checked_integer("chunk", chunk, 1)
    checked_integer("workers", 1 if workers is None else workers, 1)
    _check_placement(placement)
    file = open_devices(devices)
    parts = Parts(out)
    _check_apart(devices, parts)
    results = result_file(out, THRESHOLD, file.types())
    plan = Plan(base, DeviceColumns.of(file.columns, base, kept), placement, results, file.place)
    _check_headings(plan.kept)
    _check_places(file, plan.columns.kept)
    total = file.count()
    if total == 0:
        raise ValueError(f"cannot read {devices}: there are no rows")
    with parts.held():
        if fresh:
            parts.delete()
        parts.claim(
            FleetRecord(
                package=__version__,
                input=file.digest(),
                base=base.model_dump(mode="json", exclude_none=True),
                placement=placement,
                chunk=size,
                kept=plan.kept,
            )
        )
        numbers = range(-(-total // size))
        records = {number: record for number in numbers if (record := _usable(parts.done(number), skip))}
        done = sum(record.rows for record in records.values())
        report = on_progress or (lambda *_: None)
        report(done, total)
        pieces = ((plan, each) for each in file.chunks(size) if each.number not in records)
        try:
            with closing(run(solve_chunk, pieces, workers)) as solved:
                for part in _telling_once(solved):
                    if part.record.refused and not skip:
                        raise ValueError(_refusal(devices, part))
                    parts.save(part)
                    records[part.number] = part.record
                    done += part.record.rows
                    report(done, total)
        except ChildProcessError as error:
            raise ChildProcessError(f"{error}; the same command goes on from the parts in {parts.path}") from error
        if sorted(records) != list(numbers) or done != total:
            raise ValueError(f"{devices} changed while it was read; start again with --fresh")
        ordered = [records[number] for number in numbers]
        parts.join(ordered, results, [*plan.kept, *SOLVED], refused_header(file.columns, file.place))
    return _summary(ordered, parts.errors)


def _telling_once(solved: Iterable[Part]) -> Iterator[Part]:
    """The parts; what a worker warned of is told here, once."""
    told: set[str] = set()
    for part in solved:
        for category, text in part.warned:
            if text not in told:
                warnings.warn(text, category, stacklevel=3)
                told.add(text)
        yield part


def _usable(record: PartRecord | None, skip: bool) -> PartRecord | None:
    """A part with refused rows counts only if they are skipped; else it is solved again, and its first fault told."""
    return None if record is None or (record.refused and not skip) else record


def _check_placement(placement: Placement) -> None:
    if placement not in ("optimal", "all"):
        if isinstance(placement, str):
            raise ValueError(f"placement = {placement!r} must be optimal, all, or a number of layers")
        checked_integer("placement", placement, 0)


def _check_apart(devices: Path, parts: Parts) -> None:
    """Check that the run does not replace or delete its input."""
    if parts.out.exists() and parts.out.samefile(devices):
        raise ValueError(f"out = {str(parts.out)!r} is the file of the devices; give another --out")
    if parts.errors.exists() and parts.errors.samefile(devices):
        raise ValueError(
            f"devices = {str(devices)!r} is the file of refused rows of out = {str(parts.out)!r}; give another --out"
        )


def _check_places(file: DeviceFile, kept: Sequence[str]) -> None:
    """Check that no kept column has a heading that the file of refused rows needs, unless the input is such a file."""
    needed, first = {file.place, REASON}, file.columns[:2]
    if first in [(kind.place, REASON) for kind in (CsvDevices, ParquetDevices)]:
        needed -= set(first)
    for name in kept:
        if name in needed:
            raise ValueError(
                f"column {name!r} has the heading of a column of the file of refused rows; give it another name"
            )


def _check_headings(kept: Sequence[str]) -> None:
    """Check that no kept column has the heading of one that is solved."""
    for name in kept:
        if name in SOLVED or (name.startswith(THRESHOLD) and name.removeprefix(THRESHOLD).isdecimal()):
            raise ValueError(f"column {name!r} has the heading of a column of the result; give it another name")


def _refusal(devices: Path, part: Part) -> str:
    """What to say of a part with refused rows."""
    others = part.record.refused - 1
    more = f" (and {others:,} more of the {part.record.rows:,} rows of this chunk)" if others else ""
    return f"{devices}, {part.first_fault}{more}; --on-error skip leaves such rows out"


def _summary(records: Sequence[PartRecord], errors: Path) -> FleetSummary:
    devices = sum(record.rows - record.refused for record in records)
    names = records[0].sums if devices else {}
    placements: dict[int, int] = {}
    for record in records:
        for layers, count in record.placements.items():
            placements[int(layers)] = placements.get(int(layers), 0) + count
    return FleetSummary(
        devices=devices,
        refused=sum(record.refused for record in records),
        means={name: fsum(record.sums[name] for record in records) / devices for name in names},
        placements=dict(sorted(placements.items())),
        errors=errors,
    )
