"""The fading laws of the literature, as laws of a unit-mean power gain."""

from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.special import gammainc, gammaincc, gammaln

from cointer_gym.channels.fading import FadingLaw
from cointer_gym.units import FloatArray


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

    g is non-central chi-square with two degrees of freedom, a Poisson(k_factor) mixture of Erlang laws. Source: Simon
    and Alouini, Digital Communication over Fading Channels, 2nd ed., section 2.2.1.
    """

    in_db: ClassVar[dict[str, str]] = {**FadingLaw.in_db, "k_factor_db": "k_factor"}

    k_factor: float = Field(ge=0, le=100)  # the table of integrals ends too early for a larger K

    @property
    def tail_rate(self) -> float:
        """1 + K."""
        return 1.0 + self.k_factor

    @cached_property
    def _mixture(self) -> tuple[FloatArray, FloatArray]:
        """Erlang shapes and Poisson weights; the tail left out weighs less than 1e-17."""
        mean = self.k_factor
        count = np.arange(int(mean + 12.0 * np.sqrt(mean) + 40.0), dtype=np.float64)
        log_weight = (
            (count * np.log(mean) if mean > 0 else np.where(count == 0, 0.0, -np.inf)) - mean - gammaln(count + 1.0)
        )
        weight = np.exp(log_weight)
        return count + 1.0, weight / weight.sum()

    def sample_gain(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw |sqrt(K) + CN(0, 1)|^2 / (1 + K)."""
        scattered = rng.standard_normal((*shape, 2)) * np.sqrt(0.5)
        gain = ((scattered[..., 0] + np.sqrt(self.k_factor)) ** 2 + scattered[..., 1] ** 2) / (1.0 + self.k_factor)
        return np.asarray(gain, dtype=np.float64)

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """Marcum Q_1, as a sum of positive terms."""
        shape, weight = self._mixture
        return np.asarray(np.minimum(gammaincc(shape, self.tail_rate * np.asarray(gain)[..., None]) @ weight, 1.0))

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """1 - Marcum Q_1, as a sum of positive terms."""
        shape, weight = self._mixture
        return np.asarray(np.minimum(gammainc(shape, self.tail_rate * np.asarray(gain)[..., None]) @ weight, 1.0))


class Nakagami(FadingLaw):
    """Nakagami-m fading: g ~ Gamma(m, 1/m); m = 1 is Rayleigh, m -> inf no fading."""

    m: float = Field(ge=0.5, le=100)  # the table of integrals ends too early for a larger m

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
