"""The answer to "how many layers on the device?" as a table and in words."""

from collections.abc import Callable

import numpy as np
from rich.table import Table

from cointer_gym.experiments.results import PlacementAnswer
from cointer_gym.report.tables import table
from cointer_gym.text import percent, ranges
from cointer_gym.units import FloatArray


def numbers(values: tuple[float | None, ...]) -> FloatArray:
    """An array with NaN for None."""
    return np.array(values, dtype=np.float64)


def splitting(rule: str) -> str:
    """How a rule splits, in words: one that always runs what is placed is static."""
    return f"{'static' if rule == 'device-only' else rule} splitting"


def placement_table(answer: PlacementAnswer) -> Table:
    """One line per placement: what its last layer costs to download and saves per task, and the totals."""
    title = (
        f"{answer.scenario}: ETC per task with {splitting(answer.rule)}, "
        f"{answer.tasks_per_update:,.0f} tasks between two updates, mean SNR {answer.mean_snr_db:z.1f} dB"
    )
    headers = ("Layers", "Last layer", "Download", "Inference", "Total", "Above best", "Layer saves", "Layer costs", "")
    result = table(*headers, text=2, title=title)
    number = _format(answer.cost)
    download, inference = numbers(answer.download_cost), numbers(answer.inference_cost)
    total = download + inference
    for m, name in enumerate(answer.stage_names):
        saves = number(answer.marginal_value[m - 1]) if m else ""
        costs = number(download[m] - download[m - 1]) if m else ""
        above = percent(total[m] / answer.cost - 1.0, 1, "+") if np.isfinite(total[m]) else "-"
        cells = (str(m), name, number(download[m]), number(inference[m]), number(total[m]), above, saves, costs)
        best = m == answer.placement
        result.add_row(
            *cells, _note(answer, m), style="bold green" if best else "dim" if m > answer.largest_placement else None
        )
    return result


def placement_sentences(answer: PlacementAnswer) -> list[str]:
    """The answer in words."""
    number, m = _format(answer.cost), answer.placement
    inference, download = number(answer.inference_cost[m]), number(answer.download_cost[m])
    ahead, static, joint = answer.look_ahead, answer.static, answer.joint_optimum
    lines = [
        f"Put {_layers(answer, m)} on the device: {number(answer.cost)} ETC per task, "
        f"{inference} for inference and {download} for the download.",
        f"Within 1 % of it: {ranges(answer.within_1_percent)} layers.",
        f"Look-ahead would place {_layers(answer, ahead.placement)}: with look-ahead splitting "
        f"{_above(ahead.excess)} the joint optimum, with optimal splitting "
        f"{_above(ahead.excess_with_optimal_splitting)} it.",
        f"The best static split downloads and always runs {_layers(answer, static.placement)}: "
        f"{_above(static.excess)} the joint optimum.",
    ]
    if answer.rule != "optimal":
        here = _above(answer.cost / joint.cost - 1.0)
        lines.insert(2, f"The joint optimum places {_layers(answer, joint.placement)}; the cost above is {here} it.")
    if answer.closed_form is not None:
        found = answer.closed_form.placement
        same = "the same as" if found == ahead.placement else "at the cost of"
        lines.append(f"Closed form for equal layers: {found} layers, {same} the look-ahead search.")
    return lines


def _note(answer: PlacementAnswer, m: int) -> str:
    if m > answer.largest_placement:
        return "does not fit"
    return "<- best" if m == answer.placement else "within 1 %" if m in answer.within_1_percent else ""


def _format(scale: float) -> Callable[[float | None], str]:
    """Numbers with four significant digits at ``scale``; infinite ones as a dash."""
    digits = int(np.clip(3 - np.floor(np.log10(scale)), 2, 12)) if scale > 0 else 4
    return lambda value: "-" if value is None or not np.isfinite(value) else f"{value:z.{digits}f}"


def _layers(answer: PlacementAnswer, placement: int) -> str:
    if placement == 0:
        return "no layer"
    which = "all" if placement == answer.layers else f"{placement} of"
    return f"{which} {answer.layers} layers (up to {answer.stage_names[placement]})"


def _above(share: float) -> str:
    return f"{percent(share, 1)} above" if round(share, 3) > 0 else "as good as"
