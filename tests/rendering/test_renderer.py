"""The renderer: from the state of a task to its picture, and what frames share."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from cointer_gym import Scenario, rendering
from cointer_gym import baselines as bl
from cointer_gym.rendering import Renderer, draw_rgb, draw_text

PATH = np.array([3.0, 1.0, 7.0, 0.5, 2.0, 9.0, 0.1, 4.0, 8.0, 1.5, 6.0, 5.0])


@pytest.fixture
def renderer():
    return Renderer(Scenario.load("alexnet-pi"))


def test_scene_of_a_state_says_what_the_state_says(renderer):
    scenario = Scenario.load("alexnet-pi")
    scene = renderer.scene(8, 2, PATH, 0.25, "offloaded")
    assert (scene.horizon, scene.stage, scene.cost, scene.finished, scene.choosing) == (8, 2, 0.25, "offloaded", False)
    assert (scene.title, scene.total_layers) == ("alexnet-pi", 11)
    assert (scene.snr, scene.snr_path) == (7.0, (3.0, 1.0, 7.0))
    np.testing.assert_array_equal(scene.feature_bits, scenario.dnn.output_bits[:9])
    optimum = bl.backward_induction(scenario.problem(8))
    np.testing.assert_array_equal(scene.threshold_snr, optimum.threshold_snr)


def test_scene_before_the_placement_is_the_whole_network_without_an_snr(renderer):
    scene = renderer.scene(-1, 0, PATH, 0.0, "")
    assert (scene.choosing, scene.horizon, scene.snr, scene.snr_path) == (True, 11, 0.0, ())


def test_renderer_of_tasks_that_pay_the_download_compares_with_it(renderer):
    assert renderer.scene(8, 2, PATH, 0.25, "").best_fixed_cost is None
    joint = Renderer(Scenario.load("alexnet-pi"), best_fixed_cost=0.5)
    assert joint.scene(8, 2, PATH, 0.25, "").cost_text == "0.25 (50% of best static split)"
    assert joint.scene(-1, 0, PATH, 0.0, "").cost_caption == "cost so far, with download"


def test_every_placement_is_solved_once(renderer, monkeypatch):
    solved, solve = [], bl.backward_induction
    monkeypatch.setattr(bl, "backward_induction", lambda problem: solved.append(problem.horizon) or solve(problem))
    scenes = [renderer.scene(placement, 0, PATH, 0.0, "") for placement in (-1, 8, 8, 3, 8, -1, 11)]
    assert solved == [11, 8, 3]  # before the placement is chosen it is the problem with all layers
    assert scenes[1].problem is scenes[2].problem is scenes[4].problem


@pytest.mark.parametrize("placements", [(8,), (-1, 0, 3, 8, 11, 10)], ids=["one", "more than are kept"])
def test_frames_are_the_pictures_of_their_scenes_and_share_what_stays(renderer, monkeypatch, placements):
    laid_out, sheet = [], rendering.renderer.Sheet
    monkeypatch.setattr(rendering.renderer, "Sheet", lambda scene: laid_out.append(scene.horizon) or sheet(scene))
    for placement in placements:
        for stage in range(min(max(placement, 0), 2) + 1):
            scene = renderer.scene(placement, stage, PATH, 0.1 * stage, "")
            np.testing.assert_array_equal(renderer.draw(scene, "rgb_array"), draw_rgb(scene))
    assert len(laid_out) == len(placements)


@pytest.mark.usefixtures("headless")
def test_renderer_draws_every_mode(renderer):
    scene = renderer.scene(8, 1, PATH, 0.0, "")
    assert renderer.draw(scene, "ansi") == draw_text(scene)
    assert renderer.draw(scene, "human") is None
    assert "1 of 8" in [text.get_text() for text in plt.gcf().findobj(Text)]
    renderer.close()
    assert plt.get_fignums() == []
