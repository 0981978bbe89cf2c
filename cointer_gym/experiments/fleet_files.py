"""Files with one row per device: read in chunks, so that memory does not grow with them, and joined from parts.

CSV is read and written with the standard library, Parquet with pyarrow (the ``fleet`` extra).
"""

import csv
import io
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import file_digest
from importlib import import_module
from itertools import count, islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cointer_gym.files import naming
from cointer_gym.units import FloatArray

Cell = Any
"""Text in a CSV; a number, a text, a list or None in a Parquet file."""

_ROWS = 10_000  # that are copied at a time

REASON = "reason"
"""Heading of the column that tells what is wrong with a row."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive rows of a file, by column."""

    number: int
    places: Sequence[int]
    """Where each row stands: the line of a CSV on which it begins, the number of the row, from 1, in a Parquet file."""
    columns: dict[str, list[Cell]]
    faults: dict[int, str] = field(default_factory=dict)
    """What is wrong with rows, by their index in the chunk, that have more or fewer cells than there are columns."""


class DeviceFile(ABC):
    """A file with one row per device, and a header.

    Args:
        path: of the file.

    Raises:
        ValueError: it cannot be read, or its columns have no names of their own.
    """

    place: ClassVar[str]
    """What a row's place is called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with naming(path):
            self.columns = self._read_columns()
        unnamed = [number for number, name in enumerate(self.columns, start=1) if not name.strip()]
        if unnamed:
            raise ValueError(f"cannot read {path}: column {unnamed[0]} has no name")
        for name in self.columns:
            if self.columns.count(name) > 1:
                raise ValueError(f"cannot read {path}: the column {name!r} is there {self.columns.count(name)} times")

    def digest(self) -> str:
        """SHA-256 of the content."""
        with naming(self.path), self.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def types(self) -> dict[str, Any]:
        """Types of the columns in the words of pyarrow, where the file has types."""
        return {}

    @abstractmethod
    def _read_columns(self) -> tuple[str, ...]:
        """The names of the columns."""

    @abstractmethod
    def count(self) -> int:
        """Number of rows."""

    @abstractmethod
    def chunks(self, size: int) -> Iterator[Chunk]:
        """The rows in chunks of ``size``.

        Raises:
            ValueError: the file cannot be read.
        """


class CsvDevices(DeviceFile):
    """A CSV file: UTF-8, separated by commas; blank lines do not count."""

    place = "line"

    def _read_columns(self) -> tuple[str, ...]:
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            header = tuple(name.strip() for name in next(csv.reader(file), []))
        if not header:
            raise ValueError("there is no header")
        if len(header) == 1 and (found := [mark for mark in ";\t|" if mark in header[0]]):
            raise ValueError(f"its columns are separated by {found[0]!r}, they must be by commas")
        return header

    def count(self) -> int:
        """Number of rows that are not blank."""
        with naming(self.path):
            return sum(1 for _ in self._rows())

    def chunks(self, size: int) -> Iterator[Chunk]:
        """The rows in chunks of ``size``; cells are texts."""
        rows = self._rows()
        for number in count():
            with naming(self.path):
                taken = list(islice(rows, size))
            if not taken:
                return
            yield self._chunk(number, [place for place, _ in taken], [row for _, row in taken])

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            next(reader, None)
            before = reader.line_num
            for row in reader:
                if row:
                    yield before + 1, row
                before = reader.line_num

    def _chunk(self, number: int, places: list[int], rows: list[list[str]]) -> Chunk:
        width = len(self.columns)
        faults = {
            index: f"a row must have {width} cells, as many as columns, this one has {len(row)}"
            for index, row in enumerate(rows)
            if len(row) != width
        }
        for index in faults:
            rows[index] = (rows[index] + [""] * width)[:width]
        cells = zip(*rows, strict=True)
        return Chunk(
            number, places, {name: list(column) for name, column in zip(self.columns, cells, strict=True)}, faults
        )


class ParquetDevices(DeviceFile):
    """A Parquet file; a null is an empty cell."""

    place = "row"

    def __init__(self, path: Path) -> None:
        _arrow("pyarrow.parquet")  # before anything is blamed on the file
        super().__init__(path)

    def _read_columns(self) -> tuple[str, ...]:
        return tuple(self._schema().names)

    def _schema(self) -> Any:
        return _arrow("pyarrow.parquet").read_schema(self.path)

    def types(self) -> dict[str, Any]:
        """Types of the columns."""
        return {field.name: field.type for field in self._schema()}

    def count(self) -> int:
        """Number of rows."""
        return int(_arrow("pyarrow.parquet").read_metadata(self.path).num_rows)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """The rows in chunks of ``size``, whatever the groups of rows in the file are."""
        with naming(self.path), _arrow("pyarrow.parquet").ParquetFile(self.path) as file:
            cells: dict[str, list[Cell]] = {name: [] for name in self.columns}
            number = waiting = 0
            left = file.metadata.num_rows
            for batch in file.iter_batches(batch_size=size):  # shorter at the end of a group for dictionary columns
                for name, more in batch.to_pydict().items():
                    cells[name] += more
                waiting, left = waiting + batch.num_rows, left - batch.num_rows
                while waiting >= size or (waiting and not left):
                    taken = min(size, waiting)
                    places = range(number * size + 1, number * size + 1 + taken)
                    yield Chunk(number, places, {name: column[:taken] for name, column in cells.items()})
                    cells = {name: column[taken:] for name, column in cells.items()}
                    number, waiting = number + 1, waiting - taken


def open_devices(path: Path) -> DeviceFile:
    """The reader of a file with one row per device.

    Raises:
        ValueError: the name ends neither in ``.csv`` nor in ``.parquet``, or the file cannot be read.
        ModuleNotFoundError: a Parquet file without pyarrow.
    """
    return CsvDevices(path) if _kind("devices", path) == ".csv" else ParquetDevices(path)


# --- results ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns to be written: the same for all rows, and as many more as the longest row of ``ragged`` needs.

    Args:
        plain: by heading.
        ragged: shape (rows, width), NaN behind the end of a row.
    """

    plain: Mapping[str, Sequence[Cell] | np.ndarray[Any, Any]]
    ragged: FloatArray


