"""The rate of the link: from an SNR to channel uses per bit, and back.

    eta(snr) = clip(log2(1 + snr), min_efficiency, max_efficiency)          [bit/s/Hz]
    x = 1 / eta                                                             [channel uses per bit, s Hz/bit]

Why ``min_efficiency``: under Rayleigh fading E[1/log2(1 + snr)] is infinite, because the density of the SNR does not
vanish at 0. Real links have a most robust modulation-and-coding scheme; below its SNR they keep its rate. The default
is the lowest CQI of LTE.

Source: CQI efficiencies, 3GPP TS 36.213 table 7.2.3-1.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.units import FloatArray

LTE_MIN_EFFICIENCY = 0.1523  # bit/s/Hz, CQI 1, 3GPP TS 36.213 table 7.2.3-1
LTE_MAX_EFFICIENCY = 5.5547  # bit/s/Hz, CQI 15, same table


_LN_2 = np.array(np.log(2.0))


class Rate(NamedTuple):
    """A rate that adapts to the SNR between the most robust and the fastest scheme."""

    min_efficiency: float = LTE_MIN_EFFICIENCY
    """bit/s/Hz; 0 is pure Shannon."""
    max_efficiency: float | None = None
    """bit/s/Hz; None is unlimited."""

    @property
    def fewest_uses(self) -> float:
        """The x of the fastest scheme, s Hz/bit; 0 if the efficiency is unlimited."""
        return 0.0 if self.max_efficiency is None else 1.0 / self.max_efficiency

    @property
    def most_uses(self) -> float:
        """The x of the most robust scheme, s Hz/bit; inf on a pure Shannon link."""
        return float("inf") if self.min_efficiency == 0 else 1.0 / self.min_efficiency

    def spectral_efficiency(self, snr: ArrayLike) -> FloatArray:
        """eta(snr) in bit/s/Hz, elementwise."""
        shannon: FloatArray = np.log1p(np.asarray(snr, dtype=np.float64)) / _LN_2
        efficiency: FloatArray = np.maximum(shannon, self.min_efficiency)
        return efficiency if self.max_efficiency is None else np.minimum(efficiency, self.max_efficiency)

    def channel_uses_per_bit(self, snr: ArrayLike) -> FloatArray:
        """X = 1 / eta(snr) in s Hz/bit, elementwise."""
        if self.min_efficiency > 0:
            return np.asarray(1.0 / self.spectral_efficiency(snr))
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / self.spectral_efficiency(snr))

    def snr(self, channel_uses: ArrayLike) -> FloatArray:
        """The SNR at which 1 / log2(1 + SNR) is ``channel_uses``, elementwise; inf at 0 and below."""
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(np.expm1(np.log(2.0) / np.maximum(np.asarray(channel_uses, dtype=np.float64), 0.0)))
