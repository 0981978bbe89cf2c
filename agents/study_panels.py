"""Panels that the figures of the studies share."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from cointer_gym.agents.comparison import (
    AHEAD,
    AHEAD_PLACED,
    CLAIRVOYANT,
    DEVICE,
    EDGE,
    FULL,
    HALF,
    JOINT,
    STATIC,
)
from cointer_gym.agents.study_data import AXES, Study
from cointer_gym.units import FloatArray

# Okabe and Ito's palette, legible to the colour-blind; line styles and markers tell the curves apart without it
CURVES: dict[str, dict[str, Any]] = {
    JOINT: {"color": "#000000", "linewidth": 2.2, "zorder": 5},
    CLAIRVOYANT: {"color": "#7F7F7F", "linestyle": ":", "linewidth": 1.6},
    AHEAD: {"color": "#0072B2", "marker": "o"},
    AHEAD_PLACED: {"color": "#56B4E9", "marker": "o", "markerfacecolor": "white", "linestyle": "--"},
    FULL: {"color": "#009E73", "marker": "^", "linestyle": "--"},
    HALF: {"color": "#CC79A7", "marker": "v", "linestyle": "--"},
    STATIC: {"color": "#D55E00", "marker": "s"},
    DEVICE: {"color": "#E69F00", "marker": "D", "linestyle": "-."},
    EDGE: {"color": "#8C564B", "marker": "x", "linestyle": "-."},
}
LINE: dict[str, Any] = {"linewidth": 1.1, "markersize": 3.5, "markeredgewidth": 0.9}


def draw_costs(axes: Axes, study: Study) -> None:
    """Cost of every alternative."""
    x = _axis(axes, study)
    for k, (name, style) in enumerate(CURVES.items()):
        axes.plot(x, study.column(name), label=name, markevery=_every(x, k), **(LINE | style))
    axes.set(yscale="log", ylabel="expected ETC per task")
    plain_ticks(axes.yaxis)


def draw_excess(axes: Axes, study: Study) -> None:
    """Distance of every alternative to the joint optimum, in per cent."""
    x = _axis(axes, study)
    for k, (name, style) in enumerate(CURVES.items()):
        axes.plot(x, 100 * study.excess(name), label=name, markevery=_every(x, k), **(LINE | style))
    excess_scale(axes.yaxis, axes)
    axes.set_ylabel("above the joint optimum (%)")


def plain_ticks(axis: Axis, *subs: float) -> None:
    """0.1, 0.2, 0.5 instead of powers of ten."""
    axis.set_major_locator(LogLocator(subs=subs or (1.0, 2.0, 5.0), numticks=20))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def excess_scale(axis: Axis, axes: Axes) -> None:
    """Linear within 1 %, logarithmic beyond."""
    scale, limit = (axes.set_yscale, axes.set_ylim) if axis is axes.yaxis else (axes.set_xscale, axes.set_xlim)
    scale("symlog", linthresh=1, linscale=0.6)
    low, high = axis.get_data_interval()
    limit(min(-1.5, 1.5 * low), max(20.0, 1.6 * high))
    ticks = [tick for tick in (-10, -1, 0, 1, 10, 100, 1000, 10000) if 1.5 * low <= tick <= 1.6 * high or tick == 0]
    axis.set_ticks(ticks, [minus(f"{tick:+,d}") if tick else "0" for tick in ticks], minor=False)
    axis.set_ticks([], minor=True)


def minus(text: str) -> str:
    """The text with typographical minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def draw_placement(axes: Axes, study: Study) -> None:
    """Layers placed by the joint optimum, by look-ahead, and run by the best static split."""
    x = _axis(axes, study)
    for name, column in ((STATIC, "static_split"), (AHEAD, "look_ahead_placement"), (JOINT, "placement")):
        axes.plot(x, study.column(column), drawstyle="steps-mid", **(LINE | CURVES[name] | {"marker": None}))
    layers = int(study.rows[0]["layers"])
    axes.set(ylabel="layers placed", ylim=(-0.04 * layers, 1.04 * layers), yticks=[0, layers // 2, layers])


def draw_entropy(axes: Axes, study: Study) -> None:
    """How uncertain the optimal split is before the channel is seen: where it is 0, deciding online is pointless."""
    x = _axis(axes, study)
    axes.fill_between(x, study.column("split_entropy_bits"), color="#BBBBBB", linewidth=0)
    axes.set(ylabel="split entropy\n(bits)", ylim=(0, None))


def _axis(axes: Axes, study: Study) -> FloatArray:
    """Label and scale the x axis for the swept parameter, and return its values."""
    axis = AXES[study.rows[0]["parameter"]]
    values = study.column("value") / axis.unit
    axes.set(xlabel=axis.label, xscale=axis.scale)
    axes.grid(axis="y", color="#E5E5E5", linewidth=0.6)
    finite = values[np.isfinite(values) & (values > 0)] if axis.scale == "log" else values
    axes.set_xlim(float(finite.min()), float(finite.max()))
    if axis.scale == "log" and finite.max() < 100 * finite.min():
        plain_ticks(axes.xaxis)
    return np.asarray(values)


def _every(x: FloatArray, curve: int) -> tuple[int, int]:
    """Some eight markers, each curve starting elsewhere so that equal curves show all their markers."""
    step = max(1, x.size // 8)
    return curve % step, step


def legend(figure: Figure, axes: Axes, columns: int = 3) -> None:
    """One legend below the whole figure, of what one panel shows."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8)
