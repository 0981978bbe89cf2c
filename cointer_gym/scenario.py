"""A scenario: one network on one device, one link, one server, and what time and energy are worth."""

from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from pydantic import Field, ValidationError, model_validator

from cointer_gym import loading
from cointer_gym.channels.law import ChannelLaw
from cointer_gym.channels.settings import ChannelSettings
from cointer_gym.dnn import Dnn
from cointer_gym.faults import describe
from cointer_gym.hardware import Device, EdgeServer
from cointer_gym.link import Link
from cointer_gym.loading import list_scenarios
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.records import Amounts, Model, Name, NonNegative, Positive, Remark, checked_integer, read_only
from cointer_gym.units import BoolArray, FloatArray

__all__ = ["Scenario", "Weights", "list_scenarios"]

Quantity = TypeVar("Quantity", float, FloatArray)


class Weights(Model):
    """The energy-and-time cost: ETC = time_weight x seconds + energy_weight x joules.

    Args:
        time_weight: 1/s.
        energy_weight: 1/J.
    """

    time_weight: NonNegative = 1.0
    energy_weight: NonNegative = 1.0

    @model_validator(mode="after")
    def _not_both_zero(self) -> Self:
        if self.time_weight == 0 and self.energy_weight == 0:
            raise ValueError("time_weight and energy_weight are both 0: every policy would cost nothing")
        return self

    def amounts(self, time_s: Quantity, energy_j: Quantity) -> Amounts[Quantity]:
        """Seconds and joules with their cost; numbers or arrays, also per channel use per bit."""
        return Amounts(self.time_weight * time_s + self.energy_weight * energy_j, time_s, energy_j)

    def running(self, time_s: Quantity, power_w: float) -> Amounts[Quantity]:
        """What something that draws ``power_w`` for ``time_s`` takes; numbers or arrays."""
        return Amounts((self.time_weight + self.energy_weight * power_w) * time_s, time_s, power_w * time_s)


