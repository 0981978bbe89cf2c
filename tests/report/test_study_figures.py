"""Figures of the studies: every curve is what the rows hold."""

import numpy as np
import pytest

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.studies import STUDIES
from cointer_gym.report.study_figures import draw_study, plot_study


@pytest.mark.parametrize("name", ["snr", "distance", "tasks", "speed"])
def test_sweeps_draw_every_alternative_as_it_is_in_the_rows(tiny_studies, name):
    figure = draw_study(tiny_studies[name])
    for part, parameter in enumerate(tiny_studies[name].distinct("parameter")):
        rows = tiny_studies[name].only("parameter", parameter)
        cost, excess = figure.axes[2 * part : 2 * part + 2]
        for curve in Alternative:
            (drawn,) = (line for line in cost.get_lines() if line.get_label() == curve.label)
            np.testing.assert_array_equal(drawn.get_ydata(), rows.cost(curve))
            (drawn,) = (line for line in excess.get_lines() if line.get_label() == curve.label)
            np.testing.assert_array_equal(drawn.get_ydata(), 100 * rows.excess(curve))


def test_the_front_is_drawn_in_milliseconds_and_millijoules(tiny_studies):
    front = draw_study(tiny_studies["weights"]).axes[0].get_lines()[-1]
    np.testing.assert_allclose(front.get_xdata(), 1e3 * tiny_studies["weights"].column("time_s"))
    np.testing.assert_allclose(front.get_ydata(), 1e3 * tiny_studies["weights"].column("energy_j"))


def test_the_phase_map_has_snr_across_and_energy_weight_upwards(tiny_studies):
    depth = draw_study(tiny_studies["phase"]).axes[0].collections[0].get_array()
    for row, ratio in enumerate((0.1, 10.0)):
        expected = tiny_studies["phase"].only("weight_ratio", ratio).column("split_depth")
        np.testing.assert_array_equal(depth[row], expected)


def test_structures_have_a_panel_per_hardware(tiny_studies):
    own, phone = draw_study(tiny_studies["structure"]).axes
    (dots,) = (line for line in phone.get_lines() if line.get_label() == Alternative.DEVICE.label)
    np.testing.assert_array_equal(
        dots.get_xdata(), 100 * tiny_studies["structure"].only("hardware", "resnet18-phone").excess(Alternative.DEVICE)
    )
    assert [label.get_text() for label in own.get_yticklabels()] == ["mlp", "alexnet"]


@pytest.mark.parametrize("name", STUDIES)
def test_figures_are_written(tiny_studies, name, tmp_path):
    suffix, magic = (".pdf", b"%PDF") if name in ("distance", "phase") else (".png", b"\x89PNG")
    path = tmp_path / f"{name}{suffix}"
    plot_study(tiny_studies[name], path)
    assert path.read_bytes().startswith(magic)
