"""The curve of a training: it survives the file, and of a damaged file what comes before the damage."""

import re

import pytest

from cointer_gym.agents.curve import GapPoint, finished_curve, read_curve, write_curve

POINTS = (GapPoint(10, 0.5, 0.1 + 0.2, 1e-17), GapPoint(20, 1.25, 1 / 3, 0.1), GapPoint(30, 2.0, 0.25, 0.0))
HEADER = "steps,seconds,cost,relative_gap"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "gap.csv"
    write_curve(path, POINTS)
    return path


def test_curve_survives_a_round_trip(file):
    assert read_curve(file).points == POINTS
    assert read_curve(file).fault == ""
    assert file.read_text().splitlines()[0] == HEADER
    assert finished_curve(file, POINTS[-1]) == read_curve(file)


def test_infinite_costs_survive(file):
    """With pure Shannon rates an untrained policy costs infinitely much."""
    points = (GapPoint(1, 0.0, float("inf"), float("inf")), GapPoint(2, 0.0, 1.0, 0.0))
    write_curve(file, points)
    assert read_curve(file).points == points


@pytest.mark.parametrize(
    ("damage", "kept", "fault"),
    [
        (lambda text: "", 0, "line 2: the columns must be steps, seconds, cost, relative_gap"),
        (lambda text: HEADER.replace("cost", "price") + text[len(HEADER) :], 0, "the columns must be"),
        (lambda text: text.removeprefix(HEADER + "\n"), 0, "the columns must be"),
        (lambda text: text[:-12], 2, "line 4: "),
        (lambda text: text.replace("20,1.25", "20;1.25"), 1, "line 3: 3 cells instead of 4"),
        (lambda text: text.replace("20,1.25", "twenty,1.25"), 1, "invalid literal for int"),
        (lambda text: text.replace("20,1.25", "20,nan"), 1, "20,nan,.* is no evaluation"),
        (lambda text: text.replace("0.25,0.0", "nan,0.0"), 2, "is no evaluation"),
        (lambda text: text.replace("20,1.25", "10,1.25"), 1, "steps = 10 must be above the 10 before"),
        (lambda text: text.replace("20,1.25", "-20,1.25"), 1, "is no evaluation"),
        (lambda text: text.replace("20,1.25", "\0\0"), 1, "line 3: "),
        (lambda text: text.replace("20,1.25", '"20,1.25'), 1, "line 3: "),
    ],
)
def test_what_comes_before_the_damage_is_read(file, damage, kept, fault):
    file.write_text(damage(file.read_text()))
    curve = read_curve(file)
    assert curve.points == POINTS[:kept]
    assert re.search(fault, curve.fault)
    whole = finished_curve(file, POINTS[-1])
    assert whole.points == (*POINTS[:kept], POINTS[-1])
    assert whole.fault == curve.fault


def test_bytes_that_are_no_text(file):
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:2], b"\xff\xfe\x00", *lines[2:]]))
    assert read_curve(file).points == POINTS[:1]


def test_no_file_and_a_folder_in_its_place(tmp_path):
    assert read_curve(tmp_path / "missing.csv").fault == "No such file or directory"
    assert read_curve(tmp_path).points == ()
    assert finished_curve(tmp_path, POINTS[-1]).points == POINTS[-1:]


def test_a_curve_that_ends_early_is_kept_and_one_of_another_training_is_not(file):
    write_curve(file, POINTS[:2])
    assert finished_curve(file, POINTS[-1]).points == POINTS
    assert finished_curve(file, POINTS[-1]).fault == "it does not end with the trained model"
    other = GapPoint(30, 2.0, 0.5, 1.0)
    write_curve(file, (*POINTS[:2], other))
    assert finished_curve(file, POINTS[-1]).points == POINTS[-1:]
