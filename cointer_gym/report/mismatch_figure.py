"""The picture of what every rule costs at every coherence time."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.mismatch import IN_TIME, MismatchAnswer
from cointer_gym.rendering.style import GREEN, PURPLE
from cointer_gym.report.labels import UP, beyond
from cointer_gym.report.mismatch import seconds
from cointer_gym.report.study_panels import CURVES, LINE, excess_scale
from cointer_gym.report.style import (
    AREA,
    COLUMN_INCHES,
    FAINT,
    INK,
    LEVEL,
    SMALL,
    column_style,
    new_figure,
    plain_ticks,
    power_ticks,
    save,
)
from cointer_gym.text import minus
from cointer_gym.units import FloatArray

_STYLES: dict[str, dict[str, Any]] = {
    IN_TIME: CURVES[Alternative.JOINT],
    "optimal": {"color": GREEN, "marker": "^", "linewidth": 1.2, "zorder": 6},
    "look-ahead": CURVES[Alternative.AHEAD],
    "look-ahead-2": {"color": PURPLE, "linestyle": (0, (2, 1))},
    "best-static": CURVES[Alternative.STATIC],
    "device-only": CURVES[Alternative.DEVICE] | {"zorder": 4.5},  # the best static split often is one of these two
    "edge-only": CURVES[Alternative.EDGE] | {"zorder": 4.5},
}
_OTHER: dict[str, Any] = {"color": LEVEL}
_NEAR = 5.0  # costs up to this factor apart are on a linear axis


def plot_mismatch(answer: MismatchAnswer, path: Path) -> None:
    """Write the figure of ``draw_mismatch``.

    Args:
        answer: what is drawn.
        path: PNG or PDF.
    """
    with column_style():
        save(draw_mismatch(answer), path)


def draw_mismatch(answer: MismatchAnswer) -> Figure:
    """Cost of every rule against the coherence time, and what each loses against the optimum in time.

    A rule without a cost is a triangle at the upper edge.
    """
    figure = new_figure(COLUMN_INCHES, 4.4)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1.5, 1])
    times = np.array(answer.swept_s)
    costs = {name: np.array(cost, dtype=np.float64) for name, cost in answer.swept_cost.items()}
    _draw_costs(top, answer, times, costs)
    _draw_losses(bottom, times, costs)
    for axes in (top, bottom):
        axes.axvline(answer.coherence_time_s, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
        axes.set_xlim(times[0], times[-1])
    top.annotate(
        seconds(answer.coherence_time_s),
        (answer.coherence_time_s, 1.0),
        (0.0, 1.5),
        xycoords=top.get_xaxis_transform(),
        textcoords="offset points",
        size=SMALL,
        color=INK,
        ha="center",
        va="bottom",
        annotation_clip=False,
    )
    bottom.set(xlabel="coherence time (s)", xscale="log")
    power_ticks(bottom.xaxis)
    top.legend(loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=2)
    fading = f"{answer.law.capitalize()} fading, mean SNR {minus(f'{answer.mean_snr_db:z.1f}')} dB"
    placed = f"{answer.scenario}, {answer.placement} of {answer.layers} layers on the device"
    figure.suptitle(f"{placed}\n{fading}", fontsize=7.5)
    return figure


def _draw_costs(axes: Axes, answer: MismatchAnswer, times: FloatArray, costs: dict[str, FloatArray]) -> None:
    for k, (name, cost) in enumerate(reversed(costs.items())):
        label = answer.rules[name].label
        _curve(axes, name, times, cost, k, label=label)
    promised = answer.rules["optimal"].promised
    if promised is not None:
        axes.axhline(promised, color=LEVEL, linewidth=1.0, linestyle="--", zorder=2, label="promised by i.i.d. fading")
    if any(not np.isfinite(cost).all() for cost in costs.values()):
        axes.plot([], [], linestyle="none", marker=UP, color=AREA, markeredgewidth=0, label="infinite or not known")
    axes.set_ylabel("expected ETC per task")
    low, high = axes.yaxis.get_data_interval()
    if high > _NEAR * low > 0:
        axes.set_yscale("log")
        plain_ticks(axes.yaxis)


def _draw_losses(axes: Axes, times: FloatArray, costs: dict[str, FloatArray]) -> None:
    optimum = costs[IN_TIME]
    with np.errstate(divide="ignore", invalid="ignore"):
        for k, (name, cost) in enumerate(reversed(costs.items())):
            _curve(axes, name, times, np.where(optimum > 0, 100.0 * (cost / optimum - 1.0), np.nan), k)
    excess_scale(axes.yaxis, axes)
    axes.set_ylim(bottom=-0.3)
    axes.set_ylabel("above the optimum\nin time (%)")


def _curve(axes: Axes, name: str, times: FloatArray, values: FloatArray, number: int, label: str = "_") -> None:
    """One curve with some markers; where it is not known, triangles at the upper edge."""
    style = LINE | _STYLES.get(name, _OTHER)
    known = np.isfinite(values)
    axes.plot(times, np.where(known, values, np.nan), label=label, markevery=(number % 2, 2), **style)
    if not known.all():
        beyond(axes, times[~known], style["color"])
