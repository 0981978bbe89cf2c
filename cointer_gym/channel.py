"""Channel laws: everything the stopping problem needs to know about the uplink.

A channel draws one SNR per stage, independently. The link turns an SNR into a spectral efficiency, and its inverse is
the cost driver of the whole problem:

    eta(snr) = clip(log2(1 + snr), min_efficiency, max_efficiency)          [bit/s/Hz]
    x = 1 / eta                                                             [channel uses per bit, s Hz/bit]

With F the distribution function of x, the solvers need two numbers only: the mean E[x] and the first-order lower
partial moment

    Phi(tau) = E[(tau - x)^+] = integral of F from 0 to tau.

Why ``min_efficiency``: under Rayleigh fading E[1/log2(1 + snr)] is infinite, because the density of the SNR does not
vanish at 0. Real links have a most robust modulation-and-coding scheme; below its SNR they keep its rate. The default
is the lowest CQI of LTE.

Source: CQI efficiencies, 3GPP TS 36.213 table 7.2.3-1.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, field_validator, model_validator

from cointer_gym.units import FloatArray, IntArray, Model

LTE_MIN_EFFICIENCY = 0.1523  # bit/s/Hz, CQI 1, 3GPP TS 36.213 table 7.2.3-1
LTE_MAX_EFFICIENCY = 5.5547  # bit/s/Hz, CQI 15, same table


class OffloadMoments(NamedTuple):
    """Probability and partial mean of x over the set of SNRs at which a policy offloads."""

    probability: FloatArray
    """P(offload), any shape."""
    channel_uses: FloatArray
    """E[x; offload] in channel uses per bit, same shape."""


class Channel(Model, ABC):
    """An i.i.d. block-fading law seen through a rate-adaptive link.

    Args:
        min_efficiency: spectral efficiency of the most robust scheme, bit/s/Hz; 0 is pure Shannon (a forced upload then
            has infinite mean cost and is refused by ``StoppingProblem``).
        max_efficiency: efficiency of the fastest scheme, bit/s/Hz; None is unlimited.
    """

    min_efficiency: float = Field(default=LTE_MIN_EFFICIENCY, ge=0)
    max_efficiency: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> "Channel":
        if self.max_efficiency is not None and self.max_efficiency <= self.min_efficiency:
            raise ValueError(
                f"max_efficiency = {self.max_efficiency} must exceed min_efficiency = {self.min_efficiency}"
            )
        return self

    @abstractmethod
    def sample_snr(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw linear SNRs; the last axis of ``shape`` is time (one draw a stage), the others are independent paths."""

    @abstractmethod
    def survival(self, snr: ArrayLike) -> FloatArray:
        """P(SNR >= snr), elementwise, for linear ``snr`` in [0, inf]."""

    @abstractmethod
    def lower_partial_moment(self, channel_uses: ArrayLike) -> FloatArray:
        """Phi(tau) = E[(tau - x)^+], elementwise, in channel uses per bit."""

    @abstractmethod
    def offload_moments(self, threshold_snr: ArrayLike) -> OffloadMoments:
        """P(SNR >= threshold) and E[x; SNR >= threshold], elementwise; threshold inf is never, 0 is always."""

    @property
    @abstractmethod
    def average_snr(self) -> float:
        """Mean linear SNR."""

    @property
    @abstractmethod
    def mean_channel_uses_per_bit(self) -> float:
        """E[x], s Hz/bit; inf for a pure Shannon link under fading that reaches 0."""

    @property
    @abstractmethod
    def breakpoints(self) -> FloatArray:
        """Sorted values of x; first and last are the ends of its support, and F is smooth on the scale of the steps."""

    def snr_quantile(self, probability: float) -> float:
        """The linear SNR that a draw stays below with the given probability, by bisection in decades."""
        low, high = -12.0, 12.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            below = 1.0 - float(self.survival(self.average_snr * 10.0**middle)) < probability
            low, high = (middle, high) if below else (low, middle)
        return float(self.average_snr * 10.0**high)

    def spectral_efficiency(self, snr: ArrayLike) -> FloatArray:
        """eta(snr) in bit/s/Hz, elementwise."""
        efficiency = np.log1p(np.asarray(snr, dtype=np.float64)) / np.log(2.0)
        return np.asarray(np.clip(efficiency, self.min_efficiency, self.max_efficiency))

    def channel_uses_per_bit(self, snr: ArrayLike) -> FloatArray:
        """X = 1 / eta(snr) in s Hz/bit, elementwise."""
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / self.spectral_efficiency(snr))

    def cdf(self, channel_uses: ArrayLike) -> FloatArray:
        """F(t) = P(x <= t), elementwise."""
        return self.survival(self.threshold_snr(channel_uses))

    def threshold_snr(self, channel_uses: ArrayLike) -> FloatArray:
        """The SNR from which x <= tau: 0 if every SNR qualifies, inf if none does, else 2^(1/tau) - 1."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        smallest, largest = self.breakpoints[0], self.breakpoints[-1]
        with np.errstate(divide="ignore", over="ignore"):
            inside = np.expm1(np.log(2.0) / np.maximum(tau, 0.0))
        return np.where(tau >= largest, 0.0, np.where((tau < smallest) | (tau <= 0.0), np.inf, inside))


class Empirical(Channel):
    """The empirical law of a measured SNR trace: stages draw from it independently, with replacement.

    Args:
        snr: linear SNR samples, finite and >= 0, at least one.
    """

    snr: Annotated[tuple[float, ...], Field(min_length=1)]

    @field_validator("snr")
    @classmethod
    def _valid_samples(cls, snr: tuple[float, ...]) -> tuple[float, ...]:
        bad = np.flatnonzero(~(np.isfinite(snr) & (np.asarray(snr) >= 0)))
        if bad.size:
            raise ValueError(f"snr[{bad[0]}] = {snr[bad[0]]} must be finite and >= 0")
        return snr

    @cached_property
    def _sorted_snr(self) -> FloatArray:
        return np.sort(np.asarray(self.snr, dtype=np.float64))

    @cached_property
    def _sorted_uses(self) -> tuple[FloatArray, FloatArray]:
        """X of every sample in increasing order, and their running sums starting with 0."""
        uses = self.channel_uses_per_bit(self._sorted_snr[::-1])
        return uses, np.concatenate([[0.0], np.cumsum(uses)])

    @property
    def average_snr(self) -> float:
        """Mean linear SNR of the trace."""
        return float(self._sorted_snr.mean())

    @property
    def mean_channel_uses_per_bit(self) -> float:
        """E[x], s Hz/bit; inf if the trace has an SNR of 0 and there is no most robust rate."""
        return float(self._sorted_uses[0].mean())

    @cached_property
    def breakpoints(self) -> FloatArray:
        """The distinct values of x: the distribution function is constant between them."""
        return np.unique(self._sorted_uses[0])

    def sample_snr(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw samples of the trace with replacement."""
        return self._sorted_snr[rng.integers(self._sorted_snr.size, size=shape)]

    def survival(self, snr: ArrayLike) -> FloatArray:
        """Share of samples at or above ``snr``."""
        return (
            1.0
            - np.searchsorted(self._sorted_snr, np.asarray(snr, dtype=np.float64), side="left") / self._sorted_snr.size
        )

    def cdf(self, channel_uses: ArrayLike) -> FloatArray:
        """Share of samples with x <= t."""
        return np.asarray(self._count_up_to(channel_uses) / self._sorted_snr.size)

    def threshold_snr(self, channel_uses: ArrayLike) -> FloatArray:
        """The SNR from which x <= tau, never above a sample that qualifies."""
        smallest = np.append(np.inf, self._sorted_snr[::-1])[self._count_up_to(channel_uses)]
        return np.asarray(np.minimum(super().threshold_snr(channel_uses), smallest))

    def _count_up_to(self, channel_uses: ArrayLike) -> IntArray:
        """Number of samples with x <= t up to rounding, so that a sample's own x counts it."""
        reach = np.asarray(channel_uses, dtype=np.float64) * (1.0 + 1e-14)
        return np.asarray(np.searchsorted(self._sorted_uses[0], reach, side="right"))

    def lower_partial_moment(self, channel_uses: ArrayLike) -> FloatArray:
        """Phi(tau), piecewise linear and exact."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        uses, sums = self._sorted_uses
        below = np.searchsorted(uses, tau, side="right")
        with np.errstate(invalid="ignore"):
            return np.where(below > 0, (tau * below - sums[below]) / uses.size, 0.0)

    def offload_moments(self, threshold_snr: ArrayLike) -> OffloadMoments:
        """Share of samples at or above the threshold, and the sum of their x over the number of all samples."""
        snr = np.asarray(threshold_snr, dtype=np.float64)
        count = self._sorted_snr.size - np.searchsorted(self._sorted_snr, snr, side="left")
        return OffloadMoments(count / self._sorted_snr.size, self._sorted_uses[1][count] / self._sorted_snr.size)
