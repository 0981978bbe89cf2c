"""Pictures of a task: what they say, that they show what changes, and that nothing on them overlaps."""

import itertools
import subprocess
import sys
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, Scenario, StoppingProblem
from cointer_gym.rendering import Scene, Window, draw_figure, draw_rgb, draw_text, optimal_threshold_snr, style
from cointer_gym.rendering.page import LEFT, RIGHT
from cointer_gym.rendering.scene import bits_text, shortened, significant
from cointer_gym.stopping import optimal_thresholds

DEEP = {
    "name": "deep",
    "input_elements": 150_528,
    "layers": [{"name": f"block{n}", "output_elements": 900 + 7919 * n % 40_000, "flops": 2e7} for n in range(60)],
}


def scene_of(dnn="alexnet", placement=None, stage=0, **changes):
    """A task on the default scenario with another network, under a fixed fading path."""
    scenario = Scenario.load("alexnet-pi", dnn=DEEP if dnn == "deep" else {"profile": dnn})
    problem = scenario.problem(placement)
    path = problem.channel.sample_snr(np.random.default_rng(7), (problem.horizon + 1,))
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
        "threshold_snr": optimal_threshold_snr(problem),
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
    "nothing placed": lambda: scene_of(placement=0),
    "vgg16": lambda: scene_of("vgg16", stage=9),
    "vgg16 offloaded": lambda: scene_of("vgg16", placement=18, stage=18, finished="offloaded", cost=5.601),
    "mobilenetv2": lambda: scene_of("mobilenetv2", stage=19),
    "vit-b-16": lambda: scene_of("vit-b-16", 10, finished="offloaded", title="a name too long " * 4),
    "deep": lambda: scene_of("deep", stage=31),
    "deep offloaded": lambda: scene_of("deep", placement=50, stage=20, finished="offloaded"),
    "deep at its end": lambda: scene_of("deep", placement=50, stage=50, finished="offloaded"),
    "empirical": lambda: extreme_scene(Empirical(snr=(0.0, 1e-4, 3.0, 3.1, 5.0, 40.0, 41.0))),
    "constant": lambda: extreme_scene(Empirical(snr=(5.0,)), stage=4, finished="completed"),
    "line of sight": lambda: extreme_scene(Rician(mean_snr=1e4, k_factor=100.0), stage=0),
    "worse than Rayleigh": lambda: extreme_scene(Nakagami(mean_snr=0.01, m=0.5), stage=1),
}
every_scene = pytest.mark.parametrize("name", SCENES)


def count(image, colour):
    """Pixels of exactly one colour."""
    return int((image == np.round(255 * np.array(to_rgb(colour)))).all(axis=-1).sum())


def pixel(stage, columns):
    """Horizontal pixel in the middle of a column."""
    return round((LEFT + (stage + 0.5) * (720 - LEFT - RIGHT) / columns) * 100 / 72)


