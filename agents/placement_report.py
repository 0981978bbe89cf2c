"""The answer to "how many layers on the device?": one record for table, JSON and picture."""

from typing import Any

import numpy as np
from rich.table import Table

from cointer_gym import baselines as bl
from cointer_gym.agents import screen
from cointer_gym.baselines.placement import Rule
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray, linear_to_db

RULES: tuple[Rule, ...] = ("optimal", "look-ahead", "static")
NEAR = 0.01
"""Placements at most this share above the least total count as equally good."""


def as_rule(name: str) -> Rule:
    """The splitting rule of that name.

    Raises:
        ValueError: there is none.
    """
    for rule in RULES:
        if rule == name:
            return rule
    raise ValueError(f"rule = {name!r} must be one of {', '.join(RULES)}")


def placement_answer(scenario: Scenario, rule: Rule = "optimal") -> dict[str, Any]:
    """Every placement under ``rule``, the cheapest, and how far look-ahead and static rules are from the joint optimum.

    Returns:
        dict: plain data, in ETC per task; None where the layers do not fit into the memory of the device, or where a
        forced upload has infinite mean cost.
    """
    table = bl.optimal_placement(scenario, rule)
    tables = {name: bl.optimal_placement(scenario, name) for name in RULES}
    joint, ahead = tables["optimal"], tables["look-ahead"]
    closed, reason = _closed_form(scenario)
    return {
        "scenario": scenario.name,
        "rule": rule,
        "layers": scenario.layers,
        "largest_placement": scenario.largest_placement,
        "tasks_per_update": scenario.tasks_per_update,
        "mean_snr_db": float(linear_to_db(scenario.channel_law.average_snr)),
        "stage_names": list(scenario.dnn.stage_names),
        "placement": table.placement,
        "cost": table.cost,
        "within_1_percent": table.within(NEAR),
        "inference_cost": _plain(table.inference_cost),
        "download_cost": _plain(table.download_cost),
        "marginal_value": _plain(table.marginal_value),
        "total": {name: _plain(each.total) for name, each in tables.items()},
        "joint_optimum": {"placement": joint.placement, "cost": joint.cost},
        "look_ahead": {
            "placement": ahead.placement,
            "cost": ahead.cost,
            "excess": ahead.cost / joint.cost - 1.0,
            "excess_with_optimal_splitting": float(joint.total[ahead.placement]) / joint.cost - 1.0,
        },
        "static": {"placement": tables["static"].placement, "excess": tables["static"].cost / joint.cost - 1.0},
        "closed_form": closed,
        "no_closed_form_because": reason,
    }


def _closed_form(scenario: Scenario) -> tuple[dict[str, float] | None, str | None]:
    try:
        closed = bl.closed_form_placement(scenario)
    except ValueError as error:
        return None, str(error)
    return {"placement": closed.placement, "cost": closed.cost}, None


def _plain(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def placement_table(answer: dict[str, Any]) -> Table:
    """One line per placement: what its last layer costs to download and saves per task, and the totals."""
    title = (
        f"{answer['scenario']}: ETC per task with {answer['rule']} splitting, "
        f"{answer['tasks_per_update']:,.0f} tasks between two updates, mean SNR {answer['mean_snr_db']:.1f} dB"
    )
    headers = ("Layers", "Last layer", "Download", "Inference", "Total", "Above best", "Layer saves", "Layer costs", "")
    result = screen.table(*headers, text=2, title=title)
    number = _format(answer["cost"])
    download, inference = (np.array(answer[key], dtype=float) for key in ("download_cost", "inference_cost"))
    total = download + inference
    for m, name in enumerate(answer["stage_names"]):
        saves = number(answer["marginal_value"][m - 1]) if m else ""
        costs = number(download[m] - download[m - 1]) if m else ""
        above = screen.percent(total[m] / answer["cost"] - 1.0, 1, "+") if np.isfinite(total[m]) else "-"
        cells = (str(m), name, number(download[m]), number(inference[m]), number(total[m]), above, saves, costs)
        best = m == answer["placement"]
        result.add_row(
            *cells, _note(answer, m), style="bold green" if best else "dim" if m > answer["largest_placement"] else None
        )
    return result


def _note(answer: dict[str, Any], m: int) -> str:
    if m > answer["largest_placement"]:
        return "does not fit"
    return "<- best" if m == answer["placement"] else "within 1 %" if m in answer["within_1_percent"] else ""


def _format(scale: float) -> Any:
    """Numbers with four significant digits at ``scale``; infinite ones as a dash."""
    digits = int(np.clip(3 - np.floor(np.log10(scale)), 2, 12)) if scale > 0 else 4
    return lambda value: "-" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def placement_sentences(answer: dict[str, Any]) -> list[str]:
    """The answer in words."""
    number, m = _format(answer["cost"]), answer["placement"]
    inference, download = (number(answer[key][m]) for key in ("inference_cost", "download_cost"))
    ahead, static, joint = answer["look_ahead"], answer["static"], answer["joint_optimum"]
    lines = [
        f"Put {_layers(answer, m)} on the device: {number(answer['cost'])} ETC per task, "
        f"{inference} for inference and {download} for the download.",
        f"Within 1 % of it: {_ranges(answer['within_1_percent'])} layers.",
        f"Look-ahead would place {_layers(answer, ahead['placement'])}: with look-ahead splitting "
        f"{_excess(ahead['excess'])} the joint optimum, with optimal splitting "
        f"{_excess(ahead['excess_with_optimal_splitting'])} it.",
        f"The best static split downloads and always runs {_layers(answer, static['placement'])}: "
        f"{_excess(static['excess'])} the joint optimum.",
    ]
    if answer["rule"] != "optimal":
        here = _excess(answer["cost"] / joint["cost"] - 1.0)
        lines.insert(2, f"The joint optimum places {_layers(answer, joint['placement'])}; the cost above is {here} it.")
    if answer["closed_form"] is not None:
        found = answer["closed_form"]["placement"]
        same = "the same as" if found == ahead["placement"] else "at the cost of"
        lines.append(f"Closed form for equal layers: {found} layers, {same} the look-ahead search.")
    return lines


def _layers(answer: dict[str, Any], placement: int) -> str:
    if placement == 0:
        return "no layer"
    which = "all" if placement == answer["layers"] else f"{placement} of"
    return f"{which} {answer['layers']} layers (up to {answer['stage_names'][placement]})"


def _excess(share: float) -> str:
    return f"{screen.percent(share, 1)} above" if round(share, 3) > 0 else "as good as"


def _ranges(numbers: list[int]) -> str:
    """``[2, 3, 4, 7]`` as ``2 to 4, 7``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
