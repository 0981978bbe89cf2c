"""Figures of a task: what they say, and that nothing on them overlaps."""

import itertools
from dataclasses import replace

import matplotlib
import numpy as np
from matplotlib.text import Text

from cointer_gym.rendering import draw_figure
from support.scenes import SCENES, every_scene, rendered, scene_of


@every_scene
def test_no_text_touches_another_or_leaves_the_page(name):
    figure, _ = rendered(SCENES[name]())
    (axes,) = figure.axes
    boxes = [(text.get_text(), text.get_window_extent().padded(0.5)) for text in axes.texts]
    assert len(boxes) > 20
    assert [text for text, box in boxes if box.x0 < 15.0 or box.x1 > 985.0] == []
    assert [text for text, box in boxes if box.y0 < 5.0 or box.y1 > 615.0] == []
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2) if one.overlaps(two)] == []


def test_figure_names_every_feature_with_its_size_and_threshold():
    scene = scene_of(placement=8, stage=4)
    words = [text.get_text() for text in rendered(scene)[0].findobj(Text)]
    assert set(scene.problem.stage_names) <= set(words)
    assert {"6.20", "0.29", "forced", "running"} <= set(words)
    assert {f"{10 * np.log10(snr):.1f}" for snr in scene.threshold_snr} <= set(words)
    survival = float(np.exp(-scene.threshold_snr[4] / 10.0))  # Rayleigh, mean SNR 10
    assert f"P(offload) {100 * survival:.1f}%" in words


def test_figure_says_whether_the_cost_holds_the_download():
    for best_fixed_cost, caption in ((None, "cost so far"), (0.5, "cost so far, with download")):
        scene = replace(scene_of(stage=3), best_fixed_cost=best_fixed_cost)
        assert caption in [text.get_text() for text in rendered(scene)[0].findobj(Text)]


def test_figure_ignores_the_settings_of_its_surroundings():
    scene = replace(scene_of(stage=3), title="$a price_in")
    figure, plain = rendered(scene)
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)
    odd = {
        "text.color": "red",
        "font.size": 30,
        "font.family": "serif",
        "lines.linewidth": 9,
        "lines.solid_capstyle": "round",
        "patch.force_edgecolor": True,
        "axes.grid": True,
        "figure.facecolor": "black",
    }
    with matplotlib.rc_context(odd):
        np.testing.assert_array_equal(rendered(scene)[1], plain)


def test_figure_is_drawn_anew_on_the_same_figure(tmp_path):
    figure, _ = rendered(scene_of(stage=1))
    scene = scene_of(stage=3)
    draw_figure(scene, figure)
    figure.canvas.draw()
    np.testing.assert_array_equal(np.asarray(figure.canvas.buffer_rgba())[..., :3], rendered(scene)[1])
    figure.savefig(tmp_path / "task.pdf")
    assert (tmp_path / "task.pdf").read_bytes().startswith(b"%PDF")
