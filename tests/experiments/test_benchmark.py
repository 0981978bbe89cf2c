"""The benchmark on a tiny budget, and its analytic rows against the committed ones."""

import csv

import pytest

import cointer_gym as cg
from cointer_gym import baselines as bl
from cointer_gym.envs import make_task

pytest.importorskip("stable_baselines3")

from cointer_gym.experiments.benchmark import benchmark, policy_rows
from cointer_gym.experiments.results import BenchmarkResults, load
from support.places import ROOT

pytestmark = pytest.mark.xdist_group("small_benchmark")  # trained once, in one process

RESULTS = ROOT / "results"
RULES = ["random", "edge-only", "device-only", "best-static", "look-ahead", "look-ahead-2"]
POLICIES = [*RULES, "ppo", "dqn", "optimal", "clairvoyant"]


def test_table_has_every_policy_in_the_right_order(small_benchmark):
    _, results, _ = small_benchmark
    assert [row.policy for row in results.policies] == POLICIES
    cost = {row.policy: row.cost for row in results.policies}
    assert cost["clairvoyant"] < cost["optimal"]
    assert all(cost["optimal"] <= value for name, value in cost.items() if name != "clairvoyant")


def test_rows_are_the_exact_scores(small_benchmark):
    _, results, _ = small_benchmark
    problem = cg.Scenario.load("mlp-pi").problem(4)
    for name, rule in bl.reference_rules(problem).items():
        score, row = bl.score_moments(rule.moments, problem), results.policy(name)
        assert row.label == bl.RULES[name].label
        assert row.kind == "rule"
        assert row.cost == pytest.approx(score.cost, rel=1e-7)  # observations are float32
        assert row.time_s == pytest.approx(score.time_s, rel=1e-6)
        assert row.energy_j == pytest.approx(score.energy_j, rel=1e-6)
    assert results.policy("clairvoyant").cost == bl.clairvoyant_cost(problem)
    with pytest.raises(ValueError, match="policy = 'sarsa' must be one of random, edge-only"):
        results.policy("sarsa")


def test_trainings_are_recorded(small_benchmark):
    _, results, _ = small_benchmark
    assert results.algorithms() == ("ppo", "dqn")
    for training in results.trainings:
        assert training.placement == len(training.switches) == 4
        assert training.curve[-1].relative_gap == results.policy(training.algorithm).relative_gap
    assert results.settings["ppo"]["total_steps"] == 1500


def test_progress_is_reported_until_the_end(small_benchmark):
    _, _, seen = small_benchmark
    last = {name: (steps, total) for name, steps, _, total in seen}
    assert set(last) == {"ppo-seed0", "dqn-seed0"}
    assert all(steps >= total == 1500 for steps, total in last.values())


def test_results_come_back_from_disk_and_trainings_are_reused(small_benchmark):
    out, results, _ = small_benchmark
    assert load(out / "results.json", BenchmarkResults) == results
    task = make_task("splitting", "mlp-pi", placement=4)
    assert benchmark(task, out, seeds=1, jobs=1, steps=1500) == results
    with pytest.raises(ValueError, match=r"holds a run that differs in settings"):
        benchmark(task, out, seeds=1, jobs=1, steps=2000)


def test_joint_benchmark(tmp_path):
    task = make_task("placement", "mlp-pi")
    results = benchmark(task, tmp_path, seeds=1, jobs=1, steps=1500)
    assert [row.policy for row in results.policies] == POLICIES
    assert results.policy("optimal").cost == pytest.approx(bl.optimal_placement(task.scenario).cost, rel=1e-12)
    ahead = bl.optimal_placement(task.scenario, "look-ahead")
    assert results.policy("look-ahead").cost == pytest.approx(ahead.cost, rel=1e-12)
    assert results.policy("look-ahead").placements == (ahead.placement,)
    assert results.policy("ppo").placements == (results.trainings[0].placement,)
    assert results.task == "placement"


def test_with_little_memory_device_only_runs_what_fits():
    scenario = cg.Scenario.load("resnet18-phone", **{"device.memory_bytes": 7e6})
    rows = {row.policy: row for row in policy_rows(make_task("placement", scenario))}
    assert rows["device-only"].placements == (7,)
    assert max(rows[name].placements[0] for name in RULES[1:]) <= 7


@pytest.mark.checkout
@pytest.mark.parametrize(
    ("folder", "task"), [("alexnet-pi", "splitting"), ("alexnet-pi-joint", "placement"), ("mlp-pi-joint", "placement")]
)
def test_committed_analytic_rows_are_what_the_code_computes_now(folder, task):
    with (RESULTS / folder / "results.csv").open(newline="") as file:
        committed = {row["policy"]: row for row in csv.DictReader(file)}
    results = load(RESULTS / folder / "results.json", BenchmarkResults)
    for row in policy_rows(make_task(task, folder.removesuffix("-joint"))):
        line = committed[row.label]
        assert row.cost == pytest.approx(float(line["cost"]), rel=1e-9)
        assert row.worst_relative_gap == pytest.approx(float(line["worst_relative_gap"]), rel=1e-9, abs=1e-12)
        assert results.policy(row.policy).cost == float(line["cost"])
        assert results.policy(row.policy).placements == row.placements
