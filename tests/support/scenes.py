"""Pictures to look at: scenes of every kind, and their pixels."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from cointer_gym import Empirical, Nakagami, Rician, Scenario, StoppingProblem
from cointer_gym import baselines as bl
from cointer_gym.rendering import Scene, draw_figure

DEEP = {
    "name": "deep",
    "input_elements": 150_528,
    "layers": [{"name": f"block{n}", "output_elements": 900 + 7919 * n % 40_000, "flops": 2e7} for n in range(60)],
}


def scene_of(dnn="alexnet", placement=None, stage=0, **changes):
    """A task on the default scenario with another network, under a fixed fading path."""
    scenario = Scenario.load("alexnet-pi", dnn=DEEP if dnn == "deep" else {"profile": dnn})
    problem = scenario.problem(placement)
    path = problem.paths(7, 0)
    content = {
        "problem": problem,
        "title": scenario.name,
        "feature_bits": tuple(scenario.dnn.output_bits[: problem.horizon + 1]),
        "total_layers": scenario.layers,
        "stage": stage,
        "snr": float(path[stage]),
        "snr_path": tuple(path[: stage + 1]),
        "cost": float(problem.cost.device[:stage].sum()),
        "finished": "",
        "threshold_snr": tuple(bl.backward_induction(problem).threshold_snr),
    }
    return Scene(**content | changes)


def extreme_scene(channel, stage=2, **changes):
    """Thresholds always, never, 5 dB and -50 dB; SNRs 0, 90 dB, 5 dB and 7 dB."""
    problem = StoppingProblem(
        airtime_cost=[1, 1, 1, 1, 0],
        edge_cost=[1, 1, 1, 1, 0],
        device_cost=[1, 1, 1, 1],
        channel=channel,
        completes=True,
    )
    path = (0.0, 1e9, 10**0.5, 10**0.7, 1.0)
    content = {
        "problem": problem,
        "title": "extremes",
        "feature_bits": (1e6, 2e3, 40.0, 5e6, 1e7),
        "total_layers": 4,
        "stage": stage,
        "snr": path[stage],
        "snr_path": path[: stage + 1],
        "cost": 0.0,
        "finished": "",
        "threshold_snr": (0.0, float("inf"), 10**0.5, 1e-5),
    }
    return Scene(**content | changes)


SCENES = {
    "start": scene_of,
    "running": lambda: scene_of(stage=5),
    "placed 8 of 11": lambda: scene_of(placement=8, stage=3),
    "forced": lambda: scene_of(placement=8, stage=8),
    "offloaded": lambda: scene_of(placement=10, stage=4, finished="offloaded", cost=0.4431),
    "completed": lambda: scene_of(stage=11, finished="completed"),
    "with download": lambda: scene_of(placement=8, stage=3, cost=123.4567, best_fixed_cost=0.3),
    "nothing placed": lambda: scene_of(placement=0),
    "vgg16": lambda: scene_of("vgg16", stage=9),
    "vgg16 offloaded": lambda: scene_of("vgg16", placement=18, stage=18, finished="offloaded", cost=5.601),
    "mobilenetv2": lambda: scene_of("mobilenetv2", stage=19),
    "vit-b-16": lambda: scene_of("vit-b-16", 10, finished="offloaded", title="a name too long " * 4),
    "deep": lambda: scene_of("deep", stage=31),
    "deep offloaded": lambda: scene_of("deep", placement=50, stage=20, finished="offloaded"),
    "deep at its end": lambda: scene_of("deep", placement=50, stage=50, finished="offloaded"),
    "empirical": lambda: extreme_scene(Empirical(snr=(0.0, 1e-4, 3.0, 3.1, 5.0, 40.0, 41.0), min_efficiency=0.1523)),
    "constant": lambda: extreme_scene(Empirical(snr=(5.0,)), stage=4, finished="completed"),
    "line of sight": lambda: extreme_scene(Rician(mean_snr=1e4, k_factor=100.0), stage=0),
    "worse than Rayleigh": lambda: extreme_scene(Nakagami(mean_snr=0.01, m=0.5), stage=1),
}
every_scene = pytest.mark.parametrize("name", SCENES)


def count(image, colour):
    """Pixels of exactly one colour."""
    return int((image == np.round(255 * np.array(to_rgb(colour)))).all(axis=-1).sum())


def rendered(scene):
    """The figure of a scene and its pixels, without what draw_rgb remembers."""
    figure = Figure(figsize=(10.0, 6.2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    draw_figure(scene, figure)
    canvas.draw()
    return figure, np.asarray(canvas.buffer_rgba())[..., :3].copy()
