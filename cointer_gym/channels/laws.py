"""The fading laws of the literature, as laws of a unit-mean power gain."""

from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.special import gammainc, gammaincc, i0e

from cointer_gym.channels.fading import FadingLaw
from cointer_gym.units import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_NODES, _WEIGHTS = 0.5 * (1.0 + _NODES), 0.5 * _WEIGHTS  # on [0, 1]
_NEGLIGIBLE = 74.0  # twice the exponent of 1e-16
_FAR = 40.0  # standard deviations above the line of sight: e^-800 is 0


class Rayleigh(FadingLaw):
    """Rayleigh fading: g ~ Exp(1), no line of sight."""

    @property
    def tail_rate(self) -> float:
        """1: the survival function is e^-g."""
        return 1.0

    def sample_gain(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw Exp(1)."""
        return rng.standard_exponential(shape)

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """e^-g."""
        return np.exp(-gain)

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """1 - e^-g."""
        return -np.expm1(-gain)


class Rician(FadingLaw):
    """Rician fading: a line-of-sight path ``k_factor`` times stronger (linear) than all scattered ones.

    With a^2 = 2 K, the amplitude t = (2 (1 + K) g)^(1/2) has the density t I_0(a t) e^(-(t^2 + a^2) / 2). Source: Simon
    and Alouini, Digital Communication over Fading Channels, 2nd ed., section 2.2.1.
    """

    in_db: ClassVar[dict[str, str]] = {**FadingLaw.in_db, "k_factor_db": "k_factor"}

    k_factor: float = Field(ge=0, le=1e4)  # larger: a channel without fading, see Nakagami

    @property
    def tail_rate(self) -> float:
        """1 + K."""
        return 1.0 + self.k_factor

    def sample_gain(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw |sqrt(K) + CN(0, 1)|^2 / (1 + K)."""
        scattered = rng.standard_normal((*shape, 2)) * np.sqrt(0.5)
        gain = ((scattered[..., 0] + np.sqrt(self.k_factor)) ** 2 + scattered[..., 1] ** 2) / (1.0 + self.k_factor)
        return np.asarray(gain, dtype=np.float64)

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """Marcum Q_1, accurate in relative terms down to the end of double precision."""
        outer = self._outer(gain)
        return np.where(np.asarray(gain) > 1.0, outer, 1.0 - outer)

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """1 - Marcum Q_1, accurate in relative terms down to 0."""
        outer = self._outer(gain)
        return np.where(np.asarray(gain) > 1.0, 1.0 - outer, outer)

    def _outer(self, gain: FloatArray) -> FloatArray:
        """P(g >= gain) above the mean gain 1, P(g < gain) below: the density integrated away from the mean.

        At a distance s from the amplitude b of ``gain``, d = |b - a| beyond the line of sight, it is
        t I_0(a t) e^(-a t) e^(-(d + s)^2 / 2), of which e^(-d^2 / 2) stands before the integral; nothing underflows.
        """
        line_of_sight = np.sqrt(2.0 * self.k_factor)
        amplitude = np.minimum(np.sqrt(2.0 * (1.0 + self.k_factor)) * np.sqrt(gain), line_of_sight + _FAR)
        outwards = np.where(np.asarray(gain) > 1.0, 1.0, -1.0)
        beyond = outwards * (amplitude - line_of_sight)
        reach = _NEGLIGIBLE / (beyond + np.sqrt(beyond**2 + _NEGLIGIBLE))  # from there on e^(-s d - s^2 / 2) < 1e-16
        reach = np.where(outwards > 0, reach, np.minimum(reach, amplitude))
        step = reach[..., None] * _NODES
        at = amplitude[..., None] + outwards[..., None] * step
        density = at * i0e(line_of_sight * at) * np.exp(-step * (beyond[..., None] + 0.5 * step))
        return np.asarray(np.minimum(np.exp(-0.5 * beyond**2) * reach * (density @ _WEIGHTS), 1.0))


class Nakagami(FadingLaw):
    """Nakagami-m fading: g ~ Gamma(m, 1/m); m = 1 is Rayleigh, m -> inf no fading."""

    m: float = Field(ge=0.5, le=1e4)  # at the limit the SNR stays within 0.2 dB of its mean 99.7 % of the time

    @property
    def tail_rate(self) -> float:
        """The parameter m."""
        return self.m

    def sample_gain(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw Gamma(m, 1/m)."""
        return rng.standard_gamma(self.m, shape) / self.m

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """Regularised upper incomplete gamma function."""
        return np.asarray(gammaincc(self.m, self.m * gain))

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """Regularised lower incomplete gamma function."""
        return np.asarray(gammainc(self.m, self.m * gain))
