"""Records of a speed run: their files, and whether goals are met."""

import pytest

from cointer_gym.experiments.speed import COMPARISONS, GROWTH, MACHINE, STEP, read_speed, write_speed
from support.speed import AT_LEAST, AT_MOST, alone, comparison, results_of


def test_files_keep_everything(tmp_path):
    absent = alone(id="quantecon", peer_name="QuantEcon, not installed", ours_error=4.4e-16)
    written = results_of(comparison(), absent, alone(goal=AT_MOST, peer_error=3.7e-5))
    write_speed(written, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([COMPARISONS, STEP, GROWTH, MACHINE])
    read = read_speed(tmp_path)
    assert list(read.comparisons) == list(written.comparisons)
    assert list(read.step) == list(written.step)
    assert list(read.growth) == list(written.growth)
    assert read.machine == written.machine


@pytest.mark.parametrize(
    ("goal", "numbers", "met"),
    [
        (AT_LEAST, {"ratio": 2.5}, True),
        (AT_LEAST, {"ratio": 2.49}, False),
        (AT_LEAST, {"ratio": None, "peer": None}, None),
        (AT_MOST, {"ours": 150e-6, "unit": "s"}, True),
        (AT_MOST, {"ours": 151e-6, "unit": "s", "ratio": 100.0}, False),
        (None, {}, None),
    ],
)
def test_a_goal_is_about_the_ratio_or_about_ours(goal, numbers, met, tmp_path):
    row = comparison(goal=goal, **numbers)
    assert row.met is met
    write_speed(results_of(row), tmp_path)
    assert read_speed(tmp_path).comparisons[0].met is met
    cells = f"{goal or ''},{ {True: 'yes', False: 'no', None: ''}[met] }"
    assert (tmp_path / COMPARISONS).read_text().splitlines()[1].endswith(cells)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (COMPARISONS, ",yes", ",no", r"speed\.csv, line 2: met = 'no' must be 'yes'"),
        (COMPARISONS, "12300000.0", "fast", r"speed\.csv, line 2: ours"),
        (COMPARISONS, "12300000.0", "0", r"speed\.csv, line 2: ours"),
        (COMPARISONS, "at_least 2.5", "at_least", r"speed\.csv, line 2: .*bound"),
        (COMPARISONS, "at_least 2.5", "at_least 2.5 or so", r"speed\.csv, line 2: .*goal"),
        (COMPARISONS, "solve-warm", "vector-256", r"several rows with id = 'vector-256'"),
        (COMPARISONS, "peer_name", "peer_label", r"the columns must be id, group"),
        (STEP, "256,", "0,", r"step\.csv, line 2: num_envs"),
        (GROWTH, "devices,10,", "seconds,10,", r"growth\.csv, line 2: axis"),
        (MACHINE, '"version": 1', '"version": 2', "version = 2, but this package reads version 1"),
    ],
)
def test_damaged_files_are_named(file, old, new, message, tmp_path):
    write_speed(results_of(), tmp_path)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_speed(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    write_speed(results_of(), tmp_path)
    (tmp_path / STEP).unlink()
    with pytest.raises(ValueError, match=r"cannot read .*step\.csv"):
        read_speed(tmp_path)
