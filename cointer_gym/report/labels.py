"""Names beside the curves that they belong to, and marks for what lies beyond an axis."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression

from cointer_gym.report.style import SMALL
from cointer_gym.units import FloatArray

UP: list[tuple[float, float]] = [(-0.42, 0.0), (0.42, 0.0), (0.0, 1.0)]
"""A slim triangle that stands on the edge beyond which a value lies."""
DOWN = [(x, -y) for x, y in UP]
_ROOM, _LEADER = 1.25, 7.0  # height of a label over its type size; length of the line that leads to it, points
_LEADER_STYLE = {"arrowstyle": "-", "lw": 0.5, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)}


class End(NamedTuple):
    """Where a curve ends at the right edge of its axes, and how it is called there."""

    level: float
    """In data coordinates; infinite beyond the upper edge."""
    text: str
    colour: str


def label_ends(figure: Figure, ends: Mapping[Axes, Sequence[End]], size: float = SMALL) -> None:
    """Write names to the right of axes, at the levels of their curves and apart from each other.

    Args:
        figure: with all limits and scales as they will be.
        ends: of the curves, by axes.
        size: of the names, points.
    """
    labels = {axes: [_label(axes, end, share, size) for end, share in _placed(axes, ends[axes])] for axes in ends}
    figure.draw_without_rendering()  # only now the layout, and with it the height of the axes, is known
    for axes, placed in labels.items():
        height = 72.0 * axes.get_window_extent().height / figure.dpi
        wanted = height * np.array([share for _, share in _placed(axes, ends[axes])])
        heights = np.array([_ROOM * size * (1 + end.text.count("\n")) for end in ends[axes]])
        for label, before, after in zip(placed, wanted, spread(wanted, heights, 0.0, height), strict=True):
            label.set_position((_LEADER, after - before))


def _label(axes: Axes, end: End, share: float, size: float) -> Annotation:
    """A name beside the axes with a line to ``share`` of their height."""
    return axes.annotate(
        end.text,
        (1.0, share),
        (_LEADER, 0.0),
        xycoords="axes fraction",
        textcoords="offset points",
        size=size,
        color=end.colour,
        va="center",
        linespacing=1.0,
        annotation_clip=False,
        arrowprops=_LEADER_STYLE | {"color": end.colour},
    )


def spread(wanted: FloatArray, heights: FloatArray, low: float, high: float) -> FloatArray:
    """Middles of labels that do not overlap, as near to the ``wanted`` ones as can be.

    Args:
        wanted: middles.
        heights: of the labels.
        low: what the labels stay above if there is room.
        high: what they stay below.
    """
    order = np.argsort(wanted, kind="stable")
    tall = heights[order]
    offset = np.cumsum(tall) - 0.5 * tall  # of the middles if all labels stand on each other
    slack = max(high - low - tall.sum(), 0.0)
    start = isotonic_regression(wanted[order] - offset).x
    middles = np.empty_like(wanted)
    middles[order] = np.clip(start, low, low + slack) + offset
    return middles


def beyond(axes: Axes, x: ArrayLike, colour: str, *, up: bool = True) -> None:
    """Triangles at the upper or lower edge of the axes, for points that lie beyond it."""
    x = np.atleast_1d(np.asarray(x, dtype=np.float64))
    axes.plot(
        x,
        np.full(x.size, 1.0 if up else 0.0),
        linestyle="none",
        marker=UP if up else DOWN,
        markersize=5.0,
        color=colour,
        markeredgewidth=0.0,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        zorder=6,
    )


def value_at_edge(
    axes: Axes, x: float, text: str, colour: str, *, line: int = 0, up: bool = True, size: float, upright: bool = False
) -> None:
    """A value beyond the axes, written outside of their edge; ``line`` counts outwards."""
    distance = 6.0 + 1.15 * size * line
    axes.annotate(
        text,
        (x, 1.0 if up else 0.0),
        (0.0, distance if up else -distance),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        size=size,
        color=colour,
        ha="center",
        va="bottom" if up else "top",
        rotation=90.0 if upright else 0.0,
        annotation_clip=False,
    )


def _placed(axes: Axes, ends: Sequence[End]) -> list[tuple[End, float]]:
    """Ends with their heights as shares of the axes."""
    bottom, top = axes.get_ylim()
    inside = np.clip([end.level for end in ends], bottom, top)
    points = axes.transData.transform(np.column_stack([np.full(inside.size, axes.get_xlim()[1]), inside]))
    shares = np.clip(axes.transAxes.inverted().transform(points)[:, 1], 0.0, 1.0)
    return list(zip(ends, shares.tolist(), strict=True))
