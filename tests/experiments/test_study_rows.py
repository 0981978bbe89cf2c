"""Rows of studies, their CSV and their statistics; the committed ones are what the code computes now."""

import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym.experiments import statistics, studies
from cointer_gym.experiments.alternatives import CAUSAL, RIVALS, Alternative
from cointer_gym.experiments.study_rows import WeightRow, cells, read_csv, study_csv, write_csv
from support.places import ROOT

DOCS = ROOT / "docs" / "studies"


def assert_same_row(row, expected, rel):
    """Equal columns in the same order; texts equal, numbers to ``rel``."""
    found, wanted = cells(row), cells(expected)
    assert list(found) == list(wanted)
    for name, cell in found.items():
        assert cell == (wanted[name] if isinstance(cell, str) else pytest.approx(wanted[name], rel=rel, abs=1e-12)), (
            name
        )


@pytest.mark.parametrize("name", studies.STUDIES)
def test_csv_keeps_twelve_digits(tiny_studies, name, tmp_path):
    path = tmp_path / f"{name}.csv"
    write_csv(tiny_studies[name], path)
    again = read_csv(path)
    assert again.name == name
    assert len(again.rows) == len(tiny_studies[name].rows)
    assert {type(row) for row in again.rows} == {type(row) for row in tiny_studies[name].rows}
    for written, read in zip(tiny_studies[name].rows, again.rows, strict=True):
        assert_same_row(read, written, rel=1e-11)


def test_parts_of_a_study(tiny_studies):
    study = tiny_studies["structure"]
    assert study.distinct("hardware") == ["own", "resnet18-phone"]
    own = study.only("hardware", "own")
    assert [row.dnn for row in own.rows] == ["mlp", "alexnet"]
    assert study.alternatives == tuple(Alternative)
    np.testing.assert_array_equal(study.excess(Alternative.JOINT), np.zeros(4))
    np.testing.assert_array_equal(
        own.excess(Alternative.EDGE),
        [row.costs[Alternative.EDGE] / row.costs[Alternative.JOINT] - 1 for row in own.rows],
    )
    np.testing.assert_array_equal(own.column("placement"), [row.facts.placement for row in own.rows])
    assert len(tiny_studies["weights"].rows_of(WeightRow)) == 4
    with pytest.raises(TypeError, match="the rows of the study 'structure' are no WeightRow"):
        study.rows_of(WeightRow)
    with pytest.raises(ValueError, match="field = 'luck' must be one of hardware, dnn, scenario"):
        study.column("luck")


def test_csv_that_is_none_of_a_study(tiny_studies, tmp_path):
    path = tmp_path / "snr.csv"
    text = study_csv(tiny_studies["snr"])
    for wrong, message in (
        (text.replace("split_depth", "depth"), r"snr\.csv: the columns .* are those of no study"),
        (text.replace("alexnet-pi,channel.mean_snr_db,10,", "alexnet-pi,channel.mean_snr_db,ten,"), "line 3: value: "),
        (text.splitlines()[0], "there are no rows"),
    ):
        path.write_text(wrong)
        with pytest.raises(ValueError, match=message):
            read_csv(path)
    with pytest.raises(ValueError, match=r"cannot read .*missing\.csv"):
        read_csv(tmp_path / "missing.csv")


def test_statistics_by_hand(tiny_studies):
    held = tiny_studies.values()
    assert statistics.points(held) == sum(len(study.rows) for study in held)
    pooled = statistics.pooled_excess(held, Alternative.CLAIRVOYANT)
    assert pooled.size == statistics.points(held) - len(tiny_studies["phase"].rows)  # the phase map has no bound
    study, row = statistics.farthest(held, Alternative.AHEAD)
    assert max(float(each.excess(Alternative.AHEAD).max()) for each in held) == pytest.approx(
        row.costs[Alternative.AHEAD] / row.costs[Alternative.JOINT] - 1
    )
    assert row in study.rows
    excess = tiny_studies["snr"].excess(Alternative.DEVICE)  # grows with the SNR
    spread = statistics.spread(tiny_studies["snr"], Alternative.DEVICE)
    assert spread == (*excess, tiny_studies["snr"].rows[-1])
    assert statistics.equal(tiny_studies["closed-form"], "closed_form_placement", "look_ahead_placement").all()
    assert statistics.gained(tiny_studies["snr"], Alternative.STATIC).tolist() == [
        share > 1e-3 for share in tiny_studies["snr"].excess(Alternative.STATIC)
    ]
    with pytest.raises(ValueError, match="no study holds the alternative 'clairvoyant'"):
        statistics.pooled_excess([tiny_studies["phase"]], Alternative.CLAIRVOYANT)


# --- the committed results -------------------------------------------------------------------------------------------


def solved_again(name, row):
    """The same point, solved now, at the rounded value that the CSV holds."""
    scenario = Scenario.load(studies.STUDIES[name].scenario)
    if name == "structure":
        return next(r for r in studies.structure_study(scenario, [row.dnn]) if r.hardware == row.hardware)
    if name == "phase":
        return studies.phase_study(scenario, [row.mean_snr_db], [row.weight_ratio])[0]
    if name == "closed-form":
        found = studies.closed_form_study(scenario, [row.tasks_per_update])
        return next(r for r in found if r.mean_snr_db == row.mean_snr_db)
    if name == "weights":
        return studies.weights_study(scenario, [row.value])[0]
    return studies.sweep(scenario, row.parameter, [row.value])[0]


@pytest.mark.checkout
@pytest.mark.parametrize("name", studies.STUDIES)
def test_committed_rows_are_what_the_code_computes_now(name):
    rows = read_csv(DOCS / f"{name}.csv").rows
    for row in (rows[0], rows[len(rows) // 3], rows[-1]):
        assert_same_row(solved_again(name, row), row, rel=1e-9)


@pytest.mark.checkout
def test_committed_rows_keep_their_text_and_the_order():
    for name in studies.STUDIES:
        study = read_csv(DOCS / f"{name}.csv")
        assert study_csv(study) == (DOCS / f"{name}.csv").read_text(encoding="utf-8")
        assert set(study.alternatives) <= {Alternative.CLAIRVOYANT, *CAUSAL}
        assert all((study.excess(rival) >= -1e-9).all() for rival in RIVALS if rival in study.alternatives)
        assert name == "phase" or (study.excess(Alternative.CLAIRVOYANT) <= 1e-9).all()
