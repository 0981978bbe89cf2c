"""The trainings of a benchmark: checked before they begin, and told which was killed."""

import sys

import pytest

from cointer_gym.agents.algorithms import ALGORITHMS, PPO
from cointer_gym.agents.folder import RunFolder, RunRecord
from cointer_gym.envs import make_task
from support.commands import invoke
from support.scenarios import LEARNABLE

pytest.importorskip("stable_baselines3")

from cointer_gym.experiments.benchmark import benchmark
from cointer_gym.experiments.trainings import check_folders, plan, train_all

MODULE = """
import os
import signal
from pathlib import Path

import numpy as np

from cointer_gym.agents.algorithms import Algorithm, register
from cointer_gym.agents.settings import TrainingSettings


class Stubborn:
    num_timesteps = 0

    def __init__(self, **_):
        pass

    def learn(self, total_timesteps, callback, **_):
        if not Path(FLAG).exists():
            Path(FLAG).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self.num_timesteps = total_timesteps
        callback(locals(), globals())

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.ones(len(observation), dtype=int), state

    def save(self, path):
        path.touch()

    @classmethod
    def load(cls, path, env=None, device="cpu"):
        return cls()


class StubbornSettings(TrainingSettings):
    total_steps: int = 8
    num_envs: int = 4


register(Algorithm("stubborn", "Stubborn", f"{__name__}:Stubborn", StubbornSettings, lambda _: {}, "k", "x"))
"""


@pytest.fixture
def task():
    return make_task("splitting", LEARNABLE)


@pytest.fixture
def dying_algorithm(tmp_path, monkeypatch):
    """The only registered algorithm: its first training is killed. Workers must find it by its module."""
    kept = dict(ALGORITHMS)
    ALGORITHMS.clear()
    (tmp_path / "dying.py").write_text(MODULE.replace("FLAG", repr(str(tmp_path / "flag"))))
    monkeypatch.syspath_prepend(tmp_path)
    __import__("dying")
    yield
    ALGORITHMS.clear()
    ALGORITHMS.update(kept)
    sys.modules.pop("dying", None)


@pytest.mark.usefixtures("dying_algorithm")
def test_a_killed_training_is_named_and_the_same_call_goes_on(task, tmp_path):
    planned = plan(task, tmp_path / "trainings", seeds=2)
    with pytest.raises(
        ChildProcessError,
        match=r"killed .*ended stubborn-seed0; 0 of 2 trainings have finished; the same command goes on",
    ):
        train_all(task, planned, jobs=1)
    runs = train_all(task, planned, jobs=1)
    assert [(run.seed, run.curve[-1].steps) for run in runs] == [(0, 8), (1, 8)]


@pytest.mark.parametrize("last", ["ppo-seed0", "dqn-seed1"])
def test_folders_are_checked_before_anything_is_trained(task, tmp_path, last):
    """The bars of the earlier training were shown at 100 % before its scenario was found to differ."""
    other = make_task("splitting", task.scenario.replace(tasks_per_update=7))
    job = next(job for job in plan(other, tmp_path / "trainings", 2) if job.name == last)
    RunFolder(job.directory).claim(RunRecord.of(other, job.algorithm, job.seed, job.settings))
    seen = []
    with pytest.raises(ValueError, match=rf"trainings/{last} holds a run that differs in scenario; choose another"):
        benchmark(task, tmp_path, seeds=2, jobs=1, on_progress=lambda *event: seen.append(event))
    assert seen == []
    assert [path.name for path in (tmp_path / "trainings").iterdir()] == [last]


def test_the_commands_tell_it_before_any_bar(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlp = make_task("splitting", "mlp-pi")
    for folder in (tmp_path / "b" / "trainings" / "ppo-seed0", tmp_path / "t"):
        RunFolder(folder).claim(RunRecord.of(mlp, PPO, 0, PPO.load_settings()))
        (folder / "gap.csv").write_text("steps,seconds,cost,relative_gap\n1000000,1.00,0.1,0.1\n")
    for arguments in (("benchmark", "alexnet-pi", "--out", "b"), ("train", "alexnet-pi", "--out", "t")):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert "holds a run that differs in scenario" in result.output
        assert "gap" not in result.output
        assert "%" not in result.output


def test_a_checkpoint_of_elsewhere_is_told_before_anything_is_trained(task, tmp_path):
    (job, *_) = planned = plan(task, tmp_path / "trainings", 1)
    RunFolder(job.directory).claim(RunRecord.of(task, job.algorithm, job.seed, job.settings))
    (job.directory / "checkpoint.zip").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"cannot read .*ppo-seed0/checkpoint\.zip"):
        check_folders(task, planned)


def test_fresh_leaves_what_no_training_wrote(tmp_path, monkeypatch):
    """A copied run.json made a folder deletable as a whole."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "b" / "trainings" / "ppo-seed0"
    RunFolder(folder).claim(RunRecord.of(make_task("splitting", "mlp-pi"), PPO, 0, PPO.load_settings()))
    (folder / "keep.txt").write_text("precious")
    (folder.parent / "notes").mkdir()
    (folder.parent / "notes" / "keep.txt").write_text("precious")
    (folder.parent / "dqn-seed0").symlink_to(folder, target_is_directory=True)
    result = invoke("benchmark", "alexnet-pi", "--out", "b", "--fresh", "--seeds", 1)
    assert result.exit_code == 2
    assert "dqn-seed0 is a link" in result.output
    assert (folder / "run.json").exists()
    (folder.parent / "dqn-seed0").unlink()
    (folder.parent / "dqn-seed0").mkdir()
    (folder.parent / "dqn-seed0" / "checkpoint.zip").write_text("of nobody")
    result = invoke("benchmark", "alexnet-pi", "--out", "b", "--fresh", "--seeds", 1)
    assert "holds checkpoint.zip but no run.json" in result.output
    assert sorted(path.name for path in folder.parent.rglob("*.*")) == ["checkpoint.zip", "keep.txt", "keep.txt"]


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "a\\b"])
def test_no_scenario_leads_out_of_runs(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    result = invoke("train", "mlp-pi", "--set", f"name={name}", "--steps", 1)
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []
