"""docs/speed.md says what the committed run says, and the committed run is a whole one."""

import re
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from matplotlib.image import imread

from cointer_gym.experiments.speed import Goal, read_speed
from support.commands import invoke, run
from support.places import ROOT

pytestmark = pytest.mark.checkout

PAGE, RUN = ROOT / "docs" / "speed.md", ROOT / "results" / "speed"


def test_the_page_and_the_figures_are_made_of_the_committed_run(tmp_path):
    folder, page = tmp_path / "results" / "speed", tmp_path / "docs" / "speed.md"
    shutil.copytree(RUN, folder)
    page.parent.mkdir()
    shutil.copy2(PAGE, page)
    for picture in folder.glob("*.png"):
        picture.unlink()
    result = invoke("report", folder, "--into", page)
    assert result.exit_code == 0, result.output
    assert page.read_text() == PAGE.read_text()
    for name in ("step.png", "growth.png"):
        assert f"../results/speed/{name}" in PAGE.read_text()
        drawn, committed = imread(folder / name), imread(RUN / name)
        assert drawn.shape == committed.shape
        assert np.abs(drawn - committed).mean() < 0.01, name


def test_the_committed_run_is_whole_and_about_the_goals_of_today():
    results = read_speed(RUN)
    assert not results.machine.quick, "`make bench` without QUICK writes it anew"
    tables = tomllib.loads((ROOT / "benchmarks" / "goals.toml").read_text(encoding="utf-8"))
    goals = {each.id: each.goal for each in results.comparisons if each.goal is not None}
    assert goals == {id: Goal.model_validate(table) for id, table in tables.items()}
    assert len(goals) > 10
    assert results.step
    assert {point.axis for point in results.growth} == {"devices", "layers"}


def test_make_bench_runs_what_the_page_says():
    whole, short = run("make", "--dry-run", "bench"), run("make", "--dry-run", "bench", "QUICK=1")
    assert re.search(r"pytest .*benchmarks.* --out results/speed", whole)
    assert "report results/speed --into docs/speed.md" in whole
    assert re.search(r"pytest .*--quick --out runs/speed", short)
    assert "results/speed" not in short
    assert "docs/speed.md" not in short
    partial = run("make", "--dry-run", "bench", "ARGS=-k vector")
    assert "--out" not in partial
    assert "docs/speed.md" not in partial


BENCH = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "benchmarks/pytest.ini", "benchmarks")


@pytest.mark.slow
def test_a_short_run_writes_what_it_measured(tmp_path):
    pytest.importorskip("pytest_benchmark")
    printed = run(*BENCH, "--quick", "--out", tmp_path, "-k", "bench_warm and grid")
    (row,) = read_speed(tmp_path).comparisons
    assert row.id == "solve-warm"
    assert row.ours_error < 1e-12 < 1e-6 < row.peer_error < 1e-3  # exact beside a grid
    assert row.ratio_low <= row.ratio <= row.ratio_high
    assert "Solvers" in printed
    assert read_speed(tmp_path).machine.quick


@pytest.mark.slow
def test_a_part_of_a_run_is_not_written_as_a_whole_one(tmp_path):
    pytest.importorskip("pytest_benchmark")
    command = [*BENCH, "--out", str(tmp_path), "-k", "bench_warm and grid"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "nothing was measured for import-package" in " ".join(done.stdout.split())
    assert list(tmp_path.iterdir()) == []
