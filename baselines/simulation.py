"""Monte-Carlo estimates on common random numbers: the cross-check of the exact evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtri

from cointer_gym.baselines.evaluation import offloads
from cointer_gym.observation import observe
from cointer_gym.policies import Policy
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.stopping import incurred, transition
from cointer_gym.units import FloatArray, checked_integer


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
    paths = problem.channel.sample_snr(np.random.default_rng(seed), (episodes, problem.horizon + 1))
    return Estimate.of(rollout(policy, problem, paths, [problem.cost])[0])


def rollout(policy: Policy, problem: StoppingProblem, paths: FloatArray, terms: Sequence[StageTerms]) -> FloatArray:
    """Run one task on each fading path and add up what it incurs.

    Args:
        policy: anything with ``predict``.
        problem: the problem, with horizon M.
        paths: linear SNRs, shape (tasks, M+1).
        terms: the quantities to add up: cost, seconds, joules.

    Returns:
        FloatArray: totals of every task, shape (len(terms), tasks).
    """
    totals = np.zeros((len(terms), len(paths)))
    alive = np.arange(len(paths))
    for stage in range(problem.horizon + 1):
        if alive.size == 0:
            break
        snr = paths[alive, stage]
        stages = np.full(alive.size, stage)
        step = transition(problem, stages, snr, offloads(policy, observe(problem, stages, snr)))
        for total, of in zip(totals, terms, strict=True):
            total[alive] += incurred(of, stages, step)
        alive = alive[~step.terminated]
    return totals
