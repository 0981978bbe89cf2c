"""Continuous fading laws: SNR = mean SNR x g with a unit-mean power gain g.

Substituting u = 1/t turns the lower partial moment and the mean of x = 1/eta into integrals of the survival (or
distribution) function of the SNR over the efficiency axis,

    Phi(tau) = int_{1/tau}^{eta_max} P(SNR >= 2^u - 1) / u^2 du
    E[x]     = 1/eta_max + int_{eta_min}^{eta_max} P(SNR < 2^u - 1) / u^2 du.

A composite Gauss-Legendre rule follows the decay of the integrand; its tail sums are tabulated once, so a query costs
one panel and all terms are positive: the result is accurate in relative terms, far into the tail.
"""

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field
from scipy.special import gammainc, gammaincc, gammaln

from cointer_gym.channel import Channel, OffloadMoments
from cointer_gym.units import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_SMALLEST_EFFICIENCY = 1e-14  # stands for 0 in the table; P(SNR >= 2^1e-14 - 1) is 1 to 1e-11 at mean SNR >= -30 dB
_EXPONENT_PER_PANEL = 3.0  # survival falls by at most e^-3 over a panel: 16 nodes are then exact to rounding
_UNDERFLOW_EXPONENT = 740.0  # e^-740 is the end of double precision
_LADDER = 48  # breakpoints of a continuous law


class FadingChannel(Channel, ABC):
    """A channel whose unit-mean power gain g has a continuous law; subclasses give its survival function and a sampler.

    Args:
        mean_snr: mean linear SNR, > 0.
    """

    mean_snr: float = Field(gt=0)

    @abstractmethod
    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """P(g >= gain), accurate in relative terms far into the tail."""

    @abstractmethod
    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """P(g < gain), accurate in relative terms near 0."""

    @property
    @abstractmethod
    def tail_rate(self) -> float:
        """Exponential decay rate of the gain's survival function."""

    @property
    def average_snr(self) -> float:
        """Mean linear SNR."""
        return self.mean_snr

    def survival(self, snr: ArrayLike) -> FloatArray:
        """P(SNR >= snr), elementwise; exactly 1 at 0, so that a rule that always offloads never goes on."""
        given = np.asarray(snr, dtype=np.float64)
        with np.errstate(over="ignore"):
            return np.where(given <= 0, 1.0, self.gain_survival(given / self.mean_snr))

    @cached_property
    def breakpoints(self) -> FloatArray:
        """The ends of the support, and in between the x at which -log P(SNR >= snr) passes a geometric ladder."""
        fastest = 0.0 if self.max_efficiency is None else 1.0 / self.max_efficiency
        slowest = np.inf if self.min_efficiency == 0 else 1.0 / self.min_efficiency
        ladder = np.log(np.geomspace(1e-10, _UNDERFLOW_EXPONENT, _LADDER))
        with np.errstate(divide="ignore"):
            exponent = -np.log(self.survival(np.exp2(self._edges) - 1.0))
        efficiency = np.interp(ladder, np.log(np.maximum(exponent, 1e-300)), self._edges)
        return np.unique(np.concatenate([[fastest], 1.0 / efficiency, [slowest]]))

    @cached_property
    def _edges(self) -> FloatArray:
        """Panel edges on the efficiency axis, geometric near 0, then following the decay of the survival function."""
        end = np.log1p(self.mean_snr * _UNDERFLOW_EXPONENT / self.tail_rate) / np.log(2.0)
        end = end if self.max_efficiency is None else min(end, self.max_efficiency)
        edges = [self.min_efficiency or _SMALLEST_EFFICIENCY]
        gain_step = self.mean_snr * _EXPONENT_PER_PANEL / self.tail_rate
        while edges[-1] < end:
            here = edges[-1]
            edges.append(min(3.0 * here, here + 1.0, np.log2(2.0**here + gain_step), end))
        return np.array(edges) if len(edges) > 1 else np.array([edges[0], edges[0]])

    def _integrate(self, low: FloatArray, high: FloatArray, *, upper_tail: bool) -> FloatArray:
        """Gauss-Legendre value of int_low^high P(u) / u^2 du, P the survival (or distribution) function at 2^u - 1."""
        half = 0.5 * (high - low)
        efficiency = (0.5 * (high + low))[..., None] + half[..., None] * _NODES
        gain = np.expm1(efficiency * np.log(2.0)) / self.mean_snr
        probability = self.gain_survival(gain) if upper_tail else self.gain_cdf(gain)
        return half * ((probability / efficiency**2) @ _WEIGHTS)

    @cached_property
    def _tail_integrals(self) -> FloatArray:
        """Phi at every panel edge: sums of the panels above it."""
        panels = self._integrate(self._edges[:-1], self._edges[1:], upper_tail=True)
        return np.append(np.cumsum(panels[::-1])[::-1], 0.0)

    @cached_property
    def mean_channel_uses_per_bit(self) -> float:
        """E[x] = 1/eta_max + int P(SNR < 2^u - 1) / u^2 du, s Hz/bit."""
        if self.min_efficiency == 0:
            return float("inf")
        panels = self._integrate(self._edges[:-1], self._edges[1:], upper_tail=False)
        return float(1.0 / self._edges[-1] + panels.sum())

    def lower_partial_moment(self, channel_uses: ArrayLike) -> FloatArray:
        """Phi(tau), elementwise; linear beyond the largest x."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        edges = self._edges
        with np.errstate(divide="ignore", over="ignore"):
            efficiency = np.clip(1.0 / np.maximum(tau, 0.0), edges[0], edges[-1])
        panel = np.clip(np.searchsorted(edges, efficiency, side="right") - 1, 0, len(edges) - 2)
        upper = edges[panel + 1]
        inside = self._tail_integrals[panel + 1] + self._integrate(efficiency, upper, upper_tail=True)
        return np.asarray(inside + np.maximum(tau - 1.0 / edges[0], 0.0))

    def offload_moments(self, threshold_snr: ArrayLike) -> OffloadMoments:
        """P(SNR >= threshold), and E[x; SNR >= threshold] = tau P(SNR >= threshold) - Phi(tau), tau = x(threshold)."""
        snr = np.asarray(threshold_snr, dtype=np.float64)
        probability = self.survival(snr)
        tau = self.channel_uses_per_bit(snr)
        with np.errstate(invalid="ignore"):  # inf - inf at SNR 0 of a pure Shannon link, replaced below
            moment = np.maximum(tau * probability - self.lower_partial_moment(tau), 0.0)
        return OffloadMoments(probability, np.where(snr <= 0, self.mean_channel_uses_per_bit, moment))


class Rayleigh(FadingChannel):
    """Rayleigh fading: g ~ Exp(1), no line of sight."""

    @property
    def tail_rate(self) -> float:
        """1: the survival function is e^-g."""
        return 1.0

    def sample_snr(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw ``mean_snr * Exp(1)``."""
        return self.mean_snr * rng.standard_exponential(shape)

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """e^-g."""
        return np.exp(-gain)

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """1 - e^-g."""
        return -np.expm1(-gain)


