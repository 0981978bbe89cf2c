"""The picture behind a placement: every total is on it."""

import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym.experiments.placement import placement_answer
from cointer_gym.report.placement_figure import draw_placement, plot_placement
from cointer_gym.report.style import column_style
from support.figures import assert_readable, marked

CASES = {
    "resnet50": ("resnet50-jetson", {"channel.mean_snr_db": 5, "tasks_per_update": 10000}, "optimal"),
    "look-ahead": ("vgg16-jetson", {"tasks_per_update": 1000}, "look-ahead"),
    "memory": ("resnet18-phone", {"device.memory_bytes": 7e6}, "optimal"),
    "equal layers": ("mlp-pi", {}, "device-only"),
}
every_case = pytest.mark.parametrize(("name", "overrides", "rule"), CASES.values(), ids=CASES)


@every_case
def test_totals_are_on_the_axis_or_marked_with_their_value_at_its_edge(name, overrides, rule):
    answer = placement_answer(Scenario.load(name, **overrides), rule)
    top = draw_placement(answer).axes[0]
    most, highest = answer.largest_placement, top.get_ylim()[1]
    marks = [(float(x), line.get_color()) for line in marked(top, up=True) for x in line.get_xdata()]
    expected = 0
    for rival in {"optimal", "look-ahead", "device-only"} - {rule}:
        total = np.array(answer.total[rival][: most + 1], dtype=float)
        (line,) = (line for line in top.get_lines() if rival.replace("device-only", "static") in str(line.get_label()))
        shown = np.isfinite(line.get_ydata())
        np.testing.assert_array_equal(line.get_ydata()[shown], total[shown])
        np.testing.assert_array_equal(shown, total <= highest)
        for m in np.flatnonzero(~shown):
            (x,) = (x for x, colour in marks if round(x) == m and colour == line.get_color())
            written = [text for text in top.texts if np.isclose(text.xy[0], x)]
            assert [text.get_text() for text in written] == [f"{total[m]:#.3g}"]
            expected += 1
    assert len(marks) == expected
    assert name != "resnet50-jetson" or expected > 10


def test_an_infinite_total_is_marked_as_such():
    """A forced upload without a lower limit of the rate."""
    answer = placement_answer(Scenario.load("mlp-pi"))
    device = (None, *answer.total["device-only"][1:])
    top = draw_placement(answer.model_copy(update={"total": answer.total | {"device-only": device}})).axes[0]
    assert (0.0, "\N{INFINITY}") in [(text.xy[0], text.get_text()) for text in top.texts]


@every_case
def test_the_picture_can_be_read(name, overrides, rule):
    with column_style():
        assert_readable(draw_placement(placement_answer(Scenario.load(name, **overrides), rule)))


def test_the_picture_is_written_with_true_type_fonts(tmp_path):
    answer = placement_answer(Scenario.load("mlp-pi"))
    plot_placement(answer.model_copy(update={"scenario": "$\\frac$ [red]"}), tmp_path / "placement.pdf")
    content = (tmp_path / "placement.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content
