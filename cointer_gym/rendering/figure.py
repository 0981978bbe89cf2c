"""The picture of a task as a matplotlib figure: facts, the network in two lanes, the SNRs below it."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cointer_gym.rendering import style
from cointer_gym.rendering.network import draw_network
from cointer_gym.rendering.scene import Scene, db_text
from cointer_gym.rendering.snr import draw_snr, draw_snr_law
from cointer_gym.rendering.style import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_INCHES, DOTS_PER_INCH = (10.0, 6.2), 100

_FACTS_TOP, _NETWORK_TOP = 36.0, 74.0
_FACT_POSITIONS = (0.0, 0.105, 0.33, 0.445, 0.62, 0.74)  # shares of the width between the margins


def draw_figure(scene: Scene, figure: "Figure") -> None:
    """Draw a scene on a figure, which is cleared first.

    Args:
        scene: the task.
        figure: any matplotlib figure; about 10 x 6 inches suit it.
    """
    import matplotlib

    with matplotlib.rc_context(style.RC):
        figure.clear()
        figure.set_facecolor("white")
        grid = Grid(figure, scene.horizon + 1)
        _draw_facts(scene, grid)
        bottom = draw_network(scene, grid, _NETWORK_TOP)
        axes = draw_snr(scene, grid, bottom)
        draw_snr_law(scene, grid, axes)


def draw_rgb(scene: Scene) -> NDArray[np.uint8]:
    """Draw a scene as an image.

    Args:
        scene: the task.

    Returns:
        NDArray: shape (620, 1000, 3) whatever the scene, uint8.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=FIGURE_INCHES, dpi=DOTS_PER_INCH)
    canvas = FigureCanvasAgg(figure)
    draw_figure(scene, figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba(), dtype=np.uint8)[..., :3]


def _draw_facts(scene: Scene, grid: Grid) -> None:
    """Title, status, and a row of captioned values."""
    text, width, height = grid.figure.text, grid.width, grid.height
    left, right, base = style.MARGIN / width, 1.0 - style.MARGIN / width, 1.0 - 20.0 / height
    text(left, base, f"{scene.title}: {scene.placement_text}", size=style.TITLE_SIZE, weight="bold", va="center")
    status_colour = {"offloaded": style.EDGE, "completed": style.DEVICE, "": style.MUTED}[scene.finished]
    text(
        right,
        base,
        scene.status_text,
        size=style.VALUE_SIZE,
        weight="bold",
        color=status_colour,
        va="center",
        ha="right",
    )
    decision_colour = style.EDGE if scene.optimum_offloads else style.DEVICE if scene.has_upload else style.INK
    facts = (
        ("stage", f"{scene.stage} of {scene.horizon}", style.INK),
        ("feature in hand", scene.feature_text, style.INK),
        ("SNR now", db_text(scene.snr), style.INK),
        ("optimum offloads from", scene.threshold_text, style.INK),
        ("optimum now", scene.decision_text, decision_colour),
        ("cost so far", scene.cost_text, style.INK),
    )
    for share, (caption, value, colour) in zip(_FACT_POSITIONS, facts, strict=True):
        x = left + share * (right - left)
        text(x, 1.0 - (_FACTS_TOP + 6.0) / height, caption, size=style.SMALL_SIZE, color=style.MUTED, va="center")
        text(x, 1.0 - (_FACTS_TOP + 19.0) / height, value, size=style.VALUE_SIZE, color=colour, va="center")