class Rician(FadingChannel):
    """Rician fading: a line-of-sight path ``k_factor`` times stronger (linear) than all scattered ones.

    g is non-central chi-square with two degrees of freedom, a Poisson(k_factor) mixture of Erlang laws. Source: Simon
    and Alouini, Digital Communication over Fading Channels, 2nd ed., section 2.2.1.
    """

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

    def sample_snr(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw ``mean_snr * |sqrt(K) + CN(0, 1)|^2 / (1 + K)``."""
        scattered = rng.standard_normal((*shape, 2)) * np.sqrt(0.5)
        gain = ((scattered[..., 0] + np.sqrt(self.k_factor)) ** 2 + scattered[..., 1] ** 2) / (1.0 + self.k_factor)
        return np.asarray(self.mean_snr * gain, dtype=np.float64)

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """Marcum Q_1, as a sum of positive terms."""
        shape, weight = self._mixture
        return np.asarray(np.minimum(gammaincc(shape, self.tail_rate * np.asarray(gain)[..., None]) @ weight, 1.0))

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """1 - Marcum Q_1, as a sum of positive terms."""
        shape, weight = self._mixture
        return np.asarray(np.minimum(gammainc(shape, self.tail_rate * np.asarray(gain)[..., None]) @ weight, 1.0))


class Nakagami(FadingChannel):
    """Nakagami-m fading: g ~ Gamma(m, 1/m); m = 1 is Rayleigh, m -> inf no fading."""

    m: float = Field(ge=0.5, le=100)  # the table of integrals ends too early for a larger m

    @property
    def tail_rate(self) -> float:
        """The parameter m."""
        return self.m

    def sample_snr(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw ``mean_snr * Gamma(m, 1/m)``."""
        return self.mean_snr * rng.standard_gamma(self.m, shape) / self.m

    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """Regularised upper incomplete gamma function."""
        return np.asarray(gammaincc(self.m, self.m * gain))

    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """Regularised lower incomplete gamma function."""
        return np.asarray(gammainc(self.m, self.m * gain))
