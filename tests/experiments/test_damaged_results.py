"""A damaged ``results.json``: the report says what is wrong with it, in one line that names the file."""

import json

import pytest

from cointer_gym.envs import make_task
from cointer_gym.experiments.benchmark import policy_rows
from cointer_gym.experiments.results import BenchmarkResults, CurvePoint, PolicyRow, Threshold, TrainingRow, load, save
from support.commands import invoke

SWITCHES = ((Threshold(when="above", snr_db=3.0),), (Threshold(when="never"),))


@pytest.fixture(scope="module")
def results():
    """A benchmark of mlp-pi with two layers placed and one training that never was."""
    task = make_task("splitting", "mlp-pi", placement=2)
    agent = PolicyRow(
        policy="ppo", label="PPO", kind="agent", cost=1.0, relative_gap=0.1, split_probability=(0.5, 0.25, 0.25)
    )
    curve = tuple(CurvePoint(steps=n, relative_gap=1 / n) for n in (1, 10, 100))
    training = TrainingRow(
        algorithm="ppo", label="PPO", seed=0, placement=2, seconds=1.0, curve=curve, switches=SWITCHES
    )
    return BenchmarkResults(
        env_id=task.env_id,
        task=task.name,
        scenario="mlp-pi",
        placement=2,
        layers=task.scenario.layers,
        stage_names=task.stage_names,
        optimal_threshold=(Threshold(when="always"), Threshold(when="above", snr_db=1.0)),
        snr_quantiles_db=(-20.0, 20.0),
        reach_probability=(1.0, 0.5, 0.25),
        policies=(*policy_rows(task), agent),
        trainings=(training,),
        settings={"ppo": {"total_steps": 100}},
        versions={"numpy": "2"},
        python="3.11",
    )


CHANGES = {
    f"{field} = {value!r}"[:60]: (field, value)
    for field, values in {
        "version": (2, None, "1", True),
        "placement": (1, 99, -1, "2", None),
        "layers": (0, -1, 1, "many"),
        "stage_names": ([], ["input"], "input", None),
        "optimal_threshold": ([], [{"when": "above"}], [{}, {}], None),
        "snr_quantiles_db": ([], [1.0], ["low", "high"], None),
        "reach_probability": ([], [1.0], [2.0, 1.0, 1.0], [-1.0, 1.0, 1.0], None),
        "policies": ([], {}, None, [1], [{}]),
        "trainings": ({}, None, [1], [{}]),
        "settings": ([], {"ppo": []}, None),
        "versions": ([], {"numpy": 2}, None),
        "python": (3, None),
        "scenario": (None, 5),
        "more": (1,),
    }.items()
    for value in values
}
IN_TRAINING = {
    f"{field} = {value!r}": (field, value)
    for field, values in {
        "algorithm": ("sarsa", None),
        "placement": (1, 9, -1),
        "seconds": (-1.0, None),
        "curve": ([], [{}], [{"steps": -1, "relative_gap": 0.0}], None),
        "switches": ([], [[]], [[{"when": "sometimes"}], []]),
    }.items()
    for value in values
}
FILES = [b"", b"[]", b"{}", b"null", b"junk", b"\xff\xfe{\x00}\x00", b"[" * 100_000, b"1" * 5000, b'{"version": NaN}']


def refused(folder):
    path = folder / "results.json"
    with pytest.raises(ValueError, match=r"cannot read .*results\.json"):
        load(path, BenchmarkResults)
    result = invoke("report", folder)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.output.startswith(f"error: cannot read {path}")
    assert [each.name for each in folder.iterdir()] == ["results.json"]


@pytest.mark.parametrize("change", CHANGES)
def test_a_field_that_does_not_fit(results, tmp_path, change):
    field, value = CHANGES[change]
    (tmp_path / "results.json").write_text(json.dumps(results.model_dump(mode="json") | {field: value}))
    refused(tmp_path)


@pytest.mark.parametrize("change", IN_TRAINING)
def test_a_field_of_a_training_that_does_not_fit(results, tmp_path, change):
    field, value = IN_TRAINING[change]
    content = results.model_dump(mode="json")
    content["trainings"][0][field] = value
    (tmp_path / "results.json").write_text(json.dumps(content))
    refused(tmp_path)


@pytest.mark.parametrize("content", FILES, ids=[str(content[:8]) for content in FILES])
def test_a_file_that_is_none(tmp_path, content):
    (tmp_path / "results.json").write_bytes(content)
    refused(tmp_path)


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / "results.json").mkdir()
    refused(tmp_path)


@pytest.mark.usefixtures("headless")
def test_whole_results_are_reported_with_or_without_trainings(results, tmp_path):
    for name, whole in (("with", results), ("without", results.model_copy(update={"trainings": (), "settings": {}}))):
        save(tmp_path / name / "results.json", whole)
        result = invoke("report", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert (tmp_path / name / "report.md").exists()
