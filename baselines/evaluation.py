"""Exact scores: of any policy, without rollouts.

A policy enters the cost only through two numbers per stage, P(offload) and E[x; offload]. For a deterministic policy
the set of SNRs at which it offloads is a union of intervals; their ends are bracketed on a grid and bisected, and the
law of the channel does the rest in closed form. A policy that randomises gives its offload probability, which is
integrated cell by cell.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cointer_gym.baselines.bellman import (
    optimal_thresholds,
    policy_value,
    reach_probability,
    split_probability,
    stop_part,
)
from cointer_gym.baselines.policies import Policy, StochasticPolicy
from cointer_gym.baselines.solution import relative_gap
from cointer_gym.channels import OffloadMoments
from cointer_gym.dynamics import OFFLOAD
from cointer_gym.observation import SplittingLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Amounts, checked_integer
from cointer_gym.units import BoolArray, FloatArray

_BISECTIONS = 40
_BELOW_OPTIMUM = 1e-9  # relative; rounding stays far below


@dataclass(frozen=True, eq=False, kw_only=True)
class ExactCost:
    """What a policy costs, beside the optimum of the same task."""

    amounts: Amounts[float]
    """Expected ETC, seconds and joules; None where the problem has no such terms."""
    optimum: float
    """Expected ETC of the optimum."""

    @property
    def cost(self) -> float:
        """Expected ETC."""
        return self.amounts.cost

    @property
    def time_s(self) -> float | None:
        """Expected seconds; None if the problem has no time terms."""
        return self.amounts.time_s

    @property
    def energy_j(self) -> float | None:
        """Expected joules; None if the problem has no energy terms."""
        return self.amounts.energy_j

    @property
    def gap(self) -> float:
        """Cost above the optimum, ETC."""
        return self.cost - self.optimum

    @property
    def relative_gap(self) -> float:
        """Cost above the optimum, as a share of the optimum."""
        return relative_gap(self.cost, self.optimum)


@dataclass(frozen=True, eq=False, kw_only=True)
class Score(ExactCost):
    """Exact performance of one policy on one problem: what one inference takes."""

    value: FloatArray
    """Expected ETC still to come at every stage, shape (M+1,)."""
    offload_probability: FloatArray
    """P(offload | stage n), shape (M,)."""
    split_probability: FloatArray
    """P(the network is split after layer n), shape (M+1,)."""
    stage_regret: FloatArray
    """Loss caused by the decisions at stage n, shape (M,): P(reach n) E[regret at n]; sums to ``gap``."""


def evaluate(policy: Policy, problem: StoppingProblem, *, grid: int = 4096) -> Score:
    """Score a policy exactly.

        J_0 - V_0 = sum_n P(reach n) E[Q_n(x, a) - min_a Q_n(x, a)]

    Args:
        policy: anything with ``predict``, queried with ``deterministic=True``; or with ``offload_probability`` if it
            randomises.
        problem: the problem its observations come from.
        grid: cells per stage over the observed SNR range. Two switches of a deterministic policy inside one cell
            (0.02 dB at the default) go unseen; a randomised policy is averaged over each cell, with an error that falls
            with the square of the cell: below 1e-6 relative at the default if it changes smoothly.

    Returns:
        Score: exact to about 1e-7 relative, the resolution of float32 observations.

    Raises:
        ValueError: ``predict`` returned something other than one action in {0, 1} per observation, or
            ``offload_probability`` something other than one probability; ``grid`` is no integer >= 1.
        TypeError: ``policy`` has no ``predict``.
        ArithmeticError: the policy beats the optimum, which only a bug can do.
    """
    return score_moments(policy_moments(policy, problem, grid=grid), problem)


def score_moments(moments: OffloadMoments, problem: StoppingProblem) -> Score:
    """Score the policy that has these offload probabilities and partial means of x, each of shape (M,)."""
    optimum = optimal_thresholds(problem)[1]
    values = problem.terms.map(lambda terms: policy_value(terms, problem, moments))
    value = values.cost
    if value[0] < optimum[0] * (1.0 - _BELOW_OPTIMUM):
        raise ArithmeticError(
            f"cost {value[0]!r} is below the optimum {optimum[0]!r}: the policy or the evaluation is faulty"
        )
    terms, go_on = problem.cost, 1.0 - moments.probability
    decided = stop_part(terms, moments) + go_on * (terms.device + optimum[1:])
    reach = reach_probability(moments)[:-1]
    return Score(
        amounts=values.map(lambda each: float(each[0])),
        optimum=float(optimum[0]),
        value=value,
        offload_probability=moments.probability,
        split_probability=split_probability(moments),
        stage_regret=np.multiply(reach, decided - optimum[:-1], out=np.zeros_like(reach), where=reach > 0),
    )


class Switches(NamedTuple):
    """Where a deterministic policy changes its mind as the SNR rises."""

    offloads_at_zero: BoolArray
    """Whether it offloads at the lowest SNR, shape (M,)."""
    stage: NDArray[np.intp]
    """Stage of each switch, non-decreasing, shape (S,)."""
    snr: FloatArray
    """Linear SNR of each switch, shape (S,), rising within a stage."""
    to_offload: BoolArray
    """Whether it offloads above the switch, shape (S,)."""


def switches(policy: Policy, problem: StoppingProblem, *, grid: int = 4096) -> Switches:
    """Locate every switch of a deterministic policy to the resolution of its observations; see ``evaluate``."""
    layout = SplittingLayout.of(problem)
    edges = layout.snr_edges(checked_integer("grid", grid, 1))
    chosen = offloads(policy, _grid_observations(layout, edges)).reshape(problem.horizon, grid + 1)
    stage, cell = np.nonzero(chosen[:, 1:] != chosen[:, :-1])
    low, high, to_offload = edges[cell], edges[cell + 1], chosen[stage, cell + 1]
    for _ in range(_BISECTIONS if stage.size else 0):
        middle = np.where(low > 0, np.sqrt(low * high), 0.5 * high)
        above = offloads(policy, layout.encode(stage, middle)) == to_offload
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return Switches(chosen[:, 0], stage, high, to_offload)


def policy_moments(policy: Policy, problem: StoppingProblem, *, grid: int = 4096) -> OffloadMoments:
    """P(offload) and E[x; offload] at every stage, shape (M,), of any policy; see ``evaluate``."""
    if not callable(getattr(policy, "predict", None)):
        raise TypeError(f"{type(policy).__name__} has no predict; a Solution gives its policy as solution.policy()")
    if isinstance(policy, StochasticPolicy):
        return _average_cells(policy, problem, grid)
    found = switches(policy, problem, grid=grid)
    always, above = problem.channel.offload_moments(0.0), problem.channel.offload_moments(found.snr)
    totals = []
    for whole, tail in zip(always, above, strict=True):
        total = np.where(found.offloads_at_zero, whole, 0.0)
        np.add.at(total, found.stage, np.where(found.to_offload, tail, -tail))
        totals.append(total)
    return OffloadMoments(np.clip(totals[0], 0.0, 1.0), totals[1])


def _average_cells(policy: StochasticPolicy, problem: StoppingProblem, grid: int) -> OffloadMoments:
    """Integrate an offload probability over the law of the SNR, by the trapezoidal rule in each cell."""
    layout = SplittingLayout.of(problem)
    edges = layout.snr_edges(checked_integer("grid", grid, 1))
    observations = _grid_observations(layout, edges)
    given = np.asarray(policy.offload_probability(observations), dtype=np.float64)
    if given.shape != observations.shape[:1] or not ((given >= 0) & (given <= 1)).all():
        raise ValueError(
            f"offload_probability returned shape {given.shape} for {observations.shape[0]} observations; "
            "expected one probability per observation, in [0, 1]"
        )
    probability = given.reshape(problem.horizon, grid + 1)
    weight = np.append(0.5 * (probability[:, 1:] + probability[:, :-1]), probability[:, -1:], axis=1)
    tail = problem.channel.offload_moments(np.append(edges, np.inf))
    uses = np.zeros_like(weight)  # what is never chosen adds nothing even where E[x] is infinite
    np.multiply(weight, -np.diff(tail.channel_uses), out=uses, where=weight > 0)
    return OffloadMoments(weight @ -np.diff(tail.probability), uses.sum(axis=1))


def _grid_observations(layout: SplittingLayout, edges: FloatArray) -> NDArray[np.float32]:
    """Every edge at every stage with a decision, shape (M * edges, M+2)."""
    stages = np.repeat(np.arange(layout.layers), edges.size)
    return layout.encode(stages, np.tile(edges, layout.layers))


def offloads(policy: Policy, observations: NDArray[np.float32]) -> BoolArray:
    """Whether the policy offloads, shape (batch,), for observations of shape (batch, M+2).

    Raises:
        ValueError: ``predict`` returned something other than one action in {0, 1} per observation.
    """
    if not observations.size:  # no layer on the device, nothing to ask; networks choke on empty batches
        return np.empty(0, dtype=np.bool_)
    actions = np.asarray(policy.predict(observations, deterministic=True)[0])
    if actions.shape != observations.shape[:1] or not np.isin(actions, (0, 1)).all():
        raise ValueError(
            f"predict returned shape {actions.shape} for {observations.shape[0]} observations; "
            "expected one action per observation, 0 or 1"
        )
    return np.asarray(actions == OFFLOAD)
