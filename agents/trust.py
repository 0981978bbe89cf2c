"""Which files this program wrote on this machine: they carry a seal that only the key of this user makes.

Unpickling a file runs what its author put there, and importing a module runs the module. So a checkpoint is unpickled,
and a module that a run names is imported, only if the seal is right or the user says that the origin is known
(``--trust``). The key lies in ``$XDG_STATE_HOME/cointer-gym/key`` (``~/.local/state`` unless set); whoever can read it
can write files in the user's name, and where it is lost, earlier files are nobody's.
"""

import hashlib
import hmac
import os
import secrets
import warnings
from pathlib import Path

_KEY_BYTES = 32


def seal(content: bytes) -> str:
    """What proves that ``content`` was written here; empty, with a warning, where no key can be kept."""
    key = _key() or _new_key()
    if key is None:
        warnings.warn(
            f"no key can be kept at {_key_path()}: to go on from a checkpoint of this training will need --trust",
            stacklevel=2,
        )
        return ""
    return hmac.digest(key, content, "sha256").hex()


def is_sealed(content: bytes, given: str) -> bool:
    """Whether ``given`` is the seal of ``content`` by the key of this machine."""
    key = _key()
    return key is not None and hmac.compare_digest(hmac.digest(key, content, "sha256").hex().encode(), given.encode())


def fingerprint(content: bytes) -> str:
    """What tells contents apart; anybody can make it."""
    return hashlib.sha256(content).hexdigest()


def _key_path() -> Path | None:
    """None where there is no home directory."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        folder = given if given.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return folder / "cointer-gym" / "key"


def _key() -> bytes | None:
    path = _key_path()
    try:
        key = path.read_bytes() if path is not None else b""
    except OSError:
        return None
    return key if len(key) == _KEY_BYTES else None


def _new_key() -> bytes | None:
    """A key in one step, so that processes that start together agree on one; None where none can be kept."""
    path = _key_path()
    if path is None:
        return None
    draft = path.with_name(f".key.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            os.link(draft, path)  # fails if another process was faster
        finally:
            draft.unlink()
    except OSError:
        pass
    return _key()