def rendered(scene):
    """The figure of a scene and its pixels, without what draw_rgb remembers."""
    figure = Figure(figsize=(10.0, 6.2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    draw_figure(scene, figure)
    canvas.draw()
    return figure, np.asarray(canvas.buffer_rgba())[..., :3].copy()


# --- text ----------------------------------------------------------------------------------------


def test_text_states_the_facts():
    scene = scene_of(placement=8, stage=4, snr=10.0, snr_path=(1.0, 2.0, 4.0, 0.5, 10.0), cost=0.1765)
    threshold_db = 10 * np.log10(scene.threshold_snr[4])
    share = 0.1765 / scene.problem.static_cost.min()
    assert threshold_db < 10.0
    assert draw_text(scene).splitlines()[:4] == [
        "alexnet-pi | 8 of 11 layers on the device | running",
        f"stage 4 of 8 | feature pool2, 1.04 Mbit | cost 0.1765 ({100 * share:.0f}% of best static split)",
        f"SNR 10.0 dB | optimum offloads from {threshold_db:.1f} dB | optimum now: offload",
        "",
    ]


def test_text_draws_the_lanes_stage_by_stage():
    scene = scene_of(placement=5, stage=2, snr_path=(1.0, 2.0, 4.0), snr=4.0)
    lines = draw_text(scene).splitlines()[4:]
    assert lines[0] == "edge                           (conv2)(pool2)(conv3) (+6)"
    assert lines[2] == "device    [input][conv1]<pool1> conv2  pool2  conv3"
    assert lines[3].split() == ["stage", *"012345"]
    assert lines[4].split() == ["size", "Mbit", "1.20", "6.20", "1.49", "4.48", "1.04", "2.08"]
    assert lines[5].split()[2:] == [*(f"{10 * np.log10(snr):.1f}" for snr in scene.threshold_snr), "forced"]
    assert lines[6].split() == ["SNR", "dB", "0.0", "3.0", "6.0"]


def test_text_of_an_offloaded_task_shows_the_upload_and_the_layers_on_the_edge():
    lines = draw_text(scene_of(placement=5, stage=2, finished="offloaded")).splitlines()
    assert lines[0].endswith("| offloaded after layer 2")
    assert lines[4] == "edge                           [conv2][pool2][conv3] [+6]"
    assert lines[5].index("^") == 10 + 2 * 7 + 3
    assert lines[6] == "device    [input][conv1][pool1]"


def test_text_of_a_completed_task_needs_no_edge():
    lines = draw_text(scene_of(stage=11, finished="completed")).splitlines()
    assert lines[0].endswith("| completed on the device")
    assert lines[2].endswith("| nothing left to decide")
    assert lines[4] == "edge"
    assert lines[6].endswith("[fc8]")


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (0, "SNR -inf dB | optimum offloads at any SNR | optimum now: offload"),
        (1, "SNR 90.0 dB | optimum offloads never | optimum now: continue"),
        (2, "SNR 5.0 dB | optimum offloads from 5.0 dB | optimum now: offload"),
        (3, "SNR 7.0 dB | optimum offloads from -50.0 dB | optimum now: offload"),
        (4, "SNR 0.0 dB | nothing left to decide"),
    ],
)
def test_text_names_thresholds_without_a_number(stage, words):
    lines = draw_text(extreme_scene(Rayleigh(mean_snr=10.0), stage)).splitlines()
    assert lines[2] == words
    assert lines[9].split() == ["from", "dB", "always", "never", "5.0", "-50.0", "-"]


def test_text_of_a_forced_upload():
    line = draw_text(scene_of(placement=8, stage=8)).splitlines()[2]
    assert line.endswith("| optimum offloads at any SNR | optimum now: offload (forced)")


@pytest.mark.parametrize(("toward", "decision"), [(np.inf, "offload"), (0.0, "continue")])
def test_decision_changes_at_the_threshold(toward, decision):
    scene = scene_of(stage=2)
    threshold = scene.threshold_snr[2]
    assert replace(scene, snr=float(threshold)).decision_text == "offload"
    assert replace(scene, snr=float(np.nextafter(threshold, toward))).decision_text == decision


@every_scene
def test_text_is_narrow_plain_and_centred_on_the_stage_in_hand(name):
    scene = SCENES[name]()
    text = draw_text(scene)
    assert text.isascii()
    lines = text.splitlines()
    assert len(lines) == 11
    assert max(map(len, lines[3:])) <= 100
    assert all(line == line.rstrip() for line in lines)
    stages = [int(number) for number in lines[7].split()[1:]]
    assert min(stages) < scene.stage or scene.stage == 0
    assert max(stages) > scene.stage or scene.stage == scene.horizon
    assert scene.finished or "<" in lines[6]


def test_text_counts_the_layers_beyond_its_right_end():
    lines = draw_text(scene_of("deep", stage=20, placement=50)).splitlines()
    last = int(lines[7].split()[-1])
    assert 20 < last < 50
    assert lines[4].endswith(f"(+{60 - last})")


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (40, "40.0 bit"),
        (32_000, "32.0 kbit"),
        (1_038_336, "1.04 Mbit"),
        (102_760_448, "103 Mbit"),
        (2.5e12, "2500 Gbit"),
    ],
)
def test_sizes_carry_their_unit(bits, text):
    assert bits_text(bits) == text


