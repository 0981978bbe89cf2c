"""Continuous fading laws: SNR = mean SNR x g with a unit-mean power gain g.

Substituting u = 1/t turns the lower partial moment and the mean of x = 1/eta into integrals of the survival (or
distribution) function of the SNR over the efficiency axis,

    Phi(tau) = int_{1/tau}^{eta_max} P(SNR >= 2^u - 1) / u^2 du
    E[x]     = 1/eta_max + int_{eta_min}^{eta_max} P(SNR < 2^u - 1) / u^2 du.

A composite Gauss-Legendre rule follows the decay of the integrand; its tail sums are tabulated once, so a query costs
one panel and all terms are positive: the result is accurate in relative terms, far into the tail.
"""

from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from cointer_gym.channels.law import ChannelLaw, OffloadMoments
from cointer_gym.channels.rate import Rate
from cointer_gym.units import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_SMALLEST_EFFICIENCY = 1e-14  # stands for 0 in the table; P(SNR >= 2^1e-14 - 1) is 1 to 1e-11 at mean SNR >= -30 dB
_EXPONENT_PER_PANEL = 3.0  # survival falls by at most e^-3 over a panel: 16 nodes are then exact to rounding
_UNDERFLOW_EXPONENT = 740.0  # e^-740 is the end of double precision
_LADDER = 48  # breakpoints of a continuous law


class FadingLaw(ChannelLaw):
    """A law whose unit-mean power gain g is continuous.

    A law of one's own defines four things that know nothing of SNR, link or problem: ``gain_survival``, ``gain_cdf``,
    ``sample_gain`` and ``tail_rate``.

    Args:
        mean_snr: mean linear SNR, > 0; or ``mean_snr_db``.
    """

    in_db: ClassVar[dict[str, str]] = {"mean_snr_db": "mean_snr"}

    mean_snr: float = Field(gt=0)

    @abstractmethod
    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """P(g >= gain), elementwise, accurate in relative terms far into the tail."""

    @abstractmethod
    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """P(g < gain), elementwise, accurate in relative terms near 0."""

    @abstractmethod
    def sample_gain(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw independent gains."""

    @property
    @abstractmethod
    def tail_rate(self) -> float:
        """Exponential decay rate of the gain's survival function."""

    @property
    def average_snr(self) -> float:
        """Mean linear SNR."""
        return self.mean_snr

    def sample_snr(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw ``mean_snr * g``."""
        return self.mean_snr * self.sample_gain(rng, shape)

    def survival(self, snr: ArrayLike) -> FloatArray:
        """P(SNR >= snr), elementwise; exactly 1 at 0, so that a rule that always offloads never goes on."""
        given = np.asarray(snr, dtype=np.float64)
        with np.errstate(over="ignore"):
            return np.where(given <= 0, 1.0, self.gain_survival(given / self.mean_snr))

    @cached_property
    def breakpoints(self) -> FloatArray:
        """The ends of the support, and in between the x at which -log P(SNR >= snr) passes a geometric ladder."""
        ladder = np.log(np.geomspace(1e-10, _UNDERFLOW_EXPONENT, _LADDER))
        with np.errstate(divide="ignore"):
            exponent = -np.log(self.survival(np.exp2(self._edges) - 1.0))
        efficiency = np.interp(ladder, np.log(np.maximum(exponent, 1e-300)), self._edges)
        return np.unique(np.concatenate([[self.rate.fewest_uses], 1.0 / efficiency, [self.rate.most_uses]]))

    @cached_property
    def _edges(self) -> FloatArray:
        return panel_edges(self.mean_snr, self.tail_rate, self.rate)

    @cached_property
    def _tail_integrals(self) -> FloatArray:
        """Phi at every panel edge: sums of the panels above it."""
        panels = integral(self.gain_survival, self.mean_snr, self._edges[:-1], self._edges[1:])
        return np.append(np.cumsum(panels[::-1])[::-1], 0.0)

    @cached_property
    def mean_channel_uses_per_bit(self) -> float:
        """E[x] = 1/eta_max + int P(SNR < 2^u - 1) / u^2 du, s Hz/bit."""
        if self.min_efficiency == 0:
            return float("inf")
        panels = integral(self.gain_cdf, self.mean_snr, self._edges[:-1], self._edges[1:])
        return float(1.0 / self._edges[-1] + panels.sum())

    def lower_partial_moment(self, channel_uses: ArrayLike) -> FloatArray:
        """Phi(tau), elementwise; linear beyond the largest x."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        edges = self._edges
        with np.errstate(divide="ignore", over="ignore"):
            efficiency = np.clip(1.0 / np.maximum(tau, 0.0), edges[0], edges[-1])
        panel = np.clip(np.searchsorted(edges, efficiency, side="right") - 1, 0, len(edges) - 2)
        first = integral(self.gain_survival, self.mean_snr, efficiency, edges[panel + 1])
        return np.asarray(self._tail_integrals[panel + 1] + first + np.maximum(tau - 1.0 / edges[0], 0.0))

    def offload_moments(self, threshold_snr: ArrayLike) -> OffloadMoments:
        """P(SNR >= threshold), and E[x; SNR >= threshold] = tau P(SNR >= threshold) - Phi(tau), tau = x(threshold)."""
        snr = np.asarray(threshold_snr, dtype=np.float64)
        probability = self.survival(snr)
        tau = self.channel_uses_per_bit(snr)
        with np.errstate(invalid="ignore"):  # inf - inf at SNR 0 of a pure Shannon link, replaced below
            moment = np.maximum(tau * probability - self.lower_partial_moment(tau), 0.0)
        return OffloadMoments(probability, np.where(snr <= 0, self.mean_channel_uses_per_bit, moment))


def panel_edges(mean_snr: float, tail_rate: float, rate: Rate) -> FloatArray:
    """Panel edges on the efficiency axis, geometric near 0, then following the decay of the survival function."""
    end = np.log1p(mean_snr * _UNDERFLOW_EXPONENT / tail_rate) / np.log(2.0)
    end = end if rate.max_efficiency is None else min(end, rate.max_efficiency)
    edges = [rate.min_efficiency or _SMALLEST_EFFICIENCY]
    gain_step = mean_snr * _EXPONENT_PER_PANEL / tail_rate
    while edges[-1] < end:
        here = edges[-1]
        edges.append(min(3.0 * here, here + 1.0, np.log2(2.0**here + gain_step), end))
    return np.array(edges) if len(edges) > 1 else np.array([edges[0], edges[0]])


def integral(
    gain_probability: Callable[[FloatArray], FloatArray], mean_snr: ArrayLike, low: FloatArray, high: FloatArray
) -> FloatArray:
    """Gauss-Legendre value of int_low^high P(u) / u^2 du, elementwise, P a probability of the gain at 2^u - 1."""
    half = 0.5 * (high - low)
    efficiency = (0.5 * (high + low))[..., None] + half[..., None] * _NODES
    gain = np.expm1(efficiency * np.log(2.0)) / np.asarray(mean_snr)[..., None]
    return half * ((gain_probability(gain) / efficiency**2) @ _WEIGHTS)
