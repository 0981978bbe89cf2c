"""Studies of joint placement and splitting: sweeps whose every point is solved exactly.

A study is a list of rows, kept as CSV; figures and report are made from the CSV alone. All costs are expected ETC per task,
with the download of the model spread over the K tasks until its next update.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.agents.comparison import (
    AHEAD,
    JOINT,
    RIVALS,
    ROUNDING,
    alternatives,
    amounts,
    causal_costs,
    optimum_facts,
)
from cointer_gym.agents.storage import write_text
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray, linear_to_db

Row = dict[str, Any]
Values = Sequence[float] | None

WEIGHT_RATIO = "energy_weight / time_weight"
SNR, DISTANCE, TASKS = "channel.mean_snr_db", "channel.budget.distance_m", "tasks_per_update"
DEVICE_SPEED, DEVICE_CLOCK, EDGE_SPEED = "device.flops_per_s", "device.dvfs.clock_hz", "edge.flops_per_s"


class Axis(NamedTuple):
    """How a swept parameter is shown."""

    label: str
    scale: Literal["linear", "log"] = "log"
    unit: float = 1.0
    """Values are divided by it."""
    text: str = "{:,.4g}"
    """One value in a sentence."""


AXES = {
    SNR: Axis("mean SNR (dB)", "linear", text="mean SNR {:g} dB"),
    DISTANCE: Axis("distance (m)", text="{:.0f} m"),
    TASKS: Axis("tasks between two updates, K", text="K = {:,.0f}"),
    WEIGHT_RATIO: Axis("energy weight / time weight (s/J)", text="energy weight / time weight {:.3g} s/J"),
    DEVICE_SPEED: Axis("device speed (GFLOP/s)", unit=1e9, text="device {:,.3g} GFLOP/s"),
    DEVICE_CLOCK: Axis("device clock (GHz)", unit=1e9, text="device clock {:.3g} GHz"),
    EDGE_SPEED: Axis("edge speed (GFLOP/s)", unit=1e9, text="edge {:,.4g} GFLOP/s"),
}

OWN_SCENARIO = {
    "mlp": "mlp-pi",
    "autoencoder": "autoencoder-mcu",
    "alexnet": "alexnet-pi",
    "vgg16": "vgg16-jetson",
    "resnet18": "resnet18-phone",
    "mobilenetv2": "mobilenetv2-phone",
    "vit-b-16": "vit-b-16-jetson",
}
"""The structures that are compared, each with the catalogue scenario made for it."""


@dataclass(frozen=True, eq=False)
class Study:
    """Rows of results with equal columns."""

    name: str
    rows: list[Row]

    def column(self, name: str) -> FloatArray:
        """One column of numbers, shape (rows,)."""
        return np.array([row[name] for row in self.rows], dtype=np.float64)

    def only(self, name: str, value: object) -> "Study":
        """The rows whose column ``name`` holds ``value``."""
        return Study(self.name, [row for row in self.rows if row[name] == value])

    def distinct(self, name: str) -> list[Any]:
        """The values of a column in order of appearance."""
        return list(dict.fromkeys(row[name] for row in self.rows))

    def excess(self, name: str) -> FloatArray:
        """Cost of an alternative above the joint optimum, as a share of it, shape (rows,)."""
        return np.asarray(self.column(name) / self.column(JOINT) - 1.0)


def at(scenario: Scenario, parameter: str, value: float) -> Scenario:
    """The scenario with one swept parameter set; of the two weights the ratio, with ``time_weight`` 1 (0 if it is inf)."""
    if parameter != WEIGHT_RATIO:
        return scenario.replace(**{parameter: value})
    time_weight, energy_weight = (0.0, 1.0) if np.isinf(value) else (1.0, value)
    return scenario.replace(**{"weights.time_weight": time_weight, "weights.energy_weight": energy_weight})


def sweep(scenario: Scenario, parameter: str, values: Sequence[float]) -> list[Row]:
    """One row per value: all alternatives and what the joint optimum does."""
    return [_point(scenario, parameter, float(value)) for value in values]


def _point(scenario: Scenario, parameter: str, value: float) -> Row:
    there = at(scenario, parameter, value)
    labels = {"scenario": scenario.name, "parameter": parameter, "value": value}
    mean_snr_db = float(linear_to_db(there.channel_law.average_snr))
    return {**labels, "mean_snr_db": mean_snr_db, **alternatives(there), **optimum_facts(there)}


def snr_study(scenario: Scenario, values: Values = None) -> list[Row]:
    """Cost against the mean SNR, dB."""
    return sweep(scenario, SNR, np.linspace(-10, 30, 41).tolist() if values is None else values)


def distance_study(scenario: Scenario, values: Values = None) -> list[Row]:
    """Cost against the distance, m: an eighth to four times that of the scenario.

    Raises:
        ValueError: the scenario has no link budget.
    """
    budget = scenario.channel.budget
    if budget is None:
        raise ValueError(
            f"the distance study needs a scenario with a link budget, {scenario.name} has no channel.budget"
        )
    if values is None:
        distances = budget.distance_m * np.geomspace(1 / 8, 4, 31)
        snr_db = [budget.model_copy(update={"distance_m": d}).mean_snr_db(scenario.link) for d in distances]
        values = [float(d) for d, db in zip(distances, snr_db, strict=True) if -30 <= db <= 60]
    return sweep(scenario, DISTANCE, values)


def tasks_study(scenario: Scenario, values: Values = None) -> list[Row]:
    """Cost against the tasks K between two updates."""
    return sweep(scenario, TASKS, np.geomspace(10, 1e6, 31).tolist() if values is None else values)


def weights_study(scenario: Scenario, values: Values = None) -> list[Row]:
    """Cost against energy_weight / time_weight, from only time to only energy, with seconds and joules of three rules."""
    rows = sweep(
        scenario, WEIGHT_RATIO, [0.0, *np.geomspace(0.01, 100, 33).tolist(), np.inf] if values is None else values
    )
    for row in rows:
        there = at(scenario, WEIGHT_RATIO, row["value"])
        ahead = bl.look_ahead(there.problem(row["look_ahead_placement"]))
        static = bl.device_only(there.problem(row["static_split"]))
        for name, solution in (("look_ahead", ahead), ("static", static)):
            row[f"{name}_time_s"], row[f"{name}_energy_j"] = amounts(there, solution)
    return rows


def speed_study(scenario: Scenario, values: Values = None) -> list[Row]:
    """Cost against the speed of the device (clock frequency under DVFS) and of the edge server.

    Args:
        scenario: the scenario.
        values: multiples of its speeds.

    Raises:
        ValueError: a layer has a measured run time, which does not depend on the speed.
    """
    measured = [layer.name for layer in scenario.dnn.layers if layer.device_s is not None or layer.edge_s is not None]
    if measured:
        raise ValueError(f"the speed study needs FLOP, but layer {measured[0]!r} of {scenario.name} has measured times")
    factors = np.geomspace(1 / 32, 32, 31) if values is None else np.asarray(values)
    dvfs = scenario.device.dvfs
    parameter, speed = (
        (DEVICE_SPEED, scenario.device.speed_flops_per_s) if dvfs is None else (DEVICE_CLOCK, dvfs.clock_hz)
    )
    device = sweep(scenario, parameter, (speed * factors).tolist())
    return device + sweep(scenario, EDGE_SPEED, (scenario.edge.flops_per_s * factors).tolist())


def structure_study(scenario: Scenario, values: Sequence[str] | None = None) -> list[Row]:
    """Cost by network: each in its own catalogue scenario, and all on the hardware, radio and prices of ``scenario``."""
    names = list(OWN_SCENARIO) if values is None else values
    own = [("own", name, Scenario.load(OWN_SCENARIO[name])) for name in names]
    shared = [(scenario.name, name, scenario.replace(**{"dnn.profile": name})) for name in names]
    return [
        {"hardware": hardware, "dnn": name, "scenario": there.name, **alternatives(there), **optimum_facts(there)}
        for hardware, name, there in own + shared
    ]


def phase_study(scenario: Scenario, values: Values = None, ratios: Values = None) -> list[Row]:
    """What the joint optimum does over mean SNR (dB) and energy_weight / time_weight."""
    snrs_db = np.linspace(-10, 30, 33) if values is None else values
    return [
        {
            "scenario": scenario.name,
            "mean_snr_db": float(snr_db),
            "weight_ratio": float(ratio),
            **causal_costs(there := at(at(scenario, SNR, float(snr_db)), WEIGHT_RATIO, float(ratio))),
            **optimum_facts(there),
        }
        for ratio in (np.geomspace(0.01, 100, 25) if ratios is None else ratios)
        for snr_db in snrs_db
    ]


def closed_form_study(scenario: Scenario, values: Values = None) -> list[Row]:
    """Closed-form placement of equal layers against the search over all placements, over K and three mean SNRs.

    Raises:
        ValueError: the layers are not equal.
        ArithmeticError: the closed form and the search disagree, which only a bug can do.
    """
    rows = []
    for snr_db in (-3.0, 3.0, 9.0):
        for tasks in np.geomspace(100, 1e7, 31) if values is None else values:
            there = scenario.replace(**{SNR: snr_db, TASKS: float(tasks)})
            closed, facts = bl.closed_form_placement(there), optimum_facts(there)
            costs = alternatives(there)
            if abs(closed.cost - costs[AHEAD]) > ROUNDING * costs[AHEAD]:
                raise ArithmeticError(
                    f"{there.name}: closed form {closed.cost!r}, search {costs[AHEAD]!r}: one is wrong"
                )
            labels = {"scenario": scenario.name, "mean_snr_db": snr_db, "tasks_per_update": float(tasks)}
            found = {"closed_form_placement": closed.placement, "closed_form_cost": closed.cost}
            rows.append({**labels, **found, **costs, **facts})
    return rows


STUDIES: dict[str, tuple[Callable[..., list[Row]], str]] = {
    "snr": (snr_study, "resnet50-jetson"),
    "distance": (distance_study, "resnet50-jetson"),
    "tasks": (tasks_study, "resnet50-jetson"),
    "weights": (weights_study, "resnet50-jetson"),
    "speed": (speed_study, "resnet50-jetson"),
    "structure": (structure_study, "resnet18-phone"),
    "phase": (phase_study, "resnet50-jetson"),
    "closed-form": (closed_form_study, "mlp-pi"),
}
"""Every study: its function and the scenario it takes unless given."""


def write_csv(study: Study, path: Path) -> None:
    """Write a study with twelve significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(study.rows[0])
    for row in study.rows:
        writer.writerow([f"{cell:.12g}" if isinstance(cell, float) else cell for cell in row.values()])
    write_text(path, text.getvalue())


def read_csv(path: Path) -> Study:
    """Read what ``write_csv`` wrote; numbers come back as floats."""
    with path.open(encoding="utf-8", newline="") as lines:
        return Study(path.stem, [{name: _cell(text) for name, text in row.items()} for row in csv.DictReader(lines)])


def _cell(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
