"""Immutable records: the base of all parameter models, the triple of amounts, and the checks of arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import index
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from cointer_gym.units import FloatArray

T = TypeVar("T")
U = TypeVar("U")


class Model(BaseModel):
    """Base of the validated, immutable parameter models: unknown keys, NaN and infinities are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __eq__(self, other: object) -> bool:
        """Equal parameters; pydantic's own comparison trips over cached arrays."""
        return type(self) is type(other) and self._parameters() == other._parameters()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A validated copy; pydantic's own neither checks ``update`` nor drops what was cached for the old values."""
        return self.model_validate(self._parameters() | dict(update or {}))

    def _parameters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}


@dataclass(frozen=True, eq=False)
class Amounts(Generic[T]):
    """What something takes: energy-and-time cost, seconds and joules; numbers, arrays, or terms of a problem."""

    cost: T
    """ETC."""
    time_s: T | None = None
    """Seconds; None if unknown."""
    energy_j: T | None = None
    """Joules; None if unknown."""

    def known(self) -> dict[str, T]:
        """The known amounts by name: ``cost``, ``time_s``, ``energy_j``."""
        named = {"cost": self.cost, "time_s": self.time_s, "energy_j": self.energy_j}
        return {name: amount for name, amount in named.items() if amount is not None}

    def map(self, function: Callable[[T], U]) -> "Amounts[U]":
        """``function`` of every known amount."""
        return Amounts(**{name: function(amount) for name, amount in self.known().items()})

    def combine(self, other: "Amounts[T]", function: Callable[[T, T], U]) -> "Amounts[U]":
        """``function`` of the amounts that both know."""
        theirs = other.known()
        return Amounts(**{name: function(mine, theirs[name]) for name, mine in self.known().items() if name in theirs})

    def __add__(self, other: "Amounts[T]") -> "Amounts[T]":
        """Both together."""
        return self.combine(other, lambda mine, theirs: mine + theirs)  # type: ignore[operator]


def read_only(array: FloatArray) -> FloatArray:
    """The same array, made immutable."""
    array.setflags(write=False)
    return array


def checked_integer(name: str, value: Any, low: int, high: int | None = None, *, note: str = "") -> int:
    """``value`` as an int in [low, high].

    Raises:
        ValueError: not an integer (a bool is none), or out of range; names the argument, its value and the range.
    """
    allowed = f"an integer >= {low}" if high is None else f"an integer from {low} to {high}"
    try:
        number = index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        raise ValueError(f"{name} = {value!r} must be {allowed}{note}")
    return number


def import_object(path: str) -> Any:
    """What ``package.module:Name`` names.

    Raises:
        ValueError: not of that form, or there is no such module or name in it.
    """
    module, separator, name = path.partition(":")
    if not (separator and module and name):
        raise ValueError(f"{path!r} must look like package.module:Name")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot import {path!r}: {error}") from error
