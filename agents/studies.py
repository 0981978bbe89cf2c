"""Studies of joint placement and splitting: sweeps whose every point is solved exactly.

A study is a list of rows, kept as CSV; figures and report are made from the CSV alone.
"""

from collections.abc import Callable, Sequence

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.agents.comparison import (
    AHEAD,
    AHEAD_PLACED,
    JOINT,
    ROUNDING,
    STATIC,
    alternatives,
    amounts,
    causal_costs,
    optimum_facts,
)
from cointer_gym.agents.study_data import (
    DEVICE_CLOCK,
    DEVICE_SPEED,
    DISTANCE,
    EDGE_SPEED,
    SNR,
    TASKS,
    WEIGHT_RATIO,
    Row,
)
from cointer_gym.scenario import Scenario
from cointer_gym.units import linear_to_db

Values = Sequence[float] | None

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


def at(scenario: Scenario, parameter: str, value: float) -> Scenario:
    """The scenario with one parameter set; of the weights their ratio, with ``time_weight`` 1 (0 if it is inf)."""
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
    """Cost against energy_weight / time_weight, from time alone to energy alone; seconds and joules of three rules."""
    ratios = [0.0, *np.geomspace(0.01, 100, 33).tolist(), np.inf] if values is None else values
    rows = sweep(scenario, WEIGHT_RATIO, ratios)
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
    if dvfs is None:
        device = sweep(scenario, DEVICE_SPEED, (scenario.device.speed_flops_per_s * factors).tolist())
    else:
        clock_hz = dvfs.clock_hz * (np.geomspace(1 / 8, 4, 31) if values is None else factors)
        device = sweep(scenario, DEVICE_CLOCK, clock_hz.tolist())
    return device + sweep(scenario, EDGE_SPEED, (scenario.edge.flops_per_s * factors).tolist())


def structure_study(scenario: Scenario, values: Sequence[str] | None = None) -> list[Row]:
    """Cost by network: each in its own catalogue scenario, and all on hardware, radio and prices of ``scenario``."""
    names = list(OWN_SCENARIO) if values is None else values
    own = [("own", name, Scenario.load(OWN_SCENARIO[name])) for name in names]
    shared = [(scenario.name, name, scenario.replace(**{"dnn.profile": name})) for name in names]
    return [
        {"hardware": hardware, "dnn": name, "scenario": there.name, **alternatives(there), **optimum_facts(there)}
        for hardware, name, there in own + shared
    ]


def phase_study(scenario: Scenario, values: Values = None, ratios: Values = None) -> list[Row]:
    """What the joint optimum does over mean SNR (dB) and energy_weight / time_weight."""
    snrs_db = np.linspace(-10, 30, 33).tolist() if values is None else values
    rows = []
    for ratio in np.geomspace(0.01, 100, 25).tolist() if ratios is None else ratios:
        for snr_db in snrs_db:
            there = at(at(scenario, SNR, float(snr_db)), WEIGHT_RATIO, float(ratio))
            costs, facts = causal_costs(there), optimum_facts(there)
            labels = {"scenario": scenario.name, "mean_snr_db": float(snr_db), "weight_ratio": float(ratio)}
            kept = {name: costs[name] for name in (JOINT, AHEAD, AHEAD_PLACED, STATIC)}
            rows.append(labels | kept | {name: facts[name] for name in facts if name not in ("time_s", "energy_j")})
    return rows


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
