"""The parts of a result that takes long: a run that was killed goes on from those that are done.

solved.csv                  what the whole comes to, written in one step when all parts are done
solved.csv.errors.csv       rows that were refused, with the reason
solved.csv.parts/           until then
    lock                    process and machine of the run that works there
    fleet.json              input, base and options; a folder never mixes two runs
    000000.csv              the rows of a chunk, or .parquet
    000000.errors.csv       what was refused of them
    000000.json             written last: the record of the part
"""

import os
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import JsonValue, StrictInt, ValidationError

from cointer_gym.experiments.fleet_files import ResultFile
from cointer_gym.experiments.results import Number, first_problem
from cointer_gym.files import read_json, replace_file, write_json, write_text
from cointer_gym.records import Model

_OWN = re.compile(r"\.?\d{6,}(\.errors)?(\.\d+)?\.(csv|parquet|json)|\.fleet\.\d+\.json|lock\.\d+")
"""Names of parts, and of what a killed process left behind: drafts, and a lock that was being taken over."""
_DONE = re.compile(r"\d{6,}\.json")
_HELD: set[Path] = set()
"""Locks of runs of this process."""
_ATTEMPTS = 100  # to take a lock that other runs give back meanwhile


class PartRecord(Model):
    """What a part is.

    Args:
        rows: that were read.
        refused: of them.
        width: columns of thresholds.
        sums: of numbers over the devices, by heading.
        placements: number of devices by layers placed.
    """

    rows: Number
    refused: Number
    width: Number
    sums: dict[str, float]
    placements: dict[str, Number]


@dataclass(frozen=True)
class Part:
    """A chunk, solved."""

    number: int
    record: PartRecord
    content: bytes
    """A part of the result."""
    refused: str
    """The rows that were refused, as CSV without a header."""
    first_fault: str
    """Place of the first of them, and what is wrong with it."""
    warned: tuple[tuple[type[Warning], str], ...]
    """What was warned of, once each."""


class FleetRecord(Model):
    """Everything that the parts of a run depend on: the content of ``fleet.json``.

    Args:
        version: of this format.
        package: version of the package, whose answers another one may not give.
        input: SHA-256 of the file of devices.
        base: the scenario.
        placement: layers on every device, ``all`` or ``optimal``.
        chunk: rows of a part.
        kept: columns that are copied.
    """

    version: Literal[1] = 1
    package: str
    input: str
    base: dict[str, JsonValue]
    placement: StrictInt | str
    chunk: Number
    kept: tuple[str, ...]

    def differences(self, other: "FleetRecord") -> list[str]:
        """Names of what differs; within the base its tables."""
        mine, theirs = self._flat(), other._flat()
        return [name for name in sorted(mine.keys() | theirs.keys()) if mine.get(name) != theirs.get(name)]

    def _flat(self) -> dict[str, Any]:
        content = self.model_dump(mode="json")
        return {**{f"base.{name}": value for name, value in content.pop("base").items()}, **content}


