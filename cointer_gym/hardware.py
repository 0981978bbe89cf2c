"""The two computers: the wireless device and the edge server."""

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from cointer_gym.dnn import Dnn
from cointer_gym.units import FloatArray, Model


class Dvfs(Model):
    """Dynamic voltage and frequency scaling: power = kappa f^3, speed = f x FLOP per cycle.

    Args:
        clock_hz: clock frequency f, Hz.
        flop_per_cycle: FLOP finished per clock cycle.
        kappa: effective switched capacitance, W s^3.
    """

    clock_hz: float = Field(gt=0)
    flop_per_cycle: float = Field(gt=0)
    kappa: float = Field(ge=0)


class Device(Model):
    """The battery-powered device; its speed and power are given directly or follow from DVFS.

    Args:
        flops_per_s: effective computing speed, FLOP/s.
        compute_power_w: power drawn while computing, W.
        dvfs: instead of the two.
        memory_bytes: room for the parameters of the placed layers, bytes; None is unlimited.
    """

    flops_per_s: float | None = Field(default=None, gt=0)
    compute_power_w: float | None = Field(default=None, ge=0)
    dvfs: Dvfs | None = None
    memory_bytes: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        direct = (self.flops_per_s is not None, self.compute_power_w is not None)
        if direct != ((True, True) if self.dvfs is None else (False, False)):
            raise ValueError("give either flops_per_s and compute_power_w, or dvfs")
        return self

    @property
    def speed_flops_per_s(self) -> float:
        """Computing speed in force, FLOP/s."""
        return self.dvfs.clock_hz * self.dvfs.flop_per_cycle if self.dvfs else self.flops_per_s or 0.0

    @property
    def power_w(self) -> float:
        """Power drawn while computing, in force, W."""
        return self.dvfs.kappa * self.dvfs.clock_hz**3 if self.dvfs else self.compute_power_w or 0.0

    def layer_s(self, dnn: Dnn) -> FloatArray:
        """Run time of each layer on the device, shape (L,), s."""
        return _layer_s(dnn, "device_s", self.speed_flops_per_s)

    def layer_j(self, dnn: Dnn) -> FloatArray:
        """Energy of each layer on the device, shape (L,), J."""
        derived = self.layer_s(dnn) * self.power_w
        return np.array([d if la.device_j is None else la.device_j for la, d in zip(dnn.layers, derived, strict=True)])


class EdgeServer(Model):
    """The edge server.

    Args:
        flops_per_s: effective computing speed, FLOP/s.
    """

    flops_per_s: float = Field(gt=0)

    def layer_s(self, dnn: Dnn) -> FloatArray:
        """Run time of each layer on the server, shape (L,), s."""
        return _layer_s(dnn, "edge_s", self.flops_per_s)


def _layer_s(dnn: Dnn, measured: str, flops_per_s: float) -> FloatArray:
    times = [getattr(layer, measured) for layer in dnn.layers]
    return np.array(
        [
            (layer.flops or 0.0) / flops_per_s if time is None else time
            for layer, time in zip(dnn.layers, times, strict=True)
        ]
    )
