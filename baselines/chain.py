"""The recursion of a task in a finite-state channel: vectors over the levels, one per stage, exact to rounding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cointer_gym.channels import Rate
from cointer_gym.channels.finite_state import FiniteState
from cointer_gym.problem import StageTerms
from cointer_gym.units import BoolArray, FloatArray

_TIE = 1e-13  # relative: stopping and going on are equally good


class Chain:
    """A finite-state channel on the way through the stages of a task.

    Args:
        process: the channel, with S levels.
        rate: through which it is seen.
        elapsed_s: seconds from stage to stage, shape (M,).

    Raises:
        ValueError: a level never gets a bit through, or a time is no time of the chain.
    """

    def __init__(self, process: FiniteState, rate: Rate, elapsed_s: FloatArray) -> None:
        self._process, self._uses = process, rate.channel_uses_per_bit(process.levels_snr)
        if not np.isfinite(self._uses).all():
            raise ValueError(
                f"levels_snr[0] = {process.levels_snr[0]} never gets a bit through at min_efficiency = "
                f"{rate.min_efficiency}: give the link a most robust rate"
            )
        moves = {seconds: process.transition(seconds) for seconds in set(elapsed_s.tolist())}
        self._moves = [moves[seconds] for seconds in elapsed_s.tolist()]

    @property
    def uses(self) -> FloatArray:
        """Channel uses per bit at every level, shape (S,)."""
        return self._uses

    def optimal(self, terms: StageTerms) -> "LevelWalk":
        """The rule that stops where that costs no more than going on."""
        columns = StageTerms(airtime=terms.airtime[:, None], edge=terms.edge[:, None], device=terms.device[:, None])
        return self._walk(columns, None)

    def following(self, columns: StageTerms, sets: Sequence[FloatArray]) -> "LevelWalk":
        """The rule with given stopping sets."""
        return self._walk(columns, [_inside(self._process.levels_snr, part) for part in sets])

    def _walk(self, columns: StageTerms, stops: list[BoolArray] | None) -> "LevelWalk":
        upload = self._uses[:, None] * columns.airtime[:, None, :] + columns.edge[:, None, :]
        values: list[FloatArray] = [upload[-1]]
        on: list[FloatArray] = []
        chosen: list[BoolArray] = []
        for n in reversed(range(len(self._moves))):
            go_on = columns.device[n] + self._moves[n] @ values[0]
            stop = (upload[n] <= go_on * (1.0 + _TIE))[:, 0] if stops is None else stops[n]
            values.insert(0, np.where(stop[:, None], upload[n], go_on))
            on.insert(0, go_on)
            chosen.insert(0, stop)
        return LevelWalk(self._process, chosen, values, on)

    def mean_least(self, terms: StageTerms) -> float:
        """E[min_n (sum of the device costs before n + s_n)], with the whole path known.

        P(minimum > t) is one recursion for every t at which it may jump.
        """
        spent = np.append(0.0, np.cumsum(terms.device))
        total = spent[:, None] + self._uses * terms.airtime[:, None] + terms.edge[:, None]
        levels = np.unique(total)
        above = (total[-1][:, None] > levels).astype(np.float64)
        for n in reversed(range(len(self._moves))):
            above = np.where(total[n][:, None] > levels, self._moves[n] @ above, 0.0)
        survival = self._process.stationary @ above
        return float(levels[0] + (np.diff(levels) * survival[:-1]).sum())


@dataclass(frozen=True, eq=False)
class LevelWalk:
    """A rule on its way: V_0 .. V_M."""

    process: FiniteState
    stops: list[BoolArray]
    """Shape (S,), one per stage before the last."""
    values: list[FloatArray]
    """Shape (S, columns), one per stage."""
    on: list[FloatArray]
    """C_n, shape (S, columns), one per stage before the last."""

    @property
    def sets(self) -> tuple[FloatArray, ...]:
        """Stopping sets of stages 0 .. M-1 as SNRs, shape (k, 2) each: from a level that stops to one that does not."""
        return tuple(_intervals(self.process.levels_snr, stop) for stop in self.stops)

    def mean(self) -> FloatArray:
        """E[V_0], shape (columns,)."""
        return np.asarray(self.process.stationary @ self.values[0])

    def value(self, stage: int, snr: FloatArray) -> FloatArray:
        """V_n, shape (*snr.shape, columns)."""
        return np.asarray(self.values[stage][self.process.state(snr)])

    def going_on(self, stage: int, snr: FloatArray) -> FloatArray:
        """C_n, n < M, shape (*snr.shape, columns)."""
        if stage == len(self.on):
            raise ValueError(f"stage = {stage} is the last one: nothing goes on from there")
        return np.asarray(self.on[stage][self.process.state(snr)])


def _inside(snr: FloatArray, intervals: FloatArray) -> BoolArray:
    return np.asarray(np.searchsorted(intervals.ravel(), snr, side="right") % 2 == 1)


def _intervals(levels: FloatArray, stop: BoolArray) -> FloatArray:
    edges = np.concatenate([[0.0], levels[1:], [np.inf]])
    change = np.flatnonzero(np.diff(np.concatenate([[False], stop, [False]]).astype(np.int8)))
    return np.asarray(edges[change].reshape(-1, 2))
