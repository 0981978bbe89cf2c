"""The inverse of a survival function, tabulated: it draws the gains of a law that has no formula for it.

The gain Q(u) that is reached or exceeded with probability u is smooth as log Q over the log odds z = log((1 - u) / u):
a straight line near 0, where P(g < eps) is a power of eps, and a logarithm in an exponential tail. Quintic Hermite
polynomials on a uniform grid of z, whose cell is found by arithmetic, are then exact to rounding with a thousand cells.

In a cell where they are not, at a kink of the distribution function or where it is flat between two modes, a draw is
found by bisection. That takes longer, and is as exact.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cointer_gym.channels.quadrature import Probability
from cointer_gym.units import BoolArray, FloatArray

_ERROR = 1e-9  # in probability, of any draw
_OF_POLYNOMIALS = 1e-10  # in units of the smaller of u and 1 - u
_SMALLEST = 1e-5  # of which: farther out the gains of some laws are themselves too coarse
_END = 40.0  # of z on both sides; those of a fraction of 53 bits end at 36.74
_COARSE, _FINE = 32, 4096  # cells
_LARGEST_LOG = 620.0  # of a gain, and with a minus the smallest
_STEPS = 8  # of Newton's method
_NEARLY = 1e-9  # an error in z after which one more step is the last
_ROUNDING = 1e-14  # of the logarithm of a gain
_BLOCK = 8192  # draws at a time: they stay in the cache

_SLOPE = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) / 60.0  # central differences
_CURVATURE = np.array([2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0]) / 360.0  # half the second derivative
_MIDDLE = 0.5 ** np.arange(6)  # a_0 + ... + a_5 t^5 at t = 1/2, and its derivative there
_MIDDLE_SLOPE = 2.0 * np.arange(6) * _MIDDLE
# it rises from t = 0 to 1 if all these are >= 0, the Bernstein coefficients of the derivative
_RISE = np.array(
    [[0, 1, 0, 0, 0, 0], [0, 1, 0.5, 0, 0, 0], [0, 1, 1, 0.5, 0, 0], [0, 1, 1.5, 1.5, 1, 0], [0, 1, 2, 3, 4, 5]]
)


class TabulatedInverse:
    """The gain that is reached or exceeded with a given probability.

    Args:
        law: what scenarios call it.
        survival: P(g >= gain), elementwise, accurate in relative terms where it is small.
        cdf: P(g < gain), likewise.

    Raises:
        ArithmeticError: draws would miss their probability by 1e-9 or more.
    """

    def __init__(self, law: str, survival: Probability, cdf: Probability) -> None:
        self._gain = _Gain(survival, cdf)
        odds = np.linspace(-_END, _END, _COARSE + 1)
        logs = self._gain.bisected(odds, np.full_like(odds, -_LARGEST_LOG), np.full_like(odds, _LARGEST_LOG))
        polynomials = _hermite(logs)
        by_hand = self._fails(polynomials, odds)
        while by_hand.any() and odds.size <= _FINE:
            odds, logs = self._halved(polynomials, odds, logs)
            polynomials = _hermite(logs)
            by_hand = self._fails(polynomials, odds)
        by_hand |= ((_RISE @ polynomials) < -_ROUNDING).any(axis=0)
        self._cells_per_odds = (odds.size - 1) / (2.0 * _END)
        self._rows = [_framed(row, np.nan) for row in polynomials[::-1]]  # what lies beyond the table gets no gain
        self._knots = _framed(logs[:-1], np.nan), _framed(logs[1:], np.nan)
        self._by_hand = _framed(by_hand, False) if by_hand.any() else None
        self._check(law, np.concatenate([odds, _middles(odds)[by_hand]]))

    def __call__(self, probability: ArrayLike) -> FloatArray:
        """The gain, elementwise, for probabilities from 2^-53 to 1 - 2^-53; NaN far beyond them."""
        given = np.asarray(probability, dtype=np.float64)
        flat, gain = given.reshape(-1), np.empty(given.size)
        for first in range(0, given.size, _BLOCK):
            block = slice(first, first + _BLOCK)
            self._look_up(flat[block], gain[block])
        return gain.reshape(given.shape)

    def _look_up(self, probability: FloatArray, gain: FloatArray) -> None:
        odds = np.log((1.0 - probability) / probability)
        part = (odds + _END) * self._cells_per_odds + 1.0
        cell = part.astype(np.intp)
        part -= cell
        self._rows[0].take(cell, out=gain, mode="clip")
        for row in self._rows[1:]:
            gain *= part
            gain += row.take(cell, mode="clip")
        if self._by_hand is not None:
            hard = self._by_hand.take(cell, mode="clip")
            low, high = (knots[cell[hard]] for knots in self._knots)
            gain[hard] = self._gain.bisected(odds[hard], low, high)
        np.exp(gain, gain)

    def _check(self, law: str, odds: FloatArray) -> None:
        """Draw at the given odds, and see how often the law says that such a gain is exceeded."""
        wanted = np.clip(1.0 / (1.0 + np.exp(odds)), 2.0**-53, 1.0 - 2.0**-53)
        gain = self(wanted)
        with np.errstate(all="ignore"):
            survival, cdf = self._gain.survival(gain), self._gain.cdf(gain)
        missed = np.maximum(np.abs(survival - wanted), np.abs(1.0 - cdf - wanted))
        bad = np.flatnonzero(~(missed < _ERROR))
        if bad.size:
            worst = bad[np.argmax(missed[bad])]  # NaN is the largest
            u, g, above, below = (f"{values[worst]:.9g}" for values in (wanted, gain, survival, cdf))
            raise ArithmeticError(
                f"law = {law!r}: no gain is exceeded with probability {u} to {_ERROR:g}; at {g} gain_survival is "
                f"{above} and gain_cdf is {below}, which must be continuous and add to 1. A law of another kind says "
                "itself how it is drawn from, by gain_inverse_survival"
            )

    def _fails(self, polynomials: FloatArray, odds: FloatArray) -> BoolArray:
        """The cells in whose middle the polynomial is too far off."""
        at = _middles(odds)
        allowed = _OF_POLYNOMIALS * np.maximum(_smaller_share(at), _SMALLEST)
        return ~(self._gain.miss(at, _MIDDLE @ polynomials) <= allowed)

    def _halved(self, polynomials: FloatArray, odds: FloatArray, logs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Knots twice as dense: by Newton's method from the polynomials, or by bisection where that finds nothing."""
        at, low, high = _middles(odds), logs[:-1], logs[1:]
        found = np.clip(_MIDDLE @ polynomials, low, high)
        slope = _MIDDLE_SLOPE @ polynomials / np.diff(odds)
        searched = np.arange(at.size)
        for _ in range(_STEPS):
            error = self._gain.odds_error(at[searched], found[searched])
            better = found[searched] - error * slope[searched]
            found[searched] = np.clip(better, low[searched], high[searched])
            searched = searched[~(np.abs(error) < _NEARLY)]
        found[searched] = self._gain.bisected(at[searched], low[searched], high[searched])
        return _merged(odds, at), _merged(logs, found)