def test_numbers_and_names_are_short():
    values = (1234, 999.7, 999.4, 25.74, 9.999, 1.0, 0.8, 0.0321)
    assert [significant(value) for value in values] == ["1234", "1000", "999", "25.7", "10.0", "1.00", "0.80", "0.032"]
    assert shortened("bottleneck12", 12) == "bottleneck12"
    assert shortened("bottleneck12", 9) == "bottle.12"
    assert shortened("patch_embedding", 9) == "patch_em."
    assert len(shortened("1234567890", 5)) == 5


# --- image ---------------------------------------------------------------------------------------


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


# --- figure --------------------------------------------------------------------------------------


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


# --- window --------------------------------------------------------------------------------------


@pytest.fixture
def headless():
    plt.switch_backend("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.mark.usefixtures("headless")
def test_window_without_a_display_draws_on_one_figure_and_goes_away(monkeypatch):
    monkeypatch.setattr(FigureCanvasAgg, "start_event_loop", lambda *_: pytest.fail("waits where nobody looks"))
    window = Window()
    window.close()
    for stage in (0, 1):
        window.show(scene_of(stage=stage))
        assert len(plt.get_fignums()) == 1
    assert "1 of 11" in [text.get_text() for text in plt.gcf().findobj(Text)]
    plt.close("all")
    window.show(scene_of())
    assert len(plt.get_fignums()) == 1
    window.close()
    window.close()
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("headless")
@pytest.mark.parametrize(("pause_s", "calls"), [(0.25, ["show", 0.25]), (0.0, ["show", "flush"])])
def test_window_on_a_display_shows_itself_and_lets_the_picture_stand(monkeypatch, pause_s, calls):
    seen = []
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "some toolkit")
    monkeypatch.setattr(Figure, "show", lambda _: seen.append("show"))
    monkeypatch.setattr(FigureCanvasAgg, "start_event_loop", lambda _, timeout: seen.append(timeout))
    monkeypatch.setattr(FigureCanvasAgg, "flush_events", lambda _: seen.append("flush"))
    window = Window(pause_s=pause_s)
    window.show(scene_of())
    window.close()
    assert seen == calls


# --- scene ---------------------------------------------------------------------------------------


def test_thresholds_are_those_of_backward_induction_and_solved_once():
    problem = Scenario.load("alexnet-pi").problem(8)
    tau, _ = optimal_thresholds(problem)
    np.testing.assert_allclose(optimal_threshold_snr(problem), 2.0 ** (1.0 / tau) - 1.0, rtol=1e-12)
    assert optimal_threshold_snr(problem) is optimal_threshold_snr(problem)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_bits": (1.0,)}, "feature_bits has 1 entries, expected 12"),
        ({"threshold_snr": (1.0,) * 12}, "threshold_snr has 12 entries, expected 11"),
        ({"stage": 12}, r"stage = 12 must be in 0\.\.11"),
        ({"stage": -1}, r"stage = -1 must be in 0\.\.11"),
        ({"snr_path": (1.0, 1.0)}, "snr_path has 2 entries, at most 1"),
        ({"total_layers": 10}, "total_layers = 10 must be at least the horizon 11"),
        ({"finished": "lost"}, "finished = 'lost' must be one of"),
    ],
)
def test_scene_rejects_what_does_not_fit(change, message):
    scene = scene_of()
    with pytest.raises(ValueError, match=message):
        replace(scene, **change)


def test_text_does_not_load_matplotlib():
    code = """
import sys
from cointer_gym import Rayleigh, StoppingProblem
from cointer_gym.rendering import Scene, Window, draw_text, optimal_threshold_snr
problem = StoppingProblem(
    airtime_cost=[1, 0], edge_cost=[0, 0], device_cost=[1], channel=Rayleigh(mean_snr=1), completes=True
)
thresholds = optimal_threshold_snr(problem)
print(draw_text(Scene(
    problem=problem, title="", feature_bits=(1, 1), total_layers=1, stage=0, snr=1, snr_path=(1,), cost=0, finished="",
    threshold_snr=thresholds,
)))
Window().close()
print("matplotlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "stage 0 of 1" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
