"""What a fleet asks of every device: the best placement, its exact cost, its thresholds, and the best static split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.experiments.fleet_rows import DeviceRows, DeviceStack
from cointer_gym.records import Amounts
from cointer_gym.units import BoolArray, FloatArray, IntArray

SOLVED = ("placement", "cost", "time_s", "energy_j", "download_cost", "static_cost", "saving_percent")
"""Headings of what is solved of a device."""
AVERAGED = ("cost", "time_s", "energy_j", "static_cost", "saving_percent")
"""Of them what has a mean over a fleet."""


@dataclass(frozen=True, eq=False)
class DeviceAnswers:
    """What is solved of the devices of a chunk.

    Args:
        rows: indices in the chunk, shape (devices,).
        columns: by the headings of ``SOLVED``, shape (devices,) each. Cost (ETC), seconds and joules are of a task and
            its share of the download; ``download_cost`` is that share; ``static_cost`` is of the best static split with
            the download that it needs; ``saving_percent`` is what the cost is below that.
        threshold_db: SNR from which stage n offloads, shape (devices, layers of the longest network); -inf always, inf
            never, NaN beyond the layers that are placed.
    """

    rows: IntArray
    columns: dict[str, IntArray | FloatArray]
    threshold_db: FloatArray

    def take(self, chosen: IntArray) -> "DeviceAnswers":
        """Those of some of the devices."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        return DeviceAnswers(self.rows[chosen], columns, self.threshold_db[chosen])


def solve_devices(rows: DeviceRows, *, best: bool) -> DeviceAnswers:
    """Solve the devices of a chunk.

    Args:
        rows: of the chunk; what is wrong with those that are refused is added to its ``faults``.
        best: place the layers that are best for each device; otherwise those that the rows were read with.

    Returns:
        DeviceAnswers: of all rows but those in ``faults``, in their order.
    """
    answers = []
    for stack in rows.stacks():
        answer = _solve(stack, best)
        bounded = np.isfinite(answer.columns["cost"])
        for row in answer.rows[~bounded]:
            rows.faults[int(row)] = _why_unbounded(rows, int(row))
        answers.append(answer.take(np.flatnonzero(bounded)))
    joined = _joined(answers)
    if joined.rows.size + len(rows.faults) != rows.count:
        raise ArithmeticError(f"{joined.rows.size} devices solved and {len(rows.faults)} refused of {rows.count}")
    return joined


def _solve(stack: DeviceStack, best: bool) -> DeviceAnswers:
    """The answers of a stack; the cost is infinite where no placement has a finite one."""
    placement = stack.problems.horizon
    bounded = np.ones(placement.size, dtype=np.bool_)
    if best:
        placement, bounded = _placed(stack)
    solved = bl.solve_many(stack.problems.placed(placement))
    time_s, energy_j = (solved.expected(terms)[:, 0] for terms in (stack.time, stack.energy))
    share = stack.download.map(lambda amount: amount[np.arange(placement.size), placement])
    spent = Amounts(np.where(bounded, solved.cost, np.inf), time_s, energy_j) + share
    static_cost = _least_static_cost(stack, best)
    numbers = (*spent.known().values(), share.cost, static_cost, _saving_percent(spent.cost, static_cost))
    columns = dict(zip(SOLVED, (placement, *numbers), strict=True))
    return DeviceAnswers(stack.rows, columns, solved.threshold_snr_db)


def _placed(stack: DeviceStack) -> tuple[IntArray, BoolArray]:
    """The best placement of every device, all layers where none that fits has a finite cost, and whether one has."""
    found = bl.place_many(stack.problems, stack.download.cost, allowed=stack.fits)
    bounded = np.isfinite(found.cost)
    return np.where(bounded, found.placement, stack.problems.horizon), bounded


def _least_static_cost(stack: DeviceStack, best: bool) -> FloatArray:
    """ETC of the best static split and its download, or that of all layers if the placement is not to be chosen."""
    static, download = stack.problems.static_cost, stack.download.cost
    if best:
        return np.asarray(np.where(stack.fits, static + download, np.inf).min(axis=1))
    all_placed = np.arange(len(static)), stack.problems.horizon
    return np.asarray(np.nanmin(static, axis=1) + download[all_placed])


def _saving_percent(cost: FloatArray, static_cost: FloatArray) -> FloatArray:
    """What a task costs less, in per cent; 0 where both are free."""
    free = static_cost <= 0
    with np.errstate(invalid="ignore"):  # both infinite: such a device is refused
        return 100.0 * np.where(free, 0.0, 1.0 - cost / np.where(free, 1.0, static_cost))


def _why_unbounded(rows: DeviceRows, row: int) -> str:
    try:
        bl.optimal_placement(rows.scenario(row))
    except ValueError as error:
        return str(error)
    raise ArithmeticError(f"row {row}: the optimum is infinite in a stack of devices, but not by itself")


def _joined(answers: Sequence[DeviceAnswers]) -> DeviceAnswers:
    """All answers in the order of the rows."""
    width = max((answer.threshold_db.shape[1] for answer in answers), default=0)
    thresholds = [
        np.pad(each.threshold_db, [(0, 0), (0, width - each.threshold_db.shape[1])], constant_values=np.nan)
        for each in answers
    ]
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(each.rows for each in answers)])
    columns = {name: np.concatenate([np.empty(0), *(each.columns[name] for each in answers)]) for name in SOLVED}
    columns["placement"] = columns["placement"].astype(np.int64)
    joined = DeviceAnswers(rows, columns, np.concatenate([np.empty((0, width)), *thresholds]))
    return joined.take(np.argsort(rows))
