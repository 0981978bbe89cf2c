"""Panels that the figures of the studies share."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.study_rows import Study, SweepRow
from cointer_gym.rendering.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from cointer_gym.report.study_words import AXES
from cointer_gym.report.style import AREA, FAINT, LEVEL
from cointer_gym.text import minus
from cointer_gym.units import FloatArray

# line styles and markers tell the curves apart without their colours
CURVES: dict[Alternative, dict[str, Any]] = {
    Alternative.JOINT: {"color": BLACK, "linewidth": 2.2, "zorder": 5},
    Alternative.CLAIRVOYANT: {"color": LEVEL, "linestyle": ":", "linewidth": 1.6},
    Alternative.AHEAD: {"color": BLUE, "marker": "o"},
    Alternative.AHEAD_PLACED: {"color": SKY, "marker": "o", "markerfacecolor": "white", "linestyle": "--"},
    Alternative.FULL: {"color": GREEN, "marker": "^", "linestyle": "--"},
    Alternative.HALF: {"color": PURPLE, "marker": "v", "linestyle": "--"},
    Alternative.STATIC: {"color": VERMILION, "marker": "s"},
    Alternative.DEVICE: {"color": ORANGE, "marker": "D", "linestyle": "-."},
    Alternative.EDGE: {"color": "#8C564B", "marker": "x", "linestyle": "-."},
}
LINE: dict[str, Any] = {"linewidth": 1.1, "markersize": 3.5, "markeredgewidth": 0.9}


def draw_costs(axes: Axes, study: Study) -> None:
    """Cost of every alternative."""
    x = _axis(axes, study)
    for k, (each, style) in enumerate(CURVES.items()):
        axes.plot(x, study.cost(each), label=each.label, markevery=_every(x, k), **(LINE | style))
    axes.set(yscale="log", ylabel="expected ETC per task")
    plain_ticks(axes.yaxis)


def draw_excess(axes: Axes, study: Study) -> None:
    """Distance of every alternative to the joint optimum, in per cent."""
    x = _axis(axes, study)
    for k, (each, style) in enumerate(CURVES.items()):
        axes.plot(x, 100 * study.excess(each), label=each.label, markevery=_every(x, k), **(LINE | style))
    excess_scale(axes.yaxis, axes)
    axes.set_ylabel("above the joint optimum (%)")


def draw_placement(axes: Axes, study: Study) -> None:
    """Layers placed by the joint optimum, by look-ahead, and run by the best static split."""
    x = _axis(axes, study)
    for each, column in (
        (Alternative.STATIC, "static_split"),
        (Alternative.AHEAD, "look_ahead_placement"),
        (Alternative.JOINT, "placement"),
    ):
        axes.plot(x, study.column(column), drawstyle="steps-mid", **(LINE | CURVES[each] | {"marker": None}))
    layers = study.rows[0].facts.layers
    axes.set(ylabel="layers placed", ylim=(-0.04 * layers, 1.04 * layers), yticks=[0, layers // 2, layers])


def draw_entropy(axes: Axes, study: Study) -> None:
    """How uncertain the optimal split is before the channel is seen: where it is 0, deciding online is pointless."""
    x = _axis(axes, study)
    axes.fill_between(x, study.column("split_entropy_bits"), color=AREA, linewidth=0)
    axes.set(ylabel="split entropy\n(bits)", ylim=(0, None))


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


def legend(figure: Figure, axes: Axes, columns: int = 3) -> None:
    """One legend below the whole figure, of what one panel shows."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=8)


def _axis(axes: Axes, study: Study) -> FloatArray:
    """Label and scale the x axis for the swept parameter, and return its values."""
    axis = AXES[study.rows_of(SweepRow)[0].parameter]
    values = study.column("value") / axis.unit
    axes.set(xlabel=axis.label, xscale=axis.scale)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    finite = values[np.isfinite(values) & (values > 0)] if axis.scale == "log" else values
    axes.set_xlim(float(finite.min()), float(finite.max()))
    if axis.scale == "log" and finite.max() < 100 * finite.min():
        plain_ticks(axes.xaxis)
    return np.asarray(values)


def _every(x: FloatArray, curve: int) -> tuple[int, int]:
    """Some eight markers, each curve starting elsewhere so that equal curves show all their markers."""
    step = max(1, x.size // 8)
    return curve % step, step
