"""Many problems at once: backward induction and placement of a stack, block by block.

The problems of a block lie side by side on the last axis, and the recursion is that of a single problem. What differs
is the table of the channel: ``FadingLaws`` makes the polynomials of all mean SNRs of a block in one matrix product.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.baselines.bellman import (
    backward,
    best_step,
    every_placement,
    follow_step,
    recursion,
    stop_threshold,
)
from cointer_gym.baselines.blocks import Block
from cointer_gym.baselines.stack import ProblemStack, checked_costs, checked_flags
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.units import BoolArray, FloatArray, IntArray, linear_to_db

Progress = Callable[[int, int], None]
"""Told how many problems of how many are done."""

_PLACED_AT_A_TIME = 512  # problems: each has as many values as layers


@dataclass(frozen=True, eq=False, kw_only=True)
class StackSolution:
    """The optimum of every problem of a stack; row p and stage n at [p, n], NaN behind the last stage."""

    stack: ProblemStack
    value: FloatArray
    """Expected ETC still to come at every stage before its SNR is seen, shape (P, S)."""
    threshold_snr: FloatArray
    """Offload from this linear SNR on, shape (P, S-1); 0 always, inf never."""

    @property
    def cost(self) -> FloatArray:
        """Expected ETC of one inference, shape (P,)."""
        return self.value[:, 0]

    @property
    def threshold_snr_db(self) -> FloatArray:
        """Thresholds in dB, shape (P, S-1); -inf always, inf never."""
        return np.asarray(linear_to_db(self.threshold_snr))

    def expected(self, terms: StageTerms) -> FloatArray:
        """What the optimal rules take of another quantity, such as seconds or joules, from every stage on.

        Args:
            terms: arrays of shape (P, S), (P, S) and (P, S-1); what stands behind the last stage is ignored.

        Returns:
            FloatArray: expected quantity still to come, shape (P, S), NaN behind the last stage.

        Raises:
            ValueError: as for the costs of a problem; names the row and the stage.
        """
        expected, asked = np.empty_like(self.value), self.stack.same_stages(terms)
        for block in self.stack.blocks():
            own = block.ended(block.cut(asked))
            threshold = self.threshold_snr[block.rows, : block.horizon].T
            moments = block.channel.offload_moments(np.where(np.isnan(threshold), 0.0, threshold))
            step, moves = follow_step(own, moments), backward(block.horizon)
            block.store(expected, recursion(own.device, block.mean_upload(own), step, moves))
        return expected


@dataclass(frozen=True, eq=False, kw_only=True)
class StackPlacement:
    """Cost per task of every placement of every problem; row p and placement M at [p, M]."""

    inference_cost: FloatArray
    """Expected ETC of one inference, shape (P, S); NaN for more layers than there are."""
    download_cost: FloatArray
    """ETC of the model download per task, shape (P, S)."""
    allowed: BoolArray
    """Whether the placement may be chosen, shape (P, S)."""

    @cached_property
    def total(self) -> FloatArray:
        """Inference and download, shape (P, S); inf where the placement may not be chosen."""
        return np.where(self.allowed, self.inference_cost + self.download_cost, np.inf)

    @cached_property
    def placement(self) -> IntArray:
        """The cheapest placements, shape (P,); the smallest of equals."""
        return np.asarray(self.total.argmin(axis=1))

    @property
    def cost(self) -> FloatArray:
        """Total cost of the cheapest placements, ETC per task, shape (P,); inf where none has a finite one."""
        return np.asarray(self.total.min(axis=1))


def solve_many(
    problems: ProblemStack | Sequence[StoppingProblem], *, chunk: int | None = None, progress: Progress | None = None
) -> StackSolution:
    """Solve many stopping problems exactly; see ``backward_induction``.

    Args:
        problems: a stack, or problems to make one of.
        chunk: problems at a time; as many as the cache holds unless given. It changes nothing but time and memory.
        progress: called with the numbers of problems done and of all problems, after every chunk.

    Returns:
        StackSolution: values and thresholds of every problem.

    Raises:
        ValueError: ``chunk`` is no integer >= 1, or there are no problems.
    """
    stack = _stacked(problems)
    value, threshold = (np.empty(terms.shape) for terms in (stack.cost.airtime, stack.cost.device))
    for block in _told(stack.blocks(chunk), len(stack), progress):
        terms, channel = block.ended(block.cut(stack.cost)), block.channel
        start = block.mean_upload(terms)
        found = recursion(terms.device, start, best_step(terms, channel), backward(block.horizon))
        tau = stop_threshold(terms.airtime[:-1], terms.edge[:-1], terms.device + found[1:])
        block.store(value, found)
        block.store(threshold, channel.threshold_snr(tau))
    return StackSolution(stack=stack, value=value, threshold_snr=threshold)


def place_many(
    problems: ProblemStack | Sequence[StoppingProblem],
    download_cost: ArrayLike,
    *,
    allowed: ArrayLike | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
) -> StackPlacement:
    """Find the cheapest placement of many problems, all placements of a problem in one pass; see ``optimal_placement``.

    The time grows with the square of the layers: every placement has thresholds of its own at every stage.

    Args:
        problems: a stack, or problems to make one of, each with all its layers placed.
        download_cost: ETC per task of having the first M layers, M = 0..S-1: shape (P, S), or (S,) for all.
        allowed: whether a placement may be chosen, such as for its memory, same shapes; all of them unless given.
        chunk: problems at a time; as many as the cache holds unless given.
        progress: called with the numbers of problems done and of all problems, after every chunk.

    Returns:
        StackPlacement: cost of every placement, and the cheapest ones.

    Raises:
        ValueError: a download cost is negative or not finite (names the row and the placement), or an argument has
            another shape.
    """
    stack = _stacked(problems)
    shape = stack.cost.airtime.shape
    inference, inside = np.empty(shape), np.arange(shape[1]) <= stack.horizon[:, None]
    download = checked_costs("download_cost", download_cost, shape, stack.horizon)
    may = inside if allowed is None else inside & checked_flags("allowed", allowed, shape)
    for block in _told(stack.blocks(chunk, _PLACED_AT_A_TIME), len(stack), progress):
        terms = block.cut(stack.cost)
        step, moves = best_step(terms, block.channel), every_placement(block.horizon)
        block.store(inference, recursion(terms.device, block.mean_upload(terms), step, moves))
    return StackPlacement(inference_cost=inference, download_cost=download, allowed=may)


def _stacked(problems: ProblemStack | Sequence[StoppingProblem]) -> ProblemStack:
    return problems if isinstance(problems, ProblemStack) else ProblemStack.of(problems)


def _told(blocks: Iterator[Block], total: int, progress: Progress | None) -> Iterator[Block]:
    """The blocks; tells what is done after each of them."""
    done = 0
    for block in blocks:
        yield block
        done += block.rows.size
        if progress is not None:
            progress(done, total)
