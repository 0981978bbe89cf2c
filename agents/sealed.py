"""Files that need pickle: a checkpoint, and the model of a learner with a format of its own.

One archive holds all that belongs together, so that a killed process never leaves half of it: the parts, a manifest
with the training they are of and their hashes, and the seal of the manifest. Nothing in it is compressed, so an honest
archive never unpacks to more than its own size. No part is handed out before size, seal, training and hash are right.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from zipfile import ZIP_STORED, ZipFile

from cointer_gym.agents.trust import is_sealed, seal
from cointer_gym.files import draft_name, naming, replace_file
from cointer_gym.records import Model

_MANIFEST, _SEAL = "manifest.json", "seal"


class Manifest(Model):
    """What an archive holds.

    Args:
        version: of this format.
        run: fingerprint of the training it is of.
        sha256: of every part, by name.
        note: what else is to be known of the parts, as text.
    """

    version: Literal[1] = 1
    run: str
    sha256: dict[str, str]
    note: str = ""


def write_sealed(path: Path, run: str, parts: Mapping[str, Callable[[Path], object]], note: str = "") -> None:
    """Write an archive in one step.

    Args:
        path: of the archive.
        run: fingerprint of the training.
        parts: what writes each part, by name.
        note: what else is to be known.
    """

    def fill(draft: Path) -> None:
        with ZipFile(draft, "w", ZIP_STORED, strict_timestamps=False) as archive:
            found = {name: _add(archive, path.with_name(name), save) for name, save in parts.items()}
            manifest = Manifest(run=run, sha256=found, note=note).model_dump_json().encode()
            archive.writestr(_MANIFEST, manifest)
            archive.writestr(_SEAL, seal(manifest))

    replace_file(path, fill)


def read_manifest(path: Path, run: str) -> Manifest:
    """The manifest of an archive; reads no part and asks for no seal.

    Raises:
        ValueError: the file cannot be read, is no archive of this version, unpacks to more than its size, or is of
            another training; names it.
    """
    with naming(path), _opened(path) as archive:
        return _manifest(archive, run)


def check_sealed(path: Path, run: str, *, trust: bool) -> None:
    """Check everything of an archive but its parts.

    Raises:
        ValueError: as ``unpack``.
    """
    with naming(path), _opened(path) as archive:
        _checked(archive, run, trust)


def unpack(path: Path, run: str, folder: Path, *, trust: bool) -> dict[str, Path]:
    """Put the parts of an archive into a folder.

    Args:
        path: of the archive.
        run: fingerprint of the training it must be of.
        folder: for the parts.
        trust: whether it may have been written elsewhere.

    Returns:
        dict: path of every part, by name.

    Raises:
        ValueError: as ``read_manifest``; or the archive was not written by this program on this machine and is not
            trusted; or a part is missing or damaged.
    """
    with naming(path), _opened(path) as archive:
        manifest = _checked(archive, run, trust)
        return {name: _extract(archive, name, folder, sha256) for name, sha256 in manifest.sha256.items()}


def _add(archive: ZipFile, part: Path, save: Callable[[Path], object]) -> str:
    """Put what ``save`` writes into the archive; its hash."""
    draft = draft_name(part)
    try:
        save(draft)
        archive.write(draft, part.name)
        return _sha256(draft)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    """The archive, once its sizes are known to be honest."""
    size = path.stat().st_size
    with ZipFile(path) as archive:
        unpacks_to = sum(member.file_size for member in archive.infolist())
        if unpacks_to > size:
            raise ValueError(f"it unpacks to {unpacks_to:,} bytes from {size:,}, which nothing written here does")
        yield archive


def _manifest(archive: ZipFile, run: str) -> Manifest:
    manifest = Manifest.model_validate_json(archive.read(_MANIFEST))
    if manifest.run != run:
        raise ValueError("it is of another training than the run.json beside it")
    return manifest


def _checked(archive: ZipFile, run: str, trust: bool) -> Manifest:
    if not trust and not is_sealed(archive.read(_MANIFEST), archive.read(_SEAL).decode()):
        raise ValueError(
            "it was not written by this program on this machine, or was changed since, and reading it can run code; "
            "say --trust (trust=True in Python) if you know where it comes from, or --fresh to start again"
        )
    return _manifest(archive, run)


def _extract(archive: ZipFile, name: str, folder: Path, sha256: str) -> Path:
    part = folder / Path(name).name
    with archive.open(name) as source, part.open("wb") as target:
        shutil.copyfileobj(source, target)
    if _sha256(part) != sha256:
        raise ValueError(f"{name} in it is damaged")
    return part


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
