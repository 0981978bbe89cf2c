"""Immutable records: the base of all parameter models, the types of their fields, the triple of amounts, and checks.

The numbers of a scenario span 60 orders of magnitude, more than any hardware, so that no product of them overflows:
what is refused is refused where it was written.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from operator import index
from pathlib import Path
from typing import Annotated, Any, Generic, Self, TypeVar
from unicodedata import category

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from cointer_gym.files import folder_name
from cointer_gym.units import FloatArray

LARGEST, SMALLEST = 1e30, 1e-30
LARGEST_COUNT = 10**18
LONGEST_LABEL = 100

T = TypeVar("T")
U = TypeVar("U")


def _not_tiny(value: float) -> float:
    if 0 < value < SMALLEST:
        raise ValueError(f"must be at least {SMALLEST:g}")
    return value


def _not_huge(value: float) -> float:
    if value > LARGEST:
        raise ValueError(f"must be at most {LARGEST:g}")
    return value


def _has_control(text: str) -> bool:
    """Whether a terminal or a file would trip: control characters, lone surrogates, odd line ends."""
    return any(category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text)


def _plain_text(text: str) -> str:
    if _has_control(text.replace("\n", "").replace("\t", "")):
        raise ValueError("must be without control characters")
    return text


def _label(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_LABEL or _has_control(text):
        raise ValueError(f"must be 1 to {LONGEST_LABEL} characters, none of them a control character")
    return text


Factor = Annotated[float, Field(ge=0), AfterValidator(_not_huge)]
"""A quantity that is only multiplied by."""
NonNegative = Annotated[Factor, AfterValidator(_not_tiny)]
"""A physical quantity that may be absent."""
Positive = Annotated[float, Field(gt=0), AfterValidator(_not_huge), AfterValidator(_not_tiny)]
"""A physical quantity that is divided by, or that is nothing without a size."""
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
"""A number of things."""
Decibel = Annotated[float, Field(ge=-300, le=300)]
"""A ratio or level in dB."""
Name = Annotated[str, AfterValidator(folder_name)]
"""A name that folders are called after."""
Label = Annotated[str, AfterValidator(_label)]
"""A name that is only shown."""
Remark = Annotated[str, AfterValidator(_plain_text)]
"""Text of any length."""


def _strict_numbers(schema: Any, owner: type[BaseModel]) -> Any:
    """The schema of ``owner`` with strict numbers; those of models inside are made when these are."""
    if isinstance(schema, list):
        return [_strict_numbers(part, owner) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind in ("int", "float"):
        plain = _plain_integer if kind == "int" else _plain_float
        return core_schema.no_info_before_validator_function(plain, {**schema, "strict": True})
    done = kind == "function-before" and schema["function"]["function"] in (_plain_integer, _plain_float)
    if done or (kind == "model" and schema["cls"] is not owner):
        return schema
    inside = schema.keys() - {"default", "metadata", "serialization"}
    return {key: _strict_numbers(part, owner) if key in inside else part for key, part in schema.items()}


def _plain_float(value: Any) -> Any:
    """What pydantic would let pass, or call no number, wrongly."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int) and abs(value) > LARGEST:  # pydantic says of a very long number that it is none
        raise ValueError(f"must be from {-LARGEST:g} to {LARGEST:g}")
    return value


def _plain_integer(value: Any) -> Any:
    """A whole number as an ``int``, whatever it is written as; anything else as it is."""
    if isinstance(value, np.integer):
        return int(value)
    whole = isinstance(value, float | np.floating) and np.isfinite(value) and value == int(value)
    return int(value) if whole else value


class Model(BaseModel):
    """Base of the validated, immutable parameter models.

    Unknown keys, NaN and infinities are errors, and so are texts and booleans where a number belongs. A whole number
    may be written as a float (``1e6``), and NumPy's numbers are numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Strict numbers in lax containers, which pydantic's ``strict`` does not offer: lists are tuples in files."""
        schema: CoreSchema = _strict_numbers(handler(source), cls)
        return schema

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


def find_file(field: str, given: str | Path, catalogue: Path, kind: str) -> Path:
    """The file that is meant: one of a folder by its name without ending, or any by its path.

    Args:
        field: what ``given`` is the value of.
        given: name or path.
        catalogue: the folder.
        kind: what lies in it.

    Raises:
        ValueError: neither; lists the names.
    """
    names = dict(sorted((path.stem, path) for path in catalogue.iterdir()))
    if isinstance(given, str) and given in names:
        return names[given]
    try:
        path = Path(given)
        if path.is_file():
            return path
        found = "a folder" if path.is_dir() else f"neither a file nor one of the {kind} {', '.join(names)}"
    except (OSError, TypeError) as error:
        found = f"no path: {error.strerror if isinstance(error, OSError) else error}"
    raise ValueError(f"{field} = {str(given)[:200]!r} is {found}")


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
