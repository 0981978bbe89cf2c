"""A scenario: one network on one device, one link, one server, and what time and energy are worth."""

import difflib
import tomllib
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from cointer_gym.channel import Channel
from cointer_gym.dnn import Dnn, Layer
from cointer_gym.hardware import Device, Dvfs, EdgeServer
from cointer_gym.link import ChannelSettings, Link, LinkBudget
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.units import FloatArray, Model, checked_integer, read_only

_CATALOGUE = resources.files("cointer_gym") / "data" / "scenarios"


class Weights(Model):
    """The energy-and-time cost: ETC = time_weight x seconds + energy_weight x joules.

    Args:
        time_weight: 1/s.
        energy_weight: 1/J.
    """

    time_weight: float = Field(default=1.0, ge=0)
    energy_weight: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _not_both_zero(self) -> Self:
        if self.time_weight == 0 and self.energy_weight == 0:
            raise ValueError("time_weight and energy_weight are both 0: every policy would cost nothing")
        return self


class Scenario(Model):
    """Everything needed to pose the stopping problem and the placement problem.

    Args:
        name: short name.
        description: one line.
        dnn: the network; ``{"profile": name or path}`` or the layers themselves.
        device, edge, link, channel: hardware and radio.
        weights: price of time and energy.
        tasks_per_update: inference tasks served between two model updates, K.
        sources: where each constant comes from, keyed by dotted field name.
    """

    name: str
    description: str = ""
    dnn: Dnn
    device: Device
    edge: EdgeServer
    link: Link
    channel: ChannelSettings
    weights: Weights = Weights()
    tasks_per_update: float = Field(default=1000.0, gt=0)
    sources: dict[str, str] = Field(default_factory=dict)

    @classmethod
    def load(cls, scenario: "str | Path | dict[str, Any] | Scenario", **overrides: Any) -> "Scenario":
        """Read a scenario.

        Args:
            scenario: built-in name (see ``list_scenarios``), path to a ``.toml`` file, or a dictionary of its content.
            **overrides: dotted field names and their new values, e.g. ``**{"link.bandwidth_hz": 1e6}``.

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
            if "dnn.profile" in overrides:  # another network keeps the precision, not the layers
                content["dnn"] = {
                    name: value for name, value in content["dnn"].items() if name.endswith("_per_element")
                }
        elif isinstance(scenario, dict):
            content, origin = scenario, str(scenario.get("name", "given as a dictionary"))
        else:
            content, origin = _read_toml(str(scenario)), str(scenario)
        for field, value in overrides.items():
            content = _override(content, field, value)
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ValueError(f"scenario {origin}: {_describe(error)}") from None

    def replace(self, **overrides: Any) -> "Scenario":
        """A copy with dotted fields replaced, validated again."""
        return Scenario.load(self, **overrides)

    @property
    def layers(self) -> int:
        """L, the number of layers of the network."""
        return len(self.dnn.layers)

    @cached_property
    def channel_law(self) -> Channel:
        """The channel seen by the uploads."""
        return self.channel.build(self.link)

    @cached_property
    def download_s(self) -> FloatArray:
        """Time to download the first M layers, spread over the K tasks they serve: shape (L+1,), s per task."""
        bits = np.concatenate([[0.0], np.cumsum(self.dnn.parameter_bits)])
        return read_only(bits / (self.link.downlink_bps * self.tasks_per_update))

    @cached_property
    def download_cost(self) -> FloatArray:
        """Cost of downloading the first M layers, (w_t + w_e P_r) sum P_l / (R_d K): shape (L+1,), ETC per task."""
        per_second = self.weights.time_weight + self.weights.energy_weight * self.link.rx_power_w
        return read_only(per_second * self.download_s)

    @cached_property
    def largest_placement(self) -> int:
        """The most layers whose parameters fit into the memory of the device."""
        if self.device.memory_bytes is None:
            return self.layers
        return int(np.searchsorted(np.cumsum(self.dnn.parameter_bits), 8.0 * self.device.memory_bytes, side="right"))

    def problem(self, placement: int | None = None) -> StoppingProblem:
        """The stopping problem when the first ``placement`` layers are on the device.

        Args:
            placement: M in 0..L; None places all layers.

        Returns:
            StoppingProblem: horizon M, with time and energy terms.

        Raises:
            ValueError: placement outside 0..L, or a forced upload of infinite mean cost.
        """
        horizon = self.layers
        if placement is not None:
            horizon = checked_integer("placement", placement, 0, self.layers, note=f", the layers of {self.dnn.name}")
        completes = horizon == self.layers
        time, energy = self._terms(horizon, completes)
        cost = time.weighted(self.weights.time_weight, energy, self.weights.energy_weight)
        return StoppingProblem(
            airtime_cost=cost.airtime,
            edge_cost=cost.edge,
            device_cost=cost.device,
            channel=self.channel_law,
            completes=completes,
            time=time,
            energy=energy,
            stage_names=self.dnn.stage_names[: horizon + 1],
        )

    def _terms(self, horizon: int, completes: bool) -> tuple[StageTerms, StageTerms]:
        """Time (s) and energy (J) terms of the first ``horizon`` layers; a completed network uploads nothing."""
        airtime_s = self.dnn.output_bits[: horizon + 1] / self.link.bandwidth_hz
        edge_s = np.append(np.cumsum(self.edge.layer_s(self.dnn)[::-1])[::-1], 0.0)[: horizon + 1]
        if completes:
            airtime_s[-1] = 0.0
        device_s = self.device.layer_s(self.dnn)[:horizon]
        device_j = self.device.layer_j(self.dnn)[:horizon]
        time = StageTerms(airtime=airtime_s, edge=edge_s, device=device_s)
        energy = StageTerms(airtime=self.link.tx_power_w * airtime_s, edge=np.zeros_like(edge_s), device=device_j)
        return time, energy


def list_scenarios() -> list[str]:
    """Names of the built-in scenarios, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in _CATALOGUE.iterdir() if entry.name.endswith(".toml"))


