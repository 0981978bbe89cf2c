"""Exact scores: of any policy, without rollouts.

A policy enters the cost only through two numbers per stage, P(offload) and E[x; offload]. For a deterministic policy
the set of SNRs at which it offloads is a union of intervals; their ends are bracketed on a grid and bisected, and the
law of the channel does the rest in closed form. A policy that randomises gives its offload probability, which is
integrated cell by cell.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from cointer_gym.baselines.asking import AskedSplitting, Transform
from cointer_gym.baselines.averaging import average
from cointer_gym.baselines.bellman import (
    optimal_thresholds,
    policy_value,
    reach_probability,
    split_probability,
    stop_part,
)
from cointer_gym.baselines.policies import Policy
from cointer_gym.baselines.solution import relative_gap
from cointer_gym.baselines.switching import find_switches, switched_moments
from cointer_gym.channels import OffloadMoments
from cointer_gym.observation import SplittingLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Amounts, checked_integer
from cointer_gym.units import FloatArray

_PROMISED = 1e-6  # relative, of policies that randomise
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


def evaluate(
    policy: Policy, problem: StoppingProblem, *, grid: int = 4096, transform: Transform | None = None
) -> Score:
    """Score a policy exactly.

        J_0 - V_0 = sum_n P(reach n) E[Q_n(x, a) - min_a Q_n(x, a)]

    What is scored is the policy as the environment runs it, on float32 observations. The policy must be a function of
    the single observation; one that keeps a state or sees past observations is refused (see ``simulate``).

    A deterministic policy is asked on a grid of SNRs, and 64 times as closely around every switch that shows; switches
    are then bisected to rounding. The score is exact to 1e-9 relative, as the channel law is, unless two switches lie
    between neighbours on the grid and none near them: such a band goes unseen, and changes P(offload) of its stage by
    the band's own probability. No cell of the grid is wider than 2 / ``grid`` of the range of the law in dB (0.02 dB at
    40 dB and the default), or holds much more than 2 / ``grid`` of the probability. On a measured trace the samples
    themselves are on the grid, so nothing goes unseen if they have at most ``grid`` distinct values.

    A policy that randomises is integrated over cells that are halved until the error is below 1e-6 relative, estimated
    by comparing two rules; where that is not reached, a warning says by how much. A peak of its probability that lies
    between neighbours of the first grid goes unseen, as above.

    Args:
        policy: anything with ``predict``, queried with ``deterministic=True``; or with ``offload_probability`` if it
            randomises. The normalisation that a model of Stable-Baselines3 carries (``get_vec_normalize_env``) is
            applied.
        problem: the problem its observations come from.
        grid: cells per stage over the SNRs that matter, ``channel.snr_range``.
        transform: what the policy takes, from observations of shape (batch, M+2); replaces the model's own
            normalisation. ``lambda seen: seen`` gives it the observations as they are, whatever it was trained on.

    Returns:
        Score: the cost and its parts.

    Raises:
        ValueError: ``predict`` returned something other than one action in {0, 1} per observation, or
            ``offload_probability`` something other than one probability; ``predict`` gave other answers when asked
            again; without ``transform``, the policy was trained on other observations; ``grid`` is no integer >= 1.
        TypeError: ``policy`` has no ``predict``, or keeps a state.
        ArithmeticError: the policy beats the optimum, which only a bug can do.
    """
    moments, errors = _moments(policy, problem, grid, transform)
    if errors is None:
        return score_moments(moments, problem)
    doubt = _doubt(moments, errors, problem)
    score = _score(moments, problem, doubt)
    if doubt > _PROMISED * score.cost:
        warnings.warn(
            f"the cost {score.cost:g} of {type(policy).__name__} is only known to {doubt / score.cost:.1e} relative, "
            f"not to {_PROMISED:g}: its probability changes too abruptly; raise grid = {grid}",
            stacklevel=2,
        )
    return score


def policy_moments(
    policy: Policy, problem: StoppingProblem, *, grid: int = 4096, transform: Transform | None = None
) -> OffloadMoments:
    """P(offload) and E[x; offload] at every stage, shape (M,), of any policy; see ``evaluate``."""
    return _moments(policy, problem, grid, transform)[0]


def score_moments(moments: OffloadMoments, problem: StoppingProblem) -> Score:
    """Score the policy that has these offload probabilities and partial means of x, each of shape (M,)."""
    return _score(moments, problem, 0.0)


def _moments(
    policy: Policy, problem: StoppingProblem, grid: int, transform: Transform | None
) -> tuple[OffloadMoments, OffloadMoments | None]:
    """The moments and, of a policy that randomises, how uncertain they are."""
    asked = AskedSplitting(policy, SplittingLayout.of(problem), transform)
    if asked.randomises:
        return average(asked, problem, checked_integer("grid", grid, 1))
    return switched_moments(find_switches(asked, problem, grid), problem), None


def _doubt(moments: OffloadMoments, errors: OffloadMoments, problem: StoppingProblem) -> float:
    """How uncertain the cost is, to first order in the errors of the moments; ETC."""
    terms, value = problem.cost, policy_value(problem.cost, problem, moments)
    if not np.isfinite(value[0]):
        return 0.0
    with np.errstate(invalid="ignore"):  # stages that are never reached may cost infinitely much
        at_stage = terms.airtime[:-1] * errors.channel_uses
        at_stage += terms.edge[:-1] * errors.probability + (terms.device + value[1:]) * errors.waiting
    reach = reach_probability(moments)[:-1]
    return float(np.sum(np.multiply(reach, at_stage, out=np.zeros_like(reach), where=reach > 0)))


def _score(moments: OffloadMoments, problem: StoppingProblem, doubt: float) -> Score:
    """The score, of moments that leave the cost uncertain by ``doubt``."""
    optimum = optimal_thresholds(problem)[1]
    values = problem.terms.map(lambda terms: policy_value(terms, problem, moments))
    value = values.cost
    if value[0] < optimum[0] * (1.0 - _BELOW_OPTIMUM) - doubt:
        raise ArithmeticError(
            f"cost {value[0]!r} is below the optimum {optimum[0]!r}: the policy or the evaluation is faulty"
        )
    terms, go_on = problem.cost, moments.waiting
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
