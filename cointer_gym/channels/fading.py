"""Continuous fading laws: SNR = mean SNR x g with a unit-mean power gain g.

Substituting u = 1/t turns the moments of x = 1/eta into integrals of the survival or of the distribution function of
the SNR over the efficiency axis,

    Phi(tau)       = E[(tau - x)^+] = int_{1/tau}^{eta_max} P(SNR >= 2^u - 1) / u^2 du
    E[min(x, tau)] = 1/eta_max + int_{max(1/tau, eta_min)}^{eta_max} P(SNR < 2^u - 1) / u^2 du
    E[(x - tau)^+] = int_{eta_min}^{1/tau} P(SNR < 2^u - 1) / u^2 du.

The second one, which solvers ask for at every stage, is tabulated over the gain; see ``cointer_gym.channels.capped``.
For the other two the sums of the panels of a quadrature rule are tabulated, so a query costs one panel. All terms are
positive: each result is accurate in relative terms, however small or large it is. Below the tables, at efficiencies
that matter only without a most robust rate, P(g < eps) is taken as a power of eps.
"""

import sys
from abc import abstractmethod
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels.capped import EXACT, CappedMeans, gain_table, reaches_deep
from cointer_gym.channels.inverse import TabulatedInverse
from cointer_gym.channels.law import ChannelLaw, OffloadMoments
from cointer_gym.channels.quadrature import Probability, gain_at, integral, panel_edges
from cointer_gym.records import Positive
from cointer_gym.units import FloatArray, IntArray

_LADDER = np.geomspace(1e-10, 740.0, 48)  # breakpoints by -log P(SNR >= snr); e^-740 is the end of double precision
_SAME_POWER = 1e-9  # exponents that differ by less cannot be told apart


