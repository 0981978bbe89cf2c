"""The command `cointer-gym fleet`, and what its page says."""

import csv
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.experiments.fleet_answers import SOLVED
from support.commands import invoke, run, words
from support.places import ROOT

PAGE = ROOT / "docs" / "fleet.md"
HEADER = "id,channel.mean_snr_db,link.bandwidth_hz\n"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_devices(path, count):
    rng = np.random.default_rng(0)
    rows = (f"cam-{n},{rng.uniform(-5, 25):.2f},{rng.uniform(1e6, 5e6):.0f}\n" for n in range(count))
    path.write_text(HEADER + "".join(rows), encoding="utf-8")


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_fleet_is_solved_and_summed_up(tmp_path):
    write_devices(tmp_path / "devices.csv", 40)
    done = invoke("fleet", "devices.csv", "--base", "mlp-pi", "--set", "tasks_per_update=1e5", "--out", "solved.csv")
    assert done.exit_code == 0, done.output
    rows = rows_of(tmp_path / "solved.csv")
    assert [row["id"] for row in rows] == [f"cam-{n}" for n in range(40)]
    text = words(done.output)
    assert "40 of 40 devices" in text
    assert f"{np.mean([float(row['saving_percent']) for row in rows]):.1f} %" in text
    share = sum(row["placement"] == rows[0]["placement"] for row in rows) / 40
    assert f"{rows[0]['placement']} on {100 * share:.0f} %" in text
    assert "One row per device: solved.csv" in text


@pytest.mark.parametrize("placement", ["all", "3"])
def test_the_placement_may_be_given(placement, tmp_path):
    write_devices(tmp_path / "devices.csv", 3)
    assert invoke("fleet", "devices.csv", "--base", "mlp-pi", "--placement", placement, "--out", "s.csv").exit_code == 0
    layers = 8 if placement == "all" else 3
    first, given = rows_of(tmp_path / "s.csv")[0], rows_of(tmp_path / "devices.csv")[0]
    overrides = {name: float(given[name]) for name in ("channel.mean_snr_db", "link.bandwidth_hz")}
    scenario = Scenario.load("mlp-pi", **overrides)
    assert int(first["placement"]) == layers
    alone = bl.backward_induction(scenario.problem(layers)).cost
    assert float(first["cost"]) - float(first["download_cost"]) == pytest.approx(alone, rel=1e-9)


def test_skipped_rows_are_counted_and_the_exit_status_tells(tmp_path):
    write_devices(tmp_path / "devices.csv", 3)
    with (tmp_path / "devices.csv").open("a", encoding="utf-8") as file:
        file.write("[/red],5,fast\n")
    done = invoke("fleet", "devices.csv", "--base", "mlp-pi", "--out", "solved.csv", "--on-error", "skip")
    assert done.exit_code == 1
    assert "1 of 4 rows were refused and left out; solved.csv.errors.csv has them, with the reasons" in words(
        done.stderr
    )
    assert len(rows_of(tmp_path / "solved.csv")) == 3
    (refused,) = rows_of(tmp_path / "solved.csv.errors.csv")
    assert (refused["line"], refused["id"]) == ("5", "[/red]")
    assert refused["reason"] == "link.bandwidth_hz = 'fast': Input should be a valid number"


