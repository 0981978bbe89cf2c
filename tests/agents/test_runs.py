"""The folder of a training: its record, its curve, and that it never holds two trainings."""

import pytest

from cointer_gym.agents.algorithms import PPO
from cointer_gym.agents.runs import GapPoint, RunFolder, RunRecord, load_run, read_curve, write_curve
from cointer_gym.envs import make_task
from cointer_gym.files import read_json, write_json


@pytest.fixture
def record(toy, monkeypatch):
    """The record of a training that was never made."""
    monkeypatch.setattr("cointer_gym.agents.runs.installed_versions", lambda: {"torch": "1"})
    return RunRecord.of(make_task("splitting", toy, 1), PPO, 3, PPO.load_settings())


def test_record_survives_the_file(record, tmp_path):
    RunFolder(tmp_path / "run").claim(record)
    content = read_json(tmp_path / "run" / "run.json")
    assert list(content) == ["version", "algorithm", "seed", "task", "settings", "versions"]
    assert (content["version"], content["algorithm"], content["seed"]) == (1, "ppo", 3)
    assert (content["task"]["env_id"], content["task"]["placement"]) == ("CoInference-v0", 1)
    read = RunFolder(tmp_path / "run").read_record()
    assert read.differences(record) == record.differences(read) == []
    RunFolder(tmp_path / "run").claim(record)


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"seed": 4}, "seed"),
        ({"algorithm": "dqn", "settings": {}}, "algorithm, settings"),
        ({"versions": {"torch": "2"}}, "versions"),
    ],
)
def test_the_error_names_what_differs(record, tmp_path, changes, differing):
    RunFolder(tmp_path).claim(record)
    with pytest.raises(ValueError, match=f"holds a run that differs in {differing}; choose another directory"):
        RunFolder(tmp_path).claim(record.model_copy(update=changes))


@pytest.mark.parametrize(
    ("arguments", "differing"),
    [
        (("splitting", None, None), "placement"),
        (("splitting", 1, 0.5), "reward_scale"),
        (("placement", None, None), "env_id, placement"),
    ],
)
def test_the_error_names_what_differs_in_the_task(toy, record, tmp_path, arguments, differing):
    name, placement, scale = arguments
    other = RunRecord.of(make_task(name, toy, placement, scale), PPO, 3, PPO.load_settings())
    for first, second in ((record, other), (other, record)):
        folder = RunFolder(tmp_path / str(first is record))
        folder.claim(first)
        with pytest.raises(ValueError, match=f"differs in {differing};"):
            folder.claim(second)


def test_another_scenario_is_another_run(toy, record, tmp_path):
    RunFolder(tmp_path).claim(record)
    other = RunRecord.of(make_task("splitting", toy.replace(tasks_per_update=7), 1), PPO, 3, PPO.load_settings())
    with pytest.raises(ValueError, match="differs in scenario;"):
        RunFolder(tmp_path).claim(other)


def test_records_of_another_version_are_refused(record, tmp_path):
    write_json(tmp_path / "run.json", record.model_dump(mode="json") | {"version": 2})
    for use in (RunFolder(tmp_path).claim, lambda _: load_run(tmp_path)):
        with pytest.raises(ValueError, match=r"run\.json is not the record of a training of this version"):
            use(record)


def test_only_a_finished_training_of_a_known_algorithm_is_loaded(record, tmp_path):
    with pytest.raises(ValueError, match=r"cannot read .*run\.json"):
        load_run(tmp_path)
    RunFolder(tmp_path).claim(record.model_copy(update={"algorithm": "sarsa"}))
    with pytest.raises(ValueError, match=r"holds no model\.zip: the training has not finished"):
        load_run(tmp_path)
    (tmp_path / "model.zip").touch()
    with pytest.raises(ValueError, match="algorithm = 'sarsa' must be one of"):
        load_run(tmp_path)


def test_curve_survives_a_round_trip(tmp_path):
    points = [GapPoint(10, 0.5, 0.1 + 0.2, 1e-17), GapPoint(20, 1.25, 1 / 3, 0.1)]
    write_curve(tmp_path / "gap.csv", points)
    assert read_curve(tmp_path / "gap.csv") == points
    assert read_curve(tmp_path / "missing.csv") == []
    assert (tmp_path / "gap.csv").read_text().splitlines()[0] == "steps,seconds,cost,relative_gap"
