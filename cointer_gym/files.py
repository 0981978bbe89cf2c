"""Files that are never half written: everything goes to a temporary name first. Text is UTF-8 with LF line ends."""

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_LONGEST_NAME = 100  # bytes: some file systems take 255, and folders add endings
_NOT_IN_NAMES = frozenset('<>:"/\\|?*')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path`` and move it there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_name(path)
    try:
        write(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def draft_name(path: Path) -> Path:
    """The temporary name that this process writes ``path`` under."""
    return path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")


def is_draft(name: str, of: Iterable[str]) -> bool:
    """Whether a file name is the temporary one of a file in ``of``, left behind by a killed process."""
    parts = name.split(".")
    return len(parts) == 4 and not parts[0] and parts[2].isdecimal() and f"{parts[1]}.{parts[3]}" in of


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let whatever goes wrong while ``path`` is read name it: libraries raise anything on what is none of their files.

    Raises:
        ValueError: an exception was raised within.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ValueError) and str(error).startswith(f"cannot read {path}"):
            raise
        kind = "" if type(error) in (ValueError, OSError) else f"{type(error).__name__}: "
        raise ValueError(f"cannot read {path}: {kind}{error}") from error


def folder_name(name: str) -> str:
    """``name``, known to be that of one folder on every system: it leads nowhere else.

    Raises:
        ValueError: it is empty or too long, or has characters that a folder's name cannot have everywhere.
    """
    bad = sorted({character for character in name if character in _NOT_IN_NAMES or not character.isprintable()})
    size = len(name.encode(errors="surrogatepass"))
    if bad or name.strip(" .") != name or not 0 < size <= _LONGEST_NAME or _RESERVED.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name for a folder: 1 to {_LONGEST_NAME} bytes of printable characters, none of "
            f"{' '.join(sorted(_NOT_IN_NAMES))}, no space or dot at either end, and no device of Windows"
        )
    return name


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    replace_file(path, lambda draft: draft.write_text(text, encoding="utf-8", newline="\n"))


def read_text(path: Path) -> str:
    """Read a text file; a byte-order mark is dropped.

    Raises:
        ValueError: the file is missing, cannot be read, or is not UTF-8; names it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        where = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
        raise ValueError(f"cannot read {path}: not UTF-8: {where}; save it as UTF-8") from error
    if "\0" in text:  # UTF-16 without a mark is valid UTF-8, with a NUL beside every letter
        raise ValueError(f"cannot read {path}: no text: a NUL at character {text.index(chr(0))}; save it as UTF-8")
    return text


def write_json(path: Path, content: Any) -> None:
    """Write standard JSON (no NaN, no infinity) atomically."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: the file is missing, cannot be read, or is not JSON; names it.
    """
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise ValueError(f"cannot read {path}: nested too deeply") from error
    except ValueError as error:  # no JSON, or a number of thousands of digits
        raise ValueError(f"cannot read {path}: {error}") from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, in which no name stands twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is given twice")
    return content


def csv_text(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """A CSV table as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def read_csv_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by column, in order.

    Raises:
        ValueError: the file is missing, cannot be read, is no CSV, or a row has more or fewer cells than columns.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise ValueError(f"cannot read {path}, line {reader.line_num}: {error}") from error
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            columns = len(reader.fieldnames or ())
            raise ValueError(f"cannot read {path}, line {number}: a row must have {columns} cells, as many as columns")
    return rows
