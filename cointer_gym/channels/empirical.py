"""The law of a measured trace."""

from bisect import bisect_right
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, field_validator

from cointer_gym.channels.law import ChannelLaw, OffloadMoments
from cointer_gym.channels.rate import Rate
from cointer_gym.records import LARGEST
from cointer_gym.units import FloatArray, IntArray, linear_to_db

_HARDLY = 0.01  # a share that needs no word


class Empirical(ChannelLaw):
    """The empirical law of a measured SNR trace: stages draw from it independently, with replacement.

    Args:
        snr: linear SNR samples from 0 to 1e30, at least one; or ``trace_snr_db``.
    """

    in_db: ClassVar[dict[str, str]] = {"trace_snr_db": "snr"}

    snr: Annotated[tuple[float, ...], Field(min_length=1)]

    @field_validator("snr")
    @classmethod
    def _valid_samples(cls, snr: tuple[float, ...]) -> tuple[float, ...]:
        bad = np.flatnonzero(~((np.asarray(snr) >= 0) & (np.asarray(snr) <= LARGEST)))
        if bad.size:
            raise ValueError(f"snr[{bad[0]}] = {snr[bad[0]]} must be from 0 to {LARGEST:g}")
        return snr

    @cached_property
    def _sorted_snr(self) -> FloatArray:
        return np.sort(np.asarray(self.snr, dtype=np.float64))

    @cached_property
    def _falling_snr(self) -> FloatArray:
        return self._sorted_snr[::-1].copy()

    def _support(self) -> tuple[float, float]:
        """The smallest and the largest sample; an SNR of 0 never matters as a number unless it has a rate."""
        if self.min_efficiency > 0:
            return float(self._sorted_snr[0]), float(self._sorted_snr[-1])
        positive = self._sorted_snr[self._sorted_snr > 0]
        return (float(positive[0]), float(positive[-1])) if positive.size else (1.0, 1.0)

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
    def uses_range(self) -> tuple[float, float]:
        """The x of the largest and of the smallest sample."""
        uses = self._sorted_uses[0]
        return float(uses[0]), float(uses[-1])

    @cached_property
    def mean_channel_uses_per_bit(self) -> float:
        """E[x], s Hz/bit; inf if the trace has an SNR of 0 and there is no most robust rate."""
        return float(self._sorted_uses[0].mean())

    @cached_property
    def breakpoints(self) -> FloatArray:
        """The distinct values of x: the distribution function is constant between them."""
        return np.unique(self._sorted_uses[0])

    def lifted(self) -> str | None:
        """Says it if the most robust rate lifts more than 1 % of the samples, or takes more than 1 % off E[x]."""
        robust = self.rate.snr(self.rate.most_uses)
        count, size = int(np.searchsorted(self._sorted_snr, robust)), self._sorted_snr.size
        mean = self.mean_channel_uses_per_bit
        measured = float(Rate(0.0, self.max_efficiency).channel_uses_per_bit(self._sorted_snr).mean())
        if count <= _HARDLY * size and measured - mean <= _HARDLY * mean:
            return None
        return (
            f"min_efficiency = {self.min_efficiency:g} bit/s/Hz, the default, lifts {count} of the {size} samples of "
            f"the trace, those below {float(linear_to_db(robust)):.1f} dB: E[x] is {mean:.4g} channel uses per bit, by "
            f"the samples it would be {measured:.4g}. Write min_efficiency = {self.min_efficiency:g} if the link has "
            "so robust a scheme, else the efficiency of its own most robust one, or 0 for none"
        )

    def inverse_survival(self, probability: ArrayLike) -> FloatArray:
        """The samples from the largest on, one for every 1/n of the probability."""
        falling = self._falling_snr
        rank = np.asarray(probability, dtype=np.float64) * falling.size  # below n at any probability below 1
        return np.asarray(falling[rank.astype(np.intp)])

    def survival(self, snr: ArrayLike) -> FloatArray:
        """Share of samples at or above ``snr``."""
        return (
            1.0
            - np.searchsorted(self._sorted_snr, np.asarray(snr, dtype=np.float64), side="left") / self._sorted_snr.size
        )

    def outage(self, snr: ArrayLike) -> FloatArray:
        """Share of samples below ``snr``."""
        given = np.asarray(snr, dtype=np.float64)
        return np.asarray(np.searchsorted(self._sorted_snr, given, side="left") / self._sorted_snr.size)

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

    def capped_mean(self, channel_uses: ArrayLike) -> FloatArray:
        """E[min(x, tau)], piecewise linear and exact."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        uses, sums = self._sorted_uses
        below = np.searchsorted(uses, tau, side="right")
        with np.errstate(invalid="ignore"):
            capped = (sums[below] + tau * (uses.size - below)) / uses.size
        return np.where(below < uses.size, capped, self.mean_channel_uses_per_bit)

    @cached_property
    def _numbers(self) -> tuple[list[float], list[float]]:
        """X of the samples and their running sums, as Python's numbers."""
        uses, sums = self._sorted_uses
        return uses.tolist(), sums.tolist()

    def capped_mean_at(self, channel_uses: float) -> float:
        """The same at one number, without an array."""
        uses, sums = self._numbers
        below, size = bisect_right(uses, channel_uses), len(uses)
        if below == size:
            return self.mean_channel_uses_per_bit
        return (sums[below] + channel_uses * (size - below)) / size

    def mean_excess(self, channel_uses: ArrayLike) -> FloatArray:
        """E[(x - tau)^+], piecewise linear and exact."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        uses, _ = self._sorted_uses
        below = np.searchsorted(uses, tau, side="right")
        above = np.append(np.cumsum(uses[::-1])[::-1], 0.0)
        with np.errstate(invalid="ignore"):
            excess = (above[below] - tau * (uses.size - below)) / uses.size
        return np.where(below < uses.size, np.maximum(excess, 0.0), 0.0)

    def offload_moments(self, threshold_snr: ArrayLike) -> OffloadMoments:
        """Share of samples at or above the threshold, and the sum of their x over the number of all samples."""
        snr = np.asarray(threshold_snr, dtype=np.float64)
        count = self._sorted_snr.size - np.searchsorted(self._sorted_snr, snr, side="left")
        size = self._sorted_snr.size
        return OffloadMoments(count / size, self._sorted_uses[1][count] / size, (size - count) / size)
