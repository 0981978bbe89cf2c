"""The network as two lanes of blocks, the edge server's above the device's: a feature lies where its layer runs."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cointer_gym.rendering import style
from cointer_gym.rendering.scene import Scene, bits_text, shortened, significant, size_unit
from cointer_gym.rendering.style import Grid, Labels
from cointer_gym.units import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LANE, _GAP = 60.0, 22.0
_EDGE_Y, _DEVICE_Y = 0.5 * _LANE, 1.5 * _LANE + _GAP
_ROWS_TOP = 2.0 * _LANE + _GAP + 5.0
_TALLEST, _SHORTEST, _WIDTH = 50.0, 5.0, 0.62
_LONGEST_NAME = 12


def draw_network(scene: Scene, grid: Grid, top: float) -> float:
    """Draw both lanes and the names and sizes of the features below them.

    Args:
        scene: the task.
        grid: columns of the page.
        top: where to begin, points from the top of the page.

    Returns:
        float: where the rows end, points from the top of the page.
    """
    names = [shortened(name, _LONGEST_NAME) for name in scene.problem.stage_names]
    divisor, unit = size_unit(max(scene.feature_bits))
    sizes = [significant(bits / divisor) for bits in scene.feature_bits]
    rows = [("feature", names), (f"size ({unit})", sizes)]
    fitted = [Labels.fit(labels, grid.column, style.SMALL_SIZE) for _, labels in rows]
    height = _ROWS_TOP + sum(labels.height for labels in fitted)
    axes = grid.axes(style.LEFT, grid.width - style.MARGIN, top, top + height)
    axes.set(xlim=(-0.5, -0.5 + (grid.width - style.MARGIN - style.LEFT) / grid.column), ylim=(height, 0.0))
    axes.set_axis_off()
    _draw_lanes(scene, axes, grid)
    axes.fill_between([scene.stage - 0.5, scene.stage + 0.5], _ROWS_TOP - 5.0, height, color=style.NOW, lw=0)
    _draw_blocks(scene, axes)
    _draw_edge_only(scene, axes, grid)
    _draw_upload(scene, axes)
    y = _ROWS_TOP
    for (caption, labels), fit in zip(rows, fitted, strict=True):
        _draw_row(scene, axes, grid, caption, labels, fit, y)
        y += fit.height
    return top + height


def _draw_lanes(scene: Scene, axes: "Axes", grid: Grid) -> None:
    """Two tinted bands, their names, and which layers belong to them now."""
    left_to_run = _span(scene.stage + 1, scene.total_layers)
    edge_note = {"": "would run ", "offloaded": "runs ", "completed": "not needed"}[scene.finished]
    edge_note += "" if scene.finished == "completed" else left_to_run
    device_note = f"has run {_span(1, scene.stage)}" if scene.stage else "holds the input"
    for y, name, note, colour, tint in (
        (_EDGE_Y, "Edge server", edge_note, style.EDGE, style.EDGE_TINT),
        (_DEVICE_Y, "Device", device_note, style.DEVICE, style.DEVICE_TINT),
    ):
        axes.axhspan(y - 0.5 * _LANE, y + 0.5 * _LANE, color=tint, lw=0, zorder=0)
        place = {"x": _caption_x(grid), "ha": "right", "va": "center"}
        axes.text(y=y - 6.0, s=name, size=style.VALUE_SIZE, weight="bold", color=colour, **place)
        axes.text(y=y + 7.0, s=note, size=style.SMALL_SIZE, color=style.MUTED, **place)


def _caption_x(grid: Grid) -> float:
    """Where captions left of the columns end."""
    return -0.5 - 7.0 / grid.column


def _span(first: int, last: int) -> str:
    """Numbers of the layers ``first`` to ``last``."""
    return str(last) if first >= last else f"{first}\u2013{last}"


def _block_heights(scene: Scene) -> FloatArray:
    """As the cube root of the size: the edge of a cube of that volume."""
    share = np.cbrt(np.array(scene.feature_bits) / max(scene.feature_bits))
    return np.asarray(np.maximum(_TALLEST * share, _SHORTEST))


def _draw_blocks(scene: Scene, axes: "Axes") -> None:
    """Features on the device, and those that the edge server computes or would compute."""
    heights, stages = _block_heights(scene), np.arange(scene.horizon + 1)
    done, here, ahead = stages[: scene.stage], stages[[scene.stage]], stages[scene.stage + 1 :]
    _line(axes, 0, scene.stage, _DEVICE_Y, style.DEVICE)
    _boxes(axes, done, _DEVICE_Y, heights[done], face=style.DEVICE)
    _boxes(axes, here, _DEVICE_Y, heights[here], face=style.DEVICE, edge=style.INK)
    if scene.finished != "offloaded":
        _line(axes, scene.stage, scene.horizon, _DEVICE_Y, style.DEVICE_PALE)
        _boxes(axes, ahead, _DEVICE_Y, heights[ahead], face=style.DEVICE_PALE)
    if scene.finished != "completed":
        colour = style.EDGE if scene.finished else style.EDGE_PALE
        end = axes.get_xlim()[1] if scene.total_layers > scene.horizon else scene.horizon
        _line(axes, scene.stage, end, _EDGE_Y, colour)
        _boxes(axes, ahead, _EDGE_Y, heights[ahead], face=colour)
    if scene.finished == "offloaded":
        _boxes(axes, here, _EDGE_Y, heights[here], face="white", edge=style.EDGE)


def _line(axes: "Axes", start: float, end: float, y: float, colour: str) -> None:
    axes.plot([start, end], [y, y], color=colour, lw=1.2, zorder=1)


def _boxes(
    axes: "Axes",
    x: NDArray[Any],
    y: float,
    heights: FloatArray,
    *,
    face: str,
    edge: str = "none",
    width: float = _WIDTH,
) -> None:
    """Rectangles centred at (x, y)."""
    from matplotlib.collections import PolyCollection

    corner_x = np.array([-0.5, 0.5, 0.5, -0.5]) * width
    corner_y = np.array([-0.5, -0.5, 0.5, 0.5])
    corners = np.stack([x[:, None] + corner_x, y + heights[:, None] * corner_y], axis=-1)
    boxes = PolyCollection(corners, facecolors=face, edgecolors=edge, linewidths=1.6, zorder=2)
    axes.add_collection(boxes, autolim=False)


def _draw_edge_only(scene: Scene, axes: "Axes", grid: Grid) -> None:
    """Layers that were not placed on the device: a few small blocks at the right end of the edge server's lane."""
    count = scene.total_layers - scene.horizon
    if not count:
        return
    shown = min(count, 5)
    offset = 0.5 * (style.RIGHT - style.MARGIN) + 11.0 * (np.arange(shown) - 0.5 * (shown - 1))
    x = scene.horizon + 0.5 + offset / grid.column
    face = style.EDGE if scene.finished else style.EDGE_PALE
    _boxes(axes, x, _EDGE_Y, np.full(shown, 14.0), face=face, width=7.0 / grid.column)
    notes = (f"layer{'s' if count > 1 else ''} {_span(scene.horizon + 1, scene.total_layers)}", "on the edge only")
    for note, below in zip(notes, (14.0, 23.0), strict=True):
        axes.text(x.mean(), _EDGE_Y + below, note, size=style.SMALL_SIZE, color=style.EDGE, ha="center", va="center")


