"""The arithmetic behind sentences and claims about studies: shares, extremes and where they are."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.study_rows import Study, StudyRow
from cointer_gym.units import BoolArray, FloatArray

TIE = 1e-3
"""Costs closer than this share of the joint optimum count as equal."""
NEAR = 0.01
"""An excess up to this share counts as near the joint optimum."""
MOSTLY = 0.95
"""A statement that holds at more than this share of the points holds in general."""


class Spread(NamedTuple):
    """Distances of an alternative to the joint optimum, ordered by their size; shares of the joint optimum."""

    least: float
    median: float
    most: float
    most_at: StudyRow


def points(studies: Iterable[Study]) -> int:
    """Number of solved points."""
    return sum(len(study.rows) for study in studies)


def pooled(studies: Iterable[Study], column: str) -> FloatArray:
    """A numeric field at all points of all studies, shape (points,)."""
    return np.concatenate([study.column(column) for study in studies])


def pooled_excess(studies: Iterable[Study], alternative: Alternative) -> FloatArray:
    """Excess of an alternative at all points of all studies that hold it, shape (points,)."""
    return np.concatenate([study.excess(alternative) for study in _holding(studies, alternative)])


def beats(studies: Iterable[Study], first: Alternative, second: Alternative) -> BoolArray:
    """Whether the first of two alternatives is cheaper by more than a tie, at all points."""
    held = list(studies)
    return np.asarray(pooled_excess(held, first) < pooled_excess(held, second) - TIE)


def gained(study: Study, alternative: Alternative) -> BoolArray:
    """Whether the joint optimum is cheaper than an alternative by more than a tie, shape (rows,)."""
    return np.asarray(study.excess(alternative) > TIE)


def equal(study: Study, first: str, second: str) -> BoolArray:
    """Whether two numeric fields hold the same number, shape (rows,)."""
    return np.asarray(study.column(first) == study.column(second))


def farthest(studies: Iterable[Study], alternative: Alternative) -> tuple[Study, StudyRow]:
    """The point at which an alternative costs most above the joint optimum, and its study."""
    held = _holding(studies, alternative)
    study = max(held, key=lambda each: float(each.excess(alternative).max()))
    return study, study.rows[int(np.argmax(study.excess(alternative)))]


def spread(study: Study, alternative: Alternative) -> Spread:
    """Least, median and largest distance of an alternative to the joint optimum, and where the largest is."""
    excess = study.excess(alternative)
    order = np.argsort(np.abs(excess), kind="stable")
    least, most = float(excess[order[0]]), float(excess[order[-1]])
    return Spread(least, float(np.median(excess)), most, study.rows[order[-1]])


def _holding(studies: Iterable[Study], alternative: Alternative) -> list[Study]:
    held = [study for study in studies if alternative in study.alternatives]
    if not held:
        raise ValueError(f"no study holds the alternative {str(alternative)!r}")
    return held
