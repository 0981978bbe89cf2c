"""Trainings on a two-layer toy: they learn, record the exact gap, survive a kill, and never mix two runs."""

import gymnasium as gym
import numpy as np
import pytest

import cointer_gym as cg
from cointer_gym import baselines as bl

pytest.importorskip("stable_baselines3")

import torch
from stable_baselines3 import DQN, PPO

from cointer_gym.agents import training
from cointer_gym.agents.settings import ALGORITHMS, as_algorithm, load_settings
from cointer_gym.agents.storage import read_json, replace_file, write_json
from cointer_gym.agents.targets import Target
from cointer_gym.agents.training import GapPoint, GapRecorder, load_run, read_curve, train, write_curve

SHORT = {
    "ppo": {"total_steps": 16_384, "num_envs": 64, "steps_per_rollout": 16, "batch_size": 256, "learning_rate": 5e-3},
    "dqn": {"total_steps": 12_000, "num_envs": 16, "learning_starts": 500, "batch_size": 256, "train_every": 2},
}


@pytest.fixture(scope="session")
def toy():
    """Two layers with a small feature behind the first one."""
    layers = [
        {"name": "first", "output_elements": 4000, "flops": 1e8, "parameters": 1000},
        {"name": "second", "output_elements": 10, "flops": 2e9, "parameters": 1000},
    ]
    return cg.Scenario.load(
        {
            "name": "toy",
            "dnn": {"name": "toy", "input_elements": 40_000, "layers": layers},
            "device": {"flops_per_s": 1e10, "compute_power_w": 2.0},
            "edge": {"flops_per_s": 1e12},
            "link": {"bandwidth_hz": 1e6, "tx_power_w": 0.1, "downlink_bps": 1e7, "rx_power_w": 0.1},
            "channel": {"mean_snr_db": 10.0},
        }
    )


def short(algorithm, **changes):
    return load_settings(algorithm, **(SHORT[algorithm] | changes))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_learns_the_toy_and_records_the_exact_gap(toy, tmp_path, algorithm):
    run = train(Target(toy), algorithm, tmp_path, settings=short(algorithm), evaluations=5)
    static_gap = bl.best_static_split(toy.problem()).relative_gap
    assert run.curve[0].relative_gap > static_gap > 0.13
    assert run.curve[-1].relative_gap < {"ppo": 0.01, "dqn": 0.025}[algorithm]
    score = bl.evaluate(run.model(), toy.problem())
    assert run.curve[-1].cost == pytest.approx(score.cost, rel=1e-12)
    assert [point.steps for point in run.curve] == sorted({point.steps for point in run.curve})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gap.csv", "model.zip", "run.json", "tensorboard"]