@dataclass(frozen=True)
class _Gain:
    """What the law says of its gain, on the side where it says it best, with log odds and logarithms of the gain."""

    survival: Probability
    cdf: Probability

    def miss(self, odds: FloatArray, log_gain: FloatArray) -> FloatArray:
        """The error in probability of gains."""
        return np.abs(self._tail(odds < 0, log_gain) - _smaller_share(odds))

    def odds_error(self, odds: FloatArray, log_gain: FloatArray) -> FloatArray:
        """The error in log odds of gains."""
        tail = np.clip(self._tail(odds < 0, log_gain), 1e-300, 1.0 - 1e-16)
        return np.where(odds < 0, -1.0, 1.0) * np.log((1.0 - tail) / tail) - odds

    def bisected(self, odds: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        """The smallest log gain from ``low`` to ``high`` at which the odds are reached, to the last bit."""
        share, left = _smaller_share(odds), odds < 0
        middle = 0.5 * (low + high)
        while ((low < middle) & (middle < high)).any():
            tail = self._tail(left, middle)
            reached = np.where(left, tail >= share, tail <= share)
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
            middle = 0.5 * (low + high)
        return high

    def _tail(self, left: BoolArray, log_gain: FloatArray) -> FloatArray:
        """P(g < gain) on the left, P(g >= gain) on the right."""
        with np.errstate(all="ignore"):
            gain, tail = np.exp(log_gain), np.empty(log_gain.shape)
            for side, probability in ((left, self.cdf), (~left, self.survival)):
                if side.any():
                    tail[side] = probability(gain[side])
        return tail


def _smaller_share(odds: FloatArray) -> FloatArray:
    """The smaller of u and 1 - u."""
    return np.asarray(1.0 / (1.0 + np.exp(np.abs(odds))))


def _hermite(values: FloatArray) -> FloatArray:
    """Coefficients of quintic polynomials through knots of equal distance, shape (6, cells).

    The derivatives at the knots are central differences; beyond the ends the function is taken as straight.
    """
    beyond = np.arange(3, 0, -1)
    before = values[0] - beyond * (values[1] - values[0])
    after = values[-1] + beyond[::-1] * (values[-1] - values[-2])
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([before, values, after]), 7)
    slope, curvature = windows @ _SLOPE, windows @ _CURVATURE
    first, second = slope[:-1], curvature[:-1]
    rise = np.diff(values) - first - second
    turn = slope[1:] - first - 2.0 * second
    bend = curvature[1:] - second
    cubic = 10.0 * rise - 4.0 * turn + bend
    quartic = -15.0 * rise + 7.0 * turn - 2.0 * bend
    return np.stack([values[:-1], first, second, cubic, quartic, 6.0 * rise - 3.0 * turn + bend])


def _merged(knots: FloatArray, between: FloatArray) -> FloatArray:
    merged = np.empty(knots.size + between.size)
    merged[::2], merged[1::2] = knots, between
    return merged


def _middles(knots: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (knots[:-1] + knots[1:]))


def _framed(row: NDArray[Any], value: float | bool) -> NDArray[Any]:
    return np.concatenate([[value], row, [value]])
