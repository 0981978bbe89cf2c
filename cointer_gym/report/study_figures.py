"""Figures of the studies, drawn from their rows only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cointer_gym.experiments.alternatives import RIVALS, Alternative
from cointer_gym.experiments.studies import SNR, TASKS, WEIGHT_RATIO
from cointer_gym.experiments.study_rows import Study, WeightRow
from cointer_gym.rendering.style import BLACK, BLUE, GREEN, VERMILION
from cointer_gym.report.study_panels import (
    CURVES,
    LINE,
    draw_costs,
    draw_entropy,
    draw_excess,
    draw_placement,
    excess_scale,
    legend,
    plain_ticks,
)
from cointer_gym.report.study_words import AXES
from cointer_gym.report.style import FAINT, INK, STYLE, new_figure, save
from cointer_gym.text import minus
from cointer_gym.units import FloatArray

_GAINS = [1, 10]


def plot_study(study: Study, path: Path) -> None:
    """Draw a study as PNG or PDF, as the suffix of ``path`` says."""
    with rc_context(STYLE):
        save(draw_study(study), path)


def draw_study(study: Study) -> Figure:
    """The figure of a study; one with a swept parameter and no figure of its own gets that of a sweep."""
    return _SPECIAL.get(study.name, _draw_sweep)(study)


def _draw_sweep(study: Study) -> Figure:
    """Per swept parameter a row: cost, and excess over the joint optimum; below a single one what is placed."""
    parameters = study.distinct("parameter")
    single = len(parameters) == 1
    figure = new_figure(7.2, 5.0 if single else 6.4)
    axes = figure.subplots(len(parameters) + single, 2, squeeze=False, height_ratios=[3, 1.2] if single else None)
    for row, parameter in enumerate(parameters):
        part = study.only("parameter", parameter)
        draw_costs(axes[row, 0], part)
        draw_excess(axes[row, 1], part)
    if single:
        draw_placement(axes[1, 0], study)
        draw_entropy(axes[1, 1], study)
        for upper, lower in zip(axes[0], axes[1], strict=True):
            upper.set_xlabel("")
            upper.tick_params(labelbottom=False)
            lower.set_xlim(upper.get_xlim())
    figure.suptitle(study.rows[0].scenario, fontsize=10)
    legend(figure, axes[0, 0])
    return figure


def _draw_weights(study: Study) -> Figure:
    """The energy-time front of three rules, and the excess over the joint optimum against the price of energy."""
    figure = new_figure(7.2, 4.2)
    left, right = figure.subplots(1, 2)
    for each, prefix in ((Alternative.STATIC, "static_"), (Alternative.AHEAD, "look_ahead_"), (Alternative.JOINT, "")):
        seconds, joules = study.column(f"{prefix}time_s"), study.column(f"{prefix}energy_j")
        joint = each is Alternative.JOINT
        style = LINE | CURVES[each] | {"marker": CURVES[each].get("marker", "."), "zorder": 5 if joint else 3}
        if not joint:  # few distinct points, nothing between them
            style["linestyle"] = "none"
        left.plot(1e3 * seconds, 1e3 * joules, **style)
    left.set(xscale="log", yscale="log", xlabel="expected time per task (ms)", ylabel="expected energy per task (mJ)")
    plain_ticks(left.xaxis, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    plain_ticks(left.yaxis)
    left.grid(color=FAINT, linewidth=0.6)
    part = Study(study.name, [row for row in study.rows_of(WeightRow) if 0 < row.value < np.inf])
    draw_excess(right, part)
    figure.suptitle(study.rows[0].scenario, fontsize=10)
    legend(figure, right)
    return figure


def _draw_structure(study: Study) -> Figure:
    """One line of dots per network, each network in its own scenario and all on shared hardware."""
    hardware = study.distinct("hardware")
    figure = new_figure(7.2, 5.2)
    panels = figure.subplots(1, len(hardware), sharey=True)
    names = study.distinct("dnn")
    for axes, which in zip(panels, hardware, strict=True):
        part = study.only("hardware", which)
        rows = np.arange(len(names))
        axes.axvline(0, color=BLACK, linewidth=1.6, label=Alternative.JOINT.label)
        for k, each in enumerate((*RIVALS, Alternative.CLAIRVOYANT)):
            style = CURVES[each]
            dots: dict[str, Any] = {"linestyle": "none", "markersize": 4.5, "zorder": 4}
            dots |= {key: style[key] for key in ("color", "marker", "markerfacecolor") if key in style}
            if each is Alternative.CLAIRVOYANT:
                dots |= {"marker": "|", "markersize": 13, "markeredgewidth": 2}
            offset = 0.1 * (k - 3) if each in RIVALS else 0.0
            axes.plot(100 * part.excess(each), rows + offset, label=each.label, **dots)
        axes.hlines(rows[:-1] + 0.5, 0, 1, transform=axes.get_yaxis_transform(), color=FAINT, linewidth=0.6, zorder=1)
        axes.grid(axis="x", color=FAINT, linewidth=0.6)
        excess_scale(axes.xaxis, axes)
        axes.set(xlabel="above the joint optimum (%)", ylim=(len(names) - 0.5, -0.5))
        axes.set_yticks(rows, names)
        axes.set_title("each in its own scenario" if which == "own" else f"all on the hardware of {which}", fontsize=9)
    legend(figure, panels[0])
    return figure


def _draw_phase(study: Study) -> Figure:
    """Where it splits, how much that depends on the channel, and what deciding online is worth."""
    snr, ratio = np.unique(study.column("mean_snr_db")), np.unique(study.column("weight_ratio"))
    layers = study.rows[0].facts.layers
    shape = (ratio.size, snr.size)
    static = 100 * np.reshape(study.excess(Alternative.STATIC), shape)
    panels: list[tuple[str, FloatArray, str, Normalize]] = [
        (
            f"layers run on the device (of {layers})",
            study.column("split_depth"),
            "viridis",
            PowerNorm(0.4, 0, layers),
        ),
        ("split entropy (bits)", study.column("split_entropy_bits"), "cividis", Normalize(0)),
        ("best static split above\nthe joint optimum (%)", static, "magma", Normalize(0)),
    ]
    figure = new_figure(7.2, 3.7)
    for axes, (title, values, colours, norm) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        grid = np.reshape(values, shape)
        mesh = axes.pcolormesh(snr, ratio, grid, shading="nearest", cmap=colours, norm=norm, rasterized=True)
        bar = figure.colorbar(mesh, ax=axes, orientation="horizontal", pad=0.03, aspect=18)
        if isinstance(norm, PowerNorm):
            bar.set_ticks(sorted({0, 1, 2, 5, layers // 2, layers}))
        axes.contour(snr, ratio, static, levels=_GAINS, colors="white", linewidths=1.0, linestyles=[":", "-"])
        axes.set(yscale="log", xlabel=AXES[SNR].label, title=title)
        axes.title.set_fontsize(8.5)
    figure.axes[0].set_ylabel(AXES[WEIGHT_RATIO].label)
    figure.suptitle(study.rows[0].scenario, fontsize=10)
    lines = [Line2D([], [], color=INK, linewidth=1.0, linestyle=style) for style in (":", "-")]
    labels = [f"best static split {gain} % above the joint optimum" for gain in _GAINS]
    figure.legend(lines, labels, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _draw_closed_form(study: Study) -> Figure:
    """Placement by the closed form and by exhaustive search against K, and what look-ahead costs."""
    figure = new_figure(7.2, 3.9)
    left, right = figure.subplots(1, 2)
    colours = (BLUE, VERMILION, GREEN)
    for snr_db, colour in zip(study.distinct("mean_snr_db"), colours, strict=True):
        part = study.only("mean_snr_db", snr_db)
        tasks = part.column("tasks_per_update")
        line: dict[str, Any] = {"color": colour, "linewidth": 1.2}
        left.plot(tasks, part.column("placement"), drawstyle="steps-mid", linestyle=":", **line)
        left.plot(tasks, part.column("look_ahead_placement"), drawstyle="steps-mid", **line)
        left.plot(
            tasks, part.column("closed_form_placement"), "o", color=colour, markersize=3.5, markerfacecolor="none"
        )
        right.plot(tasks, 100 * part.excess(Alternative.AHEAD), label=minus(f"mean SNR {snr_db:g} dB"), **line)
        right.plot(tasks, 100 * part.excess(Alternative.AHEAD_PLACED), linestyle="--", **line)
    grey: dict[str, Any] = {"color": INK}
    left.plot([], [], "o", markerfacecolor="none", markersize=3.5, label="closed form", **grey)
    left.plot([], [], label="look-ahead, all placements searched", **grey)
    left.plot([], [], linestyle=":", label="joint optimum", **grey)
    right.plot([], [], linestyle="--", label="optimal splitting on that placement", **grey)
    for axes in (left, right):
        axes.set(xscale="log", xlabel=AXES[TASKS].label)
        axes.grid(axis="y", color=FAINT, linewidth=0.6)
    left.set(ylabel="layers placed")
    right.set(ylabel="above the joint optimum (%)")
    figure.suptitle(study.rows[0].scenario, fontsize=10)
    handles, labels = left.get_legend_handles_labels()
    more, names = right.get_legend_handles_labels()
    figure.legend(handles + more, labels + names, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _draw_distance(study: Study) -> Figure:
    """A sweep with the mean SNR on top."""
    figure = _draw_sweep(study)
    distance, snr = study.column("value"), study.column("mean_snr_db")
    for axes in figure.axes[:2]:
        top = axes.twiny()
        top.set(xscale="log", xlim=axes.get_xlim())
        marks = [db for db in range(-30, 61, 10) if snr.min() <= db <= snr.max()]
        top.set_xticks(np.interp(marks, snr[::-1], distance[::-1]), [minus(f"{db}") for db in marks])
        top.set_xticks([], minor=True)
        top.set_xlabel("mean SNR (dB)", fontsize=8)
        top.tick_params(labelsize=8)
    return figure


_SPECIAL: dict[str, Callable[[Study], Figure]] = {
    "distance": _draw_distance,
    "weights": _draw_weights,
    "structure": _draw_structure,
    "phase": _draw_phase,
    "closed-form": _draw_closed_form,
}
