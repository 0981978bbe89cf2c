"""E[min(x, tau)] under fading, tabulated: one table of the gain, seen through any number of mean SNRs and rates.

With x(g) = 1 / log2(1 + mean_snr g), the channel uses of a rate without limits, and g the gain at which x(g) = tau,

    E[min(x, tau)] = 1/eta_max + int_{log g}^{log g_max} P(gain < e^y) (-dx/dy) dy.

Only x depends on the mean SNR: the panels over y, and the probabilities at their nodes, are those of the gain and are
made once for all mean SNRs and rates. The panels are halved until polynomials hold the probability; they hold dx/dy,
too, and so the integral is a polynomial on each panel, whose coefficients follow from the values at Gauss-Legendre
nodes. A query takes a panel and a Horner scheme. All terms are positive: each result is accurate in relative terms,
however small or large it is.

The coefficients are smooth in the logarithm of the mean SNR as well: for many mean SNRs they are polynomials of that.
"""

from bisect import bisect_right
from functools import cached_property, lru_cache
from math import expm1, log
from typing import Any, Protocol

import numpy as np

from cointer_gym.units import BoolArray, FloatArray, IntArray

_LN_2 = float(np.log(2.0))
_LOWEST, _LOWEST_OF_ALL = -32.0, -667.0  # logarithms of the gain; the second is near the end of double precision
_FAR, _FAR_WIDTH = -75.0, 4.0  # below, 1/x is linear in the gain at every mean SNR that a law may have
_SMALLEST = 1e-300  # efficiency, with room to divide
_CERTAIN = 1e-18  # probability of what lies above the panels
_ROUNDS, _PANELS = 40, 4096  # an end for laws with kinks
_CELLS = 2**14  # as wide as the narrowest panel
_KEPT = 64  # cells of the mean SNR
_FEW = 48  # mean SNRs that are not worth a polynomial


class Gain(Protocol):
    """What a table asks of a law."""

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """P(g >= gain), elementwise."""

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """P(g < gain), elementwise."""

    @property
    def tail_rate(self) -> float:
        """Exponential decay rate of the survival function."""


class Grade:
    """How fine a table is.

    The singularities of x(e^y) lie at a distance of pi from the real axis. A polynomial of degree n - 1 on a panel is
    then wrong by about (4 pi / width)^-n, in relative terms.

    Args:
        count: n, Gauss-Legendre nodes of a panel.
        width: of a panel, at most, in nepers of the gain or of the mean SNR.
        error: of the last two coefficients of the probability on a panel, at most; what is left out is less.
    """

    def __init__(self, count: int, width: float, error: float) -> None:
        self.count, self.width, self.error = count, width, error
        self.nodes, weights = np.polynomial.legendre.leggauss(count)
        powers = np.zeros((count + 1, count + 1))  # of t in the Legendre polynomials P_0 to P_n, by Bonnet's recursion
        powers[0, 0] = powers[1, 1] = 1.0
        for k in range(1, count):
            powers[k + 1, 1:] = (2 * k + 1) / (k + 1) * powers[k, :-1]
            powers[k + 1] -= k / (k + 1) * powers[k - 1]
        orders, legendre = np.arange(count), np.polynomial.legendre.legvander(self.nodes, count - 1)
        # in two steps, since a single one would lose two digits: from values to Legendre coefficients, and from these
        # to powers of t in p and in int_t^1 p, where int_t^1 P_k = (P_{k-1} - P_{k+1}) / (2k + 1), highest power first
        self.to_legendre = (orders + 0.5) * legendre * weights[:, None]
        self.to_powers = powers[:-1, :-1]
        before = np.vstack([powers[:1], powers[:-2]])  # 1 for P_{-1}
        self.to_integral = ((before - powers[1:]) / (2.0 * orders + 1.0)[:, None])[:, ::-1].copy()


EXACT = Grade(16, 1.0, 2e-14)
"""To rounding."""
QUICK = Grade(11, 1.0, 1e-10)
"""To 1e-13, for many laws."""


