"""Array types, constants and conversions of units. A bare name is linear; ``_db`` and ``_dbm`` are logarithmic."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

BOLTZMANN_NOISE_DBM_PER_HZ = -173.975  # k T at 290 K: 10 log10(1.380649e-23 * 290 * 1e3)


def db_to_linear(value_db: ArrayLike) -> Any:
    """Convert decibel to a power ratio, elementwise; -inf dB is 0."""
    return np.power(10.0, np.asarray(value_db, dtype=np.float64) / 10.0)


def linear_to_db(value: ArrayLike) -> Any:
    """Convert a power ratio (>= 0) to decibel, elementwise; 0 is -inf dB."""
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(np.asarray(value, dtype=np.float64))


def w_to_dbm(power_w: ArrayLike) -> Any:
    """Convert watt to dB relative to one milliwatt, elementwise."""
    return linear_to_db(np.asarray(power_w, dtype=np.float64) * 1e3)
