"""Figures of a benchmark, drawn from its results only."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cointer_gym.experiments.results import BenchmarkResults, PolicyRow, Threshold, TrainingRow
from cointer_gym.rendering.style import BLACK, GREEN
from cointer_gym.report.labels import UP, End, beyond, label_ends, value_at_edge
from cointer_gym.report.looks import Look, looks
from cointer_gym.report.style import (
    AREA,
    COLUMN_INCHES,
    GRID,
    INK,
    LEVEL,
    TINY,
    column_style,
    new_figure,
    plain_ticks,
    save,
)
from cointer_gym.text import minus
from cointer_gym.units import FloatArray

_OFTEN = 0.01  # where the optimum comes more rarely, nothing is learned
_SPREAD, _SEED_STEP = 0.4, 0.11  # across the markers of a stage: between the outermost algorithms, between two seeds
_COMPARED = ("best-static", "look-ahead")
"""Rules whose gap is marked beside the learning curves."""
_STAGE_INCHES, _BESIDE_INCHES, _WIDEST_INCHES = 0.26, 0.65, 20.0  # of a column of values; beside the columns
_LEAST_GAP = 1e-6  # of the optimum; below, rounding counts


class _Limits(NamedTuple):
    """Range of an axis, dB."""

    low: float
    high: float

    def side(self, threshold: Threshold) -> int:
        """-1 for a threshold below the axis, 1 above it, 0 on it; what happens always or never is beyond."""
        level = _level(threshold)
        return int(level > self.high) - int(level < self.low)


def _level(threshold: Threshold) -> float:
    """A threshold in dB; what happens always begins at -inf, what never happens at inf."""
    if threshold.snr_db is None:
        return -np.inf if threshold.when == "always" else np.inf
    return threshold.snr_db


def plot_thresholds(results: BenchmarkResults, path: Path) -> None:
    """Write the figure of ``draw_thresholds`` as PNG or PDF."""
    with column_style():
        save(draw_thresholds(results), path)


def plot_learning(results: BenchmarkResults, path: Path) -> None:
    """Write the figure of ``draw_learning`` as PNG or PDF."""
    with column_style():
        save(draw_learning(results), path)


def draw_thresholds(results: BenchmarkResults) -> Figure:
    """SNR thresholds of the trained policies over the optimal ones, per stage, and how often the optimum is there.

    A threshold beyond the axis is a triangle at its edge, with the value outside.
    """
    optimal_stages = len(results.optimal_threshold)
    stages = np.arange(max(optimal_stages, *(len(training.switches) for training in results.trainings), 1))
    width = min(max(COLUMN_INCHES, _BESIDE_INCHES + _STAGE_INCHES * stages.size), _WIDEST_INCHES)
    figure = new_figure(width, 3.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.7, 1])
    limits = _db_limits(results)
    reach = np.zeros(stages.size)
    reach[:optimal_stages] = results.reach_probability[:optimal_stages]
    top.set(ylabel="SNR threshold (dB)", ylim=limits, xlim=(-0.6, stages.size - 0.4))
    _draw_optimum(top, results.optimal_threshold, limits)
    algorithms = looks(results.algorithms())
    for index, (algorithm, look) in enumerate(algorithms.items()):
        trainings = results.trainings_of(algorithm)
        shifts = _shifts(index, len(algorithms), len(trainings))
        _scatter_switches(top, trainings, look, shifts, reach, limits)
    lines = _write_values(top, results, limits, upright=_STAGE_INCHES * stages.size > _WIDEST_INCHES)
    top.set_title(f"{results.scenario}: when to offload", pad=8.0 + 1.15 * TINY * lines)
    top.axhline(results.snr_quantiles_db[1], color=LEVEL, linestyle=":", linewidth=0.8, zorder=1)
    if _any_beyond(results, limits):
        top.plot([], [], linestyle="none", marker=UP, color=LEVEL, markeredgewidth=0, label="beyond the axis")
    handles, labels = top.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3))
    bottom.bar(stages, reach, width=0.8, color=AREA)
    bottom.set(ylabel="P(reached)", ylim=(0, 1.05), yticks=[0, 0.5, 1], xlabel="feature in hand")
    every = int(np.ceil(0.12 * stages.size / width))  # so that no name covers another
    names = [results.stage_names[n] for n in stages[::every]]
    bottom.set_xticks(stages[::every], names, rotation=50 if stages.size > 6 else 0)
    label_ends(figure, {top: [End(results.snr_quantiles_db[1], "1 draw in\n1000 is\nabove", INK)]}, TINY)
    return figure


def draw_learning(results: BenchmarkResults) -> Figure:
    """Exact gap to the optimum against training steps, one thin line per seed and their median.

    The rules that are compared are levels with their names beside, and so is an algorithm without a recorded training.
    """
    figure = new_figure(COLUMN_INCHES, 2.4)
    axes = figure.subplots()
    axes.set(yscale="log", xlabel="environment steps", ylabel="gap to the optimum (%)", title=results.scenario)
    agents = looks([*results.algorithms(), *(row.policy for row in results.policies if row.kind == "agent")])
    for algorithm in results.algorithms():
        _draw_curves(axes, results.trainings_of(algorithm), agents[algorithm])
    ends = []
    for row in results.policies:
        if row.policy in _COMPARED and row.relative_gap > 0:
            ends.append(_draw_level(axes, row, LEVEL, "--"))
        elif row.policy in agents and row.policy not in results.algorithms():
            ends.append(_draw_level(axes, row, agents[row.policy].colour, "-."))
    if axes.get_ylim()[0] < 100 * _LEAST_GAP:
        axes.set_ylim(bottom=100 * _LEAST_GAP)
    plain_ticks(axes.yaxis, 1.0)
    axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:,.0f}k" if steps else "0")
    axes.grid(axis="y", which="major", color=GRID, linewidth=0.5)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=max(min(len(labels), 3), 1))
    label_ends(figure, {axes: ends})
    return figure


def _draw_curves(axes: Axes, trainings: tuple[TrainingRow, ...], look: Look) -> None:
    """The gap of every seed, and their median; triangles at the lower edge where it is smaller than rounding."""
    curves = [np.array([(p.steps, p.relative_gap) for p in training.curve]).reshape(-1, 2) for training in trainings]
    for curve in curves:
        axes.plot(curve[:, 0], _in_percent(curve[:, 1]), color=look.colour, alpha=0.35, linewidth=0.6)
        optimal = curve[:, 1] <= _LEAST_GAP
        if optimal.any():
            beyond(axes, curve[optimal, 0], look.colour, up=False)
    shared = min(len(curve) for curve in curves)
    median = np.median([curve[:shared, 1] for curve in curves], axis=0)
    label = f"{trainings[0].label}, median of {len(curves)}"
    axes.plot(curves[0][:shared, 0], _in_percent(median), color=look.colour, linewidth=1.4, label=label)


def _in_percent(gap: FloatArray) -> FloatArray:
    return np.asarray(100 * np.maximum(gap, _LEAST_GAP))


def _draw_level(axes: Axes, row: PolicyRow, colour: str, linestyle: str) -> End:
    """A horizontal line at the gap of a policy, to be named at its end."""
    level = 100 * max(row.relative_gap, _LEAST_GAP)
    axes.axhline(level, color=colour, linestyle=linestyle, linewidth=0.8)
    return End(level, row.label.replace(", ", ",\n"), INK if colour == LEVEL else colour)


def _draw_optimum(axes: Axes, optimal: tuple[Threshold, ...], limits: _Limits) -> None:
    """The optimal threshold of every stage, and the SNRs above it shaded; where it is on no SNR, as a legend only."""
    drawn: dict[str, Any] = {"color": BLACK, "linewidth": 1.3}
    for stage, threshold in enumerate(optimal):
        side = limits.side(threshold)
        level = float(np.clip(_level(threshold), *limits))
        axes.fill_between([stage - 0.4, stage + 0.4], level, limits.high, color=GREEN, alpha=0.13, linewidth=0)
        if side:
            beyond(axes, stage, BLACK, up=side > 0)
        else:
            axes.hlines(level, stage - 0.4, stage + 0.4, **drawn)
    axes.fill_between([], [], color=GREEN, alpha=0.13, linewidth=0, label="optimum offloads")
    axes.plot([], [], label="optimal threshold", **drawn)


def _shifts(index: int, algorithms: int, seeds: int) -> list[float]:
    """Where the markers of one algorithm stand beside the middle of a stage, one per seed."""
    centre = _SPREAD * (index - (algorithms - 1) / 2) / max(algorithms - 1, 1)
    step = _SEED_STEP * min(1.0, 2 / algorithms, 3 / seeds)
    return [centre + step * (seed - (seeds - 1) / 2) for seed in range(seeds)]


def _scatter_switches(
    axes: Axes, trainings: tuple[TrainingRow, ...], look: Look, shifts: list[float], reach: FloatArray, limits: _Limits
) -> None:
    """One marker per switch; hollow where the optimum hardly ever comes, because nothing is learned there."""
    for training, shift in zip(trainings, shifts, strict=True):
        for stage, switches in enumerate(training.switches):
            face = look.colour if reach[stage] >= _OFTEN else "none"
            for switch in switches:
                side = limits.side(switch)
                if side:
                    beyond(axes, stage + shift, look.colour, up=side > 0)
                else:
                    axes.scatter(
                        stage + shift,
                        _level(switch),
                        s=9,
                        facecolors=face,
                        edgecolors=look.colour,
                        linewidths=0.6,
                        marker=look.marker,
                        zorder=3,
                    )
    label = f"{trainings[0].label}, {len(trainings)} seed{'s' * (len(trainings) > 1)}"
    axes.scatter([], [], s=9, color=look.colour, marker=look.marker, linewidths=0.6, label=label)


def _any_beyond(results: BenchmarkResults, limits: _Limits) -> bool:
    learned = [each for training in results.trainings for stage in training.switches for each in stage]
    return any(limits.side(each) for each in (*results.optimal_threshold, *learned))


def _write_values(axes: Axes, results: BenchmarkResults, limits: _Limits, *, upright: bool) -> int:
    """Write the thresholds beyond the axis outside of its edges, a line per policy.

    Returns:
        int: lines above the axes.
    """
    colours = {name: look.colour for name, look in looks(results.algorithms()).items()}
    most = 0
    for stage in range(len(results.stage_names)):
        learned = [
            (colour, [each for row in results.trainings_of(name) for each in row.switches[stage : stage + 1]])
            for name, colour in colours.items()
        ]
        found = [(BLACK, [results.optimal_threshold[stage : stage + 1]]), *learned]
        for side in (1, -1):
            texts = [
                (text, colour)
                for colour, groups in found
                for text in _texts(each for group in groups for each in group if limits.side(each) == side)
            ]
            for line, (text, colour) in enumerate(texts):
                value_at_edge(axes, stage, text, colour, line=line, up=side > 0, size=TINY, upright=upright)
            most = max(most, len(texts)) if side > 0 else most
    return most


def _texts(thresholds: Iterable[Threshold]) -> list[str]:
    """Thresholds in few words: a number or the range of several, and what happens always or never."""
    given = list(thresholds)
    numbers = sorted(each.snr_db for each in given if each.snr_db is not None)
    words: list[str] = list(dict.fromkeys(each.when for each in given if each.snr_db is None))
    if not numbers:
        return words
    exact = list(dict.fromkeys(f"{number:z.1f}" for number in numbers))
    rough = list(dict.fromkeys(f"{number:z.0f}" for number in (numbers[0], numbers[-1])))
    return ["\N{EN DASH}".join(map(minus, exact if len(exact) == 1 else rough)), *words]


def _db_limits(results: BenchmarkResults) -> _Limits:
    """Axis limits in steps of 5 dB: from below the thresholds that matter to above nearly all SNRs."""
    rare, common = results.snr_quantiles_db
    optimal = zip(results.optimal_threshold, results.reach_probability, strict=False)
    used = [t.snr_db for t, reach in optimal if t.snr_db is not None and reach > _OFTEN and t.snr_db > rare]
    return _Limits(5 * np.floor((min(used, default=rare) - 5) / 5) - 1, 5 * np.ceil(common / 5) + 6)
