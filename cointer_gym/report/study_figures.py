"""Figures of the studies, drawn from their rows only: panels on top of each other, for one column of a journal."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.studies import SNR, TASKS, WEIGHT_RATIO
from cointer_gym.experiments.study_rows import Study, WeightRow
from cointer_gym.rendering.style import BLACK, BLUE, GREEN, VERMILION
from cointer_gym.report.labels import End, label_ends
from cointer_gym.report.study_panels import (
    CURVES,
    LINE,
    draw_costs,
    draw_entropy,
    draw_excess,
    draw_placement,
    excess_scale,
)
from cointer_gym.report.study_words import AXES, SHORT
from cointer_gym.report.style import (
    AREA,
    COLUMN_INCHES,
    FAINT,
    INK,
    LEVEL,
    column_style,
    new_figure,
    plain_ticks,
    power_ticks,
    save,
)
from cointer_gym.text import minus
from cointer_gym.units import FloatArray

_GAINS = [1, 10]
_OFFSETS = {Alternative.AHEAD: -0.27, Alternative.STATIC: -0.09, Alternative.FULL: 0.09, Alternative.HALF: 0.27}
"""Alternatives told apart in the figure of the structures, those of its table, and their heights in a line."""
_OTHERS = "device only, edge only,\noptimal on look-ahead layers"


# of the figure of the closed form
_JOINT: dict[str, Any] = {"linestyle": ":", "linewidth": 1.0}
_SEARCHED: dict[str, Any] = {"linewidth": 1.0}
_CLOSED: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 3.0,
    "markerfacecolor": "white",
    "markeredgewidth": 0.6,
    "clip_on": False,
    "zorder": 4,
}
_PLACED: dict[str, Any] = {"linestyle": "--", "linewidth": 0.8}
_SAME_PLACEMENT = "optimal splitting on its layers"


def plot_study(study: Study, path: Path) -> None:
    """Draw a study as PNG or PDF, as the suffix of ``path`` says."""
    with column_style():
        save(draw_study(study), path)


def draw_study(study: Study) -> Figure:
    """The figure of a study; one with a swept parameter and no figure of its own gets that of a sweep."""
    return _SPECIAL.get(study.name, _draw_sweep)(study)


def _draw_sweep(study: Study) -> Figure:
    """Per swept parameter the excess over the joint optimum, and costs; below a single one what is placed."""
    parameters = study.distinct("parameter")
    single = len(parameters) == 1
    figure = new_figure(COLUMN_INCHES, 5.4 if single else 6.6)
    heights = [2.4, 1.5] * len(parameters) + [0.8, 0.6] * single
    panels = figure.subplots(len(heights), 1, height_ratios=heights)
    ends: dict[Axes, list[End]] = {}
    for part, parameter in enumerate(parameters):
        rows = study.only("parameter", parameter)
        excess, costs = panels[2 * part : 2 * part + 2]
        ends |= {excess: draw_excess(excess, rows), costs: draw_costs(costs, rows)}
    if single:
        ends[panels[2]] = draw_placement(panels[2], study)
        draw_entropy(panels[3], study)
    for upper, lower in pairwise(panels):
        if upper.get_xlabel() == lower.get_xlabel():
            upper.set_xlabel("")
            upper.tick_params(labelbottom=False)
            lower.set_xlim(upper.get_xlim())
    return _finish(figure, study, ends)


def _finish(figure: Figure, study: Study, ends: dict[Axes, list[End]]) -> Figure:
    """The name of the scenario, and of every curve at its end."""
    figure.suptitle(study.rows[0].scenario, fontsize=7.5)
    figure.align_ylabels()
    label_ends(figure, ends)
    return figure


def _draw_weights(study: Study) -> Figure:
    """The energy-time front of three rules, and the excess over the joint optimum against the price of energy."""
    figure = new_figure(COLUMN_INCHES, 4.6)
    front, excess = figure.subplots(2, 1)
    for each, prefix in ((Alternative.STATIC, "static_"), (Alternative.AHEAD, "look_ahead_"), (Alternative.JOINT, "")):
        seconds, joules = study.column(f"{prefix}time_s"), study.column(f"{prefix}energy_j")
        joint = each is Alternative.JOINT
        style = LINE | CURVES[each]
        if joint:
            style |= {"marker": "o", "markersize": 2.2, "linewidth": 0.8}
        else:  # few distinct points, nothing between them
            style |= {"linestyle": "none", "markersize": 4.0}
        front.plot(1e3 * seconds, 1e3 * joules, label=SHORT[each], **style)
    front.set(xscale="log", yscale="log", xlabel="expected time per task (ms)", ylabel="expected energy (mJ)")
    plain_ticks(front.xaxis, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    plain_ticks(front.yaxis)
    front.grid(color=FAINT, linewidth=0.5)
    front.legend()
    part = Study(study.name, [row for row in study.rows_of(WeightRow) if 0 < row.value < np.inf])
    return _finish(figure, study, {excess: draw_excess(excess, part)})


def _draw_structure(study: Study) -> Figure:
    """One line of dots per network, each network in its own scenario and all on shared hardware."""
    hardware = study.distinct("hardware")
    figure = new_figure(COLUMN_INCHES, 0.5 + 2.3 * len(hardware))
    panels = figure.subplots(len(hardware), 1)
    names = study.distinct("dnn")
    for axes, which in zip(np.atleast_1d(panels), hardware, strict=True):
        part, rows = study.only("hardware", which), np.arange(len(names))
        axes.axvline(0, color=BLACK, linewidth=1.3, label=SHORT[Alternative.JOINT])
        for each in study.alternatives:
            if each is not Alternative.JOINT:
                axes.plot(100 * part.excess(each), rows + _OFFSETS.get(each, 0.0), **_dots(each))
        axes.hlines(rows[:-1] + 0.5, 0, 1, transform=axes.get_yaxis_transform(), color=FAINT, linewidth=0.5, zorder=1)
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        excess_scale(axes.xaxis, axes)
        axes.set(ylim=(len(names) - 0.5, -0.5))
        axes.set_yticks(rows, names)
        axes.set_title("each in its own scenario" if which == "own" else f"all on the hardware of {which}")
    axes.set_xlabel("above the joint optimum (%)")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _dots(alternative: Alternative) -> dict[str, Any]:
    """Looks of the dots of an alternative, and its name in the legend; a leading underscore keeps it out."""
    how: dict[str, Any] = {"linestyle": "none", "markeredgewidth": 0.6}
    if alternative is Alternative.CLAIRVOYANT:
        how |= {"marker": "|", "markersize": 7, "markeredgewidth": 1.2}
        return how | {"color": LEVEL, "label": SHORT[alternative]}
    if alternative in _OFFSETS:
        markers = {Alternative.FULL: "^", Alternative.HALF: "v"}
        marker = markers.get(alternative, CURVES[alternative].get("marker"))
        colour = CURVES[alternative]["color"]
        return how | {"marker": marker, "markersize": 3.4, "color": colour, "zorder": 4, "label": SHORT[alternative]}
    shown = _OTHERS if alternative is Alternative.DEVICE else f"_{alternative.label}"
    return how | {"marker": "o", "markersize": 2.6, "color": AREA, "zorder": 3, "label": shown}


def _draw_phase(study: Study) -> Figure:
    """Where it splits, how much that depends on the channel, and what deciding online is worth."""
    snr, ratio = np.unique(study.column("mean_snr_db")), np.unique(study.column("weight_ratio"))
    layers = study.rows[0].facts.layers
    shape = (ratio.size, snr.size)
    static = 100 * np.reshape(study.excess(Alternative.STATIC), shape)
    panels: list[tuple[str, FloatArray, str, Normalize]] = [
        (f"layers run on the device (of {layers})", study.column("split_depth"), "viridis", PowerNorm(0.4, 0, layers)),
        ("split entropy (bits)", study.column("split_entropy_bits"), "cividis", Normalize(0)),
        ("best static split above the joint optimum (%)", static, "magma", Normalize(0)),
    ]
    figure = new_figure(COLUMN_INCHES, 5.4)
    maps = figure.subplots(3, 1, sharex=True)
    for axes, (title, values, colours, norm) in zip(maps, panels, strict=True):
        grid = np.reshape(values, shape)
        mesh = axes.pcolormesh(snr, ratio, grid, shading="nearest", cmap=colours, norm=norm, rasterized=True)
        bar = figure.colorbar(mesh, ax=axes, pad=0.02, aspect=14)
        if isinstance(norm, PowerNorm):
            bar.set_ticks(sorted({0, 1, 2, 5, layers // 2, layers}))
        axes.contour(snr, ratio, static, levels=_GAINS, colors="white", linewidths=0.8, linestyles=[":", "-"])
        axes.set(yscale="log", title=title)
        power_ticks(axes.yaxis)
    maps[1].set_ylabel(AXES[WEIGHT_RATIO].label)
    maps[-1].set_xlabel(AXES[SNR].label)
    figure.suptitle(study.rows[0].scenario, fontsize=7.5)
    lines = [Line2D([], [], color=INK, linewidth=0.8, linestyle=style) for style in (":", "-")]
    labels = [f"static split {gain} % above" for gain in _GAINS]
    figure.legend(lines, labels, loc="outside lower center", ncols=2)
    return figure


def _draw_closed_form(study: Study) -> Figure:
    """Placement by the closed form and by exhaustive search against K, a panel per SNR, and what look-ahead costs."""
    levels = study.distinct("mean_snr_db")
    figure = new_figure(COLUMN_INCHES, 1.9 + 0.95 * len(levels))
    panels = figure.subplots(len(levels) + 1, 1, sharex=True, height_ratios=[1.0] * len(levels) + [1.6])
    excess, ends = panels[-1], []
    for axes, snr_db, colour in zip(panels, levels, (BLUE, VERMILION, GREEN), strict=False):
        part = study.only("mean_snr_db", snr_db)
        tasks, layers = part.column("tasks_per_update"), part.rows[0].facts.layers
        axes.plot(tasks, part.column("placement"), drawstyle="steps-mid", color=BLACK, **_JOINT)
        axes.plot(tasks, part.column("look_ahead_placement"), drawstyle="steps-mid", color=colour, **_SEARCHED)
        axes.plot(tasks, part.column("closed_form_placement"), markevery=2, color=colour, **_CLOSED)
        axes.set(ylim=(-0.06 * layers, 1.06 * layers), yticks=sorted({0, layers // 2, layers}))
        name = minus(f"{snr_db:g} dB")
        axes.set_title(f"mean SNR {name}", loc="left", fontsize=7, pad=2.0)
        ahead, placed = 100 * part.excess(Alternative.AHEAD), 100 * part.excess(Alternative.AHEAD_PLACED)
        excess.plot(tasks, ahead, color=colour, **_SEARCHED)
        excess.plot(tasks, placed, color=colour, **_PLACED)
        ends.append(End(float(ahead[-1]), f"look-ahead,\n{name}", colour))
    for axes in panels:
        axes.set(xscale="log", xlim=(tasks.min(), tasks.max()))
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
        power_ticks(axes.xaxis)
    panels[len(levels) // 2].set_ylabel("layers placed")
    excess.set(ylabel="above the joint\noptimum (%)", xlabel=AXES[TASKS].label)
    looks = {"joint optimum": _JOINT, "look-ahead": _SEARCHED, "closed form for it": _CLOSED, _SAME_PLACEMENT: _PLACED}
    handles = [Line2D([], [], color=INK, label=name, **how) for name, how in looks.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return _finish(figure, study, {excess: ends})


def _draw_distance(study: Study) -> Figure:
    """A sweep with the mean SNR on top."""
    figure = _draw_sweep(study)
    distance, snr = study.column("value"), study.column("mean_snr_db")
    below = figure.axes[0]
    top = below.twiny()
    top.set(xscale="log", xlim=below.get_xlim())
    marks = [db for db in range(-30, 61, 10) if snr.min() <= db <= snr.max()]
    top.set_xticks(np.interp(marks, snr[::-1], distance[::-1]), [minus(f"{db}") for db in marks])
    top.set_xticks([], minor=True)
    top.set_xlabel("mean SNR (dB)")
    return figure


_SPECIAL: dict[str, Callable[[Study], Figure]] = {
    "distance": _draw_distance,
    "weights": _draw_weights,
    "structure": _draw_structure,
    "phase": _draw_phase,
    "closed-form": _draw_closed_form,
}
