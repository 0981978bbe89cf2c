"""Monte-Carlo estimates on common random numbers.

They cross-check the exact scores, and are all there is for a policy that keeps a state from stage to stage.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Self

import numpy as np

from cointer_gym.baselines.asking import Asked, Transform, batches
from cointer_gym.baselines.policies import Policy
from cointer_gym.dynamics import Moves
from cointer_gym.observation import Observation, SplittingLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Amounts, checked_integer
from cointer_gym.units import BoolArray, FloatArray, IntArray


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
        half = -NormalDist().inv_cdf(0.5 * (1.0 - confidence)) * self.standard_error
        return self.cost - half, self.cost + half

    def minus(self, other: "Estimate") -> "Estimate":
        """How much more it costs than ``other`` on the same paths: both from the same problem, episodes and seed.

        The fading that both share cancels, so the interval is far narrower than those of the two.

        Raises:
            ValueError: another number of tasks.
        """
        if self.costs.shape != other.costs.shape:
            raise ValueError(f"{self.costs.size} tasks cannot be compared in pairs with {other.costs.size}")
        return Estimate.of(self.costs - other.costs)


def simulate(
    policy: Policy,
    problem: StoppingProblem,
    episodes: int = 10_000,
    seed: int = 0,
    *,
    transform: Transform | None = None,
) -> Estimate:
    """Run many independent tasks.

    A policy that keeps a state is asked stage by stage about all tasks at once, with their states and with
    ``episode_start`` as Stable-Baselines3 has it. One that sees past observations keeps them as its state.

        optimum = bl.backward_induction(problem).policy()
        bl.simulate(model, problem).minus(bl.simulate(optimum, problem)).interval()     # of its gap to the optimum

    Args:
        policy: anything with ``predict``; a model's own normalisation is applied as in ``evaluate``.
        problem: the problem.
        episodes: number of tasks, >= 2.
        seed: of the fading; every policy sees the paths of an environment with that seed.
        transform: what the policy takes, from observations of shape (batch, M+2); see ``evaluate``.

    Returns:
        Estimate: mean cost and its standard error.

    Raises:
        ValueError: ``episodes`` is no integer >= 2, ``predict`` does not give one action in {0, 1} per observation, or
            the policy was trained on other observations.
    """
    checked_integer("episodes", episodes, 2)
    paths = problem.paths(seed, np.arange(episodes))
    return Estimate.of(rollout(policy, problem, paths, transform).cost)


def rollout(
    policy: Policy, problem: StoppingProblem, paths: FloatArray, transform: Transform | None = None
) -> Amounts[FloatArray]:
    """Run one task on each fading path and add up what it incurs.

    Args:
        policy: anything with ``predict``.
        problem: the problem, with horizon M.
        paths: linear SNRs, shape (tasks, M+1).
        transform: see ``simulate``.

    Returns:
        Amounts: totals of every task, shape (tasks,) each.
    """
    layout, moves = SplittingLayout.of(problem), Moves(problem)
    totals = moves.charges.map(lambda _: np.zeros(len(paths)))
    run = _Run(Asked(policy, layout, transform), layout, paths)
    alive, state = np.arange(len(paths)), np.full(len(paths), moves.start)
    for stage in range(problem.horizon + 1):
        if alive.size == 0:
            break
        row = moves.row(state, run.offloads(stage, alive).astype(np.int64))
        uses = problem.channel.channel_uses_per_bit(paths[alive, stage])
        for name, total in totals.known().items():
            total[alive] += moves.charges.known()[name].of(row, uses)
        state = moves.after.take(row)
        alive, state = alive[state < moves.first_ended], state[state < moves.first_ended]
    return totals


class _Run:
    """The answers of a policy to tasks that begin together, stage by stage, with the state that it keeps of each."""

    def __init__(self, asked: Asked, layout: SplittingLayout, paths: FloatArray) -> None:
        self._asked, self._layout, self._paths = asked, layout, paths
        self._state: Any = None

    def offloads(self, stage: int, alive: IntArray) -> BoolArray:
        """Whether the tasks ``alive`` offload at ``stage``, same shape.

        A policy with a state is asked about all tasks, ended ones too: their states stay where they are, in whatever
        form the policy keeps them, and nobody looks at the answers.
        """
        if self._state is not None:
            chosen, self._state = self._decide(stage, np.arange(len(self._paths)))
            return chosen[alive]
        parts = [alive[batch] for batch in batches(alive.size, self._layout.size)]
        if stage == 0 and len(parts) > 1 and self._decide(stage, alive[:1])[1] is not None:
            parts = [alive]  # a state is kept whole
        answers = [self._decide(stage, part) for part in parts]
        self._state = answers[0][1]
        if stage > 0 and self._state is not None:
            raise ValueError(f"{self._asked.name} returned a state at stage {stage}, but none at the first")
        return np.concatenate([chosen for chosen, _ in answers])

    def _decide(self, stage: int, tasks: IntArray) -> tuple[BoolArray, Any]:
        shown: Observation = self._layout.encode(np.full(tasks.size, stage), self._paths[tasks, stage])
        return self._asked.decide(shown, self._state, np.full(tasks.size, stage == 0))
