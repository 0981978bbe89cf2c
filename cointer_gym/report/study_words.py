"""How the points of a study are named: on the axes of its figures and in sentences."""

from typing import Literal, NamedTuple

import numpy as np

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.studies import (
    DEVICE_CLOCK,
    DEVICE_SPEED,
    DISTANCE,
    EDGE_SPEED,
    SNR,
    TASKS,
    WEIGHT_RATIO,
)
from cointer_gym.experiments.study_rows import PhaseRow, StructureRow, StudyRow, SweepRow
from cointer_gym.text import percent


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
        return self.text.format(f"{float(f'{value / self.unit:.3g}'):z,.10g}")


AXES = {
    SNR: Axis("mean SNR (dB)", "linear", text="mean SNR {} dB"),
    DISTANCE: Axis("distance (m)", text="{} m"),
    TASKS: Axis("tasks between two updates, K", text="K = {}"),
    WEIGHT_RATIO: Axis("energy weight / time weight (s/J)", text="energy weight / time weight {} s/J"),
    DEVICE_SPEED: Axis("device speed (GFLOP/s)", unit=1e9, text="device speed {} GFLOP/s"),
    DEVICE_CLOCK: Axis("device clock (GHz)", unit=1e9, text="device clock {} GHz"),
    EDGE_SPEED: Axis("edge speed (GFLOP/s)", unit=1e9, text="edge speed {} GFLOP/s"),
}

SHORT = {
    Alternative.JOINT: "joint optimum",
    Alternative.CLAIRVOYANT: "clairvoyant",
    Alternative.AHEAD: "look-ahead",
    Alternative.AHEAD_PLACED: "optimal on\nlook-ahead layers",
    Alternative.FULL: "optimal on all",
    Alternative.HALF: "optimal on half",
    Alternative.STATIC: "static split",
    Alternative.DEVICE: "device only",
    Alternative.EDGE: "edge only",
}
"""Names of the alternatives beside their curves."""


def where(row: StudyRow) -> str:
    """A point of a study in words."""
    if isinstance(row, StructureRow):
        return row.scenario if row.hardware == "own" else f"{row.dnn} on {row.hardware}"
    if isinstance(row, SweepRow):
        return _swept(row.parameter, row.value)
    axis, value = (WEIGHT_RATIO, row.weight_ratio) if isinstance(row, PhaseRow) else (TASKS, row.tasks_per_update)
    return f"{AXES[SNR].words(row.mean_snr_db)}, {AXES[axis].words(value)}"


def share(value: float, sign: str = "") -> str:
    """A share in per cent for running text, with one decimal below 100 %."""
    return percent(float(value), 1 if abs(value) < 0.9995 else 0, sign, group=",", space=" ")


def _swept(parameter: str, value: float) -> str:
    if parameter == WEIGHT_RATIO and not 0 < value < np.inf:
        return "energy alone counts" if value else "time alone counts"
    return AXES[parameter].words(value)
