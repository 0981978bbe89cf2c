"""How all figures look, and how they are written."""

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cointer_gym.files import replace_file
from cointer_gym.rendering import Scene, draw_figure
from cointer_gym.rendering.figure import FIGURE_INCHES

STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
"""Settings of matplotlib for every figure of this package."""

# greys, from dark to light; the colours are those of ``rendering.style``
INK, LEVEL, AREA, GRID, FAINT = "#555555", "#7F7F7F", "#BBBBBB", "#DDDDDD", "#E5E5E5"


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
