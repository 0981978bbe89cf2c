"""The command `cointer-gym study`."""

from functools import partial

import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.studies import STUDIES, StudyPlan, tasks_study
from cointer_gym.experiments.study_rows import read_csv
from cointer_gym.report import study_figures
from cointer_gym.report.studies import report_markdown
from support.commands import invoke, python, words

ALEXNET = Scenario.load("alexnet-pi")


def test_study_command_writes_data_and_figures(tmp_path, monkeypatch):
    monkeypatch.setitem(STUDIES, "tasks", StudyPlan(partial(tasks_study, values=[100.0, 1e4]), "alexnet-pi"))
    done = invoke("study", "tasks", "--set", "device.flops_per_s=20e9", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tasks.csv", "tasks.pdf", "tasks.png"]
    faster = ALEXNET.replace(**{"device.flops_per_s": 20e9, "tasks_per_update": 100.0})
    first = read_csv(tmp_path / "tasks.csv").rows[0]
    assert first.costs[Alternative.JOINT] == pytest.approx(bl.optimal_placement(faster).cost)
    assert "Best static split" in done.output


def test_study_all_writes_the_report_and_leaves_out_what_cannot_be(tiny_studies, tmp_path, monkeypatch):
    impossible = ("distance", "closed-form")
    for name, study in tiny_studies.items():
        run = STUDIES[name].run if name in impossible else lambda _, rows=study.rows: rows
        monkeypatch.setitem(STUDIES, name, StudyPlan(run, "alexnet-pi"))
    monkeypatch.setattr(study_figures, "plot_study", lambda study, path: None)  # drawn in other tests
    done = invoke("study", "all", "alexnet-pi", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "distance: left out, the distance study needs a scenario with a link budget" in words(done.output)
    report = (tmp_path / "README.md").read_text(encoding="utf-8")
    kept = [read_csv(tmp_path / f"{name}.csv") for name in tiny_studies if name not in impossible]
    assert report == report_markdown(kept, f"cointer-gym study all alexnet-pi --out {tmp_path}")
    assert "](snr.png)" in report
    assert "](distance.png)" not in report


def test_studies_need_no_torch():
    loaded = python(
        "import sys, cointer_gym.report.studies, cointer_gym.report.study_figures, cointer_gym.report.placement_figure;"
        "print(*sys.modules)"
    )
    assert "cointer_gym.experiments.studies" in loaded.split()
    assert {"torch", "stable_baselines3"}.isdisjoint(loaded.split())
