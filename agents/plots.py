"""Plots of a benchmark, drawn from its results only."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cointer_gym.agents.storage import replace_file
from cointer_gym.rendering import Scene, draw_figure
from cointer_gym.rendering.figure import FIGURE_INCHES
from cointer_gym.units import FloatArray

# Okabe and Ito's palette, legible to the colour-blind
COLOURS = {"ppo": "#0072B2", "dqn": "#D55E00", "optimum": "#000000", "rule": "#7F7F7F"}
MARKERS = {"ppo": "o", "dqn": "^"}
STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}


def new_figure(width: float, height: float) -> Figure:
    """A figure without pyplot's global state; size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write PNG or PDF atomically."""
    replace_file(path, lambda draft: figure.savefig(draft, dpi=200, metadata={} if path.suffix == ".png" else None))


def save_scene(scene: Scene, path: Path) -> None:
    """Write the picture of one task.

    Raises:
        ValueError: the name ends neither in .png nor in .pdf.
    """
    if path.suffix not in (".png", ".pdf"):
        raise ValueError(f"out = {str(path)!r} must end in .png or .pdf")
    figure = Figure(figsize=FIGURE_INCHES)
    draw_figure(scene, figure)
    save(figure, path)


@rc_context(STYLE)
def plot_thresholds(results: dict[str, Any], path: Path) -> None:
    """SNR thresholds of the trained policies over the optimal ones, per stage, and how often the optimum is there."""
    learned = [len(training["switch_db"]) for training in results["trainings"]]
    stages = np.arange(max(len(results["optimal_threshold_db"]), *learned, 1))
    figure = new_figure(7.2, 4.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    low, high = _db_range(results)
    optimal = np.array([_clipped(value, low, high) for value in results["optimal_threshold_db"]])
    reach = np.zeros(stages.size)
    reach[: optimal.size] = results["reach_probability"][: optimal.size]
    for stage, threshold in enumerate(optimal):
        label = "optimum offloads" if stage == 0 else None
        top.fill_between(
            [stage - 0.4, stage + 0.4], threshold, high, color="#009E73", alpha=0.13, linewidth=0, label=label
        )
    placed = np.arange(optimal.size)
    top.hlines(optimal, placed - 0.4, placed + 0.4, color=COLOURS["optimum"], linewidth=1.6, label="optimal threshold")
    for algorithm in ("ppo", "dqn"):
        _scatter_switches(top, [t for t in results["trainings"] if t["algorithm"] == algorithm], reach, low, high)
    _mark_level(top, results["snr_quantiles_db"][1], "1 draw in\n1000 is\nabove", linestyle=":", beside=True)
    top.set(ylabel="SNR threshold (dB)", ylim=(low - 1, high + 1), title=f"{results['scenario']}: when to offload")
    handles, labels = top.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    bottom.bar(stages, reach, width=0.8, color="#BBBBBB")
    bottom.set(ylabel="P(reached)", ylim=(0, 1.05), yticks=[0, 0.5, 1])
    bottom.set_xticks(stages, [results["stage_names"][n] for n in stages], rotation=40 if stages.size > 8 else 0)
    bottom.set_xlabel("feature in hand")
    save(figure, path)


@rc_context(STYLE)
def plot_learning(results: dict[str, Any], path: Path) -> None:
    """Exact gap to the optimum against training steps, one thin line per seed and their median."""
    figure = new_figure(7.2, 3.6)
    axes = figure.subplots()
    for algorithm in ("ppo", "dqn"):
        curves = [np.array(t["curve"]) for t in results["trainings"] if t["algorithm"] == algorithm]
        for curve in curves:
            axes.plot(curve[:, 0], 100 * curve[:, 1], color=COLOURS[algorithm], alpha=0.35, linewidth=0.8)
        shared = min(len(curve) for curve in curves)
        median = np.median([curve[:shared, 1] for curve in curves], axis=0)
        label = f"{algorithm.upper()}, median of {len(curves)}"
        axes.plot(curves[0][:shared, 0], 100 * median, color=COLOURS[algorithm], linewidth=1.8, label=label)
    for row in results["policies"]:
        if row["policy"] in ("Look-ahead, 1 stage", "Best static split") and row["relative_gap"] > 0:
            _mark_level(axes, 100 * row["relative_gap"], row["policy"], linestyle="--")
    axes.set(yscale="log", xlabel="environment steps", ylabel="gap to the optimum (%)", title=results["scenario"])
    axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:,.0f}k" if steps else "0")
    axes.grid(axis="y", which="major", color="#DDDDDD", linewidth=0.6)
    axes.legend(loc="center right")
    save(figure, path)


def _mark_level(axes: Axes, level: float, text: str, linestyle: str, *, beside: bool = False) -> None:
    """A horizontal line with its name on it, or beside the axes where markers would cover it."""
    axes.axhline(level, color=COLOURS["rule"], linestyle=linestyle, linewidth=0.9)
    side, across, up = (1.01, "left", "center") if beside else (1.0, "right", "bottom")
    where = (side, level)
    axes.annotate(text, where, xycoords=("axes fraction", "data"), ha=across, va=up, color="#555555", size=7)


def _scatter_switches(axes: Axes, trainings: list[dict[str, Any]], reach: FloatArray, low: float, high: float) -> None:
    """One marker per switch; hollow where the optimum hardly ever comes, because nothing is learned there."""
    algorithm = trainings[0]["algorithm"]
    offset = -0.15 if algorithm == "ppo" else 0.15
    for index, training in enumerate(trainings):
        points = [
            (stage + offset + 0.08 * (index - (len(trainings) - 1) / 2), _clipped(value, low, high), stage)
            for stage, values in enumerate(training["switch_db"])
            for value in values
        ]
        x, y, stage = np.array(points).reshape(-1, 3).T
        often = reach[stage.astype(int)] >= 0.01
        label = f"{algorithm.upper()}, {len(trainings)} seed{'s' * (len(trainings) > 1)}" if index == 0 else None
        colour, marker = COLOURS[algorithm], MARKERS[algorithm]
        axes.scatter(x[often], y[often], s=22, color=colour, marker=marker, label=label, zorder=3)
        axes.scatter(
            x[~often], y[~often], s=22, facecolors="none", edgecolors=colour, marker=marker, alpha=0.5, zorder=2
        )


def _db_range(results: dict[str, Any]) -> tuple[float, float]:
    """Axis limits in steps of 5 dB: from below the thresholds that matter to above nearly all SNRs."""
    rare, common = results["snr_quantiles_db"]
    optimal = zip(results["optimal_threshold_db"], results["reach_probability"], strict=False)
    used = [value for value, reach in optimal if not isinstance(value, str) and reach > 0.01 and value > rare]
    return 5 * np.floor((min(used, default=rare) - 5) / 5), 5 * np.ceil(common / 5) + 5


def _clipped(value: float | str, low: float, high: float) -> float:
    if isinstance(value, str):
        return low if value == "always" else high
    return float(np.clip(value, low, high))
