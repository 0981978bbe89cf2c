"""How all figures look, and how they are written."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from cointer_gym.files import replace_file
from cointer_gym.rendering import Scene, draw_figure
from cointer_gym.rendering.figure import FIGURE_INCHES
from cointer_gym.text import minus

STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "ps.fonttype": 42,
}
"""Looks of every figure of this package, and of those in the notebooks."""

COLUMN_INCHES = 3.5
"""Width of a column of a journal, for which the figures are made."""
TINY, SMALL = 5.2, 6.0  # points: values beyond an axis; legends and labels of curves

_COLUMN: Any = (
    STYLE
    | {
        "font.size": 7,
        "axes.titlesize": 7.5,
        "axes.linewidth": 0.6,
        "legend.fontsize": SMALL,
        "text.parse_math": False,  # names are text: a dollar is a dollar
        "text.usetex": False,
    }
    | {f"{axis}tick.{part}": size for axis in "xy" for part, size in (("major.width", 0.6), ("minor.width", 0.4))}
)

# greys, from dark to light; the colours are those of ``rendering.style``
INK, LEVEL, AREA, GRID, FAINT = "#555555", "#7F7F7F", "#BBBBBB", "#DDDDDD", "#E5E5E5"

_SUPERSCRIPT = str.maketrans("-0123456789", "\N{SUPERSCRIPT MINUS}⁰¹²³⁴⁵⁶⁷⁸⁹")


def column_style() -> Any:
    """A context, or decorator, in which figures are made for one column and texts are taken as they are."""
    return rc_context(_COLUMN)


def new_figure(width: float, height: float) -> Figure:
    """A figure without pyplot's global state; size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write PNG or PDF atomically; a figure of one column has 1400 pixels across."""
    with column_style():  # ticks are made while a figure is drawn
        dots = 400 if figure.get_figwidth() < FIGURE_INCHES[0] else 200
        metadata: dict[str, Any] | None = {} if path.suffix == ".png" else None
        replace_file(path, lambda draft: figure.savefig(draft, dpi=dots, metadata=metadata))


def save_scene(scene: Scene, path: Path) -> None:
    """Write the picture of one task."""
    figure = Figure(figsize=FIGURE_INCHES)
    draw_figure(scene, figure)
    save(figure, path)


def plain_ticks(axis: Axis, *subs: float) -> None:
    """0.1, 0.2, 0.5 instead of powers of ten."""
    axis.set_major_locator(LogLocator(subs=subs or (1.0, 2.0, 5.0), numticks=20))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def power_ticks(axis: Axis) -> None:
    """Powers of ten, written without mathematical markup."""
    axis.set_major_locator(LogLocator(numticks=9))
    axis.set_major_formatter(lambda value, _: power_of_ten(value))
    axis.set_minor_formatter(NullFormatter())


def power_of_ten(value: float) -> str:
    """``10⁻²``; a number that is none as it is."""
    mantissa, exponent = f"{value:.6e}".split("e")
    power = str(int(exponent)).translate(_SUPERSCRIPT)
    return f"10{power}" if float(mantissa) == 1.0 else minus(f"{value:g}")