def _draw_upload(scene: Scene, axes: "Axes") -> None:
    """An arrow from the feature in hand to the edge server: dashed while it is only possible."""
    if scene.finished == "completed" or not scene.has_upload:
        return
    x, half, size = scene.stage, 0.5 * _block_heights(scene)[scene.stage], bits_text(scene.feature_bits[scene.stage])
    if scene.finished:
        label, tip, width, dashes = f"uploaded {size}", _EDGE_Y + half + 1.0, 2.0, "-"
    else:
        label, tip, width, dashes = f"upload {size}?", _LANE - 3.0, 1.0, (0, (3, 2))
    arrow = {"arrowstyle": "-|>", "color": style.EDGE, "lw": width, "ls": dashes, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, tip), (x, _DEVICE_Y - half - 1.0), arrowprops=arrow, zorder=3)
    side, offset = ("right", -5) if x > 0.75 * scene.horizon else ("left", 5)
    axes.annotate(
        label,
        (x, _LANE + 0.5 * _GAP),
        (offset, 0),
        textcoords="offset points",
        size=style.SMALL_SIZE,
        color=style.EDGE,
        ha=side,
        va="center",
    )


def _draw_row(scene: Scene, axes: "Axes", grid: Grid, caption: str, labels: list[str], fit: Labels, top: float) -> None:
    """A caption on the left and one label per column, the one of the feature in hand in bold."""
    middle = top + 0.5 * fit.height
    axes.text(_caption_x(grid), middle, caption, size=style.SMALL_SIZE, color=style.MUTED, ha="right", va="center")
    y, va = (top + 2.0, "top") if fit.rotation else (middle, "center")
    for stage in range(0, len(labels), fit.every):
        weight = "bold" if stage == scene.stage else "normal"
        place = {"rotation": fit.rotation, "ha": "center", "va": va}
        axes.text(stage, y, labels[stage], size=style.SMALL_SIZE, weight=weight, **place)