class FadingLaw(ChannelLaw):
    """A law whose unit-mean power gain g is continuous.

    A law of one's own defines three things that know nothing of SNR, link or problem: ``gain_survival``, ``gain_cdf``
    and ``tail_rate``. ``gain_inverse_survival``, by which it is drawn from, is a table made of the first two unless the
    law has a formula for it.

    Args:
        mean_snr: mean linear SNR, > 0; or ``mean_snr_db``.
    """

    in_db: ClassVar[dict[str, str]] = {"mean_snr_db": "mean_snr"}

    mean_snr: Positive

    @abstractmethod
    def gain_survival(self, gain: FloatArray) -> FloatArray:
        """P(g >= gain), elementwise, accurate in relative terms far into the tail."""

    @abstractmethod
    def gain_cdf(self, gain: FloatArray) -> FloatArray:
        """P(g < gain), elementwise, accurate in relative terms near 0."""

    def gain_inverse_survival(self, probability: ArrayLike) -> FloatArray:
        """The gain that is reached or exceeded with a probability in (0, 1), elementwise.

        Raises:
            ArithmeticError: the table would be wrong by 1e-9 in probability or more.
        """
        return self._inverse(probability)

    @property
    @abstractmethod
    def tail_rate(self) -> float:
        """Exponential decay rate of the gain's survival function."""

    @property
    def gain_parameters(self) -> tuple[tuple[str, Any], ...]:
        """The fields that the law of the gain depends on: all but the mean SNR and the limits of the rate."""
        seen_through = FadingLaw.model_fields
        return tuple((name, getattr(self, name)) for name in type(self).model_fields if name not in seen_through)

    @property
    def average_snr(self) -> float:
        """Mean linear SNR."""
        return self.mean_snr

    def inverse_survival(self, probability: ArrayLike) -> FloatArray:
        """The mean SNR times the gain of that probability."""
        return np.asarray(self.mean_snr * self.gain_inverse_survival(probability))

    def survival(self, snr: ArrayLike) -> FloatArray:
        """P(SNR >= snr), elementwise; exactly 1 at 0, so that a rule that always offloads never goes on."""
        given = np.asarray(snr, dtype=np.float64)
        with np.errstate(over="ignore"):
            return np.where(given <= 0, 1.0, self.gain_survival(given / self.mean_snr))

    def outage(self, snr: ArrayLike) -> FloatArray:
        """P(SNR < snr), elementwise, accurate in relative terms near 0."""
        given = np.asarray(snr, dtype=np.float64)
        with np.errstate(over="ignore"):
            return np.where(given <= 0, 0.0, self.gain_cdf(given / self.mean_snr))

    @cached_property
    def _inverse(self) -> TabulatedInverse:
        gain = self.model_copy(update={"mean_snr": 1.0, "min_efficiency": 0.0, "max_efficiency": None})
        try:
            return _shared_inverse(gain)
        except TypeError:  # a field that has no hash
            return _inverse(gain)

    @cached_property
    def breakpoints(self) -> FloatArray:
        """The ends of the support, a geometric ladder of -log P(SNR >= snr) in the bulk, and of x beyond."""
        edges, gain = self._edges, gain_at(self._edges, self.mean_snr)
        with np.errstate(divide="ignore"):
            exponent = np.where(gain < 1, -np.log1p(-self.gain_cdf(gain)), -np.log(self.gain_survival(gain)))
        bulk = np.interp(np.log(_LADDER), np.log(np.maximum(exponent, 1e-300)), edges)
        lowest = max(self.min_efficiency, 1e-300)
        beyond = np.geomspace(lowest, bulk[0], int(np.ceil(np.log(bulk[0] / lowest))) + 1)
        inside = 1.0 / np.concatenate([beyond, bulk])
        return np.unique(np.concatenate([[self.rate.fewest_uses], inside, [self.rate.most_uses]]))

    @property
    def uses_range(self) -> tuple[float, float]:
        """The x of the fastest and of the most robust scheme."""
        return self.rate.fewest_uses, self.rate.most_uses

    @cached_property
    def mean_channel_uses_per_bit(self) -> float:
        """E[x], s Hz/bit; infinite without a most robust rate unless P(g < eps) falls faster than eps."""
        return float(self.capped_mean(np.inf))

    def lower_partial_moment(self, channel_uses: ArrayLike) -> FloatArray:
        """Phi(tau), elementwise; linear beyond the largest x."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        efficiency, panel = self._locate(tau)
        first = integral(self.gain_survival, self.mean_snr, efficiency, self._edges[panel + 1])
        moment = self._survival_above[panel + 1] + first + np.maximum(tau - 1.0 / self._edges[0], 0.0)
        return np.where(tau <= self.rate.fewest_uses, 0.0, moment)

    def capped_mean(self, channel_uses: ArrayLike) -> FloatArray:
        """E[min(x, tau)], elementwise."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        capped = self._capped(tau.reshape(-1)).reshape(tau.shape)
        return capped + self._deep(tau) if self._is_deep else capped

    def capped_mean_at(self, channel_uses: float) -> float:
        """The same at one number, without an array."""
        return float(self.capped_mean(channel_uses)) if self._is_deep else self._capped.at(channel_uses)

    def mean_excess(self, channel_uses: ArrayLike) -> FloatArray:
        """E[(x - tau)^+], elementwise."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        efficiency, panel = self._locate(tau)
        last = integral(self.gain_cdf, self.mean_snr, self._edges[panel], efficiency)
        deep = self._deep(np.asarray(np.inf)) - self._deep(np.minimum(tau, sys.float_info.max))
        excess = np.maximum(1.0 / self._edges[-1] - tau, 0.0) + self._outage_below[panel] + last + deep
        return np.where(tau < np.inf, excess, 0.0)

    def offload_moments(self, threshold_snr: ArrayLike) -> OffloadMoments:
        """P(SNR >= threshold) and E[x; SNR >= threshold].

        With tau = x(threshold) that is tau P(SNR >= threshold) - Phi(tau), or E[min(x, tau)] - tau P(SNR < threshold):
        the one that is no small difference of large numbers.
        """
        snr = np.asarray(threshold_snr, dtype=np.float64)
        offload, wait, tau = self.survival(snr), self.outage(snr), self.channel_uses_per_bit(snr)
        with np.errstate(invalid="ignore"):  # inf - inf at SNR 0 of a pure Shannon link, replaced below
            rare, usual = tau * offload - self.lower_partial_moment(tau), self.capped_mean(tau) - tau * wait
        uses = np.maximum(np.where(offload < wait, rare, usual), 0.0)
        return OffloadMoments(offload, np.where(snr <= 0, self.mean_channel_uses_per_bit, uses), wait)

    @cached_property
    def _capped(self) -> CappedMeans:
        snr, fewest, most = (np.array([x]) for x in (self.mean_snr, self.rate.fewest_uses, self.rate.most_uses))
        table = gain_table(type(self), self.gain_parameters, EXACT, bool(reaches_deep(snr, most)[0]))
        return CappedMeans(table, snr, fewest, most)

    @cached_property
    def _is_deep(self) -> bool:
        """Whether x may be larger than the tables reach."""
        return bool(self._capped.reach[0] < self.rate.most_uses)

    @cached_property
    def _edges(self) -> FloatArray:
        lowest = 1.0 / float(self._capped.reach[0]) if self._is_deep else self.min_efficiency
        return panel_edges(self.gain_survival, self.gain_cdf, self.mean_snr, self.tail_rate, self.rate, lowest)

    def _locate(self, tau: FloatArray) -> tuple[FloatArray, IntArray]:
        """The efficiency 1/tau, moved into the tables, and the panel that holds it."""
        edges = self._edges
        with np.errstate(divide="ignore", over="ignore"):
            efficiency = np.clip(1.0 / np.maximum(tau, 0.0), edges[0], edges[-1])
        return efficiency, np.clip(np.searchsorted(edges, efficiency, side="right") - 1, 0, len(edges) - 2)

    def _panels(self, probability: Probability) -> FloatArray:
        return integral(probability, self.mean_snr, self._edges[:-1], self._edges[1:])

    @cached_property
    def _survival_above(self) -> FloatArray:
        """Sums of the panels above every edge, P(SNR >= 2^u - 1)."""
        return np.append(np.cumsum(self._panels(self.gain_survival)[::-1])[::-1], 0.0)

    @cached_property
    def _outage_panels(self) -> FloatArray:
        return self._panels(self.gain_cdf)

    @cached_property
    def _outage_below(self) -> FloatArray:
        """Sums of the panels below every edge, P(SNR < 2^u - 1)."""
        return np.append(0.0, np.cumsum(self._outage_panels))

    @cached_property
    def _power_at_0(self) -> tuple[float, float]:
        """P(SNR < 2^u - 1) at the lowest edge, and the power of u as which it falls to 0."""
        gain = gain_at(self._edges[0], self.mean_snr)
        low, high = (float(self.gain_cdf(np.asarray(gain * factor))) for factor in (1.0, 1e100))
        if low < sys.float_info.min:
            return 0.0, np.inf
        power = np.log(high / low) / np.log(1e100)
        return low, 1.0 if abs(power - 1.0) < _SAME_POWER else float(power)

    def _deep(self, tau: FloatArray) -> FloatArray:
        """The integral of P(SNR < 2^u - 1) / u^2 from max(1/tau, eta_min) to the lowest edge."""
        lowest = self._edges[0]
        if self.min_efficiency >= lowest:
            return np.zeros_like(tau)
        probability, power = self._power_at_0
        if probability == 0.0:
            return np.zeros_like(tau)
        from scipy.special import exprel  # where it is needed: SciPy takes longer to import than all the rest

        depth = np.maximum(np.log(lowest * np.clip(tau, 1.0 / lowest, self.rate.most_uses)), 0.0)
        everything = probability / lowest / (power - 1.0) if power > 1.0 else np.inf
        with np.errstate(invalid="ignore", over="ignore"):
            inside = probability / lowest * depth * exprel((1.0 - power) * depth)
        return np.where(np.isinf(depth), everything, inside)


def _inverse(law: FadingLaw) -> TabulatedInverse:
    return TabulatedInverse(law.name, law.gain_survival, law.gain_cdf)


_shared_inverse = lru_cache(maxsize=32)(_inverse)  # an environment has a law of its own, many have the same gain