class GainTable:
    """Panels over the logarithm of the gain and P(gain < e^y) at their nodes, whatever the mean SNR.

    Args:
        law: of the gain.
        grade: how fine.
        deep: down to the end of double precision, for a rate without a most robust scheme worth the name.
    """

    def __init__(self, law: Gain, grade: Grade, deep: bool) -> None:
        end = -np.log(_CERTAIN) / law.tail_rate
        while end < 1e200 and law.gain_survival(np.asarray(end)) > _CERTAIN:
            end *= 2.0
        edges = _coarse(_LOWEST_OF_ALL if deep else _LOWEST, float(np.log(end)), grade.width)
        self.edges, self._gain, outage = _panels(law, grade, edges)
        half = 0.5 * np.diff(self.edges)
        self.middle, self.per_half = 0.5 * (self.edges[1:] + self.edges[:-1]), 1.0 / half
        self.grade, self._weight = grade, _LN_2 * half[:, None] * outage
        self._polynomials: dict[int, FloatArray] = {}
        self._cells_per_neper = 0.5 / half.min()
        count = int(np.round((self.edges[-1] - self.edges[0]) * self._cells_per_neper))
        self._panel_of_cell: IntArray | None = None
        if not deep and count <= _CELLS:  # all panels are halves of halves of equal ones
            centres = self.edges[0] + (np.arange(count) + 0.5) / self._cells_per_neper
            self._panel_of_cell = self.edges[1:-1].searchsorted(centres)

    def panel(self, log_gain: FloatArray) -> IntArray:
        """The number of the panel, elementwise."""
        if self._panel_of_cell is None:
            return np.asarray(self.edges[1:-1].searchsorted(log_gain, side="right"))
        cell = log_gain - self.edges[0]
        cell *= self._cells_per_neper
        return np.asarray(self._panel_of_cell.take(cell.astype(np.intp), mode="clip"))

    def series(self, mean_snr: FloatArray, first: int) -> FloatArray:
        """Coefficients of E[min(x, tau)] of a rate without limits, highest power first, from the panel ``first`` on.

        Args:
            mean_snr: linear, shape (R,); best in order.
            first: number of a panel.

        Returns:
            FloatArray: shape (panels, count + 1, R).
        """
        if mean_snr.size < _FEW:
            return np.ascontiguousarray(np.moveaxis(self._series(mean_snr, first), 0, -1))
        logs = np.log(mean_snr) / self.grade.width
        cell = np.floor(logs)
        powers = np.empty((self.grade.count, mean_snr.size))
        powers[0], powers[1:] = 1.0, 2.0 * (logs - cell) - 1.0
        np.multiply.accumulate(powers, axis=0, out=powers)
        rows = (self.middle.size - first) * (self.grade.count + 1)
        found = np.empty((rows, mean_snr.size))
        for each in np.unique(cell):
            own, polynomial = np.flatnonzero(cell == each), self._polynomial(int(each))[-rows:]
            if own[-1] - own[0] < own.size:
                at = slice(own[0], own[-1] + 1)
                np.matmul(polynomial, powers[:, at], out=found[:, at])
            else:
                found[:, own] = polynomial @ powers[:, own]
        return found.reshape(-1, self.grade.count + 1, mean_snr.size)

    def _series(self, mean_snr: FloatArray, first: int) -> FloatArray:
        """The same from the definition, shape (R, panels, count + 1)."""
        grade, snr = self.grade, mean_snr[:, None, None] * self._gain[first:]
        length = np.log1p(snr)
        slope = snr / length  # the squares of small numbers would be none
        slope /= length
        slope *= self._weight[first:]
        snr += 1.0
        slope /= snr
        legendre = slope @ grade.to_legendre
        found = legendre @ grade.to_integral
        above = 2.0 * legendre[..., 0]  # of whole panels
        above[:, :-1] = above[:, :0:-1].cumsum(axis=1)[:, ::-1]
        above[:, -1] = 0.0
        found[..., -1] += above + uses_at(self.edges[-1], mean_snr)[:, None]
        return found

    def _polynomial(self, cell: int) -> FloatArray:
        """The coefficients as polynomials of the logarithm of the mean SNR, shape (panels x (count + 1), count)."""
        if cell not in self._polynomials:
            if len(self._polynomials) == _KEPT:
                self._polynomials.clear()
            grade = self.grade
            at_nodes = self._series(np.exp(grade.width * (cell + 0.5 + 0.5 * grade.nodes)), 0)
            powers = grade.to_powers.T @ (grade.to_legendre.T @ at_nodes.reshape(grade.count, -1))
            self._polynomials[cell] = np.ascontiguousarray(powers.T)
        return self._polynomials[cell]