class Parts:
    """The folder of the parts of a result.

    Args:
        out: the result.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.path = out, out.with_name(f"{out.name}.parts")
        self.errors = out.with_name(f"{out.name}.errors.csv")
        self._record, self._lock = self.path / "fleet.json", self.path / "lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs out of the folder; the lock of a killed one is taken over.

        Raises:
            ValueError: another run works there; names the folder and the process.
        """
        self._take_lock()
        held = self._lock.resolve()
        _HELD.add(held)
        try:
            yield
        finally:
            _HELD.discard(held)
            held.unlink(missing_ok=True)
            with suppress(OSError):  # there are parts to go on from
                self.path.rmdir()

    def _take_lock(self) -> None:
        for _ in range(_ATTEMPTS):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                with self._lock.open("x", encoding="utf-8") as file:
                    file.write(f"{os.getpid()} {platform.node()}")
            except FileExistsError:
                self._drop_stale_lock()
            except FileNotFoundError:  # the run before this one has just deleted the folder
                continue
            else:
                return
        raise ValueError(f"cannot create {self._lock}: other runs come and go in {self.path}; give another --out")

    def _drop_stale_lock(self) -> None:
        try:
            holder = self._lock.read_text(encoding="utf-8")
        except FileNotFoundError:  # given back meanwhile
            return
        process, _, machine = holder.partition(" ")
        if machine != platform.node() or not process.isdecimal() or self._works(int(process)):
            raise ValueError(
                f"{self.path} is in use by a run, process {process or 'unknown'} on {machine or 'an unknown machine'}; "
                f"wait for it or give another --out (if it no longer runs, delete {self._lock})"
            )
        taken = self._lock.with_name(f"lock.{os.getpid()}")
        with suppress(FileNotFoundError):  # another run takes it over, too
            os.replace(self._lock, taken)
            if taken.read_text(encoding="utf-8") == holder:
                taken.unlink()
            else:  # the other one was faster, and this is its lock
                os.replace(taken, self._lock)

    def _works(self, process: int) -> bool:
        """Whether a process of this machine may be at work here."""
        if process == os.getpid():  # numbers come again, in containers soon
            return self._lock.resolve() in _HELD
        if os.name != "posix":  # where the signal would end it
            return True
        try:
            os.kill(process, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:  # of another user
            return True
        return True

    def claim(self, record: FleetRecord) -> None:
        """Make this the folder of a run, or check that it already is.

        Raises:
            ValueError: it has finished parts of another run, and what differs is named; or parts of none.
        """
        differing = self._differing(record)
        if not differing:
            return
        if any(_DONE.fullmatch(path.name) for path in self._own()):
            raise ValueError(
                f"{self.path} holds parts of a run that differs in {', '.join(differing)}; give the same input, base "
                "and options to go on, or start again with --fresh"
            )
        write_json(self._record, record.model_dump(mode="json"))

    def _differing(self, record: FleetRecord) -> list[str]:
        """Names of what differs from the run that the folder is of; all of them if it is of none."""
        if not self._record.exists():
            if any(path.name[0].isdecimal() for path in self._own()):
                raise ValueError(
                    f"{self.path} holds parts, but no fleet.json that tells what they are of; --fresh drops them"
                )
            return list(type(record).model_fields)
        try:
            found = FleetRecord.model_validate(read_json(self._record))
        except ValidationError as error:
            raise ValueError(f"cannot read {self._record}: {first_problem(error)}; --fresh starts again") from error
        return record.differences(found)

    def file(self, number: int) -> Path:
        """Where the rows of a part lie."""
        return self.path / f"{number:06d}{self.out.suffix.lower()}"

    def save(self, part: Part) -> None:
        """Write a part; its record goes last."""
        replace_file(self.file(part.number), lambda draft: draft.write_bytes(part.content))
        if part.refused:
            write_text(self._refused(part.number), part.refused)
        write_json(self._done(part.number), part.record.model_dump(mode="json"))

    def done(self, number: int) -> PartRecord | None:
        """The record of a part that is done; None if it is not."""
        try:
            record = PartRecord.model_validate(read_json(self._done(number)))
        except ValueError:  # missing, or damaged
            return None
        whole = self.file(number).is_file() and (not record.refused or self._refused(number).is_file())
        return record if whole else None

    def join(self, records: Sequence[PartRecord], results: ResultFile, headings: Sequence[str], refused: str) -> None:
        """Write the result, and the refused rows, if there are any, under their header; then delete the parts."""
        parts = [(self.file(number), record.width) for number, record in enumerate(records)]
        parts = [part for part, record in zip(parts, records, strict=True) if record.rows > record.refused] or parts[:1]
        replace_file(self.out, lambda draft: results.join(headings, parts, draft))
        if any(record.refused for record in records):
            files = [self._refused(number) for number, record in enumerate(records) if record.refused]
            replace_file(self.errors, lambda draft: _concatenate(refused, files, draft))
        else:
            self.errors.unlink(missing_ok=True)
        self.delete()

    def delete(self) -> None:
        """Delete what a run writes and nothing else; ``fleet.json``, which tells that the others are its, goes last.

        Raises:
            ValueError: the folder is not that of a run.
        """
        own = self._own()
        others = {path.name for path in self.path.iterdir()} - {path.name for path in (*own, self._lock)}
        if others and not self._record.is_file():
            raise ValueError(f"{self.path} holds {min(others)}, but no fleet.json; --fresh does not delete it")
        for path in own:
            path.unlink()
        self._record.unlink(missing_ok=True)

    def _own(self) -> list[Path]:
        """Parts, and drafts of them, in the folder."""
        found = self.path.iterdir() if self.path.is_dir() else ()
        return [path for path in found if _OWN.fullmatch(path.name) and path.is_file()]

    def _done(self, number: int) -> Path:
        return self.path / f"{number:06d}.json"

    def _refused(self, number: int) -> Path:
        return self.path / f"{number:06d}.errors.csv"


def _concatenate(header: str, files: Sequence[Path], out: Path) -> None:
    with out.open("wb") as whole:
        whole.write(header.encode())
        for path in files:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)
