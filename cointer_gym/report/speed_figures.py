"""Figures of a speed run, drawn from its results only, for one column of a journal."""

from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cointer_gym.experiments.speed import GrowthPoint, SpeedResults, StepPart
from cointer_gym.rendering.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from cointer_gym.report.study_panels import scale_of
from cointer_gym.report.style import (
    AREA,
    COLUMN_INCHES,
    FAINT,
    INK,
    LEVEL,
    SMALL,
    column_style,
    new_figure,
    save,
)
from cointer_gym.text import significant
from cointer_gym.units import FloatArray

_PARTS = (BLUE, SKY, GREEN, ORANGE, "#F0E442", PURPLE, AREA)
_OTHERS = (VERMILION, "#8C564B", LEVEL)
_CURVES: tuple[dict[str, Any], ...] = ({"color": BLUE, "marker": "o"}, {"color": VERMILION, "marker": "s"})
_AXES = {"devices": "devices", "layers": "layers"}


def plot_step(results: SpeedResults, path: Path) -> None:
    """Write the figure of ``draw_step`` as PNG or PDF."""
    with column_style():
        save(draw_step(results.step), path)


def plot_growth(results: SpeedResults, path: Path) -> None:
    """Write the figure of ``draw_growth`` as PNG or PDF."""
    with column_style():
        save(draw_growth(results.growth), path)


def draw_step(parts: Sequence[StepPart]) -> Figure:
    """Per size of the batch a bar of the parts of a step, one of what it cannot do without, and one of the peer."""
    sizes = list(dict.fromkeys(each.num_envs for each in parts))
    bars = list(dict.fromkeys(each.bar for each in parts))
    names = list(dict.fromkeys(each.part for each in parts))
    own = [name for name in names if any(each.part == name and each.bar == bars[0] for each in parts)]
    rest = [name for name in names if name not in own]
    colours = dict(zip([*own, *rest], [*_cycled(_PARTS, len(own)), *_cycled(_OTHERS, len(rest))], strict=True))
    figure = new_figure(COLUMN_INCHES, 0.9 + 1.2 * len(sizes))
    panels = np.atleast_1d(figure.subplots(len(sizes), 1))
    for axes, size in zip(panels, sizes, strict=True):
        _draw_bars(axes, [each for each in parts if each.num_envs == size], bars, colours)
        axes.set(title=f"{size:,} environments", xlabel="time per environment and step (ns)")
    handles = {name: handle for axes in panels for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=2)
    return figure


def _draw_bars(axes: Axes, parts: Sequence[StepPart], bars: list[str], colours: dict[str, str]) -> None:
    """Parts side by side, and the sum at the end of every bar."""
    for place, bar in enumerate(bars):
        left = 0.0
        for each in parts:
            if each.bar == bar:
                width = 1e9 * each.seconds
                colour = colours[each.part]
                axes.barh(place, width, 0.7, left=left, color=colour, edgecolor="white", linewidth=0.3, label=each.part)
                left += width
        axes.annotate(f" {significant(left)}", (left, place), va="center", size=SMALL, color=INK)
    axes.set_yticks(range(len(bars)), bars)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.margins(x=0.1)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)


def draw_growth(points: Sequence[GrowthPoint]) -> Figure:
    """Time against the number of devices and of layers, with the exponents of the power laws nearest to them."""
    kinds = list(dict.fromkeys(each.axis for each in points))
    figure = new_figure(COLUMN_INCHES, 0.3 + 2.1 * len(kinds))
    for axes, kind in zip(np.atleast_1d(figure.subplots(len(kinds), 1)), kinds, strict=True):
        curves = list(dict.fromkeys(each.curve for each in points if each.axis == kind))
        for curve, look in zip(curves, _cycled(_CURVES, len(curves)), strict=True):
            rows = [each for each in points if (each.axis, each.curve) == (kind, curve)]
            sizes, seconds = np.array([(each.size, each.seconds) for each in rows]).T
            label = curve
            if sizes.size > 1:
                large = slice(-max(2, (sizes.size + 1) // 2), None)  # below, what is done once counts
                exponent, factor = power_law(sizes[large], seconds[large])
                label = f"{curve}: time \N{PROPORTIONAL TO} {kind}^{exponent:.2f}"
                fitted = factor * sizes[large] ** exponent
                axes.plot(sizes[large], fitted, color=look["color"], linewidth=0.8, zorder=2)
            axes.plot(sizes, seconds, linestyle="none", markersize=3.5, label=label, zorder=3, **look)
        axes.set(xscale="log", yscale="log", xlabel=_AXES[kind], ylabel="time (s)")
        axes.set_title(_held(rows[0]))
        of_kind = [each for each in points if each.axis == kind]
        scale_of(axes.xaxis, np.array([each.size for each in of_kind]))
        scale_of(axes.yaxis, np.array([each.seconds for each in of_kind]))
        axes.grid(color=FAINT, linewidth=0.5)
        axes.legend(loc="lower right")
    figure.align_ylabels()
    return figure


def power_law(sizes: FloatArray, seconds: FloatArray) -> tuple[float, float]:
    """Exponent and factor of the power law that is nearest to points in logarithms, by least squares."""
    exponent, logarithm = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(exponent), float(np.exp(logarithm))


def _held(point: GrowthPoint) -> str:
    """What does not grow along a curve."""
    return f"{point.layers:,} layers each" if point.axis == "devices" else f"{point.devices:,} devices"


def _cycled(looks: Sequence[Any], count: int) -> list[Any]:
    return list(islice(cycle(looks), count))
