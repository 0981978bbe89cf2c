"""Panels that the figures of the studies share."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.study_rows import Study, SweepRow
from cointer_gym.rendering.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from cointer_gym.report.labels import End, beyond
from cointer_gym.report.study_words import AXES, SHORT
from cointer_gym.report.style import AREA, FAINT, LEVEL, plain_ticks, power_ticks
from cointer_gym.text import minus
from cointer_gym.units import FloatArray

# the main ones are bold and have markers; line styles tell the others apart without their colours
CURVES: dict[Alternative, dict[str, Any]] = {
    Alternative.JOINT: {"color": BLACK, "linewidth": 1.8, "zorder": 5},
    Alternative.CLAIRVOYANT: {"color": LEVEL, "linestyle": ":", "linewidth": 1.2},
    Alternative.AHEAD: {"color": BLUE, "marker": "o", "linewidth": 1.2, "zorder": 4},
    Alternative.AHEAD_PLACED: {"color": SKY, "linestyle": (0, (5, 1.5))},
    Alternative.FULL: {"color": GREEN, "linestyle": (0, (3, 1, 1, 1))},
    Alternative.HALF: {"color": PURPLE, "linestyle": (0, (2, 1))},
    Alternative.STATIC: {"color": VERMILION, "marker": "s", "linewidth": 1.2, "zorder": 4},
    Alternative.DEVICE: {"color": ORANGE, "linestyle": "-."},
    Alternative.EDGE: {"color": "#8C564B", "linestyle": (0, (1, 1))},
}
LINE: dict[str, Any] = {"linewidth": 0.8, "markersize": 2.6, "markeredgewidth": 0.6}
COSTS = (Alternative.JOINT, Alternative.AHEAD, Alternative.STATIC, Alternative.DEVICE, Alternative.EDGE)
"""Whose costs are drawn; how far all alternatives are from the joint optimum is a panel of its own."""


def draw_costs(axes: Axes, study: Study) -> list[End]:
    """Cost of what one would do, and where its curves end."""
    x = _axis(axes, study)
    curves = {each: study.cost(each) for each in COSTS}
    axes.set(yscale="log", ylabel="ETC per task")
    _draw_curves(axes, x, curves)
    plain_ticks(axes.yaxis)
    return _ends(curves)


def draw_excess(axes: Axes, study: Study) -> list[End]:
    """Distance of every alternative to the joint optimum, in per cent, and where its curves end."""
    x = _axis(axes, study)
    curves = {each: 100 * study.excess(each) for each in CURVES}
    _draw_curves(axes, x, curves)
    excess_scale(axes.yaxis, axes)
    axes.set_ylabel("above the joint optimum (%)")
    return _ends(curves)


def draw_placement(axes: Axes, study: Study) -> list[End]:
    """Layers placed by the joint optimum, by look-ahead, and run by the best static split; where the curves end."""
    x = _axis(axes, study)
    curves = {
        Alternative.STATIC: study.column("static_split"),
        Alternative.AHEAD: study.column("look_ahead_placement"),
        Alternative.JOINT: study.column("placement"),
    }
    for each, layers_placed in curves.items():
        axes.plot(x, layers_placed, drawstyle="steps-mid", **(LINE | CURVES[each] | {"marker": None}))
    layers = study.rows[0].facts.layers
    axes.set(ylabel="layers", ylim=(-0.06 * layers, 1.06 * layers), yticks=sorted({0, layers // 2, layers}))
    return _ends(curves)


def draw_entropy(axes: Axes, study: Study) -> None:
    """How uncertain the optimal split is before the channel is seen: where it is 0, deciding online is pointless."""
    x = _axis(axes, study)
    axes.fill_between(x, study.column("split_entropy_bits"), color=AREA, linewidth=0)
    axes.set(ylabel="entropy\n(bits)", ylim=(0, None))


def excess_scale(axis: Axis, axes: Axes) -> None:
    """Linear within 1 %, logarithmic beyond."""
    scale, limit = (axes.set_yscale, axes.set_ylim) if axis is axes.yaxis else (axes.set_xscale, axes.set_xlim)
    scale("symlog", linthresh=1, linscale=0.6)
    low, high = axis.get_data_interval()
    limit(min(-1.5, 1.5 * low), max(20.0, 1.6 * high))
    ticks = [tick for tick in (-10, -1, 0, 1, 10, 100, 1000, 10000) if 1.5 * low <= tick <= 1.6 * high or tick == 0]
    axis.set_ticks(ticks, [minus(f"{tick:+,d}") if tick else "0" for tick in ticks], minor=False)
    axis.set_ticks([], minor=True)


def scale_of(axis: Axis, values: FloatArray) -> None:
    """Ticks of a logarithmic axis: plain numbers over less than two decades, powers of ten over more."""
    (plain_ticks if values.max() < 100 * values.min() else power_ticks)(axis)


def _draw_curves(axes: Axes, x: FloatArray, curves: dict[Alternative, FloatArray]) -> None:
    """Curves with some markers; where one is infinite, triangles at the upper edge."""
    for k, (each, y) in enumerate(curves.items()):
        finite = np.isfinite(y)
        axes.plot(x, np.where(finite, y, np.nan), label=each.label, markevery=_every(x, k), **(LINE | CURVES[each]))
        if not finite.all():
            beyond(axes, x[~finite], CURVES[each]["color"])


def _ends(curves: dict[Alternative, FloatArray]) -> list[End]:
    return [End(float(y[-1]), SHORT[each], CURVES[each]["color"]) for each, y in curves.items()]


def _axis(axes: Axes, study: Study) -> FloatArray:
    """Label and scale the x axis for the swept parameter, and return its values."""
    axis = AXES[study.rows_of(SweepRow)[0].parameter]
    values = study.column("value") / axis.unit
    axes.set(xlabel=axis.label, xscale=axis.scale)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)
    finite = values[np.isfinite(values) & (values > 0)] if axis.scale == "log" else values
    axes.set_xlim(float(finite.min()), float(finite.max()))
    if axis.scale == "log":
        scale_of(axes.xaxis, finite)
    return np.asarray(values)


def _every(x: FloatArray, curve: int) -> tuple[int, int]:
    """Some eight markers, each curve starting elsewhere so that equal curves show all their markers."""
    step = max(1, x.size // 8)
    return curve % step, step