def test_only_bad_rows_give_an_empty_result(tmp_path):
    (tmp_path / "devices.csv").write_text(HEADER + "a,10,-1\n")
    done = invoke("fleet", "devices.csv", "--base", "mlp-pi", "--out", "solved.csv", "--on-error", "skip")
    assert done.exit_code == 1
    assert rows_of(tmp_path / "solved.csv") == []
    assert (tmp_path / "solved.csv").read_text().startswith("id,placement,cost")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "s.csv", "--base", "atlantis"), "neither a file nor one of the built-in scenarios"),
        (("--out", "s.txt"), "out = 's.txt' must end in .csv or .parquet"),
        (("--out", "s.csv", "--placement", "best"), "placement = 'best' must be optimal, all, or a number of layers"),
        (("--out", "s.csv", "--placement", "99"), "line 2: placement = 99 must be an integer from 0 to 11"),
        (("--out", "s.csv", "--backend", "cloud"), "backend = 'cloud' must be one of local, ray"),
        (("--out", "s.csv", "--id", "serial"), "id = 'serial' must be one of the columns"),
        (("--out", "s.csv", "--workers", "0"), "greater than or equal to 1"),
        (("--out", "."), "is a directory"),
        ((), "Missing option '--out'"),
    ],
)
def test_wrong_input_is_one_clear_line(arguments, message, tmp_path):
    write_devices(tmp_path / "devices.csv", 2)
    done = invoke("fleet", "devices.csv", *arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert message in words(done.stderr)


def test_a_bad_row_is_one_clear_line(tmp_path):
    (tmp_path / "devices.csv").write_text(HEADER + "a,10,1e6\nb,10,0\n")
    done = invoke("fleet", "devices.csv", "--out", "solved.csv")
    assert done.exit_code == 2
    assert words(done.stderr).startswith(
        "error: devices.csv, line 3: link.bandwidth_hz = 0: Input should be greater than 0; --on-error skip"
    )


def test_a_run_that_is_killed_goes_on_with_the_same_command(tmp_path):
    write_devices(tmp_path / "devices.csv", 3000)
    command = ["fleet", "devices.csv", "--base", "mlp-pi", "--chunk", "50", "--workers", "2", "--out"]
    whole = invoke(*command[:-1], "--out", "whole.csv")
    assert whole.exit_code == 0
    program = [sys.executable, "-m", "cointer_gym.cli", *command, "solved.csv"]
    parts = tmp_path / "solved.csv.parts"
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as one:
        try:
            deadline = time.monotonic() + 60
            while len(list(parts.glob("0*.json"))) < 3 and one.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
        finally:
            os.killpg(one.pid, signal.SIGKILL)  # with its workers
    done = len(list(parts.glob("0*.json")))
    assert 3 <= done < 60
    assert not (tmp_path / "solved.csv").exists()
    again = invoke(*command, "solved.csv")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "solved.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not parts.exists()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_ray_writes_what_this_process_writes(tmp_path):
    write_devices(tmp_path / "devices.csv", 90)
    assert invoke("fleet", "devices.csv", "--chunk", 20, "--out", "here.csv").exit_code == 0
    command = (sys.executable, "-m", "cointer_gym.cli", "fleet", "devices.csv", "--chunk", "20", "--backend", "ray")
    run(*command, "--workers", "2", "--out", "there.csv", cwd=tmp_path)
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
    (tmp_path / "devices.csv").write_text(HEADER + "a,10,0\n")
    done = subprocess.run([*command, "--out", "x.csv"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "line 2: link.bandwidth_hz = 0: Input should be greater than 0" in words(done.stderr)
    assert "Traceback" not in done.stderr


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.checkout
def test_the_page_is_true(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    files = re.findall(r"`([\w.]+\.csv)`:\n\n```csv\n(.*?)```", text, re.DOTALL)
    (command,) = re.findall(r"```console\n(cointer-gym fleet .*)\n```", text)
    (name, devices), (out, solved) = files
    (tmp_path / name).write_text(devices, encoding="utf-8")
    done = invoke(*shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    (tmp_path / "page.csv").write_text(solved, encoding="utf-8")
    written, shown = rows_of(tmp_path / out), rows_of(tmp_path / "page.csv")
    assert [list(row) for row in written] == [list(row) for row in shown]
    for name in written[0]:
        for one, other in zip(written, shown, strict=True):
            assert one[name] == other[name] or float(one[name]) == pytest.approx(float(other[name]), rel=1e-9, abs=1e-9)
    described = re.findall(r"^\| `([\w]+)`", text, re.MULTILINE)
    assert described == [*SOLVED, "threshold_db_n"]
