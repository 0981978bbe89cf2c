"""Exact scores of policies that choose the placement, too."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cointer_gym.baselines.asking import Asked, Transform, batches, refuse_state
from cointer_gym.baselines.bellman import optimal_thresholds
from cointer_gym.baselines.evaluation import ExactCost, Score, evaluate
from cointer_gym.baselines.placement import PlacementTable, optimal_placement
from cointer_gym.baselines.policies import PlacementPolicy, Policy, StochasticPolicy
from cointer_gym.dynamics import CONTINUE, OFFLOAD
from cointer_gym.observation import Observation, PlacementLayout
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

    A policy that keeps a state is first shown that the placement is to be chosen, as in the environment.

    Args:
        policy: acts on observations of shape (..., 2L+4).
        scenario: the scenario.
        placement: the placement that is in force.
        transform: what ``policy`` takes, from observations of shape (batch, 2L+4); see ``evaluate``.

    Raises:
        ValueError: ``placement`` outside 0..L, ``policy`` was trained on other observations, or its ``predict``
            returned an action outside 0..L.
    """

    def __init__(self, policy: Policy, scenario: Scenario, placement: int, transform: Transform | None = None) -> None:
        self._layout = PlacementLayout.of(scenario.problem())
        self._asked = Asked(policy, self._layout, transform)
        self._placement = checked_integer("placement", placement, 0, scenario.layers)
        self._largest = scenario.largest_placement

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], Any]:
        """Continue (0) or offload (1) for observations of shape (..., M+2).

        Raises:
            ValueError: of a batch some tasks begin and others go on, and the policy keeps a state.
        """
        seen = np.asarray(observation)
        rows, begins = seen.reshape(-1, seen.shape[-1]), None if episode_start is None else np.ravel(episode_start)
        if self._keeps_state:
            state, begins = self._after_choice(len(rows), state, begins, deterministic)
        parts = list(batches(len(rows), self._layout.size)) if state is None else [slice(None)]
        actions = np.empty(len(rows), dtype=np.int64)
        for part in parts:
            starts = None if begins is None else begins[part]
            actions[part], state = self._split(rows[part], state, starts, deterministic)
        return actions.reshape(seen.shape[:-1]), state

    def _split(self, rows: Observation, state: Any, begins: Any, deterministic: bool) -> tuple[NDArray[Any], Any]:
        allowed = np.arange(self._layout.layers + 1) <= OFFLOAD
        joint = self._layout.embed(rows, self._placement)
        actions, state = self._asked.answers(joint, allowed, state, begins, deterministic)
        if actions.shape != (len(rows),):
            raise ValueError(
                f"predict returned shape {actions.shape} for {len(rows)} observations; "
                "expected one action per observation"
            )
        if not np.isin(actions, np.arange(self._layout.layers + 1)).all():
            raise ValueError(f"predict returned {actions!r}; expected actions from 0 to {self._layout.layers}")
        return np.where(actions == CONTINUE, CONTINUE, OFFLOAD), state

    @cached_property
    def _keeps_state(self) -> bool:
        return self._choose(1, True)[1] is not None

    def _choose(self, tasks: int, deterministic: bool) -> tuple[NDArray[Any], Any]:
        """What the policy does first, and its state then."""
        return _choose(self._asked, self._layout, self._largest, tasks, deterministic)

    def _after_choice(self, tasks: int, state: Any, begins: Any, deterministic: bool) -> tuple[Any, Any]:
        """State of tasks after the placement was chosen, for those that begin; and that none begins any more."""
        if state is not None and (begins is None or not np.any(begins)):
            return state, begins
        if state is not None and not np.all(begins):
            raise ValueError(
                f"episode_start holds {np.count_nonzero(begins)} of {tasks} tasks, but all or none must begin: "
                f"{self._asked.name} keeps a state, and is shown the choice of the placement when tasks begin"
            )
        return self._choose(tasks, deterministic)[1], np.zeros(tasks, dtype=np.bool_)


def _choose(
    asked: Asked, layout: PlacementLayout, largest: int, tasks: int, deterministic: bool = True
) -> tuple[NDArray[Any], Any]:
    """Ask about the first observation of so many tasks."""
    first = layout.encode(np.full(tasks, -1), np.zeros(tasks, dtype=np.int64), np.ones(tasks))
    allowed = np.arange(layout.layers + 1) <= largest
    return asked.answers(first, allowed, None, np.ones(tasks, dtype=np.bool_), deterministic)


def chosen_placement(policy: Policy, scenario: Scenario, *, transform: Transform | None = None) -> int:
    """The placement that a policy of ``CoInferencePlacement-v0`` chooses, after the memory limit.

    Raises:
        ValueError: ``predict`` returned something other than one action in 0..L, or the policy randomises.
    """
    return _choice(policy, scenario, transform)[0]


def _choice(policy: Policy, scenario: Scenario, transform: Transform | None) -> tuple[int, Any]:
    """The placement, and the state of the policy after it."""
    if isinstance(policy, StochasticPolicy):
        raise ValueError(f"{type(policy).__name__} randomises: it has no one placement to score")
    layout = PlacementLayout.of(scenario.problem())
    action, state = _choose(Asked(policy, layout, transform), layout, scenario.largest_placement, 1)
    if action.shape != (1,) or action[0] not in range(scenario.layers + 1):
        raise ValueError(f"predict returned {action!r}; expected one placement from 0 to {scenario.layers}")
    return min(int(action[0]), scenario.largest_placement), state


def evaluate_joint(
    policy: Policy, scenario: Scenario, *, grid: int = 4096, transform: Transform | None = None
) -> JointScore:
    """Score a policy of ``CoInferencePlacement-v0`` exactly; see ``evaluate``.

    Args:
        policy: anything with ``predict`` on observations of shape (batch, 2L+4).
        scenario: the scenario.
        grid: see ``evaluate``.
        transform: what the policy takes, from observations of shape (batch, 2L+4); see ``evaluate``.

    Returns:
        JointScore: cost per task with the download, and how much of the gap is the placement's.

    Raises:
        ValueError: ``predict`` returned something other than one action in 0..L per observation, the policy
            randomises, or it was trained on other observations.
        TypeError: the policy keeps a state.
    """
    placement, state = _choice(policy, scenario, transform)
    refuse_state(
        type(policy).__name__,
        state,
        "simulate it: bl.simulate(bl.PlacedPolicy(policy, scenario, placement), scenario.problem(placement)) with "
        "placement = bl.chosen_placement(policy, scenario), and add scenario.download.cost[placement]",
    )
    problem = scenario.problem(placement)
    score = evaluate(PlacedPolicy(policy, scenario, placement, transform), problem, grid=grid)
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
