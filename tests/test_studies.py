"""Studies, their report and the two commands, against independent routes and against the committed files."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.agents import comparison, placement_report, studies, study_data, study_plots, study_report
from cointer_gym.agents.cli import app
from cointer_gym.agents.comparison import (
    AHEAD,
    AHEAD_PLACED,
    CLAIRVOYANT,
    DEVICE,
    EDGE,
    FULL,
    HALF,
    JOINT,
    RIVALS,
    STATIC,
)
from cointer_gym.agents.study_data import Study

DOCS = Path(__file__).resolve().parents[1] / "docs" / "studies"
ALEXNET = Scenario.load("alexnet-pi")
RESNET50_DAILY = ("--set", "channel.mean_snr_db=5", "--set", "tasks_per_update=10000")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def words(text):
    """The words of a terminal output, whatever its line breaks."""
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def assert_same_row(row, expected, rel):
    """Equal columns in the same order; texts equal, numbers to ``rel``."""
    assert list(row) == list(expected)
    for name, cell in row.items():
        assert cell == (
            expected[name] if isinstance(cell, str) else pytest.approx(expected[name], rel=rel, abs=1e-12)
        ), name


# --- the alternatives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "alexnet-pi",
        "autoencoder-mcu",
        "mlp-pi",
        "mobilenetv2-phone",
        "mobilenetv2-phone-all-device",
        "vgg16-pi-all-edge",
    ],
)
def test_alternatives_are_ordered(name):
    costs = studies.alternatives(Scenario.load(name))
    assert set(costs) == {JOINT, CLAIRVOYANT, *RIVALS}
    assert costs[CLAIRVOYANT] <= costs[JOINT] * (1 + 1e-9)
    assert all(costs[rival] >= costs[JOINT] * (1 - 1e-9) for rival in RIVALS)


@pytest.mark.parametrize("memory_bytes", [None, 12e6])
def test_alternatives_equal_their_definitions_solved_one_placement_at_a_time(memory_bytes):
    scenario = Scenario.load("resnet18-phone", **{"device.memory_bytes": memory_bytes})
    most = 12 if memory_bytes is None else 8  # conv5_1 needs 2.4 M parameters of 4 bytes on top of 11.1 MB
    problems = {m: scenario.problem(m) for m in range(most + 1)}
    download = scenario.download_cost
    optimal = {m: bl.backward_induction(p).cost + download[m] for m, p in problems.items()}
    ahead = {m: bl.look_ahead(p).cost + download[m] for m, p in problems.items()}
    full = problems[most]
    expected = {
        JOINT: min(optimal.values()),
        AHEAD: min(ahead.values()),
        AHEAD_PLACED: optimal[min(ahead, key=ahead.get)],
        FULL: optimal[most],
        HALF: optimal[6],
        STATIC: min(bl.device_only(p).cost + download[m] for m, p in problems.items()),
        DEVICE: bl.device_only(full).cost + download[most],
        EDGE: bl.edge_only(full).cost,
        CLAIRVOYANT: min(bl.clairvoyant_cost(p) + download[m] for m, p in problems.items()),
    }
    assert studies.alternatives(scenario) == pytest.approx(expected, rel=1e-12)


def test_a_bound_above_the_optimum_is_an_error(monkeypatch):
    monkeypatch.setattr(bl, "clairvoyant_cost", lambda problem: 10.0)
    with pytest.raises(ArithmeticError, match=r"alexnet-pi: Clairvoyant bound costs 10\.\d+, the joint optimum 0\.23"):
        studies.alternatives(ALEXNET)


def test_an_alternative_below_the_optimum_is_an_error(monkeypatch):
    solve = bl.optimal_placement
    monkeypatch.setattr(bl, "optimal_placement", lambda scenario, rule="static": solve(scenario, rule))
    with pytest.raises(ArithmeticError, match="Look-ahead splitting and placement costs"):
        studies.snr_study(ALEXNET, [10.0])


def test_a_closed_form_that_disagrees_with_the_search_is_an_error(monkeypatch):
    solve = bl.closed_form_placement
    monkeypatch.setattr(bl, "closed_form_placement", lambda scenario: solve(scenario.replace(tasks_per_update=10.0)))
    with pytest.raises(ArithmeticError, match="mlp-pi: closed form"):
        studies.closed_form_study(Scenario.load("mlp-pi"), [1e5])


# --- what a study says about the joint optimum -----------------------------------------------------------------------


def test_facts_of_the_joint_optimum_add_up_to_its_cost():
    scenario = ALEXNET.replace(**{"weights.time_weight": 0.7, "weights.energy_weight": 3.0, "tasks_per_update": 50})
    facts = comparison.optimum_facts(scenario)
    assert 0.7 * facts["time_s"] + 3.0 * facts["energy_j"] == pytest.approx(bl.optimal_placement(scenario).cost)


def test_split_entropy_and_depth_by_hand():
    facts = comparison.optimum_facts(ALEXNET)
    splits = bl.backward_induction(ALEXNET.problem(facts["placement"])).split_probability
    assert facts["split_depth"] == pytest.approx(sum(n * p for n, p in enumerate(splits)))
    assert facts["split_entropy_bits"] == pytest.approx(-sum(p * np.log2(p) for p in splits if p > 0))
    certain = comparison.optimum_facts(Scenario.load("vgg16-pi-all-edge"))
    assert (certain["split_depth"], certain["split_entropy_bits"]) == (0.0, 0.0)


def test_dearer_energy_moves_along_the_energy_time_front():
    study = Study("weights", studies.weights_study(ALEXNET, [0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, np.inf]))
    assert (np.diff(study.column("time_s")) >= -1e-12).all()
    assert (np.diff(study.column("energy_j")) <= 1e-12).all()
    assert study.column("energy_j")[0] > 2 * study.column("energy_j")[-1]


def test_seconds_and_joules_of_the_other_rules_add_up_to_their_cost():
    (row,) = studies.weights_study(ALEXNET, [2.0])
    assert row["look_ahead_time_s"] + 2.0 * row["look_ahead_energy_j"] == pytest.approx(row[AHEAD])
    assert row["static_time_s"] + 2.0 * row["static_energy_j"] == pytest.approx(row[STATIC])


def test_distance_sets_the_mean_snr_by_the_path_loss_exponent():
    near, far = studies.distance_study(Scenario.load("resnet50-jetson"), [100.0, 1000.0])
    assert near["mean_snr_db"] - far["mean_snr_db"] == pytest.approx(35.0)  # ten times the distance, exponent 3.5
    assert near[JOINT] < far[JOINT]


def test_distances_outside_the_allowed_snr_are_left_out():
    scenario = Scenario.load("resnet50-jetson", **{"channel.budget.distance_m": 2000.0})  # -25.4 dB; -30 dB at 2711 m
    distances = [row["value"] for row in studies.distance_study(scenario)]
    assert distances[0] == 250.0
    assert 2000.0 < distances[-1] < 2711.0


def test_under_dvfs_the_clock_is_swept():
    rows = studies.speed_study(Scenario.load("resnet18-phone"), [0.5, 2.0])
    swept = [(row["parameter"], row["value"]) for row in rows]
    clock, edge = "device.dvfs.clock_hz", "edge.flops_per_s"
    assert swept == [(clock, 1e9), (clock, 4e9), (edge, 2.5e12), (edge, 1e13)]


def test_studies_that_a_scenario_does_not_allow_say_why():
    layer = {"name": "only", "output_elements": 10, "flops": 1e6, "device_s": 0.1}
    measured = ALEXNET.replace(dnn={"name": "tiny", "input_elements": 100, "layers": [layer]})
    for study, scenario, message in (
        (studies.snr_study, Scenario.load("mobilenetv2-phone"), "law = 'empirical' takes neither mean_snr_db"),
        (studies.distance_study, ALEXNET, "alexnet-pi has no channel.budget"),
        (studies.speed_study, measured, "layer 'only' of alexnet-pi has measured times"),
        (studies.closed_form_study, ALEXNET, "the closed form needs equal layers"),
    ):
        with pytest.raises(ValueError, match=message):
            study(scenario)


# --- CSV, figures, words ---------------------------------------------------------------------------------------------


def tiny_studies():
    """Every study with a few points."""
    resnet50, phone = Scenario.load("resnet50-jetson"), Scenario.load("resnet18-phone")
    rows = {
        "snr": studies.snr_study(ALEXNET, [0.0, 10.0, 20.0]),
        "distance": studies.distance_study(resnet50, [100.0, 400.0, 900.0]),
        "tasks": studies.tasks_study(ALEXNET, [10.0, 1e4]),
        "weights": studies.weights_study(ALEXNET, [0.0, 0.1, 10.0, np.inf]),
        "speed": studies.speed_study(phone, [0.5, 2.0]),
        "structure": studies.structure_study(phone, ["mlp", "alexnet"]),
        "phase": studies.phase_study(ALEXNET, [-20.0, 10.0, 20.0], [0.1, 10.0]),
        "closed-form": studies.closed_form_study(Scenario.load("mlp-pi"), [1e3, 1e5]),
    }
    return {name: Study(name, rows[name]) for name in studies.STUDIES}


@pytest.fixture(scope="module")
def tiny():
    return tiny_studies()


@pytest.mark.parametrize("name", studies.STUDIES)
def test_csv_keeps_twelve_digits(tiny, name, tmp_path):
    path = tmp_path / f"{name}.csv"
    study_data.write_csv(tiny[name], path)
    again = study_data.read_csv(path)
    assert again.name == name
    assert len(again.rows) == len(tiny[name].rows)
    for written, read in zip(tiny[name].rows, again.rows, strict=True):
        assert_same_row(read, written, rel=1e-11)


@pytest.mark.parametrize("name", ["snr", "distance", "tasks", "speed"])
def test_sweeps_draw_every_alternative_as_it_is_in_the_rows(tiny, name):
    figure = study_plots.draw_study(tiny[name])
    for part, parameter in enumerate(tiny[name].distinct("parameter")):
        rows = tiny[name].only("parameter", parameter)
        cost, excess = figure.axes[2 * part : 2 * part + 2]
        for curve in (JOINT, CLAIRVOYANT, *RIVALS):
            (drawn,) = (line for line in cost.get_lines() if line.get_label() == curve)
            np.testing.assert_array_equal(drawn.get_ydata(), rows.column(curve))
            (drawn,) = (line for line in excess.get_lines() if line.get_label() == curve)
            np.testing.assert_array_equal(drawn.get_ydata(), 100 * rows.excess(curve))


def test_the_front_is_drawn_in_milliseconds_and_millijoules(tiny):
    front = study_plots.draw_study(tiny["weights"]).axes[0].get_lines()[-1]
    np.testing.assert_allclose(front.get_xdata(), 1e3 * tiny["weights"].column("time_s"))
    np.testing.assert_allclose(front.get_ydata(), 1e3 * tiny["weights"].column("energy_j"))


def test_the_phase_map_has_snr_across_and_energy_weight_upwards(tiny):
    depth = study_plots.draw_study(tiny["phase"]).axes[0].collections[0].get_array()
    for row, ratio in enumerate((0.1, 10.0)):
        expected = tiny["phase"].only("weight_ratio", ratio).column("split_depth")
        np.testing.assert_array_equal(depth[row], expected)


def test_structures_have_a_panel_per_hardware(tiny):
    own, phone = study_plots.draw_study(tiny["structure"]).axes
    (dots,) = (line for line in phone.get_lines() if line.get_label() == DEVICE)
    np.testing.assert_array_equal(
        dots.get_xdata(), 100 * tiny["structure"].only("hardware", "resnet18-phone").excess(DEVICE)
    )
    assert [label.get_text() for label in own.get_yticklabels()] == ["mlp", "alexnet"]


@pytest.mark.parametrize("name", studies.STUDIES)
def test_figures_are_written(tiny, name, tmp_path):
    suffix, magic = (".pdf", b"%PDF") if name in ("distance", "phase") else (".png", b"\x89PNG")
    path = tmp_path / f"{name}{suffix}"
    study_plots.plot_study(tiny[name], path)
    assert path.read_bytes().startswith(magic)


def test_points_in_words():
    ratio = {"parameter": study_data.WEIGHT_RATIO}
    assert study_report.where({"parameter": "tasks_per_update", "value": 123456.0}) == "K = 123,000"
    assert study_report.where({"parameter": "edge.flops_per_s", "value": 5e12}) == "edge speed 5,000 GFLOP/s"
    assert study_report.where({"parameter": "channel.mean_snr_db", "value": -10.0}) == "mean SNR -10 dB"
    assert study_report.where(ratio | {"value": 0.0}) == "time alone counts"
    assert study_report.where(ratio | {"value": np.inf}) == "energy alone counts"
    assert study_report.where(ratio | {"value": 0.5}) == "energy weight / time weight 0.5 s/J"


def test_summary_names_the_extremes_and_where_they_are(tiny):
    rows = {row[0]: row[1:] for row in study_report.summary(tiny["snr"])}
    excess = 100 * tiny["snr"].excess(DEVICE)  # grows with the SNR
    assert rows[DEVICE] == (*(f"+{x:.1f} %" if x < 100 else f"+{x:,.0f} %" for x in excess), "mean SNR 20 dB")
    assert rows[CLAIRVOYANT][2].startswith("-")


def test_verdicts_follow_the_numbers(tiny):
    holds = study_report.markdown(tiny.values())
    assert "Holds, but it is not near-optimal in general" in holds
    assert "nothing is gained for mlp" in holds  # on the phone, the perceptron is best sent to the edge at once
    alike = [
        Study(s.name, [row | {name: row[JOINT] for name in RIVALS if name in row} for row in s.rows])
        for s in tiny.values()
    ]
    assert "Holds, and is near-optimal" in study_report.markdown(alike)
    assert "nothing is gained for mlp and alexnet" in study_report.markdown(alike)


# --- the committed results -------------------------------------------------------------------------------------------


def solved_again(name, row):
    """The same point, solved now, at the rounded value that the CSV holds."""
    scenario = Scenario.load(studies.STUDIES[name][1])
    if name == "structure":
        return next(r for r in studies.structure_study(scenario, [row["dnn"]]) if r["hardware"] == row["hardware"])
    if name == "phase":
        return studies.phase_study(scenario, [row["mean_snr_db"]], [row["weight_ratio"]])[0]
    if name == "closed-form":
        found = studies.closed_form_study(scenario, [row["tasks_per_update"]])
        return next(r for r in found if r["mean_snr_db"] == row["mean_snr_db"])
    if name == "weights":
        return studies.weights_study(scenario, [row["value"]])[0]
    return studies.sweep(scenario, row["parameter"], [row["value"]])[0]


@pytest.mark.checkout
@pytest.mark.parametrize("name", studies.STUDIES)
def test_committed_rows_are_what_the_code_computes_now(name):
    rows = study_data.read_csv(DOCS / f"{name}.csv").rows
    for row in (rows[0], rows[len(rows) // 3], rows[-1]):
        assert_same_row(solved_again(name, row), row, rel=1e-9)


@pytest.mark.checkout
def test_committed_report_is_what_the_committed_rows_say():
    committed = [study_data.read_csv(DOCS / f"{name}.csv") for name in studies.STUDIES]
    assert (DOCS / "README.md").read_text(encoding="utf-8") == study_report.markdown(committed)
    assert all((DOCS / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in studies.STUDIES)


@pytest.mark.checkout
@pytest.mark.parametrize("name", studies.STUDIES)
def test_committed_rows_keep_the_order(name):
    study = study_data.read_csv(DOCS / f"{name}.csv")
    assert all((study.excess(rival) >= -1e-9).all() for rival in RIVALS if rival in study.rows[0])
    assert name == "phase" or (study.excess(CLAIRVOYANT) <= 1e-9).all()


# --- the commands ----------------------------------------------------------------------------------------------------


def test_placement_answers_how_many_layers_of_resnet50(tmp_path):
    done = run("placement", "resnet50-jetson", *RESNET50_DAILY, "--out", tmp_path)
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
    done = run("placement", "resnet50-jetson", *RESNET50_DAILY, "--json", "--out", tmp_path)
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
    text = words(run("placement", "mlp-pi", "--out", tmp_path).output)
    closed = bl.closed_form_placement(Scenario.load("mlp-pi")).placement
    assert f"Closed form for equal layers: {closed} layers, the same as the look-ahead search." in text
    assert "No closed form" not in text


def test_placement_respects_the_memory_of_the_device(tmp_path):
    tight = ("--set", "device.memory_bytes=7e6")  # conv4_1 ends at 6.4 MB, conv4_2 at 11.1 MB
    free, limited = (run("placement", "resnet18-phone", "--json", "--out", tmp_path, *more) for more in ((), tight))
    assert (json.loads(free.output)["placement"], json.loads(limited.output)["placement"]) == (8, 7)
    assert json.loads(limited.output)["total"]["optimal"][8:] == [None] * 5
    text = words(run("placement", "resnet18-phone", "--out", tmp_path, *tight).output)
    assert text.count("does not fit") == 5


def test_placement_under_another_rule_names_the_joint_optimum_too(tmp_path):
    text = words(run("placement", "resnet50-jetson", *RESNET50_DAILY, "--rule", "look-ahead", "--out", tmp_path).output)
    assert "Put 5 of 20 layers (up to conv2_3) on the device" in text
    assert "The joint optimum places 11 of 20 layers (up to conv4_2); the cost above is 50.3 % above it." in text


def test_placement_ranges():
    assert placement_report._ranges([2, 3, 4, 7, 9, 10]) == "2 to 4, 7, 9 to 10"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("placement", "alexnet-pi", "--rule", "greedy"), "rule = 'greedy' must be one of optimal, look-ahead, static"),
        (("placement", "mobilenetv2-phone", "--set", "channel.mean_snr_db=5"), "law = 'empirical' takes neither"),
        (("placement", "resnet51"), "scenario = 'resnet51' is neither a file nor one of the built-in scenarios"),
        (("placement", "alexnet-pi", "--set", "link.bandwidth_hz=-1"), "link.bandwidth_hz = -1"),
        (("study", "weather"), "study = 'weather' must be one of snr, distance, tasks, weights, speed, structure"),
        (("study", "distance", "alexnet-pi"), "alexnet-pi has no channel.budget"),
    ],
)
def test_wrong_input_is_one_line_on_stderr(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not any(tmp_path.rglob("*.*"))


def test_study_command_writes_data_and_figures(tmp_path, monkeypatch):
    monkeypatch.setitem(studies.STUDIES, "tasks", (partial(studies.tasks_study, values=[100.0, 1e4]), "alexnet-pi"))
    done = run("study", "tasks", "--set", "device.flops_per_s=20e9", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tasks.csv", "tasks.pdf", "tasks.png"]
    faster = ALEXNET.replace(**{"device.flops_per_s": 20e9, "tasks_per_update": 100.0})
    assert study_data.read_csv(tmp_path / "tasks.csv").rows[0][JOINT] == pytest.approx(
        bl.optimal_placement(faster).cost
    )
    assert "Best static split" in done.output


def test_study_all_writes_the_report_and_leaves_out_what_cannot_be(tiny, tmp_path, monkeypatch):
    for name, study in tiny.items():
        impossible = name in ("distance", "closed-form")
        function = (
            getattr(studies, f"{name.replace('-', '_')}_study") if impossible else lambda _, rows=study.rows: rows
        )
        monkeypatch.setitem(studies.STUDIES, name, (function, "alexnet-pi"))
    monkeypatch.setattr(study_report, "plot_study", lambda study, path: None)  # drawn in other tests
    done = run("study", "all", "alexnet-pi", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "distance: left out, the distance study needs a scenario with a link budget" in words(done.output)
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    kept = [name for name in tiny if name not in ("distance", "closed-form")]
    assert report == study_report.markdown([study_data.read_csv(tmp_path / f"{name}.csv") for name in kept])
    assert "](snr.png)" in report
    assert "](distance.png)" not in report


def test_studies_need_no_torch():
    code = "import sys, cointer_gym.agents.study_report, cointer_gym.agents.placement_plot; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "cointer_gym.agents.studies" in loaded
    assert {"torch", "stable_baselines3"}.isdisjoint(loaded)