def _read_toml(scenario: str) -> dict[str, Any]:
    path = _CATALOGUE / f"{scenario}.toml" if scenario in list_scenarios() else Path(scenario)
    if not path.is_file():
        raise ValueError(
            f"scenario = {scenario!r} is neither a file nor one of the built-in scenarios {', '.join(list_scenarios())}"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"scenario {scenario}: not valid TOML: {error}") from error
    profile = content["dnn"].get("profile") if isinstance(content.get("dnn"), dict) else None
    if isinstance(path, Path) and isinstance(profile, str) and (path.parent / profile).is_file():
        content["dnn"]["profile"] = str(path.parent / profile)  # relative to the scenario file, not to the caller
    return content


def _override(content: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Set a dotted field; what it stands instead of, and the note on where the old value came from, go."""
    content = _put(content, field.split("."), value)
    if field == "channel.mean_snr_db":
        content = _put(content, ["channel", "budget"], None)
    sources = content.get("sources")
    if field == "sources" or not isinstance(sources, dict):
        return content
    kept = {name: text for name, text in sources.items() if not f"{name}.".startswith(f"{field}.")}
    return {**content, "sources": kept}


def _put(content: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    head, *rest = keys
    if not rest:
        return {**content, head: value}
    inner = content.get(head) or {}
    if not isinstance(inner, dict):
        raise ValueError(f"field {head!r} has no field {'.'.join(rest)!r} to override")
    return {**content, head: _put(inner, rest, value)}


def _describe(error: ValidationError) -> str:
    """One line per fault: field, value and what is allowed."""
    lines = []
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"]) or "scenario"
        given = fault["input"]
        value = f" = {given!r}" if isinstance(given, str | int | float) else ""
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(fault["loc"][-1]), _field_names(), n=1)
            message = "unknown field" + (f", did you mean {near[0]!r}?" if near else "")
        lines.append(f"{field}{value}: {message}")
    return "; ".join(lines)


def _field_names() -> set[str]:
    parts: tuple[type[Model], ...] = (
        Scenario,
        Dnn,
        Layer,
        Device,
        Dvfs,
        EdgeServer,
        Link,
        LinkBudget,
        ChannelSettings,
        Weights,
    )
    return {name for part in parts for name in part.model_fields}