def _coarse(lowest: float, highest: float, width: float) -> FloatArray:
    """Edges of equal panels, with wide ones far below."""
    low = max(lowest, _FAR)
    edges = np.linspace(low, highest, int(np.ceil((highest - low) / width)) + 1)
    far = np.linspace(lowest, low, int(np.ceil((low - lowest) / _FAR_WIDTH)) + 1)
    return np.concatenate([far[:-1], edges])


def _panels(law: Gain, grade: Grade, edges: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Edges halved until polynomials hold, shape (K+1,); gains and P(gain < e^y) at the nodes, shape (K, count)."""
    for left in reversed(range(_ROUNDS)):
        middle, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
        level = middle[:, None] + half[:, None] * grade.nodes
        outage, at_edges = law.gain_cdf(np.exp(level)), law.gain_cdf(np.exp(edges))
        # x changes as slowly as the logarithm of the SNR where that is high, and as 1 / SNR where it is low
        errors = np.maximum(
            _error(outage, at_edges, grade), _error(outage * np.exp(-level), at_edges * np.exp(-edges), grade)
        )
        split = errors > grade.error
        if not split.any() or edges.size > _PANELS or not left:  # at a kink they never hold, but hardly matter
            break
        edges = np.sort(np.concatenate([edges, middle[split]]))
    return edges, np.exp(level), outage


def _error(values: FloatArray, at_edges: FloatArray, grade: Grade) -> FloatArray:
    """How wrong the polynomials of the panels are, against 1 or the largest value, shape (K,).

    By the last coefficients, and by the ends of the panels, where a rise may have been overlooked.
    """
    series = values @ grade.to_legendre
    signs = (-1.0) ** np.arange(grade.count)
    ends = np.maximum(np.abs(series.sum(axis=1) - at_edges[1:]), np.abs(series @ signs - at_edges[:-1]))
    error = np.maximum(np.abs(series[:, -2:]).max(axis=1), ends)
    return np.asarray(error / np.maximum(np.abs(values).max(axis=1), 1.0))


def uses_at(log_gain: float, mean_snr: FloatArray) -> FloatArray:
    """The x at a gain, of a rate without limits, elementwise."""
    return np.asarray(_LN_2 / np.log1p(mean_snr * np.exp(log_gain)))


def _log_gain(channel_uses: FloatArray, per_mean: FloatArray) -> FloatArray:
    """The logarithm of the gain at which x is so large, elementwise."""
    gain = np.asarray(_LN_2 / channel_uses)
    np.expm1(gain, gain)
    gain *= per_mean
    return np.asarray(np.log(gain, gain))


def reaches_deep(mean_snr: FloatArray, most: FloatArray) -> BoolArray:
    """Whether channel uses up to ``most`` need gains from the deep end of double precision, elementwise."""
    with np.errstate(divide="ignore"):
        return np.asarray(_log_gain(most, 1.0 / mean_snr) < _LOWEST)


def gain_table(law: Any, parameters: tuple[tuple[str, Any], ...], grade: Grade, deep: bool) -> GainTable:
    """The table of all laws of a class that share the parameters of the gain; made once, if these have a hash."""
    try:
        return _kept(law, parameters, grade, deep)
    except TypeError:
        return _kept.__wrapped__(law, parameters, grade, deep)


@lru_cache(maxsize=32)
def _kept(law: Any, parameters: tuple[tuple[str, Any], ...], grade: Grade, deep: bool) -> GainTable:
    return GainTable(law.model_construct(mean_snr=1.0, **dict(parameters)), grade, deep)


class CappedMeans:
    """E[min(x, tau)] of R laws that share the table of their gain, each with its own mean SNR and rate.

    Args:
        table: of the gain.
        mean_snr: linear, shape (R,).
        fewest: x of the fastest scheme, 0 without one, shape (R,).
        most: x of the most robust scheme, inf without one, shape (R,).
        asked: the largest finite cap that is ever asked about, shape (R,); where it is less than ``most``, E[x] is
            taken as infinite.
    """

    def __init__(
        self,
        table: GainTable,
        mean_snr: FloatArray,
        fewest: FloatArray,
        most: FloatArray,
        asked: FloatArray | None = None,
    ) -> None:
        self._per_mean, self._table, self._rows = 1.0 / mean_snr, table, np.arange(mean_snr.size)
        with np.errstate(divide="ignore"):
            lowest = float(_log_gain(most if asked is None else np.minimum(most, asked), self._per_mean).min())
        lowest = max(lowest, float(np.log(_SMALLEST) + np.log(self._per_mean.max())))
        self._first = int(np.clip(table.edges.searchsorted(lowest, side="right") - 1, 0, table.middle.size - 1))
        self._series = table.series(mean_snr, self._first)
        self.reach = np.minimum(most, uses_at(table.edges[self._first], mean_snr))
        end = uses_at(table.edges[-1], mean_snr)
        self._least, self._most = np.minimum(np.maximum(fewest, end), most), most
        limited = fewest > end
        if limited.any():  # int_{g_max}^inf P(gain >= s) (-dx/ds) ds, which is small beside 1/eta_max
            self._series[:, -1] += np.where(limited, self._least - self._inside(self._least), 0.0)
        self.mean = np.where(self._least < most, self._inside(self.reach), most)
        if asked is not None:
            self.mean[asked < most] = np.inf

    def __call__(self, channel_uses: FloatArray) -> FloatArray:
        """E[min(x, tau)]; of row r at the entries [..., r], and of a single law elementwise."""
        found = self._inside(np.minimum(np.maximum(channel_uses, self._least), self.reach))
        np.copyto(found, self.mean, where=channel_uses >= self._most)
        np.copyto(found, channel_uses, where=channel_uses <= self._least)
        return found

    def _inside(self, channel_uses: FloatArray) -> FloatArray:
        """The same between the ends of the panels."""
        part = _log_gain(channel_uses, self._per_mean)
        at = self._table.panel(part)
        part -= self._table.middle.take(at)
        part *= self._table.per_half.take(at)
        count, size = self._table.grade.count, self._rows.size
        at -= self._first
        at *= (count + 1) * size
        at += self._rows
        series = self._series.reshape(-1)
        found = series.take(at)
        for power in range(1, count + 1):
            found *= part
            found += series[power * size :].take(at)
        return np.asarray(found)

    @cached_property
    def _numbers(self) -> tuple[float, float, float, float, list[float], list[float], list[float], list[list[float]]]:
        """All that a query of a single law takes, as Python's numbers."""
        table, first = self._table, self._first
        ends = (float(self._least[0]), float(self._most[0]), float(self.mean[0]), float(self._per_mean[0]))
        panels = (array[first:].tolist() for array in (table.edges[1:-1], table.middle, table.per_half))
        return *ends, *panels, self._series[..., 0].tolist()

    def at(self, channel_uses: float) -> float:
        """E[min(x, tau)] of a single law, whose ``reach`` is all of it, at one number."""
        least, most, mean, per_mean, inner, middle, per_half, series = self._numbers
        if channel_uses <= least:
            return channel_uses
        if channel_uses >= most:
            return mean
        level = log(expm1(_LN_2 / channel_uses) * per_mean)
        panel = bisect_right(inner, level)
        part = (level - middle[panel]) * per_half[panel]
        found = 0.0
        for coefficient in series[panel]:
            found = found * part + coefficient
        return found
