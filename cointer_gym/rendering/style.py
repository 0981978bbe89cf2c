"""Colours, sizes and the column grid that the panels of the figure share; lengths in points (1/72 inch)."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, safe for colour-blind readers: blue is the device and going on, vermilion the edge server.
DEVICE, DEVICE_PALE, DEVICE_TINT = "#0072B2", "#C4DDED", "#EFF5FA"
EDGE, EDGE_PALE, EDGE_TINT = "#D55E00", "#F5D3BA", "#FDF3EC"
INK, MUTED, FAINT, NOW = "#222222", "#6E6E6E", "#BDBDBD", "#EDEDED"

TITLE_SIZE, VALUE_SIZE, LABEL_SIZE, SMALL_SIZE = 12.0, 10.0, 8.0, 7.0
RC = {
    "font.family": "DejaVu Sans",
    "text.usetex": False,
    "text.color": INK,
    "axes.facecolor": "white",
    "axes.edgecolor": MUTED,
}

MARGIN = 14.0
LEFT, RIGHT = 84.0, 84.0  # beside the columns: names of the rows; edge-only layers and the law of the SNR
_GLYPH = 0.62  # mean width of a glyph over its font size


@dataclass(frozen=True)
class Grid:
    """One column per stage, between ``LEFT`` and ``RIGHT``, on a page that is read from the top.

    Args:
        figure: the page.
        columns: M + 1.
    """

    figure: "Figure"
    columns: int

    @property
    def width(self) -> float:
        """Width of the page."""
        return 72.0 * float(self.figure.get_figwidth())

    @property
    def height(self) -> float:
        """Height of the page."""
        return 72.0 * float(self.figure.get_figheight())

    @property
    def column(self) -> float:
        """Width of a column."""
        return (self.width - LEFT - RIGHT) / self.columns

    def axes(self, left: float, right: float, top: float, bottom: float) -> "Axes":
        """Axes that span the given part of the page."""
        width, height = self.width, self.height
        return self.figure.add_axes(
            (left / width, 1.0 - bottom / height, (right - left) / width, (bottom - top) / height)
        )


@dataclass(frozen=True)
class Labels:
    """How a row of labels, one per column, is set so that none touches its neighbour."""

    rotation: float
    every: int
    height: float

    @classmethod
    def fit(cls, labels: list[str], column: float, size: float) -> "Labels":
        """Level where the longest label fits its column, else upright, and thinned out where even that is too wide."""
        longest = max(map(len, labels)) * _GLYPH * size
        if longest + 3.0 <= column:
            return cls(0.0, 1, 1.5 * size)
        return cls(90.0, math.ceil(1.2 * size / column), longest + 4.0)
