"""The exact solution of a scenario as one record, for ``solve --json``."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.experiments.results import Threshold
from cointer_gym.records import Model
from cointer_gym.scenario import Scenario

Number = Literal["cost", "relative_gap", "time_s", "energy_j"]


class PolicyAnswer(Model):
    """The exact score of one rule, per task.

    Args:
        label: how it is shown.
        cost: ETC.
        relative_gap: cost above the optimum, as a share of it.
        time_s: seconds.
        energy_j: joules.
        split_probability: P(the network is split after layer n), (M+1,).
        null_because: why a number above is None, by its name.
    """

    label: str
    cost: float | None
    relative_gap: float | None
    time_s: float | None
    energy_j: float | None
    split_probability: tuple[float, ...]
    null_because: dict[Number, str]


class SolveAnswer(Model):
    """What a scenario costs under the optimum and the analytic rules, ETC per task.

    Args:
        version: of this shape.
        scenario: its name.
        placement: layers on the device, M.
        layers: of the network, L.
        stage_names: ``input`` and the layers 1..M.
        optimal_threshold: SNR from which the optimum offloads, stages 0..M-1.
        value: expected cost still to come under the optimum at every stage, before its SNR is seen, (M+1,).
        clairvoyant_cost: what no causal policy passes.
        policies: by name of the rule.
    """

    version: Literal[1] = 1
    scenario: str
    placement: int
    layers: int
    stage_names: tuple[str, ...]
    optimal_threshold: tuple[Threshold, ...]
    value: tuple[float, ...]
    clairvoyant_cost: float
    policies: dict[str, PolicyAnswer]


def solve_answer(scenario: Scenario, scores: Mapping[str, bl.Score], optimum: bl.Solution, bound: float) -> SolveAnswer:
    """Collect the answer.

    Args:
        scenario: what was solved.
        scores: by name of the rule.
        optimum: its optimal rule.
        bound: the clairvoyant bound.
    """
    return SolveAnswer(
        scenario=scenario.name,
        placement=optimum.problem.horizon,
        layers=scenario.layers,
        stage_names=optimum.problem.stage_names,
        optimal_threshold=tuple(Threshold.of(snr) for snr in optimum.threshold_snr),
        value=tuple(optimum.value.tolist()),
        clairvoyant_cost=bound,
        policies={name: _policy(bl.RULES[name].label, score) for name, score in scores.items()},
    )


def _policy(label: str, score: bl.Score) -> PolicyAnswer:
    numbers: dict[Number, float | None] = {
        "cost": score.cost,
        "relative_gap": score.relative_gap,
        "time_s": score.time_s,
        "energy_j": score.energy_j,
    }
    finite = {name: value if value is not None and np.isfinite(value) else None for name, value in numbers.items()}
    return PolicyAnswer(
        label=label,
        **finite,
        split_probability=tuple(score.split_probability.tolist()),
        null_because={name: _reason(name, score) for name, value in finite.items() if value is None},
    )


def _reason(name: Number, score: bl.Score) -> str:
    """Why a number is infinite or unknown."""
    if name == "relative_gap" and np.isfinite(score.cost):
        return "the optimum costs nothing, this rule something"
    if name in ("time_s", "energy_j") and getattr(score, name) is None:
        return "not known"
    return "infinite: it uploads at every SNR, and with min_efficiency = 0 the mean time of such an upload diverges"
