"""Trainings on a two-layer toy: they learn, record the exact gap, survive a kill, and never mix two runs."""

import gymnasium as gym
import numpy as np
import pytest

import cointer_gym as cg
from cointer_gym import baselines as bl

pytest.importorskip("stable_baselines3")
from stable_baselines3 import DQN, PPO

from cointer_gym.agents.algorithms import ALGORITHMS
from cointer_gym.agents.curve import read_curve
from cointer_gym.agents.runs import load_run
from cointer_gym.agents.training import GapRecorder, train
from cointer_gym.envs import make_task
from cointer_gym.records import import_object

SHORT = {
    "ppo": {"total_steps": 16_384, "num_envs": 64, "steps_per_rollout": 16, "batch_size": 256, "learning_rate": 5e-3},
    "dqn": {"total_steps": 12_000, "num_envs": 16, "learning_starts": 500, "batch_size": 256, "train_every": 2},
}


def short(algorithm, **changes):
    return ALGORITHMS[algorithm].load_settings(**(SHORT[algorithm] | changes))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_learns_the_toy_and_records_the_exact_gap(toy, tmp_path, algorithm):
    run = train(make_task("splitting", toy), algorithm, tmp_path, settings=short(algorithm), evaluations=5)
    static_gap = bl.best_static_split(toy.problem()).relative_gap
    assert run.curve[0].relative_gap > static_gap > 0.13
    assert run.curve[-1].relative_gap < {"ppo": 0.01, "dqn": 0.025}[algorithm]
    score = bl.evaluate(run.model(), toy.problem())
    assert run.curve[-1].cost == pytest.approx(score.cost, rel=1e-12)
    assert [point.steps for point in run.curve] == sorted({point.steps for point in run.curve})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gap.csv", "model.safetensors", "run.json", "tensorboard"]


def test_tensorboard_log_has_the_gap(toy, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = train(make_task("splitting", toy), "ppo", tmp_path, settings=short("ppo", total_steps=4096), evaluations=4)
    (log,) = (tmp_path / "tensorboard").glob("*/events*")
    events = accumulator.EventAccumulator(str(log)).Reload()
    logged = [event.value for event in events.Scalars("optimality/relative_gap")]
    assert logged
    gaps = np.array([point.relative_gap for point in run.curve])
    assert all(np.isclose(gaps, value, rtol=1e-6).any() for value in logged)  # logged as float32


def test_same_seed_same_run_other_seed_other_run(toy, tmp_path):
    settings = short("ppo", total_steps=4096)
    runs = [
        train(make_task("splitting", toy), "ppo", tmp_path / name, seed=seed, settings=settings, evaluations=2)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    costs = [[point.cost for point in run.curve] for run in runs]
    assert costs[0] == costs[1]
    assert costs[0] != costs[2]


def test_finished_training_is_not_repeated(toy, tmp_path):
    settings = short("ppo", total_steps=2048)
    first = train(make_task("splitting", toy), "ppo", tmp_path, settings=settings, evaluations=2)
    stamp = (tmp_path / "model.safetensors").stat().st_mtime_ns
    again = train(make_task("splitting", toy), "ppo", tmp_path, settings=settings, evaluations=2)
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == stamp
    assert again.curve == first.curve


class KillError(Exception):
    """Stands for a killed process."""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_killed_training_goes_on_from_its_checkpoint(toy, tmp_path, monkeypatch, algorithm):
    task, settings = make_task("splitting", toy), short(algorithm)
    record_gap = GapRecorder.record_gap

    def die_halfway(recorder):
        record_gap(recorder)
        if recorder.model.num_timesteps > settings.total_steps // 2:
            raise KillError

    monkeypatch.setattr(GapRecorder, "record_gap", die_halfway)
    with pytest.raises(KillError):
        train(
            make_task("splitting", toy), algorithm, tmp_path, settings=settings, evaluations=8, checkpoint_every_s=0.0
        )
    assert (tmp_path / "checkpoint.zip").exists()
    assert not list(tmp_path.glob(".*"))
    before = read_curve(tmp_path / "gap.csv").points

    monkeypatch.setattr(GapRecorder, "record_gap", record_gap)
    resumed = []
    learner = import_object(ALGORITHMS[algorithm].model)
    load = learner.load
    monkeypatch.setattr(learner, "load", lambda *a, **k: resumed.append(load(*a, **k)) or resumed[-1])
    run = train(task, algorithm, tmp_path, settings=settings, evaluations=8)
    assert len(resumed) == 1
    assert run.curve[: len(before) - 1] == before[:-1]  # the last point lies after the checkpoint
    steps = [point.steps for point in run.curve]
    assert steps == sorted(set(steps))
    assert steps[-1] >= settings.total_steps
    assert run.curve[-1].relative_gap < 0.03
    assert not list(tmp_path.glob("checkpoint.*"))
    if isinstance(resumed[0], DQN):
        kept = resumed[0].replay_buffer.size() * settings.num_envs
        assert kept == steps[-1] - settings.num_envs  # all but the step in which the checkpoint was written


@pytest.mark.parametrize(("change", "field"), [({"seed": 1}, "seed"), ({"algorithm": "dqn"}, "algorithm, settings")])
def test_a_directory_never_mixes_two_runs(toy, tmp_path, change, field):
    arguments = {"algorithm": "ppo", "seed": 0} | change
    train(make_task("splitting", toy), "ppo", tmp_path, settings=short("ppo", total_steps=1024), evaluations=1)
    with pytest.raises(ValueError, match=rf"holds a run that differs in .*{field}"):
        train(
            make_task("splitting", toy),
            arguments["algorithm"],
            tmp_path,
            seed=arguments["seed"],
            settings=short(arguments["algorithm"], total_steps=1024),
        )


def test_settings_of_another_algorithm_are_refused_before_the_directory_is_taken(toy, tmp_path):
    with pytest.raises(ValueError, match="settings are DqnSettings, but ppo takes PpoSettings"):
        train(make_task("splitting", toy), "ppo", tmp_path / "run", settings=short("dqn"))
    assert not (tmp_path / "run").exists()


def test_load_run_gives_back_model_and_task(toy, tmp_path):
    task = make_task("placement", toy)
    run = train(task, "ppo", tmp_path, settings=short("ppo", total_steps=2048), evaluations=1)
    loaded, found = load_run(tmp_path)
    assert loaded == run
    assert (found.env_id, found.placement, found.scenario) == (task.env_id, None, toy)
    assert found.score(loaded.policy()).cost == pytest.approx(run.curve[-1].cost, rel=1e-12)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="has not finished"):
        load_run(tmp_path)
    with pytest.raises(ValueError, match=r"cannot read .*run\.json"):
        load_run(tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.usefixtures("small_training")
def test_stable_baselines3s_own_defaults_come_within_one_per_cent():
    """No wrapper, no tuning: ``PPO("MlpPolicy", gym.make("CoInference-v0"))`` for 100 000 steps."""
    model = PPO("MlpPolicy", gym.make("CoInference-v0"), seed=0, device="cpu").learn(100_000)
    assert 0 <= bl.evaluate(model, cg.Scenario.load("alexnet-pi").problem()).relative_gap < 0.01
