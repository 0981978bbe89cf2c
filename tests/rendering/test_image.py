"""Images of a task: that they show what changes."""

from dataclasses import replace

import numpy as np
import pytest

from cointer_gym.rendering import draw_rgb, style
from cointer_gym.rendering.page import LEFT, RIGHT
from support.scenes import SCENES, count, every_scene, rendered, scene_of


def pixel(stage, columns):
    """Horizontal pixel in the middle of a column."""
    return round((LEFT + (stage + 0.5) * (720 - LEFT - RIGHT) / columns) * 100 / 72)


@every_scene
def test_image_has_one_size_and_is_the_figure(name):
    scene = SCENES[name]()
    image = draw_rgb(scene)
    assert image.shape == (620, 1000, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - rendered(scene)[1]).max() <= 1  # one blends in one pass, the other in two


@pytest.mark.parametrize(
    "change",
    [{"snr": 2.0}, {"snr_path": (5.0, 5.0, 5.0)}, {"cost": 0.9}, {"finished": "offloaded"}, {"title": "other"}],
    ids=str,
)
def test_image_shows_every_change(change):
    scene = scene_of(placement=8, stage=2)
    assert (draw_rgb(scene) != draw_rgb(replace(scene, **change))).any()


def test_image_of_a_stage_does_not_depend_on_what_was_drawn_before():
    scene, later = scene_of(stage=2), scene_of(stage=6)
    later = replace(later, problem=scene.problem, threshold_snr=scene.threshold_snr)
    first, second = draw_rgb(scene), draw_rgb(later)
    assert (first != second).any()
    np.testing.assert_array_equal(draw_rgb(scene), first)
    np.testing.assert_array_equal(draw_rgb(later), second)


def test_layers_fill_with_the_colour_of_the_computer_that_runs_them():
    device = [count(draw_rgb(scene_of(stage=n)), style.DEVICE) for n in (1, 3, 5, 11)]
    assert device == sorted(set(device))
    running = count(draw_rgb(scene_of(stage=3)), style.EDGE)
    uploaded = [count(draw_rgb(scene_of(stage=n, finished="offloaded")), style.EDGE) for n in (9, 6, 3)]
    assert [running, *uploaded] == sorted({running, *uploaded})


def test_blocks_are_as_high_as_the_cube_root_of_their_features():
    scene = scene_of(placement=8, stage=5)
    lane = draw_rgb(scene)[200:310]  # the device's
    heights = [count(lane[:, pixel(n, 9) - 20], style.DEVICE) for n in range(5)]
    expected = 69.4 * np.cbrt(np.array(scene.feature_bits[:5]) / max(scene.feature_bits))  # 50 points at 100 per inch
    np.testing.assert_allclose(heights, expected, atol=1.5)


def test_stage_in_hand_has_deeper_colours_than_the_others():
    for stage in (1, 3):  # the threshold is beyond the axis
        row = draw_rgb(scene_of(stage=stage))[560]
        colours = {n: style.DEVICE_PALE if n == stage else style.DEVICE_SOFT for n in (1, 3, 10)}
        assert all(count(row[None, [pixel(n, 12) - 10]], colour) == 1 for n, colour in colours.items())


def test_offload_region_follows_the_threshold():
    scene = scene_of(stage=2)
    areas = []
    for threshold in (float("inf"), 30.0, 3.0, 0.0):
        thresholds = (*scene.threshold_snr[:2], threshold, *scene.threshold_snr[3:])
        areas.append(count(draw_rgb(replace(scene, threshold_snr=thresholds, snr=0.0)), style.EDGE_PALE))
    assert areas == sorted(set(areas))
