"""Output that survives every terminal: whatever its encoding lacks is replaced by plain characters."""

import codecs
import io
import json
import sys
import unicodedata
import warnings

from rich.console import Console

from cointer_gym.records import Model

_PLAIN = {
    "\N{NO-BREAK SPACE}": " ",
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{HORIZONTAL ELLIPSIS}": ".",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": ".",
    "\N{BULLET}": "*",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
}
"""One plain character for another, so that columns stay where they are."""


def new_console(*, stderr: bool = False) -> Console:
    """A console that shows texts as they are: names in brackets are no markup, names in colons no emoji."""
    console = Console(stderr=stderr, markup=False, emoji=False)
    if not console.is_terminal:  # a log or a pipe has no width of its own
        console.width = 120
    return console


def print_json(console: Console, record: Model) -> None:
    """Print a record as standard JSON, in ASCII so that no encoding changes a name."""
    console.print_json(json.dumps(record.model_dump(mode="json"), allow_nan=False), ensure_ascii=True)


def plain(char: str) -> str:
    """An ASCII character that stands for ``char``."""
    if char in _PLAIN:
        return _PLAIN[char]
    name = unicodedata.name(char, "")
    if name.startswith("BOX DRAWINGS"):
        across, down = "VERTICAL" not in name, "HORIZONTAL" not in name and "VERTICAL" in name
        return "-" if across and " AND " not in name else "|" if down and " AND " not in name else "+"
    letter = unicodedata.normalize("NFKD", char)[0]
    return letter if letter.isascii() else "?"


def survive_any_encoding() -> None:
    """Let stdout and stderr replace what they cannot encode, from now on."""
    codecs.register_error("plain", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a notebook's, or none at all, has no encoding to fail
            stream.reconfigure(errors="plain")


def warn_in_one_line() -> None:
    """Let warnings be one line on stderr, without the place in the code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        new_console(stderr=True).print(f"warning: {message}", style="yellow", highlight=False, soft_wrap=True)

    warnings.showwarning = show


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(plain, error.object[error.start : error.end])), error.end
