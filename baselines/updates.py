"""Both time scales, simulated: the model is downloaded again after each update, and tasks are split in between.

    period = download of the first M layers, then K tasks
    cost per task -> V_0(M) + (w_t + w_e P_r) sum_{l <= M} P_l / (R_d K)

The right-hand side is what placement minimises. Here it is not assumed: downloads and tasks are paid one by one.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np

from cointer_gym.baselines.asking import Transform
from cointer_gym.baselines.policies import Policy
from cointer_gym.baselines.simulation import Estimate, rollout
from cointer_gym.records import Amounts, checked_integer
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray, IntArray

_TASKS_PER_BATCH = 65_536  # bounds the memory; changes no fading path


@dataclass(frozen=True, eq=False, kw_only=True)
class UpdatePeriods:
    """What a device spent over many model-update periods."""

    placement: int
    """M, the layers downloaded at the start of each period."""
    tasks: FloatArray
    """Tasks served in each period, whole numbers, shape (periods,)."""
    simulated: IntArray
    """Tasks actually simulated in each period, shape (periods,); fewer than ``tasks`` only if there are too many."""
    download: Amounts[float]
    """ETC, seconds and joules of one download."""
    spent: Amounts[FloatArray]
    """ETC, seconds and joules of each period, download included, shape (periods,) each."""
    per_task: Estimate
    """Mean ETC of a task with its share of the download, and its confidence interval."""


def simulate_updates(
    policy: Policy,
    scenario: Scenario,
    placement: int | None = None,
    *,
    periods: int = 20,
    seed: int = 0,
    max_tasks: int = 1_000_000,
    transform: Transform | None = None,
) -> UpdatePeriods:
    """Run many model-update periods.

    K need not be an integer: after p periods round(p K) tasks have been served, so a K of 2.5 alternates between 2 and
    3 tasks, and a K of 0.25 serves one task in four periods. A task always bears 1/K of a download.

    K may be huge: if the run has more than ``max_tasks`` tasks, only that many are simulated, spread evenly over the
    periods, and what the tasks of a period spend is scaled up. The standard error of ``per_task`` is that of the
    simulated tasks; totals of periods then scatter more than those of a real device.

    Args:
        policy: anything with ``predict`` on the observations of ``scenario.problem(placement)``; wrap a policy of
            ``CoInferencePlacement-v0`` in ``PlacedPolicy``.
        scenario: network, hardware, prices and K.
        placement: M in 0..L; None places all layers.
        periods: number of model updates.
        seed: of the fading; every policy and every placement sees the same paths.
        max_tasks: most tasks to simulate.
        transform: what the policy takes, from observations of shape (batch, M+2); see ``evaluate``.

    Returns:
        UpdatePeriods: arrays of shape (periods,); ``per_task.interval()`` is to be compared with
        ``evaluate(policy, scenario.problem(placement)).cost + scenario.download.cost[placement]``.

    Raises:
        ValueError: the placement does not exist or does not fit into the memory of the device, the run has fewer than
            two tasks, a count is no integer or too small, or ``predict`` does not give one action per observation.
    """
    periods, max_tasks = checked_integer("periods", periods, 1), checked_integer("max_tasks", max_tasks, 2)
    layers = _checked_placement(scenario, placement)
    tasks, simulated = _schedule(scenario.tasks_per_update, periods, max_tasks)
    download = scenario.one_download(layers)
    spent = _spend(policy, scenario, layers, int(simulated.sum()), seed, transform)
    of_tasks = spent.map(lambda amount: _per_period(amount, tasks, simulated))
    return UpdatePeriods(
        placement=layers,
        tasks=tasks,
        simulated=simulated,
        download=download,
        spent=of_tasks.combine(download.map(np.asarray), np.add),
        per_task=Estimate.of(spent.cost + download.cost / scenario.tasks_per_update),
    )


def _checked_placement(scenario: Scenario, placement: int | None) -> int:
    wanted = scenario.layers if placement is None else placement
    room = scenario.largest_placement
    note = f", the layers of {scenario.dnn.name}"
    if room < scenario.layers:
        note += f" that fit into device.memory_bytes = {scenario.device.memory_bytes:g}"
    return checked_integer("placement", wanted, 0, room, note=note)


def _schedule(tasks_per_update: float, periods: int, max_tasks: int) -> tuple[FloatArray, IntArray]:
    """Tasks served and tasks simulated in each period, shape (periods,) each."""
    tasks = _evenly(tasks_per_update, periods)
    if tasks.sum() < 2:
        raise ValueError(
            f"periods = {periods} with tasks_per_update = {tasks_per_update:g} serve {tasks.sum():.0f} tasks, too few "
            f"for an estimate; take at least {math.ceil(2 / tasks_per_update)} periods"
        )
    if tasks.sum() <= max_tasks:
        return tasks, tasks.astype(np.int64)
    if max_tasks < periods:
        raise ValueError(f"max_tasks = {max_tasks} must be at least one for each of the {periods} periods")
    return tasks, _evenly(max_tasks / periods, periods).astype(np.int64)


def _evenly(rate: float, periods: int) -> FloatArray:
    """Whole numbers, shape (periods,), whose running sum after p periods is round(p rate)."""
    whole, fraction = divmod(rate, 1.0)
    return np.asarray(whole + np.diff(np.floor(fraction * np.arange(periods + 1) + 0.5)))


def _per_period(spent: FloatArray, tasks: FloatArray, simulated: IntArray) -> FloatArray:
    """Sums over the tasks of each period, scaled from the simulated to the served ones; shape (periods,)."""
    period = np.repeat(np.arange(simulated.size), simulated)
    sums = np.bincount(period, weights=spent, minlength=simulated.size)
    return np.asarray(sums * np.where(simulated > 0, tasks / np.maximum(simulated, 1), 0.0))


def _spend(
    policy: Policy, scenario: Scenario, placement: int, tasks: int, seed: int, transform: Transform | None
) -> Amounts[FloatArray]:
    """ETC, seconds and joules of every task, shape (tasks,) each."""
    problem, batches = scenario.problem(placement), []
    for first in range(0, tasks, _TASKS_PER_BATCH):
        paths = problem.paths(seed, np.arange(first, min(first + _TASKS_PER_BATCH, tasks)))
        batches.append(rollout(policy, problem, paths, transform))
    return reduce(lambda one, other: one.combine(other, lambda a, b: np.concatenate([a, b])), batches)
