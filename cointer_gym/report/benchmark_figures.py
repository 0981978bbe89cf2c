"""Figures of a benchmark, drawn from its results only."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from cointer_gym.experiments.results import BenchmarkResults, Threshold, TrainingRow
from cointer_gym.rendering.style import BLACK, GREEN
from cointer_gym.report.looks import Look, looks
from cointer_gym.report.style import AREA, GRID, INK, LEVEL, STYLE, new_figure, save
from cointer_gym.units import FloatArray

_OFTEN = 0.01  # where the optimum comes more rarely, nothing is learned
_SPREAD, _SEED_STEP = 0.3, 0.08  # across the markers of a stage: between the outermost algorithms, between two seeds
_COMPARED = ("best-static", "look-ahead")
"""Rules whose gap is marked beside the learning curves."""


@rc_context(STYLE)
def plot_thresholds(results: BenchmarkResults, path: Path) -> None:
    """SNR thresholds of the trained policies over the optimal ones, per stage, and how often the optimum is there."""
    optimal_stages = len(results.optimal_threshold)
    stages = np.arange(max(optimal_stages, *(len(training.switches) for training in results.trainings), 1))
    figure = new_figure(7.2, 4.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    low, high = _db_range(results)
    reach = np.zeros(stages.size)
    reach[:optimal_stages] = results.reach_probability[:optimal_stages]
    _draw_optimum(top, np.array([_clipped(each, low, high) for each in results.optimal_threshold]), high)
    algorithms = looks(results.algorithms())
    for index, (algorithm, look) in enumerate(algorithms.items()):
        trainings = results.trainings_of(algorithm)
        shifts = _shifts(index, len(algorithms), len(trainings))
        _scatter_switches(top, trainings, look, shifts, reach, (low, high))
    _mark_level(top, results.snr_quantiles_db[1], "1 draw in\n1000 is\nabove", linestyle=":", beside=True)
    top.set(ylabel="SNR threshold (dB)", ylim=(low - 1, high + 1), title=f"{results.scenario}: when to offload")
    handles, labels = top.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    bottom.bar(stages, reach, width=0.8, color=AREA)
    bottom.set(ylabel="P(reached)", ylim=(0, 1.05), yticks=[0, 0.5, 1])
    bottom.set_xticks(stages, [results.stage_names[n] for n in stages], rotation=40 if stages.size > 8 else 0)
    bottom.set_xlabel("feature in hand")
    save(figure, path)


@rc_context(STYLE)
def plot_learning(results: BenchmarkResults, path: Path) -> None:
    """Exact gap to the optimum against training steps, one thin line per seed and their median."""
    figure = new_figure(7.2, 3.6)
    axes = figure.subplots()
    for algorithm, look in looks(results.algorithms()).items():
        trainings = results.trainings_of(algorithm)
        curves = [np.array([(p.steps, p.relative_gap) for p in training.curve]) for training in trainings]
        for curve in curves:
            axes.plot(curve[:, 0], 100 * curve[:, 1], color=look.colour, alpha=0.35, linewidth=0.8)
        shared = min(len(curve) for curve in curves)
        median = np.median([curve[:shared, 1] for curve in curves], axis=0)
        label = f"{trainings[0].label}, median of {len(curves)}"
        axes.plot(curves[0][:shared, 0], 100 * median, color=look.colour, linewidth=1.8, label=label)
    for row in results.policies:
        if row.policy in _COMPARED and row.relative_gap > 0:
            _mark_level(axes, 100 * row.relative_gap, row.label, linestyle="--")
    axes.set(yscale="log", xlabel="environment steps", ylabel="gap to the optimum (%)", title=results.scenario)
    axes.xaxis.set_major_formatter(lambda steps, _: f"{steps / 1000:,.0f}k" if steps else "0")
    axes.grid(axis="y", which="major", color=GRID, linewidth=0.6)
    axes.legend(loc="center right")
    save(figure, path)


def _draw_optimum(axes: Axes, optimal_db: FloatArray, high_db: float) -> None:
    """The optimal threshold of every stage, and the SNRs above it shaded."""
    for stage, threshold in enumerate(optimal_db):
        label = "optimum offloads" if stage == 0 else None
        axes.fill_between(
            [stage - 0.4, stage + 0.4], threshold, high_db, color=GREEN, alpha=0.13, linewidth=0, label=label
        )
    placed = np.arange(optimal_db.size)
    axes.hlines(optimal_db, placed - 0.4, placed + 0.4, color=BLACK, linewidth=1.6, label="optimal threshold")


def _mark_level(axes: Axes, level: float, text: str, linestyle: str, *, beside: bool = False) -> None:
    """A horizontal line with its name on it, or beside the axes where markers would cover it."""
    axes.axhline(level, color=LEVEL, linestyle=linestyle, linewidth=0.9)
    side, across, up = (1.01, "left", "center") if beside else (1.0, "right", "bottom")
    where = (side, level)
    axes.annotate(text, where, xycoords=("axes fraction", "data"), ha=across, va=up, color=INK, size=7)


def _shifts(index: int, algorithms: int, seeds: int) -> list[float]:
    """Where the markers of one algorithm stand beside the middle of a stage, one per seed."""
    centre = _SPREAD * (index - (algorithms - 1) / 2) / max(algorithms - 1, 1)
    step = _SEED_STEP * min(1.0, 2 / algorithms)
    return [centre + step * (seed - (seeds - 1) / 2) for seed in range(seeds)]


def _scatter_switches(
    axes: Axes,
    trainings: tuple[TrainingRow, ...],
    look: Look,
    shifts: list[float],
    reach: FloatArray,
    limits_db: tuple[float, float],
) -> None:
    """One marker per switch; hollow where the optimum hardly ever comes, because nothing is learned there."""
    for index, (training, shift) in enumerate(zip(trainings, shifts, strict=True)):
        points = [
            (stage + shift, _clipped(switch, *limits_db), stage)
            for stage, switches in enumerate(training.switches)
            for switch in switches
        ]
        x, y, stage = np.array(points).reshape(-1, 3).T
        often = reach[stage.astype(int)] >= _OFTEN
        label = f"{training.label}, {len(trainings)} seed{'s' * (len(trainings) > 1)}" if index == 0 else None
        axes.scatter(x[often], y[often], s=22, color=look.colour, marker=look.marker, label=label, zorder=3)
        axes.scatter(
            x[~often],
            y[~often],
            s=22,
            facecolors="none",
            edgecolors=look.colour,
            marker=look.marker,
            alpha=0.5,
            zorder=2,
        )


def _db_range(results: BenchmarkResults) -> tuple[float, float]:
    """Axis limits in steps of 5 dB: from below the thresholds that matter to above nearly all SNRs."""
    rare, common = results.snr_quantiles_db
    optimal = zip(results.optimal_threshold, results.reach_probability, strict=False)
    used = [t.snr_db for t, reach in optimal if t.snr_db is not None and reach > _OFTEN and t.snr_db > rare]
    return 5 * np.floor((min(used, default=rare) - 5) / 5), 5 * np.ceil(common / 5) + 5


def _clipped(threshold: Threshold, low_db: float, high_db: float) -> float:
    """Where a threshold is drawn; what happens always is at the lower edge, what never happens at the upper one."""
    if threshold.snr_db is None:
        return low_db if threshold.when == "always" else high_db
    return float(np.clip(threshold.snr_db, low_db, high_db))
