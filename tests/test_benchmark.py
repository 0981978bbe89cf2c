"""The benchmark on a tiny budget, its report, and the command line."""

import csv
import json
import re

import pytest
from typer.testing import CliRunner

import cointer_gym as cg
from cointer_gym import baselines as bl

pytest.importorskip("stable_baselines3")

from cointer_gym.agents.benchmark import benchmark
from cointer_gym.agents.cli import app
from cointer_gym.agents.report import HEADER, insert_table, markdown_table, table_rows, write_report
from cointer_gym.agents.screen import percent, splits_text
from cointer_gym.agents.targets import Target

RULES = ["Random", "Edge only", "Device only", "Best static split", "Look-ahead, 1 stage", "Look-ahead, 2 stages"]
POLICIES = [*RULES, "PPO", "DQN", "Optimum", "Clairvoyant bound"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A benchmark of mlp-pi with one short training per algorithm."""
    out = tmp_path_factory.mktemp("benchmark")
    seen = []
    target = Target(cg.Scenario.load("mlp-pi"), placement=4)
    results = benchmark(target, out, seeds=1, jobs=1, steps=1500, on_progress=lambda *event: seen.append(event))
    return out, results, seen


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return result.exit_code, result.output

    return call


def test_table_has_every_policy_in_the_right_order(small):
    _, results, _ = small
    assert [row["policy"] for row in results["policies"]] == POLICIES
    cost = {row["policy"]: row["cost"] for row in results["policies"]}
    assert cost["Clairvoyant bound"] < cost["Optimum"]
    assert all(cost["Optimum"] <= value for name, value in cost.items() if name != "Clairvoyant bound")


def test_rows_are_the_exact_scores(small):
    _, results, _ = small
    problem = cg.Scenario.load("mlp-pi").problem(4)
    rows = {row["policy"]: row for row in results["policies"]}
    for name, rule in bl.reference_rules(problem).items():
        score = bl.score_moments(rule.moments, problem)
        assert rows[name]["cost"] == pytest.approx(score.cost, rel=1e-7)  # observations are float32
        assert rows[name]["time_s"] == pytest.approx(score.time_s, rel=1e-6)
        assert rows[name]["energy_j"] == pytest.approx(score.energy_j, rel=1e-6)
    assert rows["Clairvoyant bound"]["cost"] == bl.clairvoyant_cost(problem)


def test_progress_is_reported_until_the_end(small):
    _, _, seen = small
    last = {name: (steps, total) for name, steps, _, total in seen}
    assert set(last) == {"ppo-seed0", "dqn-seed0"}
    assert all(steps >= total == 1500 for steps, total in last.values())


def test_report_is_made_of_the_results_alone(small):
    out, results, _ = small
    assert write_report(out) == results == json.loads((out / "results.json").read_text())
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["cost"]) for row in rows] == [row["cost"] for row in results["policies"]]
    assert sum(float(rows[0][name]) for name in rows[0] if name.startswith("split_")) == pytest.approx(1.0)
    text = (out / "report.md").read_text()
    assert markdown_table(results) in text
    for picture in re.findall(r"\]\((.*?\.png)\)", text):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")


def test_table_goes_into_a_document_between_its_marks(small, tmp_path):
    _, results, _ = small
    document = tmp_path / "README.md"
    begin, end = (
        "<!-- benchmark table: written by `cointer-gym report`, do not edit -->",
        "<!-- end of benchmark table -->",
    )
    document.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    insert_table(document, results)
    assert document.read_text() == f"before\n{begin}\n{markdown_table(results)}\n{end}\nafter\n"
    document.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the marks"):
        insert_table(document, results)


def test_second_benchmark_reuses_the_trainings(small):
    out, results, _ = small
    target = Target(cg.Scenario.load("mlp-pi"), placement=4)
    assert benchmark(target, out, seeds=1, jobs=1, steps=1500) == results
    with pytest.raises(ValueError, match="holds a run that differs in settings"):
        benchmark(target, out, seeds=1, jobs=1, steps=2000)


def test_joint_benchmark(tmp_path):
    scenario = cg.Scenario.load("mlp-pi")
    results = benchmark(Target(scenario, "CoInferencePlacement-v0"), tmp_path, seeds=1, jobs=1, steps=1500)
    rows = {row["policy"]: row for row in results["policies"]}
    assert list(rows) == POLICIES
    assert rows["Optimum"]["cost"] == pytest.approx(bl.optimal_placement(scenario).cost, rel=1e-12)
    ahead = bl.optimal_placement(scenario, "look-ahead")
    assert rows["Look-ahead, 1 stage"]["cost"] == pytest.approx(ahead.cost, rel=1e-12)
    assert rows["Look-ahead, 1 stage"]["placements"] == [ahead.placement]
    assert (
        f"{ahead.placement} layers: "
        in dict(zip(POLICIES, table_rows(results), strict=True))["Look-ahead, 1 stage"][-1]
    )
    write_report(tmp_path)
    assert "Each policy chooses" in (tmp_path / "report.md").read_text()


def test_numbers_in_words():
    assert [percent(0.1234, 1), percent(-0.00001, 1, "+"), percent(0.5, 0, "+")] == [
        "12.3\xa0%",
        "0.0\xa0%",
        "+50\xa0%",
    ]
    assert splits_text([0.3, 0.004, 0.6, 0.096], "abcd", most=2) == "a\xa030\xa0%, c\xa060\xa0%"


def test_solve_prints_thresholds_and_costs(run):
    code, text = run("solve", "alexnet-pi")
    assert code == 0
    assert re.search(r"pool1\s+1,493\s+6\.73", text)
    assert re.search(r"Optimum\s+0\.230290", text)
    assert "Clairvoyant bound: 0.226071" in text


def test_solve_as_json(run):
    code, text = run("solve", "alexnet-pi", "--placement", 8, "--set", "channel.mean_snr_db=5", "--json")
    assert code == 0
    content = json.loads(text)
    problem = cg.Scenario.load("alexnet-pi", **{"channel.mean_snr_db": 5}).problem(8)
    assert content["value"] == bl.backward_induction(problem).value.tolist()
    assert content["policies"]["Best static split"]["cost"] == pytest.approx(problem.static_cost.min())


def test_scenarios_lists_the_catalogue(run):
    code, text = run("scenarios")
    assert code == 0
    assert all(name in text for name in cg.list_scenarios())


def test_train_and_evaluate(run):
    code, text = run("train", "mlp-pi", "--algorithm", "ppo", "--steps", 500)
    assert code == 0
    assert "PPO" in text
    code, text = run("evaluate", "runs/train/mlp-pi/ppo-seed0", "--episodes", 2000)
    assert code == 0
    assert "Share of gap" in text
    assert "Simulated 2,000 tasks" in text
    code, text = run("evaluate", "runs/train/mlp-pi/ppo-seed0", "--scenario", "alexnet-pi")
    assert code == 2
    assert "do not fit" in text


def test_benchmark_command(run, tmp_path):
    code, text = run("benchmark", "mlp-pi", "--seeds", 1, "--steps", 600, "--jobs", 1, "--joint")
    assert code == 0
    assert all(name in text for name in HEADER)
    assert (tmp_path / "runs/benchmark/mlp-pi-joint/report.md").exists()
    code, _ = run("benchmark", "mlp-pi", "--seeds", 1, "--steps", 700, "--jobs", 1, "--joint", "--fresh")
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["solve", "atlantis"], "neither a file nor one of the built-in scenarios alexnet-pi"),
        (["solve", "--placement", 99], "placement = 99 must be an integer from 0 to 11"),
        (["solve", "--set", "link.bandwidth_hz=-1"], "link.bandwidth_hz = -1: Input should be greater than 0"),
        (["solve", "--set", "link.bandwith_hz=1"], "unknown field, did you mean 'bandwidth_hz'?"),
        (["solve", "--set", "nonsense"], "must look like field=value"),
        (["solve", "--set", "channel.law=fog"], "Input should be 'rayleigh'"),
        (["solve", "--placement", 3, "--set", "channel.min_efficiency=0"], "Give min_efficiency > 0"),
        (["train", "--algorithm", "sarsa"], "must be one of ppo, dqn"),
        (["train", "--joint", "--placement", 3], "learns the placement"),
        (["evaluate", "nowhere"], "cannot read nowhere/run.json"),
        (["report", "nowhere"], "cannot read nowhere/results.json"),
        (["benchmark", "--seeds", 0], "greater than or equal to 1"),
    ],
)
def test_wrong_input_is_one_clear_line(run, arguments, message):
    code, text = run(*arguments)
    assert code == 2
    assert "Traceback" not in text
    assert message in " ".join(text.replace("│", " ").split())


def test_fresh_never_deletes_what_is_no_training(run, tmp_path):
    precious = tmp_path / "thesis" / "chapter.tex"
    precious.parent.mkdir()
    precious.write_text("years of work")
    code, text = run("train", "--out", "thesis", "--fresh")
    assert code == 2
    assert "is not the directory of a training" in text
    assert precious.exists()


@pytest.mark.parametrize("command", ["scenarios", "solve", "train", "evaluate", "benchmark", "report"])
def test_help_shows_an_example(run, command):
    code, text = run(command, "--help")
    assert code == 0
    assert f"Example: cointer-gym {command}" in " ".join(text.split())
