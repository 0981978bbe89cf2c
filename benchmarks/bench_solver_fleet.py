"""A file of devices, solved as the command line does it: read, checked, placed, split, written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cointer_gym as cg
from benchmarks.findings import Findings
from benchmarks.rounds import Side, SideBySide, rounded
from cointer_gym.experiments.fleet import solve_fleet
from cointer_gym.experiments.speed import GrowthPoint

_BASE = "resnet50-jetson"
_COMPARED, _ROUNDS = 20_000, 5  # a chunk takes a second


def _devices(folder: Path, count: int) -> Path:
    """A CSV of devices with a mean SNR, a bandwidth, a speed and a price of energy of their own."""
    rng, path = np.random.default_rng(0), folder / f"{count}.csv"
    columns = {
        "channel.mean_snr_db": rng.uniform(-5.0, 25.0, count),
        "link.bandwidth_hz": 10.0 ** rng.uniform(6.0, 7.5, count),
        "device.flops_per_s": 10.0 ** rng.uniform(10.5, 12.0, count),
        "weights.energy_weight": 10.0 ** rng.uniform(-0.5, 0.5, count),
    }
    rows = np.column_stack(list(columns.values()))
    np.savetxt(path, rows, "%.6g", ",", header=",".join(columns), comments="")
    return path


def _solving(folder: Path, count: int) -> Side:
    devices, base = _devices(folder, count), cg.Scenario.load(_BASE)
    return Side(lambda: solve_fleet(devices, folder / "solved.csv", base, workers=1, fresh=True), count, once=True)


def bench_fleet(side_by_side: SideBySide, tmp_path: Path) -> None:
    """One process; the optimal placement of every device, its thresholds, seconds and joules."""
    what = f"cointer-gym fleet, {_COMPARED:,} devices in a CSV, 20 layers"
    side_by_side("fleet", "solver", what, "devices/s", _solving(tmp_path, _COMPARED), rounds=_ROUNDS)


@pytest.mark.parametrize("devices", [1_000, 3_000, 10_000, 30_000, 100_000, 300_000])
def bench_growth(benchmark: Any, findings: Findings, tmp_path: Path, devices: int) -> None:
    """Time against the number of devices."""
    if findings.machine.quick and devices > _COMPARED:
        pytest.skip("not in a short run")
    layers = cg.Scenario.load(_BASE).layers
    benchmark.group = "growth in devices"
    benchmark.pedantic(_solving(tmp_path, devices).run, rounds=1 if devices > _COMPARED else 3)
    seconds = rounded(benchmark.stats.stats.min)
    findings.growth.append(
        GrowthPoint(curve="cointer-gym fleet", axis="devices", devices=devices, layers=layers, seconds=seconds)
    )
