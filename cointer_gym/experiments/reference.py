"""What the learned policies of a benchmark are compared with: the registered rules and the clairvoyant bound."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from cointer_gym import baselines as bl
from cointer_gym.envs.task import Task
from cointer_gym.experiments.alternatives import Comparison


class Reference(Protocol):
    """Exact scores of the analytic policies on one task."""

    def score(self, rule: str) -> bl.Score | bl.JointScore:
        """Score of a rule; where the placement is chosen, with the one that suits the rule."""

    @property
    def clairvoyant_cost(self) -> float:
        """Expected ETC that no causal policy passes."""


class GivenPlacement:
    """The rules as policies that act on observations, like the learned ones."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._solved = bl.reference_rules(task.problem)

    def score(self, rule: str) -> bl.Score | bl.JointScore:
        """Score of a rule."""
        return self._task.score(self._solved[rule].policy())

    @property
    def clairvoyant_cost(self) -> float:
        """Expected ETC of one inference whose fading is known in advance."""
        return bl.clairvoyant_cost(self._task.problem)


class ChosenPlacement:
    """Every rule with the placement that suits it."""

    def __init__(self, task: Task) -> None:
        self._here = Comparison(task.scenario)

    def score(self, rule: str) -> bl.JointScore:
        """Score of a rule, download included."""
        return self._here.score_rule(rule, self._here.suits(rule))

    @property
    def clairvoyant_cost(self) -> float:
        """Expected ETC with the placement best for knowing the fading in advance."""
        return self._here.clairvoyant_cost


_REFERENCES: Mapping[str, Callable[[Task], Reference]] = MappingProxyType(
    {"splitting": GivenPlacement, "placement": ChosenPlacement}
)


def reference(task: Task) -> Reference:
    """The analytic policies of a task."""
    return _REFERENCES[task.name](task)