class Scenario(Model):
    """Everything needed to pose the stopping problem and the placement problem.

    Args:
        name: short name, of which folders are called.
        description: one line.
        dnn: the network; ``{"profile": name or path}`` or the layers themselves.
        device, edge, link, channel: hardware and radio.
        weights: price of time and energy.
        tasks_per_update: inference tasks served between two model updates, K.
        sources: where each constant comes from, keyed by dotted field name.
    """

    name: Name
    description: Remark = ""
    dnn: Dnn
    device: Device
    edge: EdgeServer
    link: Link
    channel: ChannelSettings
    weights: Weights = Weights()
    tasks_per_update: Positive = 1000.0
    sources: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _every_layer_has_a_run_time(self) -> Self:
        measured = zip(self.device.measured_layers(self.dnn), self.edge.measured_layers(self.dnn), strict=True)
        for index, (layer, both) in enumerate(zip(self.dnn.layers, measured, strict=True)):
            if layer.flops is None and any(found is None or found.seconds is None for found in both):
                raise ValueError(
                    f"dnn.layers.{index}: layer {layer.name!r} needs flops, or measured seconds on the device and on "
                    "the edge"
                )
        return self

    @classmethod
    def load(cls, scenario: "str | Path | dict[str, Any] | Scenario", **overrides: Any) -> "Scenario":
        """Read a scenario.

        Args:
            scenario: built-in name (see ``list_scenarios``), path to a ``.toml`` file, or a dictionary of its content.
            **overrides: dotted field names and their new values, e.g. ``**{"link.bandwidth_hz": 1e6}``; None takes a
                field away, so that its default holds. Another ``dnn.profile`` keeps the precision only, another
                ``channel.law`` the fields that it takes, too.

        Returns:
            Scenario: validated and immutable.

        Raises:
            ValueError: unknown name, malformed TOML, an unknown key, or a field out of range; the message names the
                field, its value and what is allowed.
        """
        if isinstance(scenario, Scenario):
            if not overrides:
                return scenario
            content, origin = scenario.model_dump(exclude_none=True), scenario.name
        elif isinstance(scenario, dict):
            content, origin = scenario, str(scenario.get("name", "given as a dictionary"))
        else:
            content, origin = loading.read_toml(scenario), str(scenario)
        try:
            return cls.model_validate(loading.override(content, overrides, cls))
        except ValidationError as error:
            raise ValueError(f"scenario {origin}: {describe(error, cls)}") from None
        except ValueError as error:
            raise ValueError(f"scenario {origin}: {error}") from error

    def replace(self, **overrides: Any) -> "Scenario":
        """A copy with dotted fields replaced, by the rules of ``load``, and validated again."""
        return Scenario.load(self, **overrides)

    @property
    def layers(self) -> int:
        """L, the number of layers of the network."""
        return len(self.dnn.layers)

    @cached_property
    def channel_law(self) -> ChannelLaw:
        """The channel seen by the uploads."""
        return self.channel.build(self.link)

    @cached_property
    def download(self) -> Amounts[FloatArray]:
        """What a task bears of downloading the first M layers, sum P_l / (R_d K) seconds: shape (L+1,) each."""
        time_s = self._parameter_sums / (self.link.downlink_bps * self.tasks_per_update)
        return self.weights.running(time_s, self.link.rx_power_w).map(read_only)

    def one_download(self, placement: int) -> Amounts[float]:
        """What downloading the first ``placement`` layers takes once, at a model update.

        Raises:
            ValueError: placement outside 0..L.
        """
        time_s = float(self.dnn.parameter_bits[: self._checked(placement)].sum()) / self.link.downlink_bps
        return self.weights.amounts(time_s, self.link.rx_power_w * time_s)

    @cached_property
    def largest_placement(self) -> int:
        """The most layers whose parameters fit into the memory of the device."""
        return int(np.count_nonzero(self.fits)) - 1

    @cached_property
    def fits(self) -> BoolArray:
        """Whether the parameters of the first M layers fit into the memory of the device, shape (L+1,)."""
        if self.device.memory_bytes is None:
            return np.ones(self.layers + 1, dtype=np.bool_)
        return np.asarray(self._parameter_sums <= 8.0 * self.device.memory_bytes)

    @cached_property
    def _parameter_sums(self) -> FloatArray:
        """Parameters of the first M layers, shape (L+1,), bits."""
        return np.concatenate([[0.0], np.cumsum(self.dnn.parameter_bits)])

    def problem(self, placement: int | None = None) -> StoppingProblem:
        """The stopping problem when the first ``placement`` layers are on the device.

        Args:
            placement: M in 0..L; None places all layers.

        Returns:
            StoppingProblem: horizon M, with time and energy terms.

        Raises:
            ValueError: placement outside 0..L, or a forced upload of infinite mean cost.
        """
        horizon = self.layers if placement is None else self._checked(placement)
        terms = self.terms(horizon)
        return StoppingProblem(
            airtime_cost=terms.cost.airtime,
            edge_cost=terms.cost.edge,
            device_cost=terms.cost.device,
            channel=self.channel_law,
            completes=horizon == self.layers,
            time=terms.time_s,
            energy=terms.energy_j,
            stage_names=self.dnn.stage_names[: horizon + 1],
        )

    def terms(self, placement: int) -> Amounts[StageTerms]:
        """What the stages of the first ``placement`` layers take; a completed network uploads nothing.

        Args:
            placement: M in 0..L.

        Returns:
            Amounts: in ETC, seconds and joules, arrays of shape (M+1,) and (M,). The formulas broadcast: with arrays of
            shape (devices, 1) in the place of numbers, which nothing has checked, the shapes are (devices, M+1) and
            (devices, M), or 1 device where they do not depend on those numbers.

        Raises:
            ValueError: placement outside 0..L.
        """
        horizon = self._checked(placement)
        airtime_s = self.dnn.output_bits[: horizon + 1] / self.link.bandwidth_hz
        edge_s = self._edge_sums()[..., : horizon + 1]
        if horizon == self.layers:
            airtime_s[..., -1] = 0.0
        device_s = self.device.layer_s(self.dnn)[..., :horizon]
        device_j = self.device.layer_j(self.dnn)[..., :horizon]
        time = StageTerms(airtime=airtime_s, edge=edge_s, device=device_s)
        energy = StageTerms(airtime=self.link.tx_power_w * airtime_s, edge=np.zeros_like(edge_s), device=device_j)
        cost = StageTerms(
            airtime=self.weights.amounts(time.airtime, energy.airtime).cost,
            edge=self.weights.amounts(time.edge, energy.edge).cost,
            device=self.weights.amounts(time.device, energy.device).cost,
        )
        return Amounts(cost, time, energy)

    def _edge_sums(self) -> FloatArray:
        """Run time of the layers behind feature n on the server, shape (L+1,), s."""
        times = self.edge.layer_s(self.dnn)
        rest = np.cumsum(times[..., ::-1], axis=-1)[..., ::-1]
        return np.concatenate([rest, np.zeros((*times.shape[:-1], 1))], axis=-1)

    def _checked(self, placement: int) -> int:
        return checked_integer("placement", placement, 0, self.layers, note=f", the layers of {self.dnn.name}")
