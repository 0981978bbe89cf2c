"""The network as two lanes of blocks, the edge server's above the device's: a feature lies where its layer runs."""

import numpy as np

from cointer_gym import text
from cointer_gym.rendering import style
from cointer_gym.rendering.page import LEFT, MARGIN, RIGHT, Page
from cointer_gym.rendering.scene import Scene
from cointer_gym.units import FloatArray

LANES_TOP, LANES_BOTTOM = 74.0, 216.0

_LANE = 60.0
_EDGE_Y, _DEVICE_Y = LANES_TOP + 0.5 * _LANE, LANES_BOTTOM - 0.5 * _LANE
_GAP_Y = 0.5 * (LANES_TOP + LANES_BOTTOM)
_TALLEST, _SHORTEST = 50.0, 5.0  # heights of blocks
_BLOCK = 0.62  # width of a block over that of its column


def draw_lanes(scene: Scene, page: Page) -> None:
    """Draw what stays the same during a task: both lanes, and where the edge-only layers are."""
    end = page.width - MARGIN
    for y, name, colour, tint in (
        (_EDGE_Y, "Edge server", style.EDGE, style.EDGE_TINT),
        (_DEVICE_Y, "Device", style.DEVICE, style.DEVICE_TINT),
    ):
        page.boxes(0.5 * (LEFT + end), y - 0.5 * _LANE, y + 0.5 * _LANE, end - LEFT, tint)
        page.text(LEFT - 7.0, y - 6.0, name, size=style.VALUE_SIZE, weight="bold", color=colour, ha="right")
    count = scene.total_layers - scene.horizon
    if count:
        layers = f"layer{'s' if count > 1 else ''} {_span(scene.horizon + 1, scene.total_layers)}"
        for note, below in ((layers, 14.0), ("on the edge only", 23.0)):
            page.text(0.5 * (page.columns_end + end), _EDGE_Y + below, note, color=style.EDGE, ha="center")


def draw_task(scene: Scene, page: Page) -> None:
    """Draw which layers have run, which could (hollow on a device that may still get them), and the upload."""
    device_note = f"has run {_span(1, scene.stage)}" if scene.stage else "holds the input"
    edge_note = "not needed"
    if scene.finished != "completed":
        edge_note = f"{'runs' if scene.finished else 'would run'} {_span(scene.stage + 1, scene.total_layers)}"
    for y, note in ((_EDGE_Y, edge_note), (_DEVICE_Y, device_note)):
        page.text(LEFT - 7.0, y + 7.0, note, color=style.MUTED, ha="right")
    _draw_blocks(scene, page)
    if scene.has_upload:
        _draw_upload(scene, page)


def _span(first: int, last: int) -> str:
    """Numbers of the layers ``first`` to ``last``."""
    return str(last) if first >= last else f"{first}\u2013{last}"


def _block_heights(scene: Scene) -> FloatArray:
    """As the cube root of the size: the edge of a cube of that volume."""
    share = np.cbrt(np.array(scene.feature_bits) / max(scene.feature_bits))
    return np.asarray(np.maximum(_TALLEST * share, _SHORTEST))


def _draw_blocks(scene: Scene, page: Page) -> None:
    """Features on the device, and those that the edge server computes or would compute."""
    half, x, width = 0.5 * _block_heights(scene), page.x(np.arange(scene.horizon + 1)), _BLOCK * page.bar
    done, here, ahead = slice(0, scene.stage), slice(scene.stage, scene.stage + 1), slice(scene.stage + 1, None)

    def blocks(which: slice, y: float, face: str, outline: str = "none") -> None:
        page.boxes(x[which], y - half[which], y + half[which], width, face, edgecolors=outline, linewidths=1.6)

    if scene.finished != "offloaded":
        page.line(x[[scene.stage, -1]], [_DEVICE_Y] * 2, color=style.DEVICE_PALE, lw=1.2)
        if scene.choosing:
            blocks(ahead, _DEVICE_Y, style.DEVICE_TINT, outline=style.DEVICE_PALE)
        else:
            blocks(ahead, _DEVICE_Y, style.DEVICE_PALE)
    page.line(x[[0, scene.stage]], [_DEVICE_Y] * 2, color=style.DEVICE, lw=1.2)
    blocks(done, _DEVICE_Y, style.DEVICE)
    blocks(here, _DEVICE_Y, style.DEVICE, outline=style.INK)
    if scene.finished != "completed":
        colour = style.EDGE if scene.finished else style.EDGE_PALE
        beyond = _edge_only_x(scene, page)
        page.line([x[scene.stage], *x[-1:], *beyond[-1:]], [_EDGE_Y] * (2 + bool(beyond.size)), color=colour, lw=1.2)
        blocks(ahead, _EDGE_Y, colour)
        page.boxes(beyond, _EDGE_Y - 7.0, _EDGE_Y + 7.0, 7.0, colour)
    if scene.finished == "offloaded":
        blocks(here, _EDGE_Y, "white", outline=style.EDGE)


def _edge_only_x(scene: Scene, page: Page) -> FloatArray:
    """Positions of the layers that were not placed on the device, at most five of them."""
    shown = min(scene.total_layers - scene.horizon, 5)
    offset = 11.0 * (np.arange(shown, dtype=np.float64) - 0.5 * (shown - 1))
    return np.asarray(page.columns_end + 0.5 * (RIGHT - MARGIN) + offset)


def _draw_upload(scene: Scene, page: Page) -> None:
    """An arrow from the feature in hand to the edge server: dashed while it is only possible."""
    x, half = float(page.x(scene.stage)), 0.5 * float(_block_heights(scene)[scene.stage])
    size = text.bits(scene.feature_bits[scene.stage])
    if scene.finished:
        page.arrow(x, _DEVICE_Y - half - 1.0, _EDGE_Y + half + 1.0, color=style.EDGE, lw=2.0)
    else:
        page.arrow(x, _DEVICE_Y - half - 1.0, LANES_TOP + _LANE - 3.0, color=style.EDGE, lw=1.0, ls=(0, (3, 2)))
    label = f"uploaded {size}" if scene.finished else f"upload {size}?"
    page.text(x + 6.0, _GAP_Y, label, color=style.EDGE)
