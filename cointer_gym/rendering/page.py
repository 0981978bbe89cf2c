"""A page to draw on, in points (1/72 inch) from the top left corner, with a column per stage.

What is drawn later lies on top. All styles are given, so that matplotlib's own settings do not change the picture.
"""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.rendering import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

MARGIN = 14.0
LEFT, RIGHT = 92.0, 84.0  # beside the columns: captions; edge-only layers and the law of the SNR

_WIDEST = 84.0  # what is drawn in a column of a shallow network
_NARROW = frozenset(".,:;'!|()fijlrtI ")
_GLYPH, _NARROW_GLYPH = 0.64, 0.36  # widths in DejaVu Sans over the type size


class Page:
    """A figure with one pair of axes over all of it, measured in points.

    Args:
        figure: any matplotlib figure.
        columns: M + 1.
    """

    def __init__(self, figure: "Figure", columns: int) -> None:
        self.width, self.height = (72.0 * float(inches) for inches in figure.get_size_inches())
        self.column = (self.width - LEFT - RIGHT) / columns
        self.bar = min(self.column, _WIDEST)
        self.columns_end = self.width - RIGHT
        self.artists: list[Artist] = []
        self._axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0.0, self.width), ylim=(self.height, 0.0))
        self._axes.set_axis_off()

    def x(self, stage: ArrayLike) -> Any:
        """Middle of the column of a stage, elementwise."""
        return LEFT + (np.asarray(stage, dtype=np.float64) + 0.5) * self.column

    def clear(self) -> None:
        """Take everything off the page."""
        for artist in self.artists:
            artist.remove()
        self.artists = []

    def text(self, x: float, y: float, text: str, **how: Any) -> None:
        """Write with the left end of the line's middle at (x, y); ``how`` as for ``matplotlib.axes.Axes.text``."""
        text = re.sub(r"(?<!\w)-(?=\d|inf)", "\u2212", text)  # a minus before a number or "inf", not a hyphen
        font: dict[str, Any] = {"family": "DejaVu Sans", "usetex": False, "parse_math": False, "va": "center"}
        how = {"size": style.SMALL_SIZE, "color": style.INK} | how
        self._keep(self._axes.text(x, y, text, **font | how))

    def line(self, x: ArrayLike, y: ArrayLike, marker: str = "", **how: Any) -> None:
        """Draw a line, or markers alone where ``marker`` names one; ``how`` as for ``matplotlib.lines.Line2D``."""
        from matplotlib.lines import Line2D

        line = Line2D(x, y, marker=marker, linestyle="none" if marker else "-", solid_capstyle="butt", **how)
        self._keep(self._axes.add_line(line))

    def boxes(self, x: ArrayLike, top: ArrayLike, bottom: ArrayLike, width: float, face: str, **how: Any) -> None:
        """Fill rectangles with their middle at ``x``, elementwise."""
        x, top, bottom = np.broadcast_arrays(np.atleast_1d(x), top, bottom)
        left, right = x - 0.5 * width, x + 0.5 * width
        corners = np.stack([left, top, right, top, right, bottom, left, bottom], axis=-1)
        self.shapes(corners.reshape(-1, 4, 2), face, **how)

    def shapes(self, corners: Any, face: str, **how: Any) -> None:
        """Fill polygons, shape (number, corners, 2); ``how`` as for ``matplotlib.collections.PolyCollection``."""
        from matplotlib.collections import PolyCollection

        polygons = PolyCollection(corners, facecolors=face, **{"linewidths": 0.0} | how)
        self._keep(self._axes.add_collection(polygons, autolim=False))

    def arrow(self, x: float, start: float, end: float, **how: Any) -> None:
        """Draw an upright arrow; ``how`` as for ``matplotlib.patches.FancyArrowPatch``."""
        from matplotlib.patches import FancyArrowPatch

        arrow = FancyArrowPatch((x, start), (x, end), arrowstyle="-|>", shrinkA=0, shrinkB=0, mutation_scale=9.0, **how)
        self._keep(self._axes.add_artist(arrow))

    def _keep(self, artist: "Artist") -> None:
        artist.set_zorder(len(self.artists))
        self.artists.append(artist)


def text_width(text: str, size: float = style.SMALL_SIZE) -> float:
    """Width of a text, points, a little on the safe side."""
    return size * sum(_NARROW_GLYPH if glyph in _NARROW else _GLYPH for glyph in text)
