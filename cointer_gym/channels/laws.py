"""The fading laws of the literature, as laws of a unit-mean power gain.

SciPy is imported by the laws that need it, when they do: that takes longer than importing all the rest.
"""

from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

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

    def gain_inverse_survival(self, probability: ArrayLike) -> FloatArray:
        """-log u."""
        if self._is_changed("gain_survival", "gain_cdf"):
            return super().gain_inverse_survival(probability)
        return np.asarray(-np.log(probability))

    def inverse_survival(self, probability: ArrayLike) -> FloatArray:
        """-log u times the mean SNR, in two passes."""
        factor = self._negative_mean
        if factor is None:
            return super().inverse_survival(probability)
        snr = np.asarray(np.log(probability))
        np.multiply(snr, factor, snr)
        return snr

    @cached_property
    def _negative_mean(self) -> FloatArray | None:
        """Without axes: NumPy's calls take a third less time than with a number. None if the gain is another one."""
        is_changed = self._is_changed("gain_survival", "gain_cdf", "gain_inverse_survival")
        return None if is_changed else np.array(-self.mean_snr)

    def _is_changed(self, *names: str) -> bool:
        """Whether a law derived from this one replaces any of its methods."""
        return any(getattr(type(self), name) is not getattr(Rayleigh, name) for name in names)

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
        from scipy.special import i0e

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

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """Regularised upper incomplete gamma function."""
        from scipy.special import gammaincc

        return np.asarray(gammaincc(self.m, self.m * gain))

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """Regularised lower incomplete gamma function."""
        from scipy.special import gammainc

        return np.asarray(gammainc(self.m, self.m * gain))
