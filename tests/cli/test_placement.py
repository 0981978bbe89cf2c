"""The command `cointer-gym placement`."""

import json

import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from support.commands import invoke, words

RESNET50_DAILY = ("--set", "channel.mean_snr_db=5", "--set", "tasks_per_update=10000")


def test_placement_answers_how_many_layers_of_resnet50(tmp_path):
    done = invoke("placement", "resnet50-jetson", *RESNET50_DAILY, "--out", tmp_path)
    assert done.exit_code == 0
    text = words(done.output)
    assert "Put 11 of 20 layers (up to conv4_2) on the device" in text
    assert "Within 1 % of it: 9 to 15 layers." in text
    assert "Look-ahead would place 5 of 20 layers (up to conv2_3)" in text
    assert "No closed form. resnet50-jetson: the closed form needs equal layers" in text
    assert (tmp_path / "placement.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "placement.pdf").read_bytes().startswith(b"%PDF")


def test_placement_json_holds_the_exact_table(tmp_path):
    overrides = {"channel.mean_snr_db": 5, "tasks_per_update": 10000}
    table = bl.optimal_placement(Scenario.load("resnet50-jetson", **overrides))
    ahead = bl.optimal_placement(table.scenario, "look-ahead")
    done = invoke("placement", "resnet50-jetson", *RESNET50_DAILY, "--json", "--out", tmp_path)
    answer = json.loads(done.output)
    assert answer["placement"] == table.placement == 11
    assert answer["within_1_percent"] == table.within(0.01)
    assert answer["total"]["optimal"] == pytest.approx(table.total)
    assert answer["marginal_value"] == pytest.approx(table.marginal_value)
    found = answer["look_ahead"]
    assert (found["placement"], found["excess"]) == (ahead.placement, pytest.approx(ahead.cost / table.cost - 1))
    expected = table.total[ahead.placement] / table.cost - 1
    assert found["excess_with_optimal_splitting"] == pytest.approx(expected)


def test_placement_gives_the_closed_form_where_layers_are_equal(tmp_path):
    text = words(invoke("placement", "mlp-pi", "--out", tmp_path).output)
    closed = bl.closed_form_placement(Scenario.load("mlp-pi")).placement
    assert f"Closed form for equal layers: {closed} layers, the same as the look-ahead search." in text
    assert "No closed form" not in text


def test_placement_respects_the_memory_of_the_device(tmp_path):
    tight = ("--set", "device.memory_bytes=7e6")  # conv4_1 ends at 6.4 MB, conv4_2 at 11.1 MB
    free, limited = (invoke("placement", "resnet18-phone", "--json", "--out", tmp_path, *more) for more in ((), tight))
    assert (json.loads(free.output)["placement"], json.loads(limited.output)["placement"]) == (8, 7)
    assert json.loads(limited.output)["total"]["optimal"][8:] == [None] * 5
    text = words(invoke("placement", "resnet18-phone", "--out", tmp_path, *tight).output)
    assert text.count("does not fit") == 5


def test_placement_under_another_rule_names_the_joint_optimum_too(tmp_path):
    text = words(
        invoke("placement", "resnet50-jetson", *RESNET50_DAILY, "--rule", "look-ahead", "--out", tmp_path).output
    )
    assert "Put 5 of 20 layers (up to conv2_3) on the device" in text
    assert "The joint optimum places 11 of 20 layers (up to conv4_2); the cost above is 50.3 % above it." in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("placement", "alexnet-pi", "--rule", "greedy"), "rule = 'greedy' must be one of edge-only, device-only"),
        (
            ("placement", "mobilenetv2-phone", "--set", "channel.mean_snr_db=5"),
            "law = 'empirical' does not take mean_snr_db",
        ),
        (("placement", "resnet51"), "scenario = 'resnet51' is neither a file nor one of the built-in scenarios"),
        (("placement", "alexnet-pi", "--set", "link.bandwidth_hz=-1"), "link.bandwidth_hz = -1"),
        (("study", "weather"), "study = 'weather' must be one of snr, distance, tasks, weights, speed, structure"),
        (("study", "distance", "alexnet-pi"), "alexnet-pi has no channel.budget"),
    ],
)
def test_wrong_input_is_one_line_on_stderr(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not any(tmp_path.rglob("*.*"))
