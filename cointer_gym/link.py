"""The radio link: bandwidth, powers, and the link budget that gives the mean SNR."""

from typing import Any

import numpy as np
from pydantic import Field

from cointer_gym.records import Decibel, Model, NonNegative, Positive
from cointer_gym.units import BOLTZMANN_NOISE_DBM_PER_HZ, linear_to_db, w_to_dbm

_SPEED_OF_LIGHT_M_PER_S = 299_792_458.0


class Link(Model):
    """Uplink and model download.

    Args:
        bandwidth_hz: uplink bandwidth, Hz.
        tx_power_w: transmit power of the device, W; both radiated and drawn from the battery.
        downlink_bps: rate of the model download, bit/s.
        rx_power_w: power drawn while receiving the model, W.
    """

    bandwidth_hz: Positive
    tx_power_w: Positive
    downlink_bps: Positive
    rx_power_w: NonNegative


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

    distance_m: Positive
    carrier_hz: Positive
    path_loss_exponent: float = Field(default=3.0, ge=1.5, le=7)
    antenna_gain_db: Decibel = 0.0
    noise_figure_db: float = Field(default=0.0, ge=0, le=300)
    noise_dbm_per_hz: Decibel = BOLTZMANN_NOISE_DBM_PER_HZ
    reference_distance_m: Positive = 1.0

    def mean_snr_db(self, link: Link) -> Any:
        """Mean SNR over the uplink bandwidth, dB; a number, or an array where budget or link hold arrays."""
        wavelength_m = _SPEED_OF_LIGHT_M_PER_S / self.carrier_hz
        near_m = np.minimum(self.distance_m, self.reference_distance_m)
        friis_db = 2.0 * linear_to_db(4.0 * np.pi * near_m / wavelength_m)
        beyond = np.maximum(self.distance_m / self.reference_distance_m, 1.0)
        path_loss_db = friis_db + self.path_loss_exponent * linear_to_db(beyond)
        noise_dbm = self.noise_dbm_per_hz + linear_to_db(link.bandwidth_hz) + self.noise_figure_db
        return w_to_dbm(link.tx_power_w) + self.antenna_gain_db - path_loss_db - noise_dbm
