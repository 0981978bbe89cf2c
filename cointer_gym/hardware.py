"""The two computers, the wireless device and the edge server, and what was measured on them.

The formulas broadcast over arrays of shape (devices, 1) in the place of numbers.
"""

from typing import Self

import numpy as np
from pydantic import model_validator

from cointer_gym.dnn import Dnn
from cointer_gym.records import Factor, Model, NonNegative, Positive
from cointer_gym.units import FloatArray


class MeasuredLayer(Model):
    """What one layer was measured to take on a computer.

    Args:
        name: name of the layer in the network.
        seconds: run time, s; work / speed unless given.
        joules: energy, J; run time x power unless given. Only the energy of the device counts.
    """

    name: str
    seconds: NonNegative | None = None
    joules: NonNegative | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.seconds is None and self.joules is None:
            raise ValueError(f"layer {self.name!r} is measured, but has neither seconds nor joules")
        return self


class Measurement(Model):
    """What the layers of one network were measured to take on one computer; the others follow from their work.

    Args:
        network: name of the network.
        layers: the measured layers, in any order, each once.
        source: where the numbers come from.
    """

    network: str
    layers: tuple[MeasuredLayer, ...]
    source: str = "assumed"

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        seen = set()
        for layer in self.layers:
            if layer.name in seen:
                raise ValueError(f"layer {layer.name!r} is measured twice")
            seen.add(layer.name)
        return self


class Dvfs(Model):
    """Dynamic voltage and frequency scaling: power = kappa f^3, speed = f x FLOP per cycle.

    Args:
        clock_hz: clock frequency f, Hz.
        flop_per_cycle: FLOP finished per clock cycle.
        kappa: effective switched capacitance, W s^3.
    """

    clock_hz: Positive
    flop_per_cycle: Positive
    kappa: Factor


class Device(Model):
    """The battery-powered device; its speed and power are given directly or follow from DVFS.

    Args:
        flops_per_s: effective computing speed, FLOP/s.
        compute_power_w: power drawn while computing, W.
        dvfs: instead of the two.
        memory_bytes: room for the parameters of the placed layers, bytes; None is unlimited.
        measured: measured times and energies of layers; they win over work / speed.
    """

    flops_per_s: Positive | None = None
    compute_power_w: NonNegative | None = None
    dvfs: Dvfs | None = None
    memory_bytes: NonNegative | None = None
    measured: Measurement | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        direct = (self.flops_per_s is not None, self.compute_power_w is not None)
        if direct != ((True, True) if self.dvfs is None else (False, False)):
            raise ValueError("give either flops_per_s and compute_power_w, or dvfs")
        return self

    @property
    def speed_flops_per_s(self) -> float:
        """Computing speed in force, FLOP/s."""
        if self.dvfs is None:
            return 0.0 if self.flops_per_s is None else self.flops_per_s
        return self.dvfs.clock_hz * self.dvfs.flop_per_cycle

    @property
    def power_w(self) -> float:
        """Power drawn while computing, in force, W."""
        if self.dvfs is None:
            return 0.0 if self.compute_power_w is None else self.compute_power_w
        return self.dvfs.kappa * self.dvfs.clock_hz**3

    def measured_layers(self, dnn: Dnn) -> tuple[MeasuredLayer | None, ...]:
        """What was measured for each layer of ``dnn``, length L; None where nothing was.

        Raises:
            ValueError: the measurement is of another network, or names a layer that ``dnn`` does not have.
        """
        return _measured_layers("device", self.measured, dnn)

    def layer_s(self, dnn: Dnn) -> FloatArray:
        """Run time of each layer on the device, shape (L,), s.

        Raises:
            ValueError: as ``measured_layers``, or a layer has neither ``flops`` nor measured seconds.
        """
        return _layer_s("device", self.measured_layers(dnn), dnn, self.speed_flops_per_s)

    def layer_j(self, dnn: Dnn) -> FloatArray:
        """Energy of each layer on the device, shape (L,), J.

        Raises:
            ValueError: as ``layer_s``.
        """
        joules = [None if layer is None else layer.joules for layer in self.measured_layers(dnn)]
        return _measured_or(joules, self.layer_s(dnn) * self.power_w)


class EdgeServer(Model):
    """The edge server.

    Args:
        flops_per_s: effective computing speed, FLOP/s.
        measured: measured times of layers; they win over work / speed.
    """

    flops_per_s: Positive
    measured: Measurement | None = None

    def measured_layers(self, dnn: Dnn) -> tuple[MeasuredLayer | None, ...]:
        """What was measured for each layer of ``dnn``, length L; errors as those of the device."""
        return _measured_layers("edge", self.measured, dnn)

    def layer_s(self, dnn: Dnn) -> FloatArray:
        """Run time of each layer on the server, shape (L,), s; errors as those of the device."""
        return _layer_s("edge", self.measured_layers(dnn), dnn, self.flops_per_s)


def _measured_layers(computer: str, measurement: Measurement | None, dnn: Dnn) -> tuple[MeasuredLayer | None, ...]:
    if measurement is None:
        return (None,) * len(dnn.layers)
    if measurement.network != dnn.name:
        raise ValueError(f"{computer}.measured.network = {measurement.network!r} must be the network, {dnn.name!r}")
    names = dict.fromkeys(layer.name for layer in dnn.layers)
    for index, layer in enumerate(measurement.layers):
        if layer.name not in names:
            field = f"{computer}.measured.layers.{index}.name"
            raise ValueError(f"{field} = {layer.name!r} must be the name of a layer of {dnn.name}")
    measured = {layer.name: layer for layer in measurement.layers}
    return tuple(measured.get(name) for name in names)


def _layer_s(computer: str, measured: tuple[MeasuredLayer | None, ...], dnn: Dnn, flops_per_s: float) -> FloatArray:
    times = [None if found is None else found.seconds for found in measured]
    for layer, seconds in zip(dnn.layers, times, strict=True):
        if layer.flops is None and seconds is None:
            raise ValueError(f"layer {layer.name!r} needs flops, or measured seconds on the {computer}")
    return _measured_or(times, np.array([layer.flops or 0.0 for layer in dnn.layers]) / flops_per_s)


def _measured_or(measured: list[float | None], derived: FloatArray) -> FloatArray:
    """What was measured of each layer, and what is derived where nothing was; shape (..., L)."""
    known = np.array([np.nan if value is None else value for value in measured])
    return np.where(np.isnan(known), derived, known)
