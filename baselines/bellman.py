"""Backward induction: the one recursion that solves, plans ahead, places and scores.

    C = c_n + V(next),    V = step(n, C)    for one stage n after the other, or for all at once

The step that is best stops where stopping costs no more than going on:

    tau = (C - B) / A                               stop at n iff x <= tau
    E[min(s_n(x), C)] = B + A E[min(x, tau)]        value of being able to stop at n or go on at cost C >= B

The last line is C - A Phi(tau) without the small difference of large numbers.

A different step scores a given policy. What a value array holds, and in which order it is filled, is a list of moves.

Values are numbers, or arrays over whatever lies side by side: the placements of a network, or many problems. For a
single problem they are Python's numbers, since NumPy's calls would take ten times as long.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels import OffloadMoments
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.units import FloatArray

Index = int | slice
Step = Callable[[Any, Any], Any]
"""Value at a stage, or at several, given the cost of going on."""
Values = TypeVar("Values", list[float], FloatArray)


class Uplink(Protocol):
    """What deciding takes of a channel law, or of the laws of problems that lie side by side on the last axis."""

    @property
    def mean_channel_uses_per_bit(self) -> Any:
        """E[x], s Hz/bit."""

    @property
    def rate(self) -> Any:
        """The rate, with ``fewest_uses``: no x is smaller."""

    def capped_mean(self, channel_uses: FloatArray) -> FloatArray:
        """E[min(x, tau)], elementwise."""


class Move(NamedTuple):
    """One step of the recursion: stages ``at`` read the values behind them and write their own."""

    at: Index
    behind: Index
    own: Index


def recursion(device: Values, values: Values, step: Step, moves: Iterable[Move]) -> Values:
    """Fill ``values`` move by move.

    Args:
        device: cost, seconds or joules of the next layer at every stage, M of them.
        values: E[upload] at every stage, what a device expects that must upload there, M+1 of them; overwritten.
        step: value at a stage, given the cost of going on.
        moves: in the order in which they are made.
    """
    rows, filled = cast(Any, device), cast(Any, values)
    for at, behind, own in moves:
        filled[own] = step(at, rows[at] + filled[behind])
    return values


@lru_cache
def backward(horizon: int) -> tuple[Move, ...]:
    """From the last stage to the first: entry n becomes V_n."""
    return tuple(Move(n, n + 1, n) for n in reversed(range(horizon)))


@lru_cache
def every_placement(horizon: int) -> tuple[Move, ...]:
    """Entry M is a device with M layers: it joins the walk to stage 0 at stage M - 1, and becomes V_0(M)."""
    return tuple(Move(n, slice(n + 1, None), slice(n + 1, None)) for n in reversed(range(horizon)))


def _rounds(count: int) -> list[Move]:
    """All stages at once: after k rounds entry n is what a device at n expects that must upload within k layers."""
    return [Move(slice(None), slice(1, None), slice(None, -1))] * count


def stop_threshold(airtime: ArrayLike, edge: ArrayLike, go_on: ArrayLike) -> FloatArray:
    """The tau with A tau + B = C, elementwise: stop iff x <= tau; without airtime inf is always and -inf never."""
    a, b, c = (np.asarray(each, dtype=np.float64) for each in (airtime, edge, go_on))
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = (c - b) / a
    if a.min(initial=np.inf) > 0:
        return np.asarray(tau)
    return np.where(a > 0, tau, np.where(c >= b, np.inf, -np.inf))


def stop_or_continue(airtime: ArrayLike, edge: ArrayLike, go_on: ArrayLike, channel: Uplink) -> FloatArray:
    """E[min(A x + B, C)], the best of stopping and going on, elementwise."""
    a, b, c = (np.asarray(each, dtype=np.float64) for each in (airtime, edge, go_on))
    tau = stop_threshold(a, b, c)
    with np.errstate(invalid="ignore"):
        best = a * channel.capped_mean(np.maximum(tau, 0.0))
    best += b
    if a.min(initial=np.inf) == 0:
        best = np.where(a > 0, best, b)
    return np.where(tau > channel.rate.fewest_uses, np.minimum(best, c), c)


def _stop_or_continue_at(
    airtime: float, edge: float, go_on: float, capped_mean: Callable[[float], float], fewest_uses: float
) -> float:
    """``stop_or_continue`` of numbers."""
    if airtime == 0.0:
        return min(edge, go_on)
    tau = (go_on - edge) / airtime
    return min(edge + airtime * capped_mean(tau), go_on) if tau > fewest_uses else go_on


def optimal_thresholds(problem: StoppingProblem) -> tuple[FloatArray, FloatArray]:
    """Backward induction: tau of shape (M,) and the value V of shape (M+1,), V[n] before x_n is seen."""
    terms, channel = problem.cost, problem.channel
    airtime, edge = terms.airtime.tolist(), terms.edge.tolist()
    capped, fewest = channel.capped_mean_at, channel.rate.fewest_uses

    def best(n: int, go_on: float) -> float:
        return _stop_or_continue_at(airtime[n], edge[n], go_on, capped, fewest)

    start: list[float] = terms.mean_upload(channel).tolist()
    value = np.array(recursion(terms.device.tolist(), start, best, backward(problem.horizon)))
    return _thresholds(problem, value), value


def look_ahead_thresholds(problem: StoppingProblem, stages: int) -> FloatArray:
    """Thresholds tau, shape (M,), of a device that plans as if it had to upload within ``stages`` more layers."""
    terms, rounds = problem.cost, _rounds(min(stages, problem.horizon) - 1)
    planned = recursion(terms.device, terms.mean_upload(problem.channel), best_step(terms, problem.channel), rounds)
    return _thresholds(problem, planned)


def placement_values(problem: StoppingProblem, moments: OffloadMoments | None = None) -> FloatArray:
    """V_0(M) for every placement M = 0..L in one pass, shape (L+1,).

    Args:
        problem: the problem with all L layers placed.
        moments: score this rule, with offload moments of shape (L,), instead of the optimum of each placement.
    """
    terms, channel = problem.cost, problem.channel
    step = best_step(terms, channel) if moments is None else follow_step(terms, moments)
    return recursion(terms.device, terms.mean_upload(channel), step, every_placement(problem.horizon))


def policy_value(terms: StageTerms, problem: StoppingProblem, moments: OffloadMoments) -> FloatArray:
    """Expected quantity still to come at every stage, shape (M+1,), of the policy with the given moments.

    J_n = A_n E[x; offload] + B_n P(offload) + P(continue) (c_n + J_{n+1})
    """
    start = terms.mean_upload(problem.channel)
    return recursion(terms.device, start, follow_step(terms, moments), backward(problem.horizon))


def _thresholds(problem: StoppingProblem, value: FloatArray) -> FloatArray:
    terms = problem.cost
    return stop_threshold(terms.airtime[:-1], terms.edge[:-1], terms.device + value[1:])


def best_step(terms: StageTerms, channel: Uplink) -> Step:
    """Decide as is best."""
    airtime, edge = terms.airtime[:-1], terms.edge[:-1]
    return lambda at, go_on: stop_or_continue(airtime[at], edge[at], go_on, channel)


def follow_step(terms: StageTerms, moments: OffloadMoments) -> Step:
    """Decide as the policy with these moments does; what never happens costs nothing even if it is infinite."""
    stop, goes_on = stop_part(terms, moments), moments.waiting
    if goes_on.ndim > 1:
        return lambda n, go_on: stop[n] + goes_on[n] * np.where(goes_on[n] > 0, go_on, 0.0)
    return lambda n, go_on: stop[n] + (goes_on[n] * go_on if goes_on[n] > 0 else 0.0)


def stop_part(terms: StageTerms, moments: OffloadMoments) -> FloatArray:
    """A_n E[x; offload] + B_n P(offload), shape (M,); no airtime costs nothing even where E[x] is infinite."""
    with np.errstate(invalid="ignore"):
        airtime = np.where(terms.airtime[:-1] > 0, terms.airtime[:-1] * moments.channel_uses, 0.0)
    return np.asarray(airtime + terms.edge[:-1] * moments.probability)


def reach_probability(moments: OffloadMoments) -> FloatArray:
    """P(stage n is reached), shape (M+1,)."""
    return np.concatenate([[1.0], np.cumprod(moments.waiting)])


def split_probability(moments: OffloadMoments) -> FloatArray:
    """P(the network is split after layer n), shape (M+1,); the last entry is running all M placed layers."""
    return np.asarray(reach_probability(moments) * np.append(moments.probability, 1.0))
