"""Figures of the studies: every curve is what the rows hold."""

import numpy as np
import pytest

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.studies import STUDIES
from cointer_gym.experiments.study_rows import Study
from cointer_gym.report.study_figures import draw_study, plot_study
from cointer_gym.report.study_panels import COSTS
from cointer_gym.report.study_words import SHORT
from cointer_gym.report.style import column_style
from support.figures import assert_readable, marked, texts


def curve(axes, alternative):
    """The line of an alternative."""
    (line,) = (line for line in axes.get_lines() if line.get_label() == alternative.label)
    return line


@pytest.mark.parametrize("name", ["snr", "distance", "tasks", "speed"])
def test_sweeps_draw_every_alternative_as_it_is_in_the_rows(tiny_studies, name):
    figure = draw_study(tiny_studies[name])
    for part, parameter in enumerate(tiny_studies[name].distinct("parameter")):
        rows = tiny_studies[name].only("parameter", parameter)
        excess, cost = figure.axes[2 * part : 2 * part + 2]
        for each in Alternative:
            np.testing.assert_array_equal(curve(excess, each).get_ydata(), 100 * rows.excess(each))
        for each in COSTS:
            np.testing.assert_array_equal(curve(cost, each).get_ydata(), rows.cost(each))
        assert set(SHORT.values()) <= set(texts(excess))  # every curve is named at its end


@pytest.mark.parametrize("name", STUDIES)
def test_no_text_covers_another_or_leaves_the_figure(tiny_studies, name):
    with column_style():
        assert_readable(draw_study(tiny_studies[name]))


def test_infinite_costs_are_marked_at_the_edge(tiny_studies):
    """An upload that is forced has no finite mean where the rate has no lower limit."""
    study = tiny_studies["snr"]
    first, *others = study.rows
    unbounded = first.model_copy(update={"costs": first.costs | {Alternative.EDGE: np.inf}})
    figure = draw_study(Study("snr", [unbounded, *others]))
    for axes in figure.axes[:2]:
        (x,) = (line.get_xdata() for line in marked(axes, up=True))
        np.testing.assert_array_equal(x, [first.value])
        assert np.isnan(curve(axes, Alternative.EDGE).get_ydata()[0])
    assert marked(draw_study(study).axes[0], up=True) == []


def test_the_front_is_drawn_in_milliseconds_and_millijoules(tiny_studies):
    front = draw_study(tiny_studies["weights"]).axes[0].get_lines()[-1]
    np.testing.assert_allclose(front.get_xdata(), 1e3 * tiny_studies["weights"].column("time_s"))
    np.testing.assert_allclose(front.get_ydata(), 1e3 * tiny_studies["weights"].column("energy_j"))


def test_the_phase_map_has_snr_across_and_energy_weight_upwards(tiny_studies):
    depth = draw_study(tiny_studies["phase"]).axes[0].collections[0].get_array()
    for row, ratio in enumerate((0.1, 10.0)):
        expected = tiny_studies["phase"].only("weight_ratio", ratio).column("split_depth")
        np.testing.assert_array_equal(depth[row], expected)


def test_structures_have_a_panel_per_hardware_with_every_alternative(tiny_studies):
    own, phone = draw_study(tiny_studies["structure"]).axes
    part = tiny_studies["structure"].only("hardware", "resnet18-phone")
    drawn = [tuple(line.get_xdata()) for line in phone.get_lines()]
    for each in Alternative:
        assert each is Alternative.JOINT or tuple(100 * part.excess(each)) in drawn
    assert [label.get_text() for label in own.get_yticklabels()] == ["mlp", "alexnet"]


def test_the_closed_form_has_a_panel_per_snr(tiny_studies):
    *panels, _ = draw_study(tiny_studies["closed-form"]).axes
    for axes, snr_db in zip(panels, (-3.0, 3.0, 9.0), strict=True):
        part = tiny_studies["closed-form"].only("mean_snr_db", snr_db)
        columns = ("placement", "look_ahead_placement", "closed_form_placement")
        for line, column in zip(axes.get_lines(), columns, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), part.column(column))


@pytest.mark.parametrize("name", STUDIES)
def test_figures_are_written_with_true_type_fonts(tiny_studies, name, tmp_path):
    plot_study(tiny_studies[name], tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content


def test_figures_are_written_as_images(tiny_studies, tmp_path):
    plot_study(tiny_studies["phase"], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
