"""The picture that shows why this many layers."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.results import PlacementAnswer
from cointer_gym.rendering.style import BLACK, GREEN, ORANGE
from cointer_gym.report.labels import UP, beyond, value_at_edge
from cointer_gym.report.placement import numbers, splitting
from cointer_gym.report.study_panels import CURVES, LINE
from cointer_gym.report.style import AREA, COLUMN_INCHES, TINY, column_style, new_figure, save
from cointer_gym.text import minus, runs
from cointer_gym.units import FloatArray

_INFERENCE, _DOWNLOAD, _SAVES, _WASTE = "#9ECAE1", ORANGE, GREEN, AREA
_STYLES = {
    "optimal": CURVES[Alternative.JOINT] | {"linestyle": "-"},
    "look-ahead": CURVES[Alternative.AHEAD] | {"linestyle": "-"},
    "device-only": CURVES[Alternative.STATIC] | {"linestyle": "none"},  # totals jump with the feature sizes
}
_LAYER_INCHES, _BESIDE_INCHES, _WIDEST_INCHES = 0.14, 0.5, 20.0  # of a layer with two values; beside the layers
_SHOWN = 1.3
"""Totals up to this multiple of the highest bar are on the axis."""


def plot_placement(answer: PlacementAnswer, path: Path) -> None:
    """Write the figure of ``draw_placement``.

    Args:
        answer: what is drawn.
        path: PNG or PDF.
    """
    with column_style():
        save(draw_placement(answer), path)


def draw_placement(answer: PlacementAnswer) -> Figure:
    """Total cost against the number of layers, and what each layer saves against what its download costs.

    A total beyond the axis is a triangle at its edge with the value outside.
    """
    names = answer.stage_names
    width = min(max(COLUMN_INCHES, _BESIDE_INCHES + _LAYER_INCHES * len(names)), _WIDEST_INCHES)
    figure = new_figure(width, 4.4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    _draw_totals(top, answer)
    _draw_margins(bottom, answer)
    every = int(np.ceil(0.11 * len(names) / width))  # so that no name covers another
    labels = [f"{m} {name}" for m, name in enumerate(names)][::every]
    bottom.set_xticks(range(0, len(names), every), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=6)
    bottom.set_xlabel("layers on the device")
    figure.suptitle(
        f"{answer.scenario}\n{answer.tasks_per_update:,.0f} tasks between two updates, "
        f"mean SNR {minus(f'{answer.mean_snr_db:z.1f}')} dB",
        fontsize=7.5,
    )
    return figure


def _draw_totals(axes: Axes, answer: PlacementAnswer) -> None:
    inference, download = numbers(answer.inference_cost), numbers(answer.download_cost)
    layers = np.arange(inference.size)
    fits = layers <= answer.largest_placement
    for part, base, colour, label in (
        (inference, 0.0 * inference, _INFERENCE, f"inference, {splitting(answer.rule)}"),
        (download, inference, _DOWNLOAD, "model download / K"),
    ):
        axes.bar(layers[fits], part[fits], bottom=base[fits], width=0.72, color=colour, label=label)
        axes.bar(layers[~fits], part[~fits], bottom=base[~fits], width=0.72, color=colour, alpha=0.25, hatch="///")
    for index, (low, high) in enumerate(runs(answer.within_1_percent)):
        text = "_" * (index > 0) + "within 1 %"  # a leading underscore keeps it out of the legend
        axes.axvspan(low - 0.5, high + 0.5, color=_SAVES, alpha=0.13, linewidth=0, zorder=0, label=text)
    best = answer.placement
    axes.plot(best, answer.cost, "*", color=BLACK, markersize=8, label=f"optimum: {best} layers", zorder=6)
    highest = _SHOWN * float(np.nanmax((inference + download)[fits]))
    axes.set(ylabel="expected ETC per task", ylim=(0, highest), xlim=(-0.6, layers[-1] + 0.6))
    if not fits.all():
        axes.axvline(answer.largest_placement + 0.5, color=BLACK, linewidth=0.8, linestyle="--", label="memory limit")
    values_above = _draw_rivals(axes, answer, highest)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.16 if values_above else 1.0), ncols=2)


def _draw_rivals(axes: Axes, answer: PlacementAnswer, highest: float) -> bool:
    """Totals under the other rules; what is beyond the axis, or infinite, as a triangle with its value.

    Returns:
        bool: whether there are values above the axes.
    """
    layers = np.arange(answer.largest_placement + 1)
    rivals = [(rule, style) for rule, style in _STYLES.items() if rule != answer.rule]
    outside: dict[int, list[tuple[float, str]]] = {}
    for rule, style in rivals:
        total = numbers(answer.total[rule])[layers]
        shown = total <= highest
        how = LINE | style | {"clip_on": False}
        axes.plot(layers, np.where(shown, total, np.nan), label=f"total, {splitting(rule)}", **how)
        for m in layers[~shown]:
            outside.setdefault(int(m), []).append((float(total[m]), how["color"]))
    for m, values in outside.items():
        for k, (value, colour) in enumerate(values):
            x = m + 0.42 * (k - 0.5 * (len(values) - 1))
            beyond(axes, x, colour)
            text = f"{value:#.3g}" if np.isfinite(value) else "\N{INFINITY}"
            value_at_edge(axes, x, text, colour, size=TINY, upright=True)
    if outside:
        axes.plot([], [], linestyle="none", marker=UP, color=AREA, markeredgewidth=0, label="beyond the axis")
    return bool(outside)


def _draw_margins(axes: Axes, answer: PlacementAnswer) -> None:
    """Bars: what placing one more layer saves; marks: what downloading it costs."""
    most = answer.largest_placement
    saves, costs = numbers(answer.marginal_value)[:most], np.diff(numbers(answer.download_cost))[:most]
    layers = 1 + np.arange(most)
    pays = saves > costs
    axes.bar(layers, saves, width=0.72, color=np.where(pays, _SAVES, _WASTE))
    axes.hlines(costs, layers - 0.45, layers + 0.45, color=_DOWNLOAD, linewidth=1.5)
    _signed_log_scale(axes, saves)
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.set_ylabel("ETC per layer")
    handles = [Patch(color=_SAVES), Patch(color=_WASTE), Line2D([], [], color=_DOWNLOAD, linewidth=1.5)]
    labels = ["saves more than it costs", "saves less", "its download / K"]
    axes.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1.0)


def _signed_log_scale(axes: Axes, values: FloatArray) -> None:
    """Logarithmic over three decades below the largest value, linear around 0."""
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=0.0))
    scale = max(high, -low) or 1.0
    axes.set_yscale("symlog", linthresh=1e-3 * scale, linscale=0.4)
    top = int(np.floor(np.log10(scale)))
    decades = 10.0 ** np.arange(top - 2, top + 1)
    ticks = [*(-decades[::-1] if low < 0 else ()), 0.0, *decades]
    axes.set_yticks(ticks, [minus(f"{tick:g}") for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set_ylim(bottom=2 * low)
