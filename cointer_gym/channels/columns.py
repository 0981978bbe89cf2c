"""Fading laws of many devices: columns of their parameters, checked as one law is, and asked side by side."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from cointer_gym.channels.capped import QUICK, CappedMeans, gain_table
from cointer_gym.channels.fading import FadingLaw
from cointer_gym.channels.law import ChannelLaw, OffloadMoments
from cointer_gym.channels.rate import Rate
from cointer_gym.units import FloatArray, IntArray, db_to_linear

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_NODES, _WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS  # on [0, 1]
_RARE, _NOTHING = 1e-3, 1e-18  # probabilities

_DONE_SIDE_BY_SIDE = (
    "capped_mean",
    "mean_channel_uses_per_bit",
    "threshold_snr",
    "offload_moments",
    "survival",
    "outage",
    "channel_uses_per_bit",
    "rate",
)

SEEN_THROUGH = ("mean_snr", "min_efficiency", "max_efficiency")
"""The fields of a fading law that the law of its gain does not depend on."""


class Rates(NamedTuple):
    """The rates of laws side by side."""

    fewest_uses: FloatArray
    """The x of the fastest scheme, 0 without one, shape (R,)."""
    most_uses: FloatArray
    """The x of the most robust scheme, inf without one, shape (R,)."""


class FadingLaws:
    """R laws with the same law of the gain, each with its own mean SNR and rate, asked as one law is.

    Queries take and return arrays whose last axis is that of the laws.

    Args:
        law: one of them, with any mean SNR and rate.
        mean_snr: linear, shape (R,).
        rate: the rates.
        asked: see ``CappedMeans``.
    """

    def __init__(self, law: FadingLaw, mean_snr: FloatArray, rate: Rates, asked: FloatArray | None = None) -> None:
        self.rate = rate
        self._mean_snr = mean_snr
        self._unit: FadingLaw = type(law).model_construct(mean_snr=1.0, **dict(law.gain_parameters))
        table = gain_table(type(law), law.gain_parameters, QUICK, deep=False)
        self._capped = CappedMeans(table, mean_snr, rate.fewest_uses, rate.most_uses, asked)

    @property
    def mean_channel_uses_per_bit(self) -> FloatArray:
        """E[x], s Hz/bit, shape (R,)."""
        return self._capped.mean

    def capped_mean(self, channel_uses: FloatArray) -> FloatArray:
        """E[min(x, tau)]."""
        return self._capped(channel_uses)

    def threshold_snr(self, channel_uses: FloatArray) -> FloatArray:
        """The SNR from which x <= tau; see ``ChannelLaw.threshold_snr``."""
        snr = Rate(0.0).snr(channel_uses)
        snr[channel_uses < self.rate.fewest_uses] = np.inf
        snr[channel_uses >= self.rate.most_uses] = 0.0
        return snr

    def offload_moments(self, threshold_snr: FloatArray) -> OffloadMoments:
        """P(SNR >= threshold), E[x; SNR >= threshold] and P(SNR < threshold)."""
        gain = threshold_snr / self._mean_snr
        offload, wait = self._unit.survival(gain), self._unit.outage(gain)
        tau = np.clip(Rate(0.0).channel_uses_per_bit(threshold_snr), *self.rate)
        with np.errstate(invalid="ignore"):  # at SNR 0 of a pure Shannon link, replaced below
            uses = np.where(threshold_snr <= 0, self.mean_channel_uses_per_bit, self.capped_mean(tau) - tau * wait)
        rare = (offload > 0) & (offload < _RARE)  # a small difference of large numbers
        row = np.broadcast_to(np.arange(self._mean_snr.size), rare.shape)[rare]
        uses[rare] = tau[rare] * offload[rare] - self._lower_partial_moment(gain[rare], offload[rare], row)
        return OffloadMoments(offload, np.clip(uses, 0.0, tau * offload), wait)

    def _lower_partial_moment(self, gain: FloatArray, survival: FloatArray, row: IntArray) -> FloatArray:
        """E[(tau - x)^+] at tau = x(gain): the integral of P(g >= s) (-dx/ds) over s > gain, until nothing is left."""
        mean_snr = self._mean_snr[row]
        fastest, slowest = (Rate(0.0).snr(uses[row]) / mean_snr for uses in self.rate)  # x is constant beyond
        low, step = np.minimum(np.maximum(gain, slowest), fastest), 1.0 / self._unit.tail_rate
        total = np.zeros_like(gain)
        while True:
            high = np.minimum(low + step, fastest)
            at = low[:, None] + (high - low)[:, None] * _NODES
            snr = at * mean_snr[:, None]
            slope = np.log(2.0) * mean_snr[:, None] / ((1.0 + snr) * np.log1p(snr) ** 2)
            total += (high - low) * ((self._unit.survival(at) * slope) @ _WEIGHTS)
            if not ((high < fastest) & (self._unit.survival(high) > _NOTHING * survival)).any():
                return total
            low, step = high, 2.0 * step


def stand_side_by_side(law: ChannelLaw) -> bool:
    """Whether ``FadingLaws`` can stand for such laws: fading laws without formulas of their own for what it does."""
    return isinstance(law, FadingLaw) and all(
        getattr(type(law), name) is getattr(FadingLaw, name) for name in _DONE_SIDE_BY_SIDE
    )


class LawColumns:
    """Fading laws of one class, one for each of P problems: a column for every field of the class.

        LawColumns(Rayleigh, mean_snr_db=[3.0, 12.0, 20.0], max_efficiency=5.5547)

    Args:
        law: the class.
        **columns: the fields, also in dB: an array of shape (P,), or one number for all. Without a fastest scheme is
            ``max_efficiency`` = None for all, or inf in a column.

    Raises:
        ValueError: the class has no such field, or needs one that is missing; columns of several lengths; a value
            that the class refuses. Names the row and the field.
    """

    def __init__(self, law: type[FadingLaw], **columns: Any) -> None:
        if not issubclass(law, FadingLaw):
            raise ValueError(f"law = {law.__name__} must be a class of fading laws, such as cointer_gym.Rayleigh")
        self.law = law
        self.columns = {name: _column(name, values) for name, values in _linear(law, columns).items()}
        sizes = {name: column.size for name, column in self.columns.items() if column.ndim}
        if len(set(sizes.values())) > 1:
            raise ValueError("columns differ in length: " + ", ".join(f"{name} {size}" for name, size in sizes.items()))
        self.size: int | None = next(iter(sizes.values()), None)
        """Number of laws; None if no field is a column, so that they fit any number of problems."""
        for row in self._extremes():
            try:
                self.row(row)
            except ValidationError as error:
                raise ValueError(_fault(error, row if self.size is not None else None)) from None

    def row(self, row: int) -> FadingLaw:
        """The law of one row."""
        fields: dict[str, Any] = {
            name: float(column[row] if column.ndim else column) for name, column in self.columns.items()
        }
        return self.law(
            **fields | {"max_efficiency": None if np.isposinf(fields["max_efficiency"]) else fields["max_efficiency"]}
        )

    def take(self, rows: Any) -> "LawColumns":
        """The laws of these rows: a slice, or numbers of rows."""
        taken = object.__new__(LawColumns)
        taken.law = self.law
        taken.columns = {name: column[rows] if column.ndim else column for name, column in self.columns.items()}
        taken.size = next((column.size for column in taken.columns.values() if column.ndim), None)
        return taken

    def full(self, size: int) -> dict[str, FloatArray]:
        """Every column with that many rows."""
        return {name: np.broadcast_to(column, (size,)) for name, column in self.columns.items()}

    def gains(self, size: int) -> list[IntArray]:
        """The rows that share a law of the gain, law by law."""
        parameters = [column for name, column in self.columns.items() if name not in SEEN_THROUGH and column.ndim]
        if not parameters:
            return [np.arange(size)]
        order = np.lexsort(parameters)
        changes = np.any([np.diff(column[order]) != 0 for column in parameters], axis=0)
        return np.split(order, np.flatnonzero(changes) + 1)

    def _extremes(self) -> list[int]:
        """Rows that break the limits of a field if any do: what a field allows is an interval, and maybe 0."""
        if not self.size:
            return [0] if self.size is None else []
        rows: set[int] = set()
        for column in self.columns.values():
            if column.ndim:
                rows.update(
                    (int(column.argmin()), int(column.argmax()), int(np.where(column > 0, column, np.inf).argmin()))
                )
        between = np.broadcast_to(self.columns["max_efficiency"] - self.columns["min_efficiency"], (self.size,))
        return sorted(rows | {int(between.argmin())})


def _linear(law: type[FadingLaw], columns: dict[str, Any]) -> dict[str, Any]:
    """Every field once, out of dB, with the defaults of what is not given."""
    unknown = [name for name in columns if name not in law.model_fields and name not in law.in_db]
    if unknown:
        fields = ", ".join([*law.model_fields, *law.in_db])
        raise ValueError(f"{law.__name__} does not take {unknown[0]}; its fields are {fields}")
    twice = [name for name, field in law.in_db.items() if name in columns and field in columns]
    if twice:
        raise ValueError(f"give {twice[0]} or {law.in_db[twice[0]]}, not both")
    with np.errstate(over="ignore"):  # an infinite ratio is refused as such
        given = {
            law.in_db.get(name, name): db_to_linear(_column(name, values)) if name in law.in_db else values
            for name, values in columns.items()
        }
    missing = [name for name, field in law.model_fields.items() if field.is_required() and name not in given]
    if missing:
        raise ValueError(f"{law.__name__} needs {missing[0]}")
    defaults = {name: field.default for name, field in law.model_fields.items() if name not in given}
    return defaults | given


def _column(name: str, values: ArrayLike | None) -> FloatArray:
    try:
        column = np.asarray(np.inf if values is None else values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, one for each problem or one for all") from None
    if column.ndim > 1:
        raise ValueError(f"{name} has shape {column.shape}, expected one axis")
    return column


def _fault(error: ValidationError, row: int | None) -> str:
    """The first fault in words."""
    fault = error.errors(include_url=False)[0]
    at = "" if row is None else f"[{row}]"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{fault['loc'][0]}{at} = {fault['input']}: {message}" if fault["loc"] else f"channel{at}: {message}"
