"""Infos of batches that cost nothing until somebody reads them."""

from collections.abc import Callable
from typing import Any

_READS_OR_WRITES = (
    *("__contains__", "__delitem__", "__eq__", "__getitem__", "__ior__", "__iter__", "__len__", "__ne__", "__or__"),
    *("__repr__", "__reversed__", "__ror__", "__setitem__", "clear", "copy", "get", "items", "keys", "pop"),
    *("popitem", "setdefault", "update", "values"),
)


class LazyInfo(dict[str, Any]):
    """A dictionary that is filled when it is first used, whatever for, and an ordinary one from then on.

    Only C code that reads dictionaries behind their methods sees an unread one as empty: ``json.dumps`` does.

    Args:
        content: gives the content; it must not look at anything that changes later. Or what ``dict`` takes.
        more: as for ``dict``.
    """

    __slots__ = ("_fill",)
    __hash__ = None

    def __init__(self, content: Callable[[], dict[str, Any]] | Any = (), /, **more: Any) -> None:
        self._fill: Callable[[], dict[str, Any]] | None = None
        if callable(content):
            self._fill = content
        else:
            super().__init__(content, **more)

    @property
    def read(self) -> bool:
        """Whether it is filled."""
        return self._fill is None

    def filled(self) -> dict[str, Any]:
        """The same dictionary, filled."""
        if self._fill is not None:
            dict.update(self, self._fill())
            self._fill = None
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self.filled()),)


def _filled_first(name: str) -> Callable[..., Any]:
    plain = getattr(dict, name)

    def method(self: LazyInfo, *args: Any, **kwargs: Any) -> Any:
        return plain(self.filled(), *args, **kwargs)

    method.__name__, method.__doc__ = name, plain.__doc__
    return method


for _name in _READS_OR_WRITES:
    setattr(LazyInfo, _name, _filled_first(_name))
