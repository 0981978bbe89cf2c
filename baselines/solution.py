"""What a solver returns: a threshold rule, its exact cost from every stage, and what is guaranteed about it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cointer_gym.baselines.bellman import optimal_thresholds, policy_value, split_probability
from cointer_gym.baselines.policies import ThresholdPolicy, checked_thresholds
from cointer_gym.channels import OffloadMoments
from cointer_gym.problem import StoppingProblem
from cointer_gym.units import FloatArray, linear_to_db

_ROUNDING = 1e-12  # relative; two exact recursions differ by less


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """A threshold rule for one problem: offload at stage n iff SNR >= ``threshold_snr[n]``."""

    problem: StoppingProblem
    rule: str
    """What the rule is, in words."""
    threshold_snr: FloatArray
    """Linear, shape (M,); 0 always, inf never."""
    value: FloatArray
    """Exact expected ETC still to come at every stage before its SNR is seen, shape (M+1,)."""
    split: int | None = None
    """The one stage at which a static rule splits; None if it depends on the channel."""

    @property
    def cost(self) -> float:
        """Exact expected ETC of one inference."""
        return float(self.value[0])

    @property
    def threshold_snr_db(self) -> FloatArray:
        """Thresholds in dB, shape (M,); -inf always, inf never."""
        return np.asarray(linear_to_db(self.threshold_snr))

    @cached_property
    def moments(self) -> OffloadMoments:
        """P(offload) and E[x; offload] at every stage, shape (M,)."""
        return self.problem.channel.offload_moments(self.threshold_snr)

    @property
    def offload_probability(self) -> FloatArray:
        """P(offload | stage n is reached), shape (M,)."""
        return self.moments.probability

    @property
    def split_probability(self) -> FloatArray:
        """P(the network is split after layer n), shape (M+1,)."""
        return split_probability(self.moments)

    @cached_property
    def relative_gap(self) -> float:
        """Exact (cost - optimum) / optimum; 0 to rounding certifies that the rule is optimal on this problem."""
        optimum = float(optimal_thresholds(self.problem)[1][0])
        return relative_gap(self.cost, optimum)

    @property
    def optimal(self) -> bool:
        """Certificate: the exact cost equals the optimum up to rounding."""
        return self.relative_gap <= _ROUNDING * (self.problem.horizon + 1)

    def policy(self) -> ThresholdPolicy:
        """The rule as a policy on the environment's observations."""
        return ThresholdPolicy(self.problem, self.threshold_snr)


def relative_gap(cost: float, optimum: float) -> float:
    """(cost - optimum) / optimum; where the optimum is free, 0 for a free policy and inf for every other."""
    if optimum > 0:
        return (cost - optimum) / optimum
    return 0.0 if cost <= 0 else float("inf")


def threshold_solution(
    problem: StoppingProblem, rule: str, threshold_snr: FloatArray, split: int | None = None
) -> Solution:
    """Score any threshold rule exactly.

        J_n = A_n (tau F(tau) - Phi(tau)) + B_n F(tau) + (1 - F(tau)) (c_n + J_{n+1})

    Args:
        problem: the problem.
        rule: its name.
        threshold_snr: linear, shape (M,).
        split: the stage of a static rule.

    Returns:
        Solution: with ``value`` of shape (M+1,).
    """
    thresholds = checked_thresholds(problem, threshold_snr)
    value = policy_value(problem.cost, problem, problem.channel.offload_moments(thresholds))
    return Solution(problem=problem, rule=rule, threshold_snr=thresholds, value=value, split=split)
