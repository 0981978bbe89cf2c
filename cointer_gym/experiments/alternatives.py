"""The one comparison of alternatives: a rule that splits tasks, on as many layers as somebody would place.

Everything is exact and for one scenario. Costs are expected ETC per task, with the download of the model spread over
the K tasks until its next update. The names of alternatives and rules decide, their labels are only shown.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.scenario import Scenario

ROUNDING = 1e-9  # relative; exact quantities computed along different paths agree far better


class Alternative(StrEnum):
    """What is compared on one scenario."""

    JOINT = "joint-optimum"
    AHEAD = "look-ahead"
    AHEAD_PLACED = "optimal-on-look-ahead-placement"
    FULL = "optimal-on-full-placement"
    HALF = "optimal-on-half-placement"
    STATIC = "best-static"
    DEVICE = "device-only"
    EDGE = "edge-only"
    CLAIRVOYANT = "clairvoyant"

    @property
    def label(self) -> str:
        """How it is shown, and the heading of its column in a CSV."""
        return LABELS[self]


LABELS: Mapping[Alternative, str] = MappingProxyType(
    {
        Alternative.JOINT: "Joint optimum",
        Alternative.AHEAD: "Look-ahead splitting and placement",
        Alternative.AHEAD_PLACED: "Optimal splitting on look-ahead placement",
        Alternative.FULL: "Optimal splitting on full placement",
        Alternative.HALF: "Optimal splitting on half placement",
        Alternative.STATIC: "Best static split",
        Alternative.DEVICE: "Device only",
        Alternative.EDGE: "Edge only",
        Alternative.CLAIRVOYANT: "Clairvoyant bound",
    }
)
CAUSAL = tuple(each for each in Alternative if each is not Alternative.CLAIRVOYANT)
"""The joint optimum and its rivals."""
RIVALS = tuple(each for each in CAUSAL if each is not Alternative.JOINT)
"""What the joint optimum is compared with; none may be cheaper."""


class Comparison:
    """Rules and placements on one scenario; what several alternatives need is solved once.

    Full placement is all layers that fit into the memory of the device, half placement half the network or what fits;
    ``DEVICE`` runs all layers that fit; the best static split downloads just the layers it runs.

    Args:
        scenario: network, hardware and prices.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._tables: dict[str, bl.PlacementTable] = {}

    def table(self, rule: str) -> bl.PlacementTable:
        """Every placement under a rule.

        Raises:
            ValueError: unknown rule, or every placement that fits into the memory has infinite mean cost.
        """
        if rule not in self._tables:
            self._tables[rule] = bl.optimal_placement(self.scenario, rule)
        return self._tables[rule]

    def suits(self, rule: str) -> int:
        """The placement that suits a rule best; all that fits where everything is to run on the device."""
        return self.scenario.largest_placement if rule == "device-only" else self.table(rule).placement

    def score_rule(self, rule: str, placement: int) -> bl.JointScore:
        """Exact score of a rule with so many layers placed, download included."""
        problem = self.scenario.problem(placement)
        solution = bl.as_rule(rule).solve(problem)
        return bl.joint_score(bl.score_moments(solution.moments, problem), placement, self.table("optimal"))

    def placed(self, alternative: Alternative) -> int:
        """Layers that a causal alternative places."""
        return _PLACED[alternative](self)

    def solution(self, alternative: Alternative) -> bl.Solution:
        """How a causal alternative splits."""
        return bl.as_rule(_SPLITS[alternative]).solve(self.scenario.problem(self.placed(alternative)))

    def score(self, alternative: Alternative) -> bl.JointScore:
        """Exact score of a causal alternative, download included."""
        return self.score_rule(_SPLITS[alternative], self.placed(alternative))

    def cost(self, alternative: Alternative) -> float:
        """Cost of an alternative, ETC per task."""
        if alternative is Alternative.CLAIRVOYANT:
            return self.clairvoyant_cost
        return float(self.table(_SPLITS[alternative]).total[self.placed(alternative)])

    @cached_property
    def clairvoyant_cost(self) -> float:
        """Cost of a task if its fading, not that of the future, is known in advance, with the placement best for it."""
        finite = np.flatnonzero(np.isfinite(self.table("optimal").total))
        download = self.scenario.download.cost
        return float(min(bl.clairvoyant_cost(self.scenario.problem(int(m))) + download[m] for m in finite))

    def costs(self, alternatives: Iterable[Alternative] = Alternative) -> dict[Alternative, float]:
        """Cost of each alternative, ETC per task.

        Raises:
            ArithmeticError: not clairvoyant <= joint optimum <= all others, which only a bug can do.
        """
        optimum = self.cost(Alternative.JOINT)
        found = {alternative: self.cost(alternative) for alternative in alternatives}
        slack = ROUNDING * optimum
        for alternative, cost in found.items():
            bound = alternative is Alternative.CLAIRVOYANT
            if (cost > optimum + slack) if bound else not cost >= optimum - slack:
                raise ArithmeticError(
                    f"{self.scenario.name}: {alternative.label} costs {cost!r}, the joint optimum {optimum!r}: "
                    "one of them is wrong"
                )
        return found


_SPLITS: Mapping[Alternative, str] = MappingProxyType(
    {
        Alternative.JOINT: "optimal",
        Alternative.AHEAD: "look-ahead",
        Alternative.AHEAD_PLACED: "optimal",
        Alternative.FULL: "optimal",
        Alternative.HALF: "optimal",
        Alternative.STATIC: "device-only",
        Alternative.DEVICE: "device-only",
        Alternative.EDGE: "device-only",
    }
)
"""The rule by which tasks are split; without a layer placed, the device has nothing to run and sends the input."""

_PLACED: Mapping[Alternative, Callable[[Comparison], int]] = MappingProxyType(
    {
        Alternative.JOINT: lambda here: here.table("optimal").placement,
        Alternative.AHEAD: lambda here: here.table("look-ahead").placement,
        Alternative.AHEAD_PLACED: lambda here: here.table("look-ahead").placement,
        Alternative.FULL: lambda here: here.scenario.largest_placement,
        Alternative.HALF: lambda here: min(here.scenario.layers // 2, here.scenario.largest_placement),
        Alternative.STATIC: lambda here: here.table("device-only").placement,
        Alternative.DEVICE: lambda here: here.scenario.largest_placement,
        Alternative.EDGE: lambda _: 0,
    }
)
