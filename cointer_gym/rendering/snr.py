"""The panels below the network: the SNR of every stage against the optimal threshold, and the law it is drawn from."""

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cointer_gym.problem import StoppingProblem
from cointer_gym.rendering import style
from cointer_gym.rendering.scene import Scene
from cointer_gym.rendering.style import Grid, Labels
from cointer_gym.units import FloatArray, db_to_linear, linear_to_db

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEGEND, _AXIS = 24.0, 36.0  # room above and below the panel
_PAD_DB, _LEAST_SPAN_DB = 2.0, 12.0
_BIN_DB = 0.5
_BAR = 0.86  # width of a column's tint, of 1


class _Law(NamedTuple):
    """Axis limits that hold all but 0.2 % of the SNRs, and the probability of every bin between them."""

    low_db: float
    high_db: float
    edges_db: FloatArray
    probability: FloatArray


@lru_cache(maxsize=32)
def _law(problem: StoppingProblem) -> _Law:
    middle_db = float(linear_to_db(problem.channel.average_snr or 1.0))
    edges_db = middle_db + np.arange(-60.0, 60.0 + _BIN_DB, _BIN_DB)
    survival = problem.channel.survival(db_to_linear(edges_db))
    low_db = edges_db[np.flatnonzero(survival >= 0.999)[-1]] if survival[0] >= 0.999 else edges_db[0]
    high_db = edges_db[np.flatnonzero(survival <= 0.001)[0]] if survival[-1] <= 0.001 else edges_db[-1]
    missing = max(_LEAST_SPAN_DB - (high_db - low_db), 0.0)
    return _Law(low_db - _PAD_DB - 0.5 * missing, high_db + _PAD_DB + 0.5 * missing, edges_db, -np.diff(survival))


def draw_snr(scene: Scene, grid: Grid, top: float) -> "Axes":
    """Draw thresholds, the region where the optimum offloads, and the SNRs seen so far.

    Args:
        scene: the task.
        grid: columns of the page.
        top: where to begin, points from the top of the page; the panel ends at the bottom of the page.

    Returns:
        Axes: of the panel, SNR in dB upwards.
    """
    law = _law(scene.problem)
    axes = grid.axes(style.LEFT, style.LEFT + grid.column * grid.columns, top + _LEGEND, grid.height - _AXIS)
    axes.set(xlim=(-0.5, scene.horizon + 0.5), ylim=(law.low_db, law.high_db))
    axes.axvspan(scene.stage - 0.5, scene.stage + 0.5, color=style.NOW, lw=0, zorder=0)
    _draw_regions(scene, axes, law)
    _draw_marks(scene, axes, grid, law)
    _draw_path(scene, axes, law)
    _label(scene, axes, grid)
    return axes


def _threshold_db(scene: Scene) -> FloatArray:
    """Thresholds of stages 0..M: -inf dB at a forced upload, inf where none is left."""
    last = np.inf if scene.problem.completes else 0.0
    return np.asarray(linear_to_db(np.append(scene.threshold_snr, last)))


def _draw_regions(scene: Scene, axes: "Axes", law: _Law) -> None:
    """Offload above the threshold, continue below it; deeper colours at the stage in hand."""
    from matplotlib.collections import LineCollection

    threshold_db = _threshold_db(scene)[: scene.horizon + scene.has_forced_upload]
    inside = np.clip(threshold_db, law.low_db, law.high_db)
    for n, split in enumerate(inside):
        now = n == scene.stage
        edge, device = (style.EDGE_PALE, style.DEVICE_PALE) if now else (style.EDGE_TINT, style.DEVICE_TINT)
        axes.bar(n, law.high_db - split, _BAR, bottom=split, color=edge, lw=0, zorder=1)
        axes.bar(n, split - law.low_db, _BAR, bottom=law.low_db, color=device, lw=0, zorder=1)
    shown = np.flatnonzero((threshold_db > law.low_db) & (threshold_db < law.high_db))
    lines = [[(n - 0.5 * _BAR, threshold_db[n]), (n + 0.5 * _BAR, threshold_db[n])] for n in shown]
    axes.add_collection(LineCollection(lines, colors=style.INK, linewidths=1.8, zorder=3), autolim=False)


def _draw_marks(scene: Scene, axes: "Axes", grid: Grid, law: _Law) -> None:
    """Words for thresholds that the axis does not show: never, always, forced, or a number off the scale."""
    marks = [_mark(scene, n, float(db), law) for n, db in enumerate(_threshold_db(scene))]
    fit = Labels.fit([text for text, _ in marks] or [""], grid.column, style.SMALL_SIZE)
    for n, (text, at_top) in enumerate(marks):
        if text and n % fit.every == 0:
            y, va, offset = (law.high_db, "top", -3) if at_top else (law.low_db, "bottom", 3)
            axes.annotate(
                text,
                (n, y),
                (0, offset),
                textcoords="offset points",
                size=style.SMALL_SIZE,
                rotation=fit.rotation,
                color=style.MUTED,
                ha="center",
                va=va,
                zorder=4,
            )


