"""The inner loop of a batch in few passes over it, compiled by Numba; the results are those of NumPy, bit for bit.

Loops do what IEEE arithmetic rounds in one way only: look-ups, sums, products, quotients, comparisons. Logarithms stay
with NumPy, whose last bits are its own.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cointer_gym.channels import ChannelLaw, Independent, Rate
from cointer_gym.channels.counter import MULTIPLIERS, WordArray
from cointer_gym.dynamics import KEPT
from cointer_gym.envs.kernel import Decision, Kernel
from cointer_gym.envs.task import Task
from cointer_gym.observation import Layout, Observation, PlacementLayout, SplittingLayout
from cointer_gym.units import FloatArray, IntArray

# What loops take from other files is part of what is kept on disk, which Numba knows by this file alone: touch it when
# MULTIPLIERS or KEPT change.
_FIRST, _SECOND = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
_SHIFT_30, _SHIFT_27, _SHIFT_12 = np.uint64(30), np.uint64(27), np.uint64(12)


def _compiled(loop: Any) -> Any:
    """The loop, compiled at its first use and kept on disk; without ``fastmath``, which would round otherwise."""
    try:
        return njit(loop, cache=True, error_model="numpy", nogil=True)
    except RuntimeError:  # there is no folder that it may be kept in
        return njit(loop, error_model="numpy", nogil=True)


class CompiledKernel(Kernel):
    """Compiled loops, wherever process, rate and layout are those that they are compiled from."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        moves, rate = self.moves, self.channel.rate
        self._rows = (*self.rewards, moves.after, moves.advance)
        self._choices = (moves.limit, moves.placed, moves.free_stage, moves.forced)
        plain = type(self.channel).channel_uses_per_bit is ChannelLaw.channel_uses_per_bit
        self._known_rate = plain and type(rate) is Rate
        self._writes = _known_layout(task)
        self._rate = (float(np.log(2.0)), rate.min_efficiency, rate.max_efficiency or np.inf)
        self._range = (*task.layout.snr_range, task.layout.average_snr)
        self._size = task.layout.size

    def decide(
        self, state: IntArray, placement: IntArray, counter: WordArray, uses: FloatArray, action: IntArray
    ) -> Decision:
        """Apply one action per slot; see ``Kernel``."""
        slots = state.size
        done = Decision(
            np.empty(slots, np.int64), np.empty(slots), np.empty(slots, np.int64), placement,
            np.empty(slots, np.uint64), np.empty(slots, np.bool_),
        )  # fmt: skip
        if self.moves.chooses:
            limit, placed, free_stage, forced = self._choices
            action = np.minimum(action, limit.take(state))
        _decide(state, counter, uses, action, *self._rows, self.moves.first_ended, *done[:3], *done[4:])
        if self.moves.chooses:
            done = done._replace(placement=_place(done.row, placement, done.state, placed, free_stage, forced))
        return done

    def snr(self, counter: WordArray) -> FloatArray:
        """Linear SNRs that the counters name."""
        if type(self.process) is not Independent:
            return super().snr(counter)
        fraction = np.empty(counter.size)
        _uniform(counter, fraction)
        return self.process.law.inverse_survival(fraction)

    def uses(self, snr: FloatArray) -> FloatArray:
        """Channel uses per bit of uploads at linear SNRs."""
        if not self._known_rate:
            return super().uses(snr)
        uses = np.log1p(snr)
        _uses(uses, *self._rate)
        return uses

    def observe(self, stage: NDArray[np.unsignedinteger], placement: IntArray, snr: FloatArray) -> Observation:
        """Observations, shape (slots, size)."""
        if self._writes is None:
            return super().observe(stage, placement, snr)
        slot, observations = np.empty(snr.size), np.empty((snr.size, self._size), np.float32)
        _ratio(snr, *self._range, slot)
        np.log10(slot, slot)
        if self._writes is SplittingLayout:
            _write_splitting(stage, slot, observations)
        else:
            _write_placement(stage, placement, slot, observations)
        return observations


def _known_layout(task: Task) -> type[Layout] | None:
    """The layout if it is one that the loops write, and the task shows nothing else."""
    from cointer_gym.envs.placement import PlacementTask
    from cointer_gym.envs.splitting import SplittingTask

    known = {SplittingTask.observe: SplittingLayout, PlacementTask.observe: PlacementLayout}
    layout = known.get(type(task).observe)
    return layout if type(task.layout) is layout else None


@_compiled
def _decide(  # type: ignore[no-untyped-def]
    state, counter, uses, action, airtime, fixed, after, advance, first_ended, row, reward, arrived, moved, ends
):
    for i in range(state.size):
        r = state[i] + action[i]
        x = uses[i]
        if airtime[r] == 0.0:  # nothing is uploaded, and x may be infinite
            x = 0.0
        row[i], arrived[i], moved[i] = r, after[r], counter[i] + advance[r]
        reward[i], ends[i] = airtime[r] * x + fixed[r], after[r] >= first_ended


@_compiled
def _place(row, placement, state, placed, free_stage, forced):  # type: ignore[no-untyped-def]
    chosen = np.empty_like(placement)
    for i in range(row.size):
        chosen[i] = placement[i] if placed[row[i]] == KEPT else placed[row[i]]
        if free_stage[state[i]] == chosen[i]:
            state[i] += forced
    return chosen


@_compiled
def _uniform(counter, fraction):  # type: ignore[no-untyped-def]
    for i in range(counter.size):
        word = (counter[i] ^ (counter[i] >> _SHIFT_30)) * _FIRST
        word = (word ^ (word >> _SHIFT_27)) * _SECOND
        fraction[i] = np.float64(word >> _SHIFT_12) * 2.0**-52 + 2.0**-53  # exact: an odd multiple of 2^-53


@_compiled
def _uses(logarithm, ln_2, least, most):  # type: ignore[no-untyped-def]
    for i in range(logarithm.size):
        efficiency = logarithm[i] / ln_2
        efficiency = least if efficiency < least else efficiency
        efficiency = most if efficiency > most else efficiency
        logarithm[i] = 1.0 / efficiency


@_compiled
def _ratio(snr, low, high, average, ratio):  # type: ignore[no-untyped-def]
    for i in range(snr.size):
        cut = low if snr[i] < low else snr[i]
        cut = high if cut > high else cut
        ratio[i] = cut / average


@_compiled
def _write_splitting(stage, slot, observations):  # type: ignore[no-untyped-def]
    last = observations.shape[1] - 1
    for i in range(stage.size):
        for k in range(last):
            observations[i, k] = 0.0
        observations[i, stage[i]] = 1.0
        observations[i, last] = slot[i]


@_compiled
def _write_placement(stage, placement, slot, observations):  # type: ignore[no-untyped-def]
    last = observations.shape[1] - 1
    second = 1 + last // 2  # where the stage begins, behind the phase and as many placements
    for i in range(stage.size):
        for k in range(last + 1):
            observations[i, k] = 0.0
        if placement[i] < 0:
            observations[i, 0] = 1.0
        else:
            observations[i, 1 + placement[i]] = 1.0
            observations[i, second + stage[i]] = 1.0
            observations[i, last] = slot[i]
