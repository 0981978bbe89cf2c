"""Units, array types and the checks of arguments that every module shares.

A bare name is linear; ``_db`` and ``_dbm`` are logarithmic.
"""

from collections.abc import Mapping
from operator import index
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

BOLTZMANN_NOISE_DBM_PER_HZ = -173.975  # k T at 290 K: 10 log10(1.380649e-23 * 290 * 1e3)


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


def db_to_linear(value_db: ArrayLike) -> Any:
    """Convert decibel to a power ratio, elementwise; -inf dB is 0."""
    return np.power(10.0, np.asarray(value_db, dtype=np.float64) / 10.0)


def linear_to_db(value: ArrayLike) -> Any:
    """Convert a power ratio (>= 0) to decibel, elementwise; 0 is -inf dB."""
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(np.asarray(value, dtype=np.float64))


def w_to_dbm(power_w: float) -> float:
    """Convert watt to dB relative to one milliwatt."""
    return float(linear_to_db(power_w * 1e3))


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
