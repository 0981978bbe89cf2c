"""Monte-Carlo estimates on common random numbers: the cross-check of the exact evaluation."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from cointer_gym.observation import observe
from cointer_gym.policies import Policy
from cointer_gym.problem import StoppingProblem
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
    """
    checked_integer("episodes", episodes, 2)
    paths = problem.channel.sample_snr(np.random.default_rng(seed), (episodes, problem.horizon + 1))
    costs = np.zeros(episodes)
    alive = np.arange(episodes)
    for stage in range(problem.horizon + 1):
        if alive.size == 0:
            break
        snr = paths[alive, stage]
        stages = np.full(alive.size, stage)
        actions = np.asarray(policy.predict(observe(problem, stages, snr), deterministic=True)[0])
        step = transition(problem, stages, snr, actions)
        costs[alive] += incurred(problem.cost, stages, step)
        alive = alive[~step.terminated]
    return Estimate(cost=float(costs.mean()), standard_error=float(costs.std(ddof=1) / np.sqrt(episodes)), costs=costs)
