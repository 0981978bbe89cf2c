"""Model placement, the larger time scale: how many layers to download after each update of the network.

    total(M) = V_0(M) + (w_t + w_e P_r) sum_{l <= M} P_l / (R_d K)

V_0(M), the expected cost of one inference, falls with M because a longer horizon leaves more choice; the download,
spread over the K tasks until the next update, rises.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cointer_gym.baselines.bellman import look_ahead_thresholds, placement_values
from cointer_gym.baselines.rules import Solver, as_rule
from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario
from cointer_gym.units import BoolArray, FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class PlacementTable:
    """Cost per task of every placement M = 0..L under one splitting rule."""

    scenario: Scenario
    rule: str
    """Name of the rule."""
    inference_cost: FloatArray
    """Expected ETC of one inference, shape (L+1,)."""
    download_cost: FloatArray
    """ETC of the model download per task, shape (L+1,)."""
    allowed: BoolArray
    """Whether the layers fit into the memory of the device, shape (L+1,)."""

    @property
    def total(self) -> FloatArray:
        """Inference and download, shape (L+1,); inf where the layers do not fit."""
        return np.where(self.allowed, self.inference_cost + self.download_cost, np.inf)

    @property
    def placement(self) -> int:
        """The cheapest placement; the smallest of equals."""
        return int(np.argmin(self.total))

    @property
    def cost(self) -> float:
        """Total cost of the cheapest placement, ETC per task."""
        return float(self.total.min())

    @property
    def marginal_value(self) -> FloatArray:
        """What one more layer saves per inference, V_0(M) - V_0(M+1), shape (L,); >= 0 for a sound rule."""
        return -np.diff(self.inference_cost)

    def within(self, share: float) -> list[int]:
        """Placements whose total is at most ``1 + share`` times the least: how flat the optimum is.

        Raises:
            ValueError: ``share`` is negative.
        """
        if not share >= 0:
            raise ValueError(f"share = {share} must be >= 0")
        return [int(m) for m in np.flatnonzero(self.total <= (1.0 + share) * self.cost)]


def optimal_placement(scenario: Scenario, rule: str = "optimal") -> PlacementTable:
    """Evaluate every placement and take the cheapest; the usual rules take one batched backward pass for all.

    Args:
        scenario: network, hardware and prices.
        rule: how tasks are split, a name of ``RULES``: ``optimal``, ``look-ahead`` (one stage), ``device-only`` (run
            all placed layers, then upload: no decision online), ...

    Returns:
        PlacementTable: arrays of shape (L+1,).

    Raises:
        ValueError: unknown rule, or every placement that fits into the memory has infinite mean cost.

    Source:
        Yan, Bi, Zhang 2022, joint placement and splitting; the batched pass is this package's.
    """
    solve, problem = as_rule(rule).solve, scenario.problem()
    inference = _BATCHED[rule](problem) if rule in _BATCHED else _one_by_one(scenario, solve)
    allowed = np.arange(scenario.layers + 1) <= scenario.largest_placement
    if np.isinf(inference[allowed]).all():
        raise ValueError(
            f"{scenario.name}: min_efficiency = {problem.channel.min_efficiency} makes the mean cost of every "
            f"placement that fits into the memory infinite under rule = {rule!r}; give min_efficiency > 0"
        )
    return PlacementTable(
        scenario=scenario,
        rule=rule,
        inference_cost=inference,
        download_cost=scenario.download.cost,
        allowed=allowed,
    )


def _look_ahead(problem: StoppingProblem) -> FloatArray:
    """The rule looks at stages n and n+1 only, so all placements share its thresholds."""
    thresholds = problem.channel.threshold_snr(look_ahead_thresholds(problem, 1))
    return placement_values(problem, problem.channel.offload_moments(thresholds))


_BATCHED: dict[str, Callable[[StoppingProblem], FloatArray]] = {
    "optimal": placement_values,
    "look-ahead": _look_ahead,
    "device-only": lambda problem: problem.static_cost,
}


def _one_by_one(scenario: Scenario, solve: Solver) -> FloatArray:
    """Expected ETC of one inference with every placement; inf where a forced upload has no finite mean."""
    unbounded = np.isinf(scenario.channel_law.mean_channel_uses_per_bit)
    placements = range(scenario.layers + 1)
    return np.array(
        [np.inf if unbounded and m < scenario.layers else solve(scenario.problem(m)).cost for m in placements]
    )
