"""Studies of joint placement and splitting: sweeps whose every point is solved exactly.

A study is a list of rows, kept as CSV; figures and report are made from the CSV alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.experiments.alternatives import CAUSAL, ROUNDING, Alternative, Comparison
from cointer_gym.experiments.study_rows import (
    ClosedFormRow,
    Facts,
    PhaseRow,
    StructureRow,
    Study,
    StudyRow,
    SweepRow,
    WeightRow,
)
from cointer_gym.scenario import Scenario
from cointer_gym.units import linear_to_db

Values = Sequence[float] | None

WEIGHT_RATIO = "energy_weight / time_weight"
SNR, DISTANCE, TASKS = "channel.mean_snr_db", "channel.budget.distance_m", "tasks_per_update"
DEVICE_SPEED, DEVICE_CLOCK, EDGE_SPEED = "device.flops_per_s", "device.dvfs.clock_hz", "edge.flops_per_s"

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


def sweep(scenario: Scenario, parameter: str, values: Sequence[float]) -> list[SweepRow]:
    """One row per value: all alternatives and what the joint optimum does."""
    return [
        SweepRow(**_sweep_fields(scenario, parameter, float(value), Comparison(at(scenario, parameter, float(value)))))
        for value in values
    ]


def snr_study(scenario: Scenario, values: Values = None) -> list[SweepRow]:
    """Cost against the mean SNR, dB."""
    return sweep(scenario, SNR, np.linspace(-10, 30, 41).tolist() if values is None else values)


def distance_study(scenario: Scenario, values: Values = None) -> list[SweepRow]:
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


def tasks_study(scenario: Scenario, values: Values = None) -> list[SweepRow]:
    """Cost against the tasks K between two updates."""
    return sweep(scenario, TASKS, np.geomspace(10, 1e6, 31).tolist() if values is None else values)


def weights_study(scenario: Scenario, values: Values = None) -> list[WeightRow]:
    """Cost against energy_weight / time_weight, from time alone to energy alone; seconds and joules of three rules."""
    ratios = [0.0, *np.geomspace(0.01, 100, 33).tolist(), np.inf] if values is None else values
    rows = []
    for ratio in map(float, ratios):
        here = Comparison(at(scenario, WEIGHT_RATIO, ratio))
        ahead, static = here.score(Alternative.AHEAD), here.score(Alternative.STATIC)
        others: dict[str, Any] = {
            "look_ahead_time_s": ahead.time_s,
            "look_ahead_energy_j": ahead.energy_j,
            "static_time_s": static.time_s,
            "static_energy_j": static.energy_j,
        }
        rows.append(WeightRow(**_sweep_fields(scenario, WEIGHT_RATIO, ratio, here), **others))
    return rows


def speed_study(scenario: Scenario, values: Values = None) -> list[SweepRow]:
    """Cost against the speed of the device (clock frequency under DVFS) and of the edge server.

    Args:
        scenario: the scenario.
        values: multiples of its speeds.

    Raises:
        ValueError: layers have measured run times, which do not depend on the speed.
    """
    for measured in (scenario.device.measured, scenario.edge.measured):
        if measured is not None:
            layer = measured.layers[0].name
            raise ValueError(f"the speed study needs FLOP, but layer {layer!r} of {scenario.name} has measured times")
    factors = np.geomspace(1 / 32, 32, 31) if values is None else np.asarray(values)
    dvfs = scenario.device.dvfs
    if dvfs is None:
        device = sweep(scenario, DEVICE_SPEED, (scenario.device.speed_flops_per_s * factors).tolist())
    else:
        clock_hz = dvfs.clock_hz * (np.geomspace(1 / 8, 4, 31) if values is None else factors)
        device = sweep(scenario, DEVICE_CLOCK, clock_hz.tolist())
    return device + sweep(scenario, EDGE_SPEED, (scenario.edge.flops_per_s * factors).tolist())


def structure_study(scenario: Scenario, values: Sequence[str] | None = None) -> list[StructureRow]:
    """Cost by network: each in its own catalogue scenario, and all on hardware, radio and prices of ``scenario``."""
    names = list(OWN_SCENARIO) if values is None else values
    own = [("own", name, Scenario.load(OWN_SCENARIO[name])) for name in names]
    shared = [(scenario.name, name, scenario.replace(**{"dnn.profile": name})) for name in names]
    return [
        StructureRow(hardware=hardware, dnn=name, scenario=there.name, **_solved(Comparison(there)))
        for hardware, name, there in own + shared
    ]


def phase_study(scenario: Scenario, values: Values = None, ratios: Values = None) -> list[PhaseRow]:
    """What the joint optimum does over mean SNR (dB) and energy_weight / time_weight."""
    snrs_db = np.linspace(-10, 30, 33).tolist() if values is None else values
    kept = (Alternative.JOINT, Alternative.AHEAD, Alternative.AHEAD_PLACED, Alternative.STATIC)
    rows = []
    for ratio in map(float, np.geomspace(0.01, 100, 25) if ratios is None else ratios):
        for snr_db in map(float, snrs_db):
            here = Comparison(at(at(scenario, SNR, snr_db), WEIGHT_RATIO, ratio))
            costs = here.costs(CAUSAL)
            row = PhaseRow(
                scenario=scenario.name,
                mean_snr_db=snr_db,
                weight_ratio=ratio,
                costs={each: costs[each] for each in kept},
                facts=facts(here),
            )
            rows.append(row)
    return rows


def closed_form_study(scenario: Scenario, values: Values = None) -> list[ClosedFormRow]:
    """Closed-form placement of equal layers against the search over all placements, over K and three mean SNRs.

    Raises:
        ValueError: the layers are not equal.
        ArithmeticError: the closed form and the search disagree, which only a bug can do.
    """
    rows = []
    for snr_db in (-3.0, 3.0, 9.0):
        for tasks in map(float, np.geomspace(100, 1e7, 31) if values is None else values):
            there = scenario.replace(**{SNR: snr_db, TASKS: tasks})
            closed, solved = bl.closed_form_placement(there), _solved(Comparison(there))
            search = solved["costs"][Alternative.AHEAD]
            if abs(closed.cost - search) > ROUNDING * search:
                raise ArithmeticError(f"{there.name}: closed form {closed.cost!r}, search {search!r}: one is wrong")
            row = ClosedFormRow(
                scenario=scenario.name,
                mean_snr_db=snr_db,
                tasks_per_update=tasks,
                closed_form_placement=closed.placement,
                closed_form_cost=closed.cost,
                **solved,
            )
            rows.append(row)
    return rows


def facts(here: Comparison) -> Facts:
    """What the joint optimum does, and what the other rules place."""
    splits = here.solution(Alternative.JOINT).split_probability
    return Facts(
        layers=here.scenario.layers,
        placement=here.placed(Alternative.JOINT),
        look_ahead_placement=here.placed(Alternative.AHEAD),
        static_split=here.placed(Alternative.STATIC),
        split_depth=float(splits @ np.arange(splits.size)),
        split_entropy_bits=float(-np.sum(splits * np.log2(np.where(splits > 0, splits, 1.0)))),
    )


def _sweep_fields(scenario: Scenario, parameter: str, value: float, here: Comparison) -> dict[str, Any]:
    mean_snr_db = float(linear_to_db(here.scenario.channel_law.average_snr))
    point = {"scenario": scenario.name, "parameter": parameter, "value": value, "mean_snr_db": mean_snr_db}
    return point | _solved(here)


def _solved(here: Comparison) -> dict[str, Any]:
    """The fields that all rows with seconds and joules share."""
    costs, optimum = here.costs(), here.score(Alternative.JOINT)
    return {"costs": costs, "facts": facts(here), "time_s": optimum.time_s, "energy_j": optimum.energy_j}


class StudyPlan(NamedTuple):
    """A study and where it is run."""

    run: Callable[..., Sequence[StudyRow]]
    """Called with the scenario."""
    scenario: str
    """What it takes unless given."""


STUDIES: dict[str, StudyPlan] = {
    "snr": StudyPlan(snr_study, "resnet50-jetson"),
    "distance": StudyPlan(distance_study, "resnet50-jetson"),
    "tasks": StudyPlan(tasks_study, "resnet50-jetson"),
    "weights": StudyPlan(weights_study, "resnet50-jetson"),
    "speed": StudyPlan(speed_study, "resnet50-jetson"),
    "structure": StudyPlan(structure_study, "resnet18-phone"),
    "phase": StudyPlan(phase_study, "resnet50-jetson"),
    "closed-form": StudyPlan(closed_form_study, "mlp-pi"),
}
"""Every study by name."""


def study_names(name: str) -> list[str]:
    """The studies that ``name`` stands for: itself, or ``all`` of them.

    Raises:
        ValueError: there is no such study.
    """
    if name not in ("all", *STUDIES):
        raise ValueError(f"study = {name!r} must be one of {', '.join(STUDIES)}, all")
    return list(STUDIES) if name == "all" else [name]


def run_study(name: str, scenario: Scenario) -> Study:
    """Run one study.

    Args:
        name: one of ``STUDIES``.
        scenario: where it is run.

    Raises:
        ValueError: the scenario does not allow this study; says why.
        ArithmeticError: an alternative beats the joint optimum, which only a bug can do.
    """
    return Study(name, list(STUDIES[name].run(scenario)))
