"""Markdown that several reports share."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from cointer_gym.files import read_text, write_text

_SPECIAL = re.compile(r"[\\|<*`$\[]|(?<!\w)_|_(?!\w)")
"""What begins a column, a tag, emphasis, code, mathematics or a link; an underscore within a word does not."""


def escaped(text: str) -> str:
    """Markdown that shows a text as it is, on one line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(text.splitlines()))


def code(text: str) -> str:
    """A text as code, whatever backticks it holds."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def markdown_table(header: Sequence[str], alignment: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    Args:
        header: names of the columns.
        alignment: ``---`` or ``---:`` per column.
        rows: cells, plain text.
    """
    lines = (header, alignment, *([escaped(cell) for cell in row] for row in rows))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def in_words(names: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; or with another word before the last one."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def replace_marked(document: Path, begin: str, end: str, content: str) -> None:
    """Replace what stands between two marks of a Markdown file.

    Args:
        document: the file.
        begin: mark on a line of its own.
        end: the other one.
        content: to stand between.

    Raises:
        ValueError: the file lacks the two marks.
    """
    text = read_text(document)
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{document} lacks the marks {begin!r} and {end!r}")
    block = f"{begin}\n{content}\n{end}"
    write_text(document, pattern.sub(lambda _: block, text))
