"""Exact scores of policies that choose the placement, too."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cointer_gym.baselines.bellman import optimal_thresholds
from cointer_gym.baselines.evaluation import ExactCost, Score, evaluate
from cointer_gym.baselines.placement import PlacementTable, optimal_placement
from cointer_gym.baselines.policies import PlacementPolicy, Policy, StochasticPolicy
from cointer_gym.dynamics import CONTINUE, OFFLOAD
from cointer_gym.observation import PlacementLayout
from cointer_gym.records import checked_integer
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class JointScore(ExactCost):
    """Exact performance of one policy on placement and splitting together: what one task takes, download included.

    ``gap`` is ``placement_regret`` plus the gap of the splitting.
    """

    placement: int
    """Layers that the policy puts on the device."""
    inference: Score
    """How it splits with that placement."""
    placement_regret: float
    """Loss of the placement alone, ETC: optimal splitting with it, minus the joint optimum."""
    split_probability: FloatArray
    """P(the network is split after layer n), shape (L+1,)."""


class PlacedPolicy:
    """A policy of ``CoInferencePlacement-v0`` after its first action, seen from ``CoInference-v0``.

    Args:
        policy: acts on observations of shape (..., 2L+4).
        scenario: the scenario.
        placement: the placement that is in force.

    Raises:
        ValueError: ``placement`` outside 0..L, or ``predict`` of the policy returned an action outside 0..L.
    """

    def __init__(self, policy: Policy, scenario: Scenario, placement: int) -> None:
        self._policy, self._layout = policy, PlacementLayout.of(scenario.problem())
        self._placement = checked_integer("placement", placement, 0, scenario.layers)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], Any]:
        """Continue (0) or offload (1) for observations of shape (..., M+2)."""
        joint = self._layout.embed(observation, self._placement)
        answer, state = self._policy.predict(joint, state, episode_start, deterministic)
        actions = np.asarray(answer)
        if not np.isin(actions, np.arange(self._layout.layers + 1)).all():
            raise ValueError(f"predict returned {actions!r}; expected actions from 0 to {self._layout.layers}")
        return np.where(actions == CONTINUE, CONTINUE, OFFLOAD), state


def chosen_placement(policy: Policy, scenario: Scenario) -> int:
    """The placement that a policy of ``CoInferencePlacement-v0`` chooses, after the memory limit.

    Raises:
        ValueError: ``predict`` returned something other than one action in 0..L, or the policy randomises.
    """
    if isinstance(policy, StochasticPolicy):
        raise ValueError(f"{type(policy).__name__} randomises: it has no one placement to score")
    first = PlacementLayout.of(scenario.problem()).encode(np.array([-1]), np.array([0]), np.array([1.0]))
    action = np.asarray(policy.predict(first, deterministic=True)[0])
    if action.shape != (1,) or action[0] not in range(scenario.layers + 1):
        raise ValueError(f"predict returned {action!r}; expected one placement from 0 to {scenario.layers}")
    return min(int(action[0]), scenario.largest_placement)


def evaluate_joint(policy: Policy, scenario: Scenario) -> JointScore:
    """Score a policy of ``CoInferencePlacement-v0`` exactly; see ``evaluate``.

    Args:
        policy: anything with ``predict`` on observations of shape (batch, 2L+4).
        scenario: the scenario.

    Returns:
        JointScore: cost per task with the download, and how much of the gap is the placement's.

    Raises:
        ValueError: ``predict`` returned something other than one action in 0..L per observation, or the policy
            randomises.
    """
    placement = chosen_placement(policy, scenario)
    problem = scenario.problem(placement)
    score = evaluate(PlacedPolicy(policy, scenario, placement), problem)
    return joint_score(score, placement, optimal_placement(scenario))


def joint_score(score: Score, placement: int, table: PlacementTable) -> JointScore:
    """Add the download of ``placement`` to an inference score."""
    split = np.zeros(table.scenario.layers + 1)
    split[: placement + 1] = score.split_probability
    return JointScore(
        placement=placement,
        inference=score,
        amounts=score.amounts + table.scenario.download.map(lambda amount: float(amount[placement])),
        optimum=table.cost,
        placement_regret=float(table.inference_cost[placement] + table.download_cost[placement]) - table.cost,
        split_probability=split,
    )


def joint_optimum(scenario: Scenario) -> PlacementPolicy:
    """The exactly optimal policy of ``CoInferencePlacement-v0``."""
    problem = scenario.problem(optimal_placement(scenario).placement)
    thresholds = problem.channel.threshold_snr(optimal_thresholds(problem)[0])
    return PlacementPolicy(PlacementLayout.of(scenario.problem()), problem, thresholds)
