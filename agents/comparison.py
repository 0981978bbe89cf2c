"""The joint optimum of placement and splitting beside its alternatives, all exact and all for one scenario.

Costs are expected ETC per task, with the download of the model spread over the K tasks until its next update.
"""

from typing import Any

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.scenario import Scenario

JOINT = "Joint optimum"
AHEAD = "Look-ahead splitting and placement"
AHEAD_PLACED = "Optimal splitting on look-ahead placement"
FULL = "Optimal splitting on full placement"
HALF = "Optimal splitting on half placement"
STATIC = "Best static split"
DEVICE = "Device only"
EDGE = "Edge only"
CLAIRVOYANT = "Clairvoyant bound"
RIVALS = (AHEAD, AHEAD_PLACED, FULL, HALF, STATIC, DEVICE, EDGE)
"""What the joint optimum is compared with; none may be cheaper."""

ROUNDING = 1e-9  # relative; exact quantities computed along different paths agree far better


def causal_costs(scenario: Scenario) -> dict[str, float]:
    """Total cost of the joint optimum and of its rivals, ETC per task.

    Full placement is all layers that fit into the memory of the device, half placement half the network or what fits;
    ``Device only`` runs all layers that fit; the best static split downloads just the layers it runs.

    Raises:
        ArithmeticError: a rival is cheaper than the joint optimum, which only a bug can do.
    """
    optimal = bl.optimal_placement(scenario)
    ahead, static = bl.optimal_placement(scenario, "look-ahead"), bl.optimal_placement(scenario, "static")
    most = scenario.largest_placement
    costs = {
        JOINT: optimal.cost,
        AHEAD: ahead.cost,
        AHEAD_PLACED: optimal.total[ahead.placement],
        FULL: optimal.total[most],
        HALF: optimal.total[min(scenario.layers // 2, most)],
        STATIC: static.cost,
        DEVICE: static.total[most],
        EDGE: static.total[0],
    }
    return _ordered(scenario, {name: float(cost) for name, cost in costs.items()})


def alternatives(scenario: Scenario) -> dict[str, float]:
    """``causal_costs`` and the clairvoyant bound, which knows the fading of a task (not of the future) in advance.

    Returns:
        dict: expected ETC per task by name; clairvoyant <= joint optimum <= all others.

    Raises:
        ArithmeticError: that order does not hold, which only a bug can do.
    """
    finite = np.flatnonzero(np.isfinite(bl.optimal_placement(scenario).total))
    bounds = [bl.clairvoyant_cost(scenario.problem(int(m))) + scenario.download_cost[m] for m in finite]
    return _ordered(scenario, {**causal_costs(scenario), CLAIRVOYANT: float(min(bounds))})


def _ordered(scenario: Scenario, costs: dict[str, float]) -> dict[str, float]:
    slack = ROUNDING * costs[JOINT]
    for name, cost in costs.items():
        if (cost > costs[JOINT] + slack) if name == CLAIRVOYANT else not cost >= costs[JOINT] - slack:
            raise ArithmeticError(
                f"{scenario.name}: {name} costs {cost!r}, the joint optimum {costs[JOINT]!r}: one of them is wrong"
            )
    return costs


def amounts(scenario: Scenario, solution: bl.Solution) -> tuple[float, float]:
    """Expected seconds and joules per task of a splitting rule, with its share of the model download."""
    score = bl.score_moments(solution.moments, solution.problem)
    download_s = float(scenario.download_s[solution.problem.horizon])
    return (score.time_s or 0.0) + download_s, (score.energy_j or 0.0) + scenario.link.rx_power_w * download_s


def optimum_facts(scenario: Scenario) -> dict[str, Any]:
    """Placement, split distribution, seconds and joules of the joint optimum, and what the other rules place."""
    placement = bl.optimal_placement(scenario).placement
    optimum = bl.backward_induction(scenario.problem(placement))
    splits = optimum.split_probability
    seconds, joules = amounts(scenario, optimum)
    return {
        "layers": scenario.layers,
        "placement": placement,
        "look_ahead_placement": bl.optimal_placement(scenario, "look-ahead").placement,
        "static_split": bl.optimal_placement(scenario, "static").placement,
        "split_depth": float(splits @ np.arange(splits.size)),
        "split_entropy_bits": float(-np.sum(splits * np.log2(np.where(splits > 0, splits, 1.0)))),
        "time_s": seconds,
        "energy_j": joules,
    }