def _mark(scene: Scene, stage: int, threshold_db: float, law: _Law) -> tuple[str, bool]:
    """The word, and whether it stands at the top of the panel."""
    if stage == scene.horizon:
        return ("done", True) if scene.problem.completes else ("forced", False)
    if np.isinf(threshold_db):
        return ("never", True) if threshold_db > 0 else ("always", False)
    if threshold_db >= law.high_db:
        return f"\u25b2{threshold_db:.0f}", True
    return (f"\u25bc{threshold_db:.0f}".replace("-", "\u2212"), False) if threshold_db <= law.low_db else ("", True)


def _draw_path(scene: Scene, axes: "Axes", law: _Law) -> None:
    """The SNRs seen, the one in hand emphasised; off the scale they are triangles at its border."""
    path_db = np.asarray(linear_to_db(scene.snr_path))
    stages, inside = np.arange(path_db.size), np.clip(path_db, law.low_db, law.high_db)
    axes.plot(stages, inside, color=style.INK, lw=0.8, alpha=0.5, zorder=5)
    now = stages == scene.stage
    for kept, marker in ((path_db == inside, "o"), (path_db < inside, "v"), (path_db > inside, "^")):
        axes.plot(
            stages[kept & ~now],
            inside[kept & ~now],
            marker,
            ms=4.5,
            mfc=style.INK,
            mec="white",
            mew=0.6,
            zorder=6,
            clip_on=False,
        )
        colour = style.EDGE if scene.optimum_offloads else style.DEVICE if scene.has_upload else style.INK
        axes.plot(
            stages[kept & now],
            inside[kept & now],
            marker,
            ms=9.5,
            mfc=colour,
            mec="white",
            mew=1.4,
            zorder=7,
            clip_on=False,
        )


def _label(scene: Scene, axes: "Axes", grid: Grid) -> None:
    """Axis labels, and the legend above the panel."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    numbers = [str(n) for n in range(scene.horizon + 1)]
    every = max(1, int(np.ceil(12.0 / grid.column)))
    axes.set_xticks(range(0, scene.horizon + 1, every), numbers[::every])
    axes.tick_params(labelsize=style.SMALL_SIZE, colors=style.MUTED, length=2.5)
    axes.set_xlabel("stage (layers done on the device)", size=style.LABEL_SIZE)
    axes.set_ylabel("uplink SNR (dB)", size=style.LABEL_SIZE)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    dot = {"ls": "", "marker": "o", "mec": "white"}
    handles = [
        Line2D([], [], color=style.INK, lw=1.8, label="optimal threshold"),
        Patch(color=style.EDGE_PALE, label="optimum offloads"),
        Patch(color=style.DEVICE_PALE, label="optimum continues"),
        Line2D([], [], **dot, ms=4.5, color=style.INK, label="SNR seen"),
        Line2D([], [], **dot, ms=8.5, color=style.MUTED, label="SNR now"),
    ]
    axes.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=5,
        frameon=False,
        fontsize=style.SMALL_SIZE,
        borderpad=0.2,
        borderaxespad=0.3,
        handlelength=1.4,
        columnspacing=1.6,
        handletextpad=0.5,
    )


def draw_snr_law(scene: Scene, grid: Grid, axes: "Axes") -> None:
    """Draw the probability of each SNR beside the panel, coloured by what the optimum does with it at this stage.

    Args:
        scene: the task.
        grid: columns of the page.
        axes: the panel, whose vertical axis is shared.
    """
    law = _law(scene.problem)
    left = style.LEFT + grid.column * grid.columns
    box = axes.get_position()
    panel = grid.axes(
        left + 10.0, grid.width - style.MARGIN, (1.0 - box.y1) * grid.height, (1.0 - box.y0) * grid.height
    )
    middle_db = 0.5 * (law.edges_db[1:] + law.edges_db[:-1])
    offloads = middle_db >= linear_to_db(scene.threshold_now)
    for chosen, colour in (
        (offloads, style.EDGE_PALE),
        (~offloads, style.DEVICE_PALE if scene.has_upload else style.FAINT),
    ):
        panel.barh(middle_db[chosen], law.probability[chosen], _BIN_DB, color=colour, lw=0)
    panel.set(ylim=(law.low_db, law.high_db), xlim=(0.0, 1.1 * law.probability.max()), xticks=[], yticks=[])
    for side in ("top", "right", "bottom"):
        panel.spines[side].set_visible(False)
    if scene.has_upload:
        panel.set_title(
            f"offload {scene.offload_probability:.0%}", size=style.SMALL_SIZE, color=style.EDGE, loc="left", pad=4.0
        )
    panel.set_xlabel("law of the SNR", size=style.LABEL_SIZE)
