"""Text of a task: what it says, and that it stays narrow."""

from dataclasses import replace

import numpy as np
import pytest

from cointer_gym import Rayleigh
from cointer_gym.rendering import draw_text
from cointer_gym.text import bits, shortened, significant
from support.commands import python
from support.scenes import SCENES, every_scene, extreme_scene, scene_of

# --- text -------------------------------------------------------------------------------------------------------------


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
    ("size_bits", "text"),
    [
        (40, "40.0 bit"),
        (32_000, "32.0 kbit"),
        (1_038_336, "1.04 Mbit"),
        (102_760_448, "103 Mbit"),
        (2.5e12, "2500 Gbit"),
    ],
)
def test_sizes_carry_their_unit(size_bits, text):
    assert bits(size_bits) == text


def test_numbers_and_names_are_short():
    values = (1234, 999.7, 999.4, 25.74, 9.999, 1.0, 0.8, 0.0321)
    assert [significant(value) for value in values] == ["1234", "1000", "999", "25.7", "10.0", "1.00", "0.80", "0.032"]
    assert shortened("bottleneck12", 12) == "bottleneck12"
    assert shortened("bottleneck12", 9) == "bottle.12"
    assert shortened("patch_embedding", 9) == "patch_em."
    assert len(shortened("1234567890", 5)) == 5


# --- scene ------------------------------------------------------------------------------------------------------------


def test_text_does_not_load_matplotlib():
    code = """
import sys
from cointer_gym import Rayleigh, Scenario, StoppingProblem
from cointer_gym.rendering import Renderer, Scene, Window, draw_text
problem = StoppingProblem(
    airtime_cost=[1, 0], edge_cost=[0, 0], device_cost=[1], channel=Rayleigh(mean_snr=1), completes=True
)
print(draw_text(Scene(
    problem=problem, title="", feature_bits=(1, 1), total_layers=1, stage=0, snr=1, snr_path=(1,), cost=0, finished="",
    threshold_snr=(2.0,),
)))
Window().close()
scenario = Scenario.load("alexnet-pi")
renderer = Renderer(scenario)
print(renderer.draw(renderer.scene(0, 0, [1.0], 0.0, ""), "ansi"))
renderer.close()
print("matplotlib" in sys.modules)
"""
    printed = python(code)
    assert "stage 0 of 1" in printed
    assert printed.splitlines()[-1] == "False"