class ResultFile(ABC):
    """A format of results, written part by part.

    Args:
        ragged: heading of the ragged columns, which their number follows.
        types: of the plain columns, where they are known.
    """

    suffix: ClassVar[str]

    def __init__(self, ragged: str, types: dict[str, Any] | None = None) -> None:
        self.ragged, self.types = ragged, types or {}

    def headings(self, width: int) -> list[str]:
        """Headings of so many ragged columns."""
        return [f"{self.ragged}{number}" for number in range(width)]

    @abstractmethod
    def part(self, columns: Columns) -> bytes:
        """Rows as a part."""

    @abstractmethod
    def join(self, plain: Sequence[str], parts: Sequence[tuple[Path, int]], out: Path) -> None:
        """Write one file from parts.

        Args:
            plain: headings of the plain columns.
            parts: files, each with the number of its ragged columns.
            out: the file.
        """


class CsvResults(ResultFile):
    """CSV, numbers with twelve significant digits."""

    suffix = ".csv"

    def part(self, columns: Columns) -> bytes:
        """Rows without a header."""
        plain = zip(*map(_texts, columns.plain.values()), strict=True)
        width = columns.ragged.shape[1]
        filled = (~np.isnan(columns.ragged)).sum(axis=1)
        lines = [f"{',%.12g' * count}{',' * (width - count)}\n" for count in range(width + 1)]
        ragged = zip(columns.ragged.tolist(), filled.tolist(), strict=True)
        rows = [
            ",".join(cells) + lines[count] % tuple(numbers[:count])
            for cells, (numbers, count) in zip(plain, ragged, strict=True)
        ]
        return "".join(rows).encode()

    def join(self, plain: Sequence[str], parts: Sequence[tuple[Path, int]], out: Path) -> None:
        """A header and the parts, those with fewer columns filled up."""
        width = max((each for _, each in parts), default=0)
        with out.open("wb") as file:
            file.write(_csv_rows([[*plain, *self.headings(width)]]).encode())
            for path, each in parts:
                if each == width:
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, file)
                    continue
                with path.open(encoding="utf-8", newline="") as part_text:
                    rows, missing = csv.reader(part_text), [""] * (width - each)
                    while batch := list(islice(rows, _ROWS)):
                        file.write(_csv_rows(row + missing for row in batch).encode())


