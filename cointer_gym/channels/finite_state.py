"""A channel that is a Markov chain of SNR levels: from a matrix, from a generator, or counted off a trace."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels.counter import WordArray, uniform
from cointer_gym.channels.markov import MarkovProcess
from cointer_gym.channels.rate import Rate
from cointer_gym.records import checked_integer
from cointer_gym.units import FloatArray, IntArray

_STOCHASTIC = 1e-9  # how far a row may be from summing to 1
_EVEN = 0.01  # share of the median step by which steps of a trace may differ
_WHOLE = 1e-9  # how near to a whole number of steps an elapsed time is one


@dataclass(frozen=True, eq=False)
class FiniteState(MarkovProcess):
    """A Markov chain of SNR levels.

    A task that takes a whole number of steps moves by that power of the matrix. Other times need a generator Q with
    e^(Q step_s) = ``matrix``; a matrix that has none is refused there and not interpolated.

    Args:
        levels_snr: linear SNRs, shape (S,), strictly increasing: what is seen names the state.
        matrix: P(level j a step later | level i), shape (S, S), rows sum to 1.
        step_s: seconds of one step, > 0.
        start: stationary probabilities, shape (S,); needed only where the matrix has more than one such law.

    Raises:
        ValueError: a wrong shape, levels out of order, a row that is no law, or no single stationary law.
    """

    levels_snr: FloatArray
    matrix: FloatArray
    step_s: float
    start: FloatArray | None = None

    def __post_init__(self) -> None:
        levels = np.array(self.levels_snr, dtype=np.float64)
        _check_levels(levels)
        matrix = _checked_matrix(np.array(self.matrix, dtype=np.float64), levels.size)
        if not 0 < self.step_s < np.inf:
            raise ValueError(f"step_s = {self.step_s} must be finite and > 0")
        start = None if self.start is None else _checked_start(np.array(self.start, dtype=np.float64), matrix)
        for name, array in (("levels_snr", levels), ("matrix", matrix), ("start", start)):
            if array is not None:
                array.setflags(write=False)
            object.__setattr__(self, name, array)
        if start is None and _stationary_laws(matrix) != 1:
            raise ValueError(
                f"matrix has {_stationary_laws(matrix)} stationary laws, because it falls into classes that never "
                "meet: start must say which one holds"
            )

    @classmethod
    def from_generator(cls, levels_snr: ArrayLike, generator_per_s: ArrayLike, step_s: float = 1.0) -> Self:
        """The chain of a generator Q: rates of the jumps off the diagonal, rows that sum to 0.

        Args:
            levels_snr: linear SNRs, shape (S,), strictly increasing.
            generator_per_s: Q, shape (S, S), 1/s.
            step_s: seconds of the steps in which it is written down; any other time is as exact.

        Raises:
            ValueError: no generator, or as for the class.
        """
        from scipy.linalg import expm

        rates = np.array(generator_per_s, dtype=np.float64)
        size = np.size(levels_snr)
        if rates.shape != (size, size):
            raise ValueError(f"generator_per_s has shape {rates.shape}, expected ({size}, {size})")
        scale = np.abs(rates).max(initial=0.0)
        if not np.isfinite(rates).all() or (rates[~np.eye(size, dtype=bool)] < 0).any():
            raise ValueError("generator_per_s must be finite, and >= 0 off its diagonal")
        off = np.flatnonzero(np.abs(rates.sum(axis=1)) > _STOCHASTIC * scale)
        if off.size:
            raise ValueError(f"generator_per_s[{off[0]}] sums to {rates[off[0]].sum():g}, a row must sum to 0")
        chain = cls(np.asarray(levels_snr, dtype=np.float64), _as_stochastic(expm(rates * step_s)), step_s)
        chain.__dict__["_generator"] = rates
        return chain

    @classmethod
    def fit(
        cls,
        trace_snr: ArrayLike,
        times_s: ArrayLike,
        states: int,
        *,
        rate: Rate | None = None,
        gaps: Literal["error", "bridge"] = "error",
    ) -> Self:
        """Count a chain off a trace: equally many samples per level, and how often one level follows another.

        The last sample is followed by the first one, so that the chain visits every level as often as the trace does.
        A level is the SNR at which an upload takes as long as it does on average over the level's samples: the mean
        upload is that of the trace.

        Args:
            trace_snr: linear SNRs in the order of time, shape (N,).
            times_s: their time stamps, rising in equal steps to within 1 %.
            states: number of levels, from 1 to N; levels that take equally long are one.
            rate: the rate through which the SNR matters; that of LTE without an upper limit unless given.
            gaps: a longer step is an error, or bridged: the sample after it follows as if it came one step later.

        Raises:
            ValueError: shapes that do not fit, times that do not rise, a gap, or a rate that a sample has none of.
        """
        snr, times = np.asarray(trace_snr, dtype=np.float64), np.asarray(times_s, dtype=np.float64)
        step_s = _regular_step(snr, times, gaps)
        count = checked_integer("states", states, 1, snr.size)
        seen = Rate() if rate is None else rate
        uses = seen.channel_uses_per_bit(snr)
        if not np.isfinite(uses).all():
            raise ValueError(
                f"trace_snr[{np.flatnonzero(~np.isfinite(uses))[0]}] = 0 never gets a bit through: the rate needs a "
                "min_efficiency > 0"
            )
        level = np.empty(snr.size, dtype=np.int64)
        level[np.argsort(snr, kind="stable")] = np.arange(snr.size) * count // snr.size
        level = _same_where_equal(level, uses)
        mean_uses = np.bincount(level, uses) / np.bincount(level)
        moves = np.zeros((mean_uses.size, mean_uses.size))
        np.add.at(moves, (level, np.roll(level, -1)), 1.0)
        return cls(seen.snr(mean_uses), moves / moves.sum(axis=1, keepdims=True), step_s)

    @cached_property
    def stationary(self) -> FloatArray:
        """Probability of every level, shape (S,)."""
        if self.start is not None:
            return self.start
        size = self.levels_snr.size
        equations = np.vstack([self.matrix.T - np.eye(size), np.ones(size)])
        solved = np.linalg.lstsq(equations, np.append(np.zeros(size), 1.0), rcond=None)[0]
        return np.asarray(np.maximum(solved, 0.0) / np.maximum(solved, 0.0).sum())

    def transition(self, elapsed_s: float) -> FloatArray:
        """P(level j after a time | level i now), shape (S, S).

        Raises:
            ValueError: the time is no whole number of steps and the matrix has no generator.
        """
        steps = elapsed_s / self.step_s
        whole = round(steps)
        if abs(steps - whole) <= _WHOLE * max(steps, 1.0) and "_generator" not in self.__dict__:
            return np.asarray(np.linalg.matrix_power(self.matrix, whole))
        if steps == 0:
            return np.eye(self.levels_snr.size)
        from scipy.linalg import expm

        try:
            return _as_stochastic(expm(self._generator * elapsed_s))
        except ValueError as error:
            raise ValueError(
                f"elapsed_s = {elapsed_s:g} is no whole number of steps of {self.step_s:g} s; {error}"
            ) from None

    @cached_property
    def _generator(self) -> FloatArray:
        """Q with e^(Q step_s) = ``matrix``."""
        from scipy.linalg import expm, logm

        with np.errstate(all="ignore"):
            logarithm = np.asarray(logm(self.matrix))
        rates = np.real(logarithm)
        outside = rates[~np.eye(rates.shape[0], dtype=bool)]
        valid = np.isfinite(logarithm).all() and np.abs(np.imag(logarithm)).max(initial=0.0) < _STOCHASTIC
        valid = valid and (outside > -_STOCHASTIC).all() and np.abs(expm(rates) - self.matrix).max() < _STOCHASTIC
        if not valid:
            raise ValueError(
                "the matrix has no generator (its logarithm is none), so that nothing is known of parts of a step: "
                "use layers of whole steps, a chain from a generator, or a trace with a finer step"
            )
        rates = np.maximum(rates, 0.0)
        np.fill_diagonal(rates, 0.0)
        np.fill_diagonal(rates, -rates.sum(axis=1))
        return np.asarray(rates / self.step_s)

    def first(self, counter: WordArray) -> FloatArray:
        """Levels from the stationary law."""
        level = _level_at(np.cumsum(self.stationary), uniform(counter))
        return np.asarray(self.levels_snr[level])

    def following(self, counter: WordArray, before: ArrayLike, elapsed_s: ArrayLike) -> FloatArray:
        """Levels from the row of the transition.

        Raises:
            ValueError: ``before`` is none of the levels.
        """
        now, elapsed = self.state(before), np.asarray(elapsed_s, dtype=np.float64)
        times, which = np.unique(elapsed, return_inverse=True)
        rows = np.cumsum(np.stack([self.transition(seconds) for seconds in times.tolist()]), axis=-1)
        reached = rows[which.reshape(elapsed.shape), now]
        return np.asarray(self.levels_snr[_level_at(reached, uniform(counter))])

    def state(self, snr: ArrayLike) -> IntArray:
        """Numbers of the levels, elementwise.

        Raises:
            ValueError: an SNR is none of the levels.
        """
        given = np.asarray(snr, dtype=np.float64)
        number = np.minimum(np.searchsorted(self.levels_snr, given), self.levels_snr.size - 1)
        wrong = given[self.levels_snr[number] != given]
        if wrong.size:
            raise ValueError(f"snr = {wrong.flat[0]} must be one of the {self.levels_snr.size} levels of the chain")
        return np.asarray(number)


def _check_levels(levels: FloatArray) -> None:
    if levels.ndim != 1 or levels.size == 0:
        raise ValueError(f"levels_snr has shape {levels.shape}, expected (S,) with S >= 1")
    bad = np.flatnonzero(~((levels >= 0) & np.isfinite(levels)))
    if bad.size:
        raise ValueError(f"levels_snr[{bad[0]}] = {levels[bad[0]]} must be finite and >= 0")
    falls = np.flatnonzero(np.diff(levels) <= 0)
    if falls.size:
        raise ValueError(
            f"levels_snr[{falls[0] + 1}] = {levels[falls[0] + 1]} must exceed levels_snr[{falls[0]}] = "
            f"{levels[falls[0]]}: two states with one SNR cannot be told apart by it"
        )


def _checked_matrix(matrix: FloatArray, size: int) -> FloatArray:
    if matrix.shape != (size, size):
        raise ValueError(f"matrix has shape {matrix.shape}, expected ({size}, {size})")
    bad = np.argwhere(~((matrix >= 0) & (matrix <= 1 + _STOCHASTIC)))
    if bad.size:
        i, j = bad[0]
        raise ValueError(f"matrix[{i}, {j}] = {matrix[i, j]} must be from 0 to 1")
    off = np.flatnonzero(np.abs(matrix.sum(axis=1) - 1.0) > _STOCHASTIC)
    if off.size:
        raise ValueError(f"matrix[{off[0]}] sums to {matrix[off[0]].sum():.12g}, a row must sum to 1")
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))


def _checked_start(start: FloatArray, matrix: FloatArray) -> FloatArray:
    if start.shape != matrix.shape[:1]:
        raise ValueError(f"start has shape {start.shape}, expected {matrix.shape[:1]}")
    if not (start >= 0).all() or abs(start.sum() - 1.0) > _STOCHASTIC:
        raise ValueError(f"start = {start.tolist()} must be probabilities that sum to 1")
    if np.abs(start @ matrix - start).max() > _STOCHASTIC:
        raise ValueError(f"start = {start.tolist()} must be stationary; a step later it is {(start @ matrix).tolist()}")
    return start


def _stationary_laws(matrix: FloatArray) -> int:
    """Number of closed classes: levels from which every reachable one leads back."""
    size = matrix.shape[0]
    reach = (matrix > 0) | np.eye(size, dtype=bool)
    for _ in range(size.bit_length()):
        reach = (reach.astype(np.float64) @ reach) > 0
    closed = (reach <= reach.T).all(axis=1)
    return len({tuple(row) for row in reach[closed].tolist()})


def _as_stochastic(matrix: FloatArray) -> FloatArray:
    kept = np.maximum(matrix, 0.0)
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))


def _level_at(cumulative: FloatArray, fraction: FloatArray) -> IntArray:
    """The first level whose running sum of probabilities, on the last axis, exceeds the fraction."""
    below = (cumulative[..., :-1] <= fraction[..., None]).sum(axis=-1)
    return np.asarray(below)


def _regular_step(snr: FloatArray, times: FloatArray, gaps: str) -> float:
    """The step of a trace in seconds."""
    if gaps not in ("error", "bridge"):
        raise ValueError(f"gaps = {gaps!r} must be 'error' or 'bridge'")
    if snr.ndim != 1 or snr.size < 2:
        raise ValueError(f"trace_snr has shape {snr.shape}, expected (N,) with N >= 2")
    if times.shape != snr.shape:
        raise ValueError(f"times_s has shape {times.shape}, expected {snr.shape} as trace_snr")
    bad = np.flatnonzero(~((snr >= 0) & np.isfinite(snr)))
    if bad.size:
        raise ValueError(f"trace_snr[{bad[0]}] = {snr[bad[0]]} must be finite and >= 0")
    steps = np.diff(times)
    if not (steps > 0).all():
        first = int(np.flatnonzero(~(steps > 0))[0])
        raise ValueError(
            f"times_s[{first + 1}] = {times[first + 1]} must be later than times_s[{first}] = {times[first]}"
        )
    step = float(np.median(steps))
    odd = np.flatnonzero((np.abs(steps - step) > _EVEN * step) if gaps == "error" else steps < (1.0 - _EVEN) * step)
    if odd.size:
        raise ValueError(
            f"times_s[{odd[0] + 1}] - times_s[{odd[0]}] = {steps[odd[0]]:g} s differs from the usual step of "
            f"{step:g} s: resample the trace, or bridge longer steps with gaps = 'bridge'"
        )
    return step


def _same_where_equal(level: IntArray, uses: FloatArray) -> IntArray:
    """Levels without holes, numbered by rising SNR; samples that take equally long are on one level."""
    order = np.argsort(-uses, kind="stable")
    ranked, taken = level[order], uses[order]
    begins = np.append(True, np.diff(taken) < 0)
    lowest = np.minimum.reduceat(ranked, np.flatnonzero(begins))[np.cumsum(begins) - 1]
    joined = np.empty_like(level)
    joined[order] = lowest
    return np.unique(joined, return_inverse=True)[1].reshape(level.shape)
