"""Two sides of a comparison, timed in turns: what slows the machine down for a while hits both."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cointer_gym.experiments.speed import Comparison, Goal, Group

Key = TypeVar("Key")

_DIGITS = 4  # significant ones that a time on a computer has at best


def _nothing() -> None:
    """What most sides need before a round."""


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    rounds: int
    seconds: float
    """Of one round, at least."""


FULL, QUICK = Effort(rounds=15, seconds=0.1), Effort(rounds=5, seconds=0.02)


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Args:
        run: what is timed.
        count: how many things one ``run`` does: steps, solutions.
        prepare: called before every round, untimed.
        once: a round is one ``run``; otherwise it is repeated until a round is long enough.
        name: of a peer.
        error: of its result, as a share of the exact value.
    """

    run: Callable[[], object]
    count: int = 1
    prepare: Callable[[], object] = _nothing
    once: bool = False
    name: str = ""
    error: float | None = None

    def lasting(self, seconds: float) -> "Side":
        """The side with ``run`` repeated so often that it takes at least that long, warmed up."""
        if self.once:
            return self
        _time(self)
        times = math.ceil(seconds / min(_time(self) for _ in range(3)))

        def repeated() -> None:
            for _ in range(times):
                self.run()

        return replace(self, run=repeated, count=times * self.count)

    def numbers(self, seconds: NDArray[np.float64], unit: str) -> NDArray[np.float64]:
        """Seconds of rounds as numbers in ``unit``: seconds of one thing, or things per second."""
        return np.asarray(seconds / self.count if unit == "s" else self.count / seconds)


@dataclass(frozen=True)
class Absent:
    """A peer that is not installed."""

    name: str


@dataclass(frozen=True)
class SideBySide:
    """Measures comparisons and keeps them.

    Args:
        benchmark: pytest-benchmark's fixture, which times our side.
        effort: how long to measure.
        goals: by the id of the comparison.
        found: where comparisons are kept.
    """

    benchmark: Any
    effort: Effort
    goals: dict[str, Goal]
    found: list[Comparison]

    def __call__(
        self,
        id: str,
        group: Group,
        what: str,
        unit: str,
        ours: Side,
        peer: Side | Absent | None = None,
        rounds: int | None = None,
    ) -> Comparison:
        """Time both sides in turns, after one round of each that does not count; the peer begins and ends."""
        ours = ours.lasting(self.effort.seconds)
        other = peer.lasting(self.effort.seconds) if isinstance(peer, Side) else None
        between: list[float] = []

        def before() -> None:
            if other is not None:
                between.append(_time(other))
            ours.prepare()

        self.benchmark.group = group
        self.benchmark.pedantic(ours.run, setup=before, rounds=rounds or self.effort.rounds, warmup_rounds=1)
        mine = ours.numbers(np.array(self.benchmark.stats.stats.data), unit)
        theirs = None
        if other is not None:
            around = np.array([*between[1:], _time(other)])
            theirs = other.numbers((around[1:] + around[:-1]) / 2, unit)
        return self.keep(
            Comparison(
                id=id,
                group=group,
                what=what,
                unit=unit,
                ours=_median(mine),
                ours_error=ours.error,
                **_beside(mine, theirs),
                peer_name=f"{peer.name}, not installed" if isinstance(peer, Absent) else peer.name if peer else "",
                peer_error=other.error if other else None,
                goal=self.goals.get(id),
            )
        )

    def keep(self, comparison: Comparison) -> Comparison:
        """Keep a comparison for tables and files, and beside pytest-benchmark's own numbers."""
        self.benchmark.extra_info.update(comparison.model_dump(mode="json"))
        self.found.append(comparison)
        return comparison


def in_turns(measure: SideBySide, sides: Mapping[Key, Side]) -> dict[Key, float]:
    """Least seconds of one run of each of several sides, all of them once a round; the first is pytest-benchmark's.

    Least, not median: these are subtracted from each other, and what disturbs one of them must not remain.
    """
    part = measure.effort.seconds / 10  # there are many
    first, *others = (side.lasting(part) for side in sides.values())
    rounds: list[list[float]] = []
    measure.benchmark.group = "step"
    measure.benchmark.pedantic(
        first.run,
        setup=lambda: rounds.append([_time(side) / side.count for side in others]),
        rounds=measure.effort.rounds,
        warmup_rounds=1,
    )
    own = min(measure.benchmark.stats.stats.data) / first.count
    return dict(zip(sides, [own, *np.min(rounds[1:], axis=0).tolist()], strict=True))


def _time(side: Side) -> float:
    """Seconds of one prepared run."""
    side.prepare()
    start = perf_counter()
    side.run()
    return perf_counter() - start


def _beside(mine: NDArray[np.float64], theirs: NDArray[np.float64] | None) -> dict[str, float]:
    """The peer's number, and the ratios of the rounds; ``theirs`` are means of the two rounds around each of ours."""
    if theirs is None:
        return {}
    low, middle, high = (rounded(each) for each in np.quantile(mine / theirs, [0.25, 0.5, 0.75]))
    return {"peer": _median(theirs), "ratio": middle, "ratio_low": low, "ratio_high": high}


def _median(numbers: NDArray[np.float64]) -> float:
    return rounded(np.median(numbers))


def rounded(number: Any) -> float:
    """A number with the digits that a time has."""
    return float(f"{number:.{_DIGITS}g}")
