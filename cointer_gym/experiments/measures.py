"""The numbers that claims are about: each a small record that says what to measure, and measures it.

Shares are fractions of the joint optimum: 0.3 is 30 %.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from cointer_gym.experiments import statistics
from cointer_gym.experiments.alternatives import RIVALS, Alternative
from cointer_gym.experiments.results import BenchmarkResults
from cointer_gym.experiments.study_rows import Study
from cointer_gym.records import Model
from cointer_gym.units import FloatArray

_TAKE: dict[str, Callable[[FloatArray], float]] = {"least": np.min, "median": np.median, "most": np.max}


class BenchmarkStatistic(Model, ABC):
    """A number of a benchmark."""

    @abstractmethod
    def of(self, results: BenchmarkResults) -> float:
        """The number."""


class Gap(BenchmarkStatistic):
    """Cost of a policy above the optimum as a share of it, mean over its seeds."""

    name: Literal["gap"]
    policy: str

    def of(self, results: BenchmarkResults) -> float:
        """The number."""
        return results.policy(self.policy).relative_gap


class WorstGap(BenchmarkStatistic):
    """The same of the worst seed."""

    name: Literal["worst_gap"]
    policy: str

    def of(self, results: BenchmarkResults) -> float:
        """The number."""
        return results.policy(self.policy).worst_relative_gap


class StudyStatistic(Model, ABC):
    """A number of one study, or of several together.

    Args:
        where: fields and the value that they hold at the points that count, e.g. ``{ hardware = "own" }``.
    """

    where: dict[str, str | float] = Field(default_factory=dict)

    def of(self, studies: Sequence[Study]) -> float:
        """The number.

        Raises:
            ValueError: no point counts, or a study lacks a field or every study the alternative.
        """
        for name, value in self.where.items():
            studies = [study.only(name, value) for study in studies]
        kept = [study for study in studies if study.rows]
        if not kept:
            raise ValueError(f"no point has {', '.join(f'{name} = {value!r}' for name, value in self.where.items())}")
        return self._of(kept)

    @abstractmethod
    def _of(self, studies: Sequence[Study]) -> float:
        """The number at the points that count."""


class Points(StudyStatistic):
    """How many points there are."""

    name: Literal["points"]

    def _of(self, studies: Sequence[Study]) -> float:
        return statistics.points(studies)


class Excess(StudyStatistic):
    """Least, median or largest cost of an alternative above the joint optimum, as a share of it.

    Args:
        take: which of the three.
        alternative: its name; ``any-rival`` takes all causal alternatives together.
    """

    name: Literal["excess"]
    take: Literal["least", "median", "most"]
    alternative: Alternative | Literal["any-rival"]

    def _of(self, studies: Sequence[Study]) -> float:
        named = RIVALS if self.alternative == "any-rival" else (Alternative(self.alternative),)
        held = [each for each in named if any(each in study.alternatives for study in studies)]
        excess = np.concatenate([statistics.pooled_excess(studies, each) for each in held])
        return float(_TAKE[self.take](excess))


class CountWithin(StudyStatistic):
    """At how many points the excess of an alternative is at most ``share``."""

    name: Literal["count_within"]
    alternative: Alternative
    share: float

    def _of(self, studies: Sequence[Study]) -> float:
        return float(np.sum(statistics.pooled_excess(studies, self.alternative) <= self.share))


class CountAbove(StudyStatistic):
    """At how many points the excess of an alternative is more than ``share``."""

    name: Literal["count_above"]
    alternative: Alternative
    share: float

    def _of(self, studies: Sequence[Study]) -> float:
        return float(np.sum(statistics.pooled_excess(studies, self.alternative) > self.share))


class CountCheaper(StudyStatistic):
    """At how many points one alternative is cheaper than another by over 0.1 % of the joint optimum."""

    name: Literal["count_cheaper"]
    alternative: Alternative
    than: Alternative

    def _of(self, studies: Sequence[Study]) -> float:
        return float(np.sum(statistics.beats(studies, self.alternative, self.than)))


class CountFields(StudyStatistic):
    """At how many points one field is less than, equal to, or greater than another."""

    name: Literal["count_fields"]
    field: str
    compared: Literal["less", "equal", "greater"]
    other: str

    def _of(self, studies: Sequence[Study]) -> float:
        first, second = (statistics.pooled(studies, name) for name in (self.field, self.other))
        compare = {"less": np.less, "equal": np.equal, "greater": np.greater}[self.compared]
        return float(np.sum(compare(first, second)))


class Mismatch(StudyStatistic):
    """Largest distance of a field from the cost of an alternative, as a share of that cost."""

    name: Literal["mismatch"]
    field: str
    alternative: Alternative

    def _of(self, studies: Sequence[Study]) -> float:
        cost = np.concatenate([study.cost(self.alternative) for study in studies])
        return float(np.abs(statistics.pooled(studies, self.field) / cost - 1.0).max())


Statistic = Annotated[
    Gap | WorstGap | Points | Excess | CountWithin | CountAbove | CountCheaper | CountFields | Mismatch,
    Field(discriminator="name"),
]
