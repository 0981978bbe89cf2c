"""Markdown that several reports share."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], alignment: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    Args:
        header: names of the columns.
        alignment: ``---`` or ``---:`` per column.
        rows: cells.
    """
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, alignment, *rows))


def in_words(names: Sequence[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``; or with another word before the last one."""
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