def test_tensorboard_log_has_the_gap(toy, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run = train(Target(toy), "ppo", tmp_path, settings=short("ppo", total_steps=4096), evaluations=4)
    (log,) = (tmp_path / "tensorboard").glob("*/events*")
    events = accumulator.EventAccumulator(str(log)).Reload()
    logged = [event.value for event in events.Scalars("optimality/relative_gap")]
    assert logged
    gaps = np.array([point.relative_gap for point in run.curve])
    assert all(np.isclose(gaps, value, rtol=1e-6).any() for value in logged)  # logged as float32


def test_same_seed_same_run_other_seed_other_run(toy, tmp_path):
    settings = short("ppo", total_steps=4096)
    runs = [
        train(Target(toy), "ppo", tmp_path / name, seed=seed, settings=settings, evaluations=2)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    costs = [[point.cost for point in run.curve] for run in runs]
    assert costs[0] == costs[1]
    assert costs[0] != costs[2]


def test_finished_training_is_not_repeated(toy, tmp_path):
    settings = short("ppo", total_steps=2048)
    first = train(Target(toy), "ppo", tmp_path, settings=settings, evaluations=2)
    stamp = (tmp_path / "model.zip").stat().st_mtime_ns
    again = train(Target(toy), "ppo", tmp_path, settings=settings, evaluations=2)
    assert (tmp_path / "model.zip").stat().st_mtime_ns == stamp
    assert again.curve == first.curve


class KillError(Exception):
    """Stands for a killed process."""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_killed_training_goes_on_from_its_checkpoint(toy, tmp_path, monkeypatch, algorithm):
    settings = short(algorithm)
    record_gap = GapRecorder.record_gap

    def die_halfway(recorder):
        record_gap(recorder)
        if recorder.num_timesteps > settings.total_steps // 2:
            raise KillError

    monkeypatch.setattr(GapRecorder, "record_gap", die_halfway)
    with pytest.raises(KillError):
        train(Target(toy), algorithm, tmp_path, settings=settings, evaluations=8, checkpoint_every_s=0.0)
    assert (tmp_path / "checkpoint.zip").exists()
    assert (tmp_path / "checkpoint.pkl").exists() == (algorithm == "dqn")
    before = read_curve(tmp_path / "gap.csv")

    monkeypatch.setattr(GapRecorder, "record_gap", record_gap)
    resumed = []
    load = training.CLASSES[algorithm].load
    monkeypatch.setattr(
        training.CLASSES[algorithm], "load", lambda *a, **k: resumed.append(load(*a, **k)) or resumed[-1]
    )
    run = train(Target(toy), algorithm, tmp_path, settings=settings, evaluations=8)
    assert len(resumed) == 1
    assert run.curve[: len(before) - 1] == tuple(before[:-1])  # the last point lies after the checkpoint
    assert run.curve[-1].steps >= settings.total_steps
    assert run.curve[-1].relative_gap < 0.03
    assert not list(tmp_path.glob("checkpoint.*"))
    if isinstance(resumed[0], DQN):
        assert resumed[0].replay_buffer.size() > 0


@pytest.mark.parametrize(("change", "field"), [({"seed": 1}, "seed"), ({"algorithm": "dqn"}, "algorithm, settings")])
def test_a_directory_never_mixes_two_runs(toy, tmp_path, change, field):
    arguments = {"algorithm": "ppo", "seed": 0} | change
    train(Target(toy), "ppo", tmp_path, settings=short("ppo", total_steps=1024), evaluations=1)
    with pytest.raises(ValueError, match=rf"holds a run that differs in .*{field}"):
        train(
            Target(toy),
            arguments["algorithm"],
            tmp_path,
            seed=arguments["seed"],
            settings=short(arguments["algorithm"], total_steps=1024),
        )


def test_load_run_gives_back_model_and_target(toy, tmp_path):
    target = Target(toy, "CoInferencePlacement-v0")
    run = train(target, "ppo", tmp_path, settings=short("ppo", total_steps=2048), evaluations=1)
    loaded, found = load_run(tmp_path)
    assert (found.env_id, found.placement, found.scenario) == (target.env_id, None, toy)
    assert loaded.curve == run.curve
    assert found.score(loaded.model()).cost == pytest.approx(run.curve[-1].cost, rel=1e-12)
    (tmp_path / "model.zip").unlink()
    with pytest.raises(ValueError, match="has not finished"):
        load_run(tmp_path)
    with pytest.raises(ValueError, match=r"cannot read .*run\.json"):
        load_run(tmp_path / "nowhere")


def test_target_checks_its_arguments(toy):
    with pytest.raises(ValueError, match="env_id = 'CartPole-v1' must be one of"):
        Target(toy, "CartPole-v1")
    with pytest.raises(ValueError, match="placement = 1 is given, but CoInferencePlacement-v0 learns"):
        Target(toy, "CoInferencePlacement-v0", 1)
    with pytest.raises(ValueError, match="placement = 3 must be an integer from 0 to 2"):
        Target(toy, placement=3)


def test_settings_are_checked():
    assert load_settings("ppo").total_steps < load_settings("ppo", joint=True).total_steps
    with pytest.raises(ValueError, match="algorithm = 'a2c' must be one of ppo, dqn"):
        as_algorithm("a2c")
    with pytest.raises(ValueError, match=r"total_steps\s+Input should be greater than 0"):
        load_settings("ppo", total_steps=0)
    with pytest.raises(ValueError, match="buffer_size"):
        load_settings("ppo", buffer_size=5)


def test_curve_survives_a_round_trip(tmp_path):
    points = [GapPoint(10, 0.5, 0.1 + 0.2, 1e-17), GapPoint(20, 1.25, 1 / 3, 0.1)]
    write_curve(tmp_path / "gap.csv", points)
    assert read_curve(tmp_path / "gap.csv") == points
    assert read_curve(tmp_path / "missing.csv") == []
    assert (tmp_path / "gap.csv").read_text().splitlines()[0] == "steps,seconds,cost,relative_gap"


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    file = tmp_path / "results.json"
    write_json(file, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"a": float("nan")})

    def half(draft):
        draft.write_text("{")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_file(file, half)
    assert read_json(file) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
    file.write_text("{")
    with pytest.raises(ValueError, match=r"cannot read .*results\.json"):
        read_json(file)


@pytest.mark.slow
def test_stable_baselines3s_own_defaults_come_within_one_per_cent():
    """No wrapper, no tuning: ``PPO("MlpPolicy", gym.make("CoInference-v0"))`` for 100 000 steps."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = PPO("MlpPolicy", gym.make("CoInference-v0"), seed=0, device="cpu").learn(100_000)
    finally:
        torch.set_num_threads(threads)
    assert 0 <= bl.evaluate(model, cg.Scenario.load("alexnet-pi").problem()).relative_gap < 0.01
