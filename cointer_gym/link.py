"""The radio link: bandwidth, powers, link budget, and the channel law that follows from them."""

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cointer_gym.channel import LTE_MIN_EFFICIENCY, Channel, Empirical
from cointer_gym.fading import Nakagami, Rayleigh, Rician
from cointer_gym.units import BOLTZMANN_NOISE_DBM_PER_HZ, Model, db_to_linear, linear_to_db, w_to_dbm

_SPEED_OF_LIGHT_M_PER_S = 299_792_458.0

SnrDb = Annotated[float, Field(ge=-30, le=60)]
TraceDb = Annotated[float, Field(ge=-300, le=300)]


class Link(Model):
    """Uplink and model download.

    Args:
        bandwidth_hz: uplink bandwidth, Hz.
        tx_power_w: transmit power of the device, W; both radiated and drawn from the battery.
        downlink_bps: rate of the model download, bit/s.
        rx_power_w: power drawn while receiving the model, W.
    """

    bandwidth_hz: float = Field(gt=0)
    tx_power_w: float = Field(gt=0)
    downlink_bps: float = Field(gt=0)
    rx_power_w: float = Field(ge=0)


class LinkBudget(Model):
    """Log-distance path loss: Friis up to the reference distance, then a power law.

    Args:
        distance_m: distance between device and base station, m.
        carrier_hz: carrier frequency, Hz.
        path_loss_exponent: 2 in free space, 3 to 5 in urban cells.
        antenna_gain_db: both antennas together, dB.
        noise_figure_db: receiver noise figure, dB.
        noise_dbm_per_hz: noise density, dBm/Hz; k T at 290 K unless given.
        reference_distance_m: where the power law begins, m.

    Source: Rappaport, Wireless Communications, 2nd ed., section 4.9.1.
    """

    distance_m: float = Field(gt=0)
    carrier_hz: float = Field(gt=0)
    path_loss_exponent: float = Field(default=3.0, ge=1.5, le=7)
    antenna_gain_db: float = 0.0
    noise_figure_db: float = Field(default=0.0, ge=0)
    noise_dbm_per_hz: float = BOLTZMANN_NOISE_DBM_PER_HZ
    reference_distance_m: float = Field(default=1.0, gt=0)

    def mean_snr_db(self, link: Link) -> float:
        """Mean SNR over the uplink bandwidth, dB."""
        wavelength_m = _SPEED_OF_LIGHT_M_PER_S / self.carrier_hz
        near_m = min(self.distance_m, self.reference_distance_m)
        friis_db = 2.0 * linear_to_db(4.0 * np.pi * near_m / wavelength_m)
        beyond = max(self.distance_m / self.reference_distance_m, 1.0)
        path_loss_db = friis_db + self.path_loss_exponent * linear_to_db(beyond)
        noise_dbm = self.noise_dbm_per_hz + linear_to_db(link.bandwidth_hz) + self.noise_figure_db
        return float(w_to_dbm(link.tx_power_w) + self.antenna_gain_db - path_loss_db - noise_dbm)


class ChannelSettings(Model):
    """Which channel law, and with what mean SNR: the ``[channel]`` table of a scenario file.

    Args:
        law: ``rayleigh``, ``rician`` (needs ``k_factor_db``), ``nakagami`` (needs ``m``) or ``empirical`` (needs
            ``trace_snr_db``).
        mean_snr_db: mean SNR, dB, in [-30, 60]; or
        budget: the link budget that gives it.
        k_factor_db: Rician factor, dB.
        m: Nakagami parameter.
        trace_snr_db: SNR samples, dB.
        min_efficiency, max_efficiency: limits of the spectral efficiency, bit/s/Hz.
    """

    law: Literal["rayleigh", "rician", "nakagami", "empirical"] = "rayleigh"
    mean_snr_db: SnrDb | None = None
    budget: LinkBudget | None = None
    k_factor_db: float | None = Field(default=None, le=20)
    m: float | None = Field(default=None, ge=0.5, le=100)
    trace_snr_db: Annotated[tuple[TraceDb, ...], Field(min_length=1)] | None = None
    min_efficiency: float = Field(default=LTE_MIN_EFFICIENCY, ge=0)
    max_efficiency: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        needed = {"rician": "k_factor_db", "nakagami": "m", "empirical": "trace_snr_db"}
        for law, name in needed.items():
            if (getattr(self, name) is None) == (self.law == law):
                raise ValueError(f"law = {self.law!r} {'needs' if self.law == law else 'does not take'} {name}")
        sources = sum(value is not None for value in (self.mean_snr_db, self.budget))
        if sources != (0 if self.law == "empirical" else 1):
            wanted = (
                "neither mean_snr_db nor budget" if self.law == "empirical" else "exactly one of mean_snr_db and budget"
            )
            raise ValueError(f"law = {self.law!r} takes {wanted}")
        if self.max_efficiency is not None and self.max_efficiency <= self.min_efficiency:
            raise ValueError(
                f"max_efficiency = {self.max_efficiency} must exceed min_efficiency = {self.min_efficiency}"
            )
        return self

    def build(self, link: Link) -> Channel:
        """The channel law over ``link``.

        Raises:
            ValueError: the link budget gives a mean SNR outside [-30, 60] dB.
        """
        limits: dict[str, Any] = {"min_efficiency": self.min_efficiency, "max_efficiency": self.max_efficiency}
        if self.trace_snr_db is not None:
            return Empirical(snr=tuple(db_to_linear(self.trace_snr_db).tolist()), **limits)
        mean_snr_db = self.mean_snr_db if self.budget is None else self.budget.mean_snr_db(link)
        if mean_snr_db is None or not -30 <= mean_snr_db <= 60:
            raise ValueError(f"budget gives a mean SNR of {mean_snr_db:.1f} dB, allowed is -30 to 60 dB")
        mean_snr = float(db_to_linear(mean_snr_db))
        if self.k_factor_db is not None:
            return Rician(mean_snr=mean_snr, k_factor=float(db_to_linear(self.k_factor_db)), **limits)
        if self.m is not None:
            return Nakagami(mean_snr=mean_snr, m=self.m, **limits)
        return Rayleigh(mean_snr=mean_snr, **limits)
