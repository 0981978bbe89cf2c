"""The command line: what the commands print, write and refuse."""

import json
import re
import sys

import pytest

import cointer_gym as cg
from cointer_gym import baselines as bl
from cointer_gym.cli import COMMANDS
from cointer_gym.report.benchmark import HEADER
from support.commands import invoke, python, words
from support.commands import run as run_program
from support.places import ROOT


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = invoke(*arguments)
        return result.exit_code, result.output

    return call


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
    assert content["policies"]["best-static"]["cost"] == pytest.approx(problem.static_cost.min())


def test_scenarios_lists_the_catalogue(run):
    code, text = run("scenarios")
    assert code == 0
    assert all(name in text for name in cg.list_scenarios())


def test_train_and_evaluate(run):
    pytest.importorskip("stable_baselines3")
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
    pytest.importorskip("stable_baselines3")
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
        (
            ["solve", "--set", "channel.law=fog"],
            "channel.law = 'fog': law = 'fog' must be one of empirical, rayleigh, rician, nakagami",
        ),
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
    assert message in words(text)


def test_fresh_never_deletes_what_is_no_training(run, tmp_path):
    precious = tmp_path / "thesis" / "chapter.tex"
    precious.parent.mkdir()
    precious.write_text("years of work")
    code, text = run("train", "--out", "thesis", "--fresh")
    assert code == 2
    assert "is not the directory of a training" in text
    assert precious.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(run, command):
    code, text = run(command, "--help")
    assert code == 0
    assert f"Example: cointer-gym {command}" in words(text)


def test_claims_hold_and_a_false_one_fails_the_check(run, tmp_path):
    """The committed claims against the committed results, and one with a bound that nothing can reach."""
    committed = ROOT / "results" / "claims.toml"
    if not committed.exists():
        pytest.skip("needs the repository")
    code, text = run("claims", committed, "--check")
    assert code == 0
    count, total = map(int, re.search(r"(\d+) of (\d+) claims hold\.", text).groups())
    assert count == total > 0
    (tmp_path / "results").symlink_to(committed.parent)
    (tmp_path / "claims").mkdir()
    false = tmp_path / "claims" / "claims.toml"
    false.write_text(
        """
        [[claim]]
        id = "too-good"
        text = "Random is optimal."
        source = "results/alexnet-pi/results.json"
        statistic = { name = "gap", policy = "random" }
        relation = "at_most"
        bound = 0.0
        """
    )
    code, text = run("claims", false)
    assert code == 0
    assert "FAILS" in text
    assert "0 of 1 claims hold; too-good fails." in text
    assert run("claims", false, "--check")[0] == 1


def test_solving_needs_neither_torch_nor_matplotlib():
    code = """
import sys
for name in ("torch", "stable_baselines3", "matplotlib"):
    sys.modules[name] = None
from cointer_gym.cli import main
sys.argv = ["cointer-gym", "solve", "mlp-pi"]
main()
"""
    assert "Clairvoyant bound" in python(code)


def test_the_package_runs_as_the_command():
    text = run_program(sys.executable, "-m", "cointer_gym.cli", "--help")
    assert all(command in text for command in COMMANDS)
