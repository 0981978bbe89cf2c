"""The picture that shows why this many layers."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.results import PlacementAnswer
from cointer_gym.rendering.style import BLACK, GREEN, ORANGE
from cointer_gym.report.placement import numbers, splitting
from cointer_gym.report.study_panels import CURVES, LINE
from cointer_gym.report.style import AREA, STYLE, new_figure, save
from cointer_gym.text import runs
from cointer_gym.units import FloatArray

_INFERENCE, _DOWNLOAD, _SAVES, _WASTE = "#9ECAE1", ORANGE, GREEN, AREA
_TOTALS = (
    ("optimal", CURVES[Alternative.JOINT] | {"linestyle": "-"}),
    ("look-ahead", CURVES[Alternative.AHEAD] | {"linestyle": "-"}),
    ("device-only", CURVES[Alternative.STATIC] | {"linestyle": "none"}),  # totals jump with the feature sizes
)


@rc_context(STYLE)
def plot_placement(answer: PlacementAnswer, path: Path) -> None:
    """Total cost against the number of layers, and what each layer saves against what its download costs.

    Args:
        answer: what is drawn.
        path: PNG or PDF.
    """
    names = answer.stage_names
    figure = new_figure(max(7.2, 0.36 * len(names)), 5.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    _draw_totals(top, answer)
    _draw_margins(bottom, answer)
    bottom.set_xticks(range(len(names)), [f"{m} {name}" for m, name in enumerate(names)], rotation=60, ha="right")
    bottom.set_xticklabels(bottom.get_xticklabels(), fontsize=7, rotation_mode="anchor")
    bottom.set_xlabel("layers on the device")
    figure.suptitle(
        f"{answer.scenario}: {answer.tasks_per_update:,.0f} tasks between two updates, "
        f"mean SNR {answer.mean_snr_db:.1f} dB",
        fontsize=10,
    )
    save(figure, path)


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
    highest = 1.3 * float(np.nanmax((inference + download)[fits]))
    for rule, style in _TOTALS:
        if rule != answer.rule:
            total = numbers(answer.total[rule])
            total[~(total < highest)] = np.nan
            axes.plot(layers, total, label=f"total, {splitting(rule)}", **(LINE | style))
    best = answer.placement
    axes.plot(best, answer.cost, "*", color=BLACK, markersize=12, label=f"optimum: {best} layers", zorder=6)
    axes.use_sticky_edges = False  # a margin above the highest bar
    axes.set(ylabel="expected ETC per task", ylim=(0, None), xlim=(-0.6, layers[-1] + 0.6))
    if not fits.all():
        axes.axvline(answer.largest_placement + 0.5, color=BLACK, linewidth=1, linestyle="--", label="memory limit")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


def _draw_margins(axes: Axes, answer: PlacementAnswer) -> None:
    """Bars: what placing one more layer saves; marks: what downloading it costs."""
    most = answer.largest_placement
    saves, costs = numbers(answer.marginal_value)[:most], np.diff(numbers(answer.download_cost))[:most]
    layers = 1 + np.arange(most)
    pays = saves > costs
    axes.bar(layers, saves, width=0.72, color=np.where(pays, _SAVES, _WASTE))
    axes.hlines(costs, layers - 0.45, layers + 0.45, color=_DOWNLOAD, linewidth=2)
    _signed_log_scale(axes, saves)
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.set_ylabel("ETC per layer")
    handles = [Patch(color=_SAVES), Patch(color=_WASTE), Line2D([], [], color=_DOWNLOAD, linewidth=2)]
    labels = ["the layer saves more than its download costs", "it saves less", "its download / K"]
    axes.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8)


def _signed_log_scale(axes: Axes, values: FloatArray) -> None:
    """Logarithmic over three decades below the largest value, linear around 0."""
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=0.0))
    scale = max(high, -low) or 1.0
    axes.set_yscale("symlog", linthresh=1e-3 * scale, linscale=0.4)
    top = int(np.floor(np.log10(scale)))
    decades = 10.0 ** np.arange(top - 2, top + 1)
    axes.set_yticks([*(-decades[::-1] if low < 0 else ()), 0.0, *decades])
    axes.set_yticks([], minor=True)
    axes.set_ylim(bottom=2 * low)
