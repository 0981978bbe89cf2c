"""The transition density of the amplitude of a Nakagami-m channel, Rayleigh being m = 1.

With g the unit-mean power gain and y = (m g)^(1/2), a channel whose correlation has fallen to rho, q = 1 - rho^2, has

    p(y' | y) = 2 y' / q (y' / (rho y))^(m-1) e^(-(y'^2 + rho^2 y^2) / q) I_(m-1)(2 rho y y' / q)
              = 2 y'^(2m-1) q^(-m) e^(-(y' - rho y)^2 / q) H(2 rho y y' / q),      H(z) = (z/2)^(1-m) e^-z I_(m-1)(z)

so y' is the length of a Gaussian vector in 2m dimensions: mean of length rho y, standard deviation (q/2)^(1/2) along
every axis. H is entire; its logarithm is tabulated once for every m.

Sources: Cox, Ingersoll, Ross 1985, A theory of the term structure of interest rates, section 3 (the power gain is their
process); the expansion for large m, NIST Digital Library of Mathematical Functions, 10.41.3 and 10.41.10.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import lgamma

import numpy as np

from cointer_gym.units import FloatArray

REACH = 8.2  # standard deviations around the mean length, beyond which lie 2 e^(-REACH^2 / 2) = 5e-15 at most
_STILL = 1e-13  # of q: what such a step adds to any expectation is of that order
_LARGE_M = 30.0  # from there on the expansion for large m is exact to rounding
_TERMS = 9  # of that expansion
_CELL = 0.25  # of log(1 + z): the singularities of log H are farther than 1 away from the real line
_DEGREE = 13
_LARGE_Z = 40.0  # from there on ten terms of the expansion of I_0 are exact to 1e-14
_HANKEL_0 = np.cumprod([1.0] + [(2 * k - 1) ** 2 / (8.0 * k) for k in range(1, 11)])
_FAR = 60.0  # times 1 + m^2: beyond, the expansion for large z


@dataclass(frozen=True)
class AmplitudeStep:
    """What happens to the amplitude y = (m g)^(1/2) in a time over which the correlation falls to rho.

    Args:
        m: Nakagami's parameter, from 0.5.
        rho: correlation of the complex gain, from 0 to 1.
        q: 1 - rho^2, from outside because it would lose its digits where rho is nearly 1.
    """

    m: float
    rho: float
    q: float

    @property
    def is_still(self) -> bool:
        """Whether the channel stays what it is."""
        return self.q < _STILL

    @property
    def deviation(self) -> float:
        """The standard deviation along every axis."""
        return float(np.sqrt(0.5 * self.q))

    def window(self, amplitude: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Ends of the interval outside of which the next amplitude has a probability below 1e-14, elementwise.

        A length is a function of the vector that changes no faster than the vector, so it lies about its mean as
        closely as one axis does; and that mean is at most one deviation below the root mean square.
        """
        root_mean_square = np.sqrt((self.rho * amplitude) ** 2 + self.q * self.m)
        low = root_mean_square - (REACH + 1.0) * self.deviation
        return np.maximum(low, 0.0), root_mean_square + REACH * self.deviation

    def density(self, amplitude: FloatArray, following: FloatArray) -> FloatArray:
        """p(y' | y), elementwise, for y' > 0."""
        overlap = (2.0 * self.rho / self.q) * amplitude * following
        exponent = (following - self.rho * amplitude) ** 2 / self.q
        if self.m == 1.0:
            return np.asarray((2.0 / self.q) * following * np.exp(-exponent) * _scaled_i0(overlap))
        power = (2.0 * self.m - 1.0) * np.log(following) - self.m * np.log(self.q)
        return np.asarray(2.0 * np.exp(power - exponent + log_scaled_bessel(self.m, overlap)))


def _scaled_i0(z: FloatArray) -> FloatArray:
    """e^-z I_0(z), elementwise; SciPy's takes four times as long as the expansion for large z."""
    inverse = 1.0 / np.maximum(z, _LARGE_Z)
    series = np.full_like(inverse, _HANKEL_0[-1])
    for term in _HANKEL_0[-2::-1]:
        series *= inverse
        series += term
    series *= np.sqrt(inverse / (2.0 * np.pi))
    small = z < _LARGE_Z
    if small.any():
        from scipy.special import i0e  # where it is needed: SciPy takes long to import

        series[small] = i0e(z[small])
    return series


def log_scaled_bessel(m: float, z: FloatArray) -> FloatArray:
    """Log H(z) = log((z/2)^(1-m) e^-z I_(m-1)(z)), elementwise, z >= 0; absolute error below 1e-12 for m to 100."""
    return _large_order(m - 1.0, z) if m >= _LARGE_M else _table(m)(z)


def _large_order(order: float, z: FloatArray) -> FloatArray:
    """Debye's expansion, uniform in z: all that is large stands together in the first line."""
    ratio = z / order
    root = np.sqrt(1.0 + ratio**2)
    leading = order * (1.0 / (root + ratio) - np.log1p(root) - np.log(0.5 * order))
    series = np.zeros_like(ratio)
    for term in reversed(_debye_polynomials()):
        series = series / order + np.polynomial.polynomial.polyval(1.0 / root, term)
    return np.asarray(leading - 0.5 * np.log(2.0 * np.pi * order) - 0.5 * np.log(root) + np.log(series))


