"""Backward induction: the one recursion that solves, plans ahead, places and scores.

    C = c_n + V(next),    V = step(n, C)    for one stage n after the other, or for all at once

The step that is best stops where stopping costs no more than going on:

    tau = (C - B) / A                               stop at n iff x <= tau
    E[min(s_n(x), C)] = B + A E[min(x, tau)]        value of being able to stop at n or go on at cost C >= B

The last line is C - A Phi(tau) without the small difference of large numbers.

A different step scores a given policy. What a value array holds, and in which order it is filled, is a list of moves.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels import ChannelLaw, OffloadMoments
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.units import FloatArray

Index = int | slice
Step = Callable[[Index, FloatArray], FloatArray]
"""Value at a stage, or at several, given the cost of going on."""


class Move(NamedTuple):
    """One step of the recursion: stages ``at`` read the values behind them and write their own."""

    at: Index
    behind: Index
    own: Index


def recursion(terms: StageTerms, values: FloatArray, step: Step, moves: Iterable[Move]) -> FloatArray:
    """Fill ``values`` move by move.

    Args:
        terms: cost, seconds or joules, with horizon M.
        values: E[upload] at every stage, what a device expects that must upload there, shape (M+1,); overwritten.
        step: value at a stage, given the cost of going on.
        moves: in the order in which they are made.
    """
    for at, behind, own in moves:
        values[own] = step(at, terms.device[at] + values[behind])
    return values


def _backward(horizon: int) -> list[Move]:
    """From the last stage to the first: entry n becomes V_n."""
    return [Move(n, n + 1, n) for n in reversed(range(horizon))]


def _every_placement(horizon: int) -> list[Move]:
    """Entry M is a device with M layers: it joins the walk to stage 0 at stage M - 1, and becomes V_0(M)."""
    return [Move(n, slice(n + 1, None), slice(n + 1, None)) for n in reversed(range(horizon))]


def _rounds(count: int) -> list[Move]:
    """All stages at once: after k rounds entry n is what a device at n expects that must upload within k layers."""
    return [Move(slice(None), slice(1, None), slice(None, -1))] * count


def stop_threshold(airtime: ArrayLike, edge: ArrayLike, go_on: ArrayLike) -> FloatArray:
    """The tau with A tau + B = C, elementwise: stop iff x <= tau; without airtime inf is always and -inf never."""
    a, b, c = (np.asarray(each, dtype=np.float64) for each in (airtime, edge, go_on))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(a > 0, (c - b) / a, np.where(c >= b, np.inf, -np.inf))


def stop_or_continue(airtime: ArrayLike, edge: ArrayLike, go_on: ArrayLike, channel: ChannelLaw) -> FloatArray:
    """E[min(A x + B, C)], the best of stopping and going on, elementwise."""
    a, b, c = np.broadcast_arrays(np.asarray(airtime, float), np.asarray(edge, float), np.asarray(go_on, float))
    tau = stop_threshold(a, b, c)
    with np.errstate(invalid="ignore"):
        best = np.where(a > 0, b + a * channel.capped_mean(np.maximum(tau, 0.0)), b)
    return np.where(tau > channel.rate.fewest_uses, np.minimum(best, c), c)


def optimal_thresholds(problem: StoppingProblem) -> tuple[FloatArray, FloatArray]:
    """Backward induction: tau of shape (M,) and the value V of shape (M+1,), V[n] before x_n is seen."""
    value = recursion(
        problem.cost, problem.cost.mean_upload(problem.channel), _best(problem), _backward(problem.horizon)
    )
    return _thresholds(problem, value), value


def look_ahead_thresholds(problem: StoppingProblem, stages: int) -> FloatArray:
    """Thresholds tau, shape (M,), of a device that plans as if it had to upload within ``stages`` more layers."""
    rounds = _rounds(min(stages, problem.horizon) - 1)
    planned = recursion(problem.cost, problem.cost.mean_upload(problem.channel), _best(problem), rounds)
    return _thresholds(problem, planned)


def placement_values(problem: StoppingProblem, moments: OffloadMoments | None = None) -> FloatArray:
    """V_0(M) for every placement M = 0..L in one pass, shape (L+1,).

    Args:
        problem: the problem with all L layers placed.
        moments: score this rule, with offload moments of shape (L,), instead of the optimum of each placement.
    """
    step = _best(problem) if moments is None else _follow(problem.cost, moments)
    return recursion(problem.cost, problem.cost.mean_upload(problem.channel), step, _every_placement(problem.horizon))


def policy_value(terms: StageTerms, problem: StoppingProblem, moments: OffloadMoments) -> FloatArray:
    """Expected quantity still to come at every stage, shape (M+1,), of the policy with the given moments.

    J_n = A_n E[x; offload] + B_n P(offload) + P(continue) (c_n + J_{n+1})
    """
    return recursion(terms, terms.mean_upload(problem.channel), _follow(terms, moments), _backward(problem.horizon))


def _thresholds(problem: StoppingProblem, value: FloatArray) -> FloatArray:
    terms = problem.cost
    return stop_threshold(terms.airtime[:-1], terms.edge[:-1], terms.device + value[1:])


def _best(problem: StoppingProblem) -> Step:
    """Decide as is best."""
    airtime, edge = problem.cost.airtime[:-1], problem.cost.edge[:-1]
    return lambda at, go_on: stop_or_continue(airtime[at], edge[at], go_on, problem.channel)


def _follow(terms: StageTerms, moments: OffloadMoments) -> Step:
    """Decide as the policy with these moments does; what never happens costs nothing even if it is infinite."""
    stop, goes_on = stop_part(terms, moments), moments.waiting
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