class ParquetResults(ResultFile):
    """Parquet; a row ends with nulls."""

    suffix = ".parquet"

    def __init__(self, ragged: str, types: dict[str, Any] | None = None) -> None:
        super().__init__(ragged, types)
        _arrow("pyarrow.parquet")

    def part(self, columns: Columns) -> bytes:
        """A table of its own."""
        arrow = _arrow("pyarrow")
        arrays = {name: arrow.array(cells, type=self.types.get(name)) for name, cells in columns.plain.items()}
        ragged = {
            name: arrow.array(cells, mask=np.isnan(cells))
            for name, cells in zip(self.headings(columns.ragged.shape[1]), columns.ragged.T, strict=True)
        }
        buffer = arrow.BufferOutputStream()
        _arrow("pyarrow.parquet").write_table(arrow.table(arrays | ragged), buffer)
        return bytes(buffer.getvalue())

    def join(self, plain: Sequence[str], parts: Sequence[tuple[Path, int]], out: Path) -> None:
        """A group of rows per part."""
        arrow, parquet = _arrow("pyarrow"), _arrow("pyarrow.parquet")
        names = self.headings(max((each for _, each in parts), default=0))
        writer = None
        try:
            for path, each in parts:
                table = parquet.read_table(path)
                for name in names[each:]:
                    table = table.append_column(name, arrow.nulls(table.num_rows, arrow.float64()))
                writer = writer or parquet.ParquetWriter(out, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def result_file(path: Path, ragged: str, types: dict[str, Any]) -> ResultFile:
    """The format that the ending of a file stands for.

    Args:
        path: of the results.
        ragged: heading of the ragged columns.
        types: of the columns that are copied from a file with types.

    Raises:
        ValueError: the name ends neither in ``.csv`` nor in ``.parquet``.
        ModuleNotFoundError: a Parquet file without pyarrow.
    """
    return CsvResults(ragged) if _kind("out", path) == ".csv" else ParquetResults(ragged, types)


def refused_text(chunk: Chunk, faults: dict[int, str], place: str) -> str:
    """The rows of a chunk that were refused, as CSV without a header: place, reason, and the row as it was."""
    shown = _shown_with_reason(list(chunk.columns), place)
    return _csv_rows(
        [chunk.places[row], reason, *(_text(chunk.columns[name][row]) for name in shown)]
        for row, reason in sorted(faults.items())
    )


def refused_header(columns: Sequence[str], place: str) -> str:
    """The header of the file of refused rows."""
    return _csv_rows([[place, REASON, *_shown_with_reason(columns, place)]])


def _shown_with_reason(columns: Sequence[str], place: str) -> list[str]:
    """The columns of a row as it was; a file of refused rows that is given again has no second place and reason."""
    return [name for name in columns if name not in (place, REASON)]


def _csv_rows(rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _texts(cells: Sequence[Cell] | np.ndarray[Any, Any]) -> Iterable[str]:
    """Cells as they stand in a CSV."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f":
        return map("{:.12g}".format, cells.tolist())
    return (f'"{text.replace(_QUOTE, _QUOTE * 2)}"' if _SPECIAL.search(text) else text for text in map(_text, cells))


_QUOTE, _SPECIAL = '"', re.compile(r'[",\r\n]')


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _kind(argument: str, path: Path) -> str:
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{argument} = {str(path)!r} must end in .csv or .parquet")
    return path.suffix.lower()


def _arrow(module: str) -> Any:
    """A module of pyarrow.

    Raises:
        ModuleNotFoundError: it is not installed; says how to.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != "pyarrow":
            raise
        raise ModuleNotFoundError("Parquet files need pyarrow: pip install 'cointer-gym[fleet]'") from error
