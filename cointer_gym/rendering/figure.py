"""The picture of a task as a matplotlib figure: facts, the network in two lanes, and the SNRs below it.

What stays the same during a task is drawn apart from what changes, so that the frames of a video share it.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cointer_gym.rendering import style
from cointer_gym.rendering.network import LANES_BOTTOM, draw_lanes, draw_task
from cointer_gym.rendering.page import MARGIN, Page
from cointer_gym.rendering.scene import Scene
from cointer_gym.rendering.snr import Panel, decision_colour, draw_snr, draw_thresholds
from cointer_gym.rendering.table import draw_table, table_height, table_rows
from cointer_gym.text import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_INCHES, DOTS_PER_INCH = (10.0, 6.2), 100

_TITLE_Y, _CAPTIONS_Y, _VALUES_Y = 20.0, 42.0, 55.0
_FACTS_X = {  # left edges of the columns of facts, points
    "stage": 14.0,
    "feature in hand": 84.0,
    "SNR now": 238.0,
    "optimum offloads": 312.0,
    "optimum now": 420.0,
    "cost": 512.0,
}
_TABLE_TOP = LANES_BOTTOM + 4.0
_LEGEND_HEIGHT, _AXIS_HEIGHT = 26.0, 36.0  # above and below the SNR panel


def draw_figure(scene: Scene, figure: "Figure") -> None:
    """Draw a scene on a figure, which is cleared first.

    Args:
        scene: the task.
        figure: any matplotlib figure; the layout is made for 10 x 6.2 inches.
    """
    figure.clear()
    figure.set_facecolor("white")
    panel = _draw_base(scene, Page(figure, scene.horizon + 1))
    _draw_now(scene, panel)


class Sheet:
    """An image of all that stays the same during a task, on which the rest is drawn anew for every frame.

    Args:
        scene: any scene of the task.
    """

    def __init__(self, scene: Scene) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=FIGURE_INCHES, dpi=DOTS_PER_INCH, facecolor="white")
        canvas: Any = FigureCanvasAgg(figure)
        self._panel = _draw_base(scene, Page(figure, scene.horizon + 1))
        canvas.draw()
        self._canvas, self._background = canvas, canvas.copy_from_bbox(figure.bbox)

    def image(self, scene: Scene) -> NDArray[np.uint8]:
        """Draw one scene of the task, shape (620, 1000, 3)."""
        page, canvas = self._panel.page, self._canvas
        page.clear()
        canvas.restore_region(self._background)
        _draw_now(scene, self._panel)
        renderer = canvas.get_renderer()
        for artist in page.artists:
            artist.draw(renderer)
        return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def draw_rgb(scene: Scene) -> NDArray[np.uint8]:
    """Draw a scene as an image.

    Args:
        scene: the task.

    Returns:
        NDArray: shape (620, 1000, 3) whatever the scene.
    """
    return Sheet(scene).image(scene)


def _draw_base(scene: Scene, page: Page) -> Panel:
    """What the scene shares with all others of its problem."""
    title = f"{shortened(scene.title, 32)}: {scene.placement_text}"
    page.text(MARGIN, _TITLE_Y, title, size=style.TITLE_SIZE, weight="bold")
    for caption, x in _FACTS_X.items():
        page.text(x, _CAPTIONS_Y, scene.cost_caption if caption == "cost" else caption, color=style.MUTED)
    draw_lanes(scene, page)
    rows = table_rows(scene, page)
    draw_table(page, rows, _TABLE_TOP)
    panel = Panel.of(scene, page, _TABLE_TOP + table_height(rows) + _LEGEND_HEIGHT, page.height - _AXIS_HEIGHT)
    draw_thresholds(scene, panel)
    return panel


def _draw_now(scene: Scene, panel: Panel) -> None:
    """What is particular to the scene."""
    page = panel.page
    colour = {"offloaded": style.EDGE, "completed": style.DEVICE, "": style.MUTED}[scene.finished]
    how = {"size": style.VALUE_SIZE, "color": colour, "weight": "bold", "ha": "right"}
    page.text(page.width - MARGIN, _TITLE_Y, scene.status_text, **how)
    values = {
        "stage": scene.stage_text,
        "feature in hand": scene.feature_text,
        "SNR now": scene.snr_text,
        "optimum offloads": scene.threshold_text,
        "optimum now": scene.decision_text,
        "cost": scene.cost_text,
    }
    for caption, value in values.items():
        colour = decision_colour(scene) if caption == "optimum now" else style.INK
        page.text(_FACTS_X[caption], _VALUES_Y, value, size=style.VALUE_SIZE, color=colour)
    for top, bottom in ((LANES_BOTTOM, panel.top - _LEGEND_HEIGHT), (panel.bottom + 2.0, panel.bottom + 15.0)):
        page.boxes(page.x(scene.stage), top, bottom, page.bar, "black", alpha=0.08)
    draw_task(scene, page)
    draw_snr(scene, panel)
