"""Typed results: what is written comes back, and what is damaged or of another version is refused by name."""

import json

import pytest

from cointer_gym import Scenario
from cointer_gym.experiments.placement import placement_answer
from cointer_gym.experiments.results import BenchmarkResults, PlacementAnswer, PolicyRow, Threshold, load, save


@pytest.fixture(scope="module")
def answer():
    return placement_answer(Scenario.load("mlp-pi"))


def test_a_record_comes_back_equal(answer, tmp_path):
    save(tmp_path / "answer.json", answer)
    assert load(tmp_path / "answer.json", PlacementAnswer) == answer
    assert json.loads((tmp_path / "answer.json").read_text())["version"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, r"answer\.json: version = 2, but this package reads version 1"),
        ({"version": None}, "version = None"),
        ({"placement": "many"}, r"answer\.json: placement: Input should be a valid integer"),
        ({"look_ahead": {"placement": 1}}, r"answer\.json: look_ahead\.cost: Field required"),
        ({"mood": "good"}, r"answer\.json: mood: Extra inputs are not permitted"),
    ],
)
def test_damage_is_named_by_file_and_field(answer, tmp_path, change, message):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(answer.model_dump(mode="json") | change))
    with pytest.raises(ValueError, match=message):
        load(path, PlacementAnswer)


def test_a_record_of_another_kind_or_no_record(answer, tmp_path):
    save(tmp_path / "answer.json", answer)
    with pytest.raises(ValueError, match=r"answer\.json: "):
        load(tmp_path / "answer.json", BenchmarkResults)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ValueError, match=r"list\.json: version = None"):
        load(tmp_path / "list.json", PlacementAnswer)
    with pytest.raises(ValueError, match=r"cannot read .*missing\.json"):
        load(tmp_path / "missing.json", PlacementAnswer)


def test_only_a_threshold_above_zero_has_a_number():
    assert Threshold(when="above", snr_db=3.0).snr_db == 3.0
    for wrong in ({"when": "always", "snr_db": 3.0}, {"when": "never", "snr_db": 0.0}, {"when": "above"}):
        with pytest.raises(ValueError, match="does not go with when"):
            Threshold(**wrong)


def test_the_worst_gap_is_that_of_the_worst_seed():
    row = PolicyRow(policy="x", label="X", kind="agent", cost=1.0, relative_gap=0.02, relative_gap_by_seed=(0.01, 0.03))
    assert row.worst_relative_gap == 0.03
    assert row.model_copy(update={"relative_gap_by_seed": ()}).worst_relative_gap == 0.02
