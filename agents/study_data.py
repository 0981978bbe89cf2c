"""Rows of a study: their CSV, and how the swept parameters are named."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from cointer_gym.agents.comparison import JOINT
from cointer_gym.agents.storage import write_text
from cointer_gym.units import FloatArray

Row = dict[str, Any]

WEIGHT_RATIO = "energy_weight / time_weight"
SNR, DISTANCE, TASKS = "channel.mean_snr_db", "channel.budget.distance_m", "tasks_per_update"
DEVICE_SPEED, DEVICE_CLOCK, EDGE_SPEED = "device.flops_per_s", "device.dvfs.clock_hz", "edge.flops_per_s"


class Axis(NamedTuple):
    """How a swept parameter is shown."""

    label: str
    scale: Literal["linear", "log"] = "log"
    unit: float = 1.0
    """Values are divided by it."""
    text: str = "{}"
    """One value in a sentence."""

    def words(self, value: float) -> str:
        """``value`` in a sentence, with three significant digits."""
        return self.text.format(f"{float(f'{value / self.unit:.3g}'):,.10g}")


AXES = {
    SNR: Axis("mean SNR (dB)", "linear", text="mean SNR {} dB"),
    DISTANCE: Axis("distance (m)", text="{} m"),
    TASKS: Axis("tasks between two updates, K", text="K = {}"),
    WEIGHT_RATIO: Axis("energy weight / time weight (s/J)", text="energy weight / time weight {} s/J"),
    DEVICE_SPEED: Axis("device speed (GFLOP/s)", unit=1e9, text="device speed {} GFLOP/s"),
    DEVICE_CLOCK: Axis("device clock (GHz)", unit=1e9, text="device clock {} GHz"),
    EDGE_SPEED: Axis("edge speed (GFLOP/s)", unit=1e9, text="edge speed {} GFLOP/s"),
}


@dataclass(frozen=True, eq=False)
class Study:
    """Rows of results with equal columns."""

    name: str
    rows: list[Row]

    def column(self, name: str) -> FloatArray:
        """One column of numbers, shape (rows,)."""
        return np.array([row[name] for row in self.rows], dtype=np.float64)

    def only(self, name: str, value: object) -> "Study":
        """The rows whose column ``name`` holds ``value``."""
        return Study(self.name, [row for row in self.rows if row[name] == value])

    def distinct(self, name: str) -> list[Any]:
        """The values of a column in order of appearance."""
        return list(dict.fromkeys(row[name] for row in self.rows))

    def excess(self, name: str) -> FloatArray:
        """Cost of an alternative above the joint optimum, as a share of it, shape (rows,)."""
        return np.asarray(self.column(name) / self.column(JOINT) - 1.0)


def write_csv(study: Study, path: Path) -> None:
    """Write a study with twelve significant digits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(study.rows[0])
    for row in study.rows:
        writer.writerow([f"{cell:.12g}" if isinstance(cell, float) else cell for cell in row.values()])
    write_text(path, text.getvalue())


def read_csv(path: Path) -> Study:
    """Read what ``write_csv`` wrote; numbers come back as floats."""
    with path.open(encoding="utf-8", newline="") as lines:
        return Study(path.stem, [{name: _cell(text) for name, text in row.items()} for row in csv.DictReader(lines)])


def _cell(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