@lru_cache(maxsize=1)
def _debye_polynomials() -> list[FloatArray]:
    """U_0 = 1,  U_(k+1)(p) = p^2 (1 - p^2) U_k'(p) / 2 + 1/8 of the integral of (1 - 5 t^2) U_k(t) from 0 to p."""
    poly = np.polynomial.polynomial
    terms = [np.array([1.0])]
    for _ in range(_TERMS - 1):
        last = terms[-1]
        slope = poly.polymul([0.0, 0.0, 0.5, 0.0, -0.5], poly.polyder(last))
        terms.append(poly.polyadd(slope, poly.polyint(poly.polymul([0.125, 0.0, -0.625], last))))
    return terms


class _Table:
    """Log H for one m: Chebyshev polynomials in log(1 + z) up to ``far``, the expansion for large z beyond."""

    def __init__(self, m: float) -> None:
        self._m, self._far = m, _FAR * (1.0 + m**2)
        cells = int(np.ceil(np.log1p(self._far) / _CELL))
        nodes = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
        at = np.expm1(_CELL * (np.arange(cells)[:, None] + 0.5 * (1.0 + nodes)))
        self._rows = np.linalg.solve(np.polynomial.chebyshev.chebvander(nodes, _DEGREE), self._directly(at).T)

    def __call__(self, z: FloatArray) -> FloatArray:
        where = np.log1p(np.minimum(z, self._far)) / _CELL
        cell = np.minimum(where.astype(np.intp), self._rows.shape[1] - 1)
        at = 2.0 * (where - cell) - 1.0
        value, before = np.zeros_like(at), np.zeros_like(at)
        for row in self._rows[:0:-1]:  # Clenshaw: powers of ``at`` would lose four digits
            value, before = row[cell] + 2.0 * at * value - before, value
        value = self._rows[0][cell] + at * value - before
        return np.where(z > self._far, self._beyond(np.maximum(z, self._far)), value)

    def _directly(self, z: FloatArray) -> FloatArray:
        from scipy.special import ive

        small = z < 1e-2
        series = z**2 / (4.0 * self._m) * (1.0 + z**2 / (8.0 * (self._m + 1.0)))
        near = np.log1p(series) - z - lgamma(self._m)
        other = np.where(small, 1.0, z)
        return np.where(small, near, np.log(ive(self._m - 1.0, other)) - (self._m - 1.0) * np.log(0.5 * other))

    def _beyond(self, z: FloatArray) -> FloatArray:
        """Hankel's expansion: 1 - (mu - 1) / (8 z) + (mu - 1)(mu - 9) / (2! (8 z)^2) - ..., mu = 4 (m - 1)^2."""
        mu, term, series = 4.0 * (self._m - 1.0) ** 2, np.ones_like(z), np.ones_like(z)
        for k in range(1, 9):
            term = -term * (mu - (2 * k - 1) ** 2) / (8.0 * k * z)
            series = series + term
        return np.asarray(np.log(series) - 0.5 * np.log(2.0 * np.pi * z) - (self._m - 1.0) * np.log(0.5 * z))


_table = lru_cache(maxsize=32)(_Table)


@dataclass(frozen=True)
class AmplitudeDraw:
    """Draws the next power gain from the last one and two uniform fractions, elementwise.

        m g' = (rho (m g)^(1/2) + (q/2)^(1/2) Z)^2 + q G,    Z normal, G from a Gamma law of shape m - 1/2

    For m = 1 the two are the parts of a complex normal number, so g' = |rho g^(1/2) + q^(1/2) r e^(i angle)|^2 with
    r^2 = -log u: where rho is 0 that is the draw of the independent law.
    """

    m: float
    rho: FloatArray
    q: FloatArray

    def __call__(self, gain: FloatArray, fraction: FloatArray, other: FloatArray) -> FloatArray:
        """The next gain."""
        if self.m == 1.0:
            drawn = -np.log(fraction)
            cross = 2.0 * self.rho * np.sqrt(gain * self.q * drawn) * np.cos(2.0 * np.pi * other)
            moved = self.rho**2 * gain + cross + self.q * drawn
        else:
            along, across = self._normal(fraction), self._gamma(other)
            moved = (
                (self.rho * np.sqrt(self.m * gain) + np.sqrt(0.5 * self.q) * along) ** 2 + self.q * across
            ) / self.m
        return np.where(self.q < _STILL, gain, np.maximum(moved, 0.0))

    def _normal(self, fraction: FloatArray) -> FloatArray:
        from scipy.special import ndtri

        return np.asarray(ndtri(fraction))

    def _gamma(self, fraction: FloatArray) -> FloatArray:
        from scipy.special import gammaincinv

        return np.asarray(gammaincinv(self.m - 0.5, fraction)) if self.m > 0.5 else np.zeros_like(fraction)
