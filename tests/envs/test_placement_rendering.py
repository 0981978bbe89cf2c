"""Pictures of a task whose placement is still to be chosen, and after."""

import itertools
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementEnv
from cointer_gym.rendering import draw_figure, draw_text, style
from support.contract import TWINS
from support.scenarios import THREE_LAYERS, every_placement_scenario
from support.scenes import count


def painted(env):
    """All texts on the picture of the environment, and their boxes."""
    figure = Figure(figsize=(10.0, 6.2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    draw_figure(env.scene(), figure)
    canvas.draw()
    return [(text.get_text(), text.get_window_extent().padded(0.5)) for text in figure.axes[0].texts]


def test_text_of_every_phase():
    env = CoInferencePlacementEnv(THREE_LAYERS, render_mode="ansi")
    env.reset(options={"snr": [3.0, 1.0, 7.0, 0.5]})
    assert env.render().splitlines() == [
        "small | choose how many of 3 layers to place | not started",
        "stage 0 of ? | feature input, 800 bit | cost 0 (0% of best static split) with download",
        "SNR hidden | the placement comes first",
        "",
        "edge               (a)    (b)    (c)",
        "",
        "device    <input>   ?      ?      ?",
        "stage        0      1      2      3",
        "size kbit  0.80   1.60   2.24   0.32",
        "from dB      -      -      -      -",
        "SNR dB",
    ]
    env.step(2)
    lines = env.render().splitlines()
    assert lines[0] == "small | 2 of 3 layers on the device | running"
    assert lines[1].startswith("stage 0 of 2 | feature input, 800 bit | cost 0.0006699 (")
    assert lines[2].startswith("SNR 4.8 dB | optimum offloads ")
    assert lines[4] == "edge               (a)    (b)   (+1)"
    assert lines[6] == "device    <input>   a      b"
    assert lines[10].split() == ["SNR", "dB", "4.8"]
    env.step(0)
    env.step(3)
    lines = env.render().splitlines()
    assert lines[0] == "small | 2 of 3 layers on the device | offloaded after layer 1"
    assert lines[4] == "edge                      [b]   [+1]"
    env.reset(options={"snr": [3.0, 1.0, 7.0, 0.5]})
    for action in (3, 0, 0, 0):
        env.step(action)
    assert env.render().splitlines()[0] == "small | all 3 layers on the device | completed on the device"


@every_placement_scenario
def test_picture_before_the_placement_hides_snr_and_promises_nothing(scenario):
    env = CoInferencePlacementEnv(scenario, render_mode="rgb_array")
    layers, mean_snr = env.problem.horizon, env.problem.channel.average_snr
    images = []
    for snr in (1e-3 * mean_snr, 20.0 * mean_snr):
        env.reset(options={"snr": np.full(layers + 1, snr)})
        images.append(env.render())
    np.testing.assert_array_equal(images[0], images[1])
    assert images[0].shape == (620, 1000, 3)
    assert env.scene().snr == 0.0
    assert count(images[0], style.EDGE_SOFT) == count(images[0], style.DEVICE_SOFT) == 0  # no regions of a rule
    lane = images[0][200:310, 180:]  # the device's, right of the input
    boxes = painted(env)
    words = [text for text, _ in boxes]
    assert f"{env.task.scenario.name}: choose how many of {layers} layers to place" in words
    assert {"not started", "hidden", "0 of ?"} <= set(words)
    assert not [text for text in words if "on the device" in text and "stage" not in text]
    assert not [text for text in words if text.startswith(("from ", "P(offload)", "upload "))]
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2) if one.overlaps(two)] == []
    assert [text for text, box in boxes if not (15 < box.x0 < box.x1 < 985 and 5 < box.y0 < box.y1 < 615)] == []
    env.step(layers)
    image = env.render()
    assert count(image, style.EDGE_SOFT) + count(image, style.DEVICE_SOFT) > 0 or layers == 1
    filled = image[200:310, 180:]
    assert count(lane, style.DEVICE_PALE) < 0.6 * count(filled, style.DEVICE_PALE)  # outlines, not blocks


def test_cost_with_the_download_is_compared_with_the_best_split_with_its_download():
    """Only the download is paid yet: a share of what the best split costs with its own."""
    env = CoInferencePlacementEnv(THREE_LAYERS, render_mode="ansi")
    best = min(env.problem.static_cost + env.task.scenario.download.cost)
    env.reset(seed=0)
    env.step(2)
    scene = env.scene()
    assert scene.cost == env.task.scenario.download.cost[2]
    assert scene.cost_text.endswith(f"({scene.cost / best:.0%} of best static split)")
    assert scene.cost_caption == "cost so far, with download"
    alone = CoInferenceEnv(THREE_LAYERS, 2, render_mode="ansi")
    alone.reset(seed=0)
    assert alone.scene().cost_caption == "cost so far"


def test_picture_after_the_placement_is_that_of_the_splitting_environment():
    path = np.array([3.0, 1.0, 7.0, 0.5])
    joint, alone = (
        CoInferencePlacementEnv(THREE_LAYERS, render_mode="ansi"),
        CoInferenceEnv(THREE_LAYERS, 2, render_mode="ansi"),
    )
    joint.reset(options={"snr": path}), joint.step(2)
    alone.reset(options={"snr": path[:3]})
    for action in (0, 0, 1):
        drawn, expected = (re.sub(r"cost .*", "", env.render()) for env in (joint, alone))
        assert drawn == expected
        joint.step(action), alone.step(action)
    assert re.sub(r"cost .*", "", joint.render()) == re.sub(r"cost .*", "", alone.render())


def test_pictures_of_one_placement_share_one_problem():
    """What they have in common is then drawn once."""
    env = CoInferencePlacementEnv(THREE_LAYERS)
    env.reset(seed=0)
    scenes = []
    for action in (2, 0, 0):
        env.step(action)
        scenes.append(env.scene())
    assert scenes[0].problem is scenes[1].problem is scenes[2].problem
    assert scenes[0].problem.horizon == 2
    assert draw_text(scenes[0]) != draw_text(scenes[1])


@pytest.mark.parametrize("change", [{"stage": 1}, {"snr_path": (1.0,)}, {"finished": "offloaded"}])
def test_scene_before_the_placement_has_no_progress(change):
    env = CoInferencePlacementEnv(THREE_LAYERS)
    env.reset(seed=0)
    scene = env.scene()
    with pytest.raises(ValueError, match="choosing = True leaves stage at 0, snr_path empty and the task unfinished"):
        replace(scene, **change)


@pytest.mark.usefixtures("headless")
def test_window_follows_all_phases():
    env = CoInferencePlacementEnv(THREE_LAYERS, render_mode="human")
    env.reset(seed=0)
    titles = []
    for action in (1, 0, 1):
        titles.append([text.get_text() for text in plt.gcf().axes[0].texts if text.get_text().startswith("small: ")])
        env.step(action)
    assert titles == [["small: choose how many of 3 layers to place"], *[["small: 1 of 3 layers on the device"]] * 2]
    env.close()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_copies_draw_the_same_picture(twin):
    env = CoInferencePlacementEnv(THREE_LAYERS, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(2)
    env.render()
    other = twin(env)
    for one in (env, other):
        assert [one.step(action)[2] for action in (0, 0, 3)] == [False, False, True]
        one.reset()
    np.testing.assert_array_equal(other.render(), env.render())
