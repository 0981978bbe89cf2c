"""Monte-Carlo estimates on common random numbers: the cross-check of the exact evaluation."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri

from cointer_gym.baselines.evaluation import offloads
from cointer_gym.baselines.policies import Policy
from cointer_gym.dynamics import incurred, transition
from cointer_gym.observation import SplittingLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Amounts, checked_integer
from cointer_gym.units import FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimate:
    """Sample mean of the cost with a normal confidence interval."""

    cost: float
    """Mean ETC of the simulated tasks."""
    standard_error: float
    costs: FloatArray
    """ETC of each task, shape (episodes,); same seed, same fading, so two policies may be compared in pairs."""

    @classmethod
    def of(cls, costs: FloatArray) -> Self:
        """The estimate from the costs of two or more independent tasks, shape (episodes,)."""
        return cls(cost=float(costs.mean()), standard_error=float(costs.std(ddof=1) / np.sqrt(costs.size)), costs=costs)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided confidence interval of the expected cost, ETC."""
        if not 0 < confidence < 1:
            raise ValueError(f"confidence = {confidence} must be between 0 and 1")
        half = float(ndtri(0.5 + 0.5 * confidence)) * self.standard_error
        return self.cost - half, self.cost + half


def simulate(policy: Policy, problem: StoppingProblem, episodes: int = 10_000, seed: int = 0) -> Estimate:
    """Run many independent tasks.

    Args:
        policy: anything with ``predict``.
        problem: the problem.
        episodes: number of tasks, >= 2.
        seed: of the fading; every policy sees the same paths.

    Returns:
        Estimate: mean cost and its standard error.

    Raises:
        ValueError: ``episodes`` is no integer >= 2, or ``predict`` does not give one action in {0, 1} per observation.
    """
    checked_integer("episodes", episodes, 2)
    paths = problem.draw_paths(np.random.default_rng(seed), (episodes,))
    return Estimate.of(rollout(policy, problem, paths).cost)


def rollout(policy: Policy, problem: StoppingProblem, paths: FloatArray) -> Amounts[FloatArray]:
    """Run one task on each fading path and add up what it incurs.

    Args:
        policy: anything with ``predict``.
        problem: the problem, with horizon M.
        paths: linear SNRs, shape (tasks, M+1).

    Returns:
        Amounts: totals of every task, shape (tasks,) each.
    """
    layout, totals = SplittingLayout.of(problem), problem.terms.map(lambda _: np.zeros(len(paths)))
    alive = np.arange(len(paths))
    for stage in range(problem.horizon + 1):
        if alive.size == 0:
            break
        snr = paths[alive, stage]
        stages = np.full(alive.size, stage)
        step = transition(problem, stages, snr, offloads(policy, layout.encode(stages, snr)))
        for name, total in totals.known().items():
            total[alive] += incurred(problem.terms.known()[name], stages, step)
        alive = alive[~step.terminated]
    return totals
