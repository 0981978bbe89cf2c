"""The bound of a device that knows the whole fading path in advance."""

import numpy as np

from cointer_gym.baselines.bellman import optimal_thresholds
from cointer_gym.problem import StoppingProblem
from cointer_gym.units import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANELS_AT_LEAST = 64
_ABOVE_OPTIMUM = 1e-9  # relative; rounding stays far below


def clairvoyant_cost(problem: StoppingProblem) -> float:
    """Expected cost when all SNRs are known beforehand; no causal policy can be cheaper.

        E[min_n (sum_{k<n} c_k + s_n(x_n))] = integral over y of prod_n P(sum_{k<n} c_k + s_n(x_n) > y)

    The integrand is smooth between the breakpoints of the laws of the s_n and integrated there by a composite
    Gauss-Legendre rule; for an empirical law it is constant there and the result is exact.

    Args:
        problem: the problem.

    Returns:
        float: ETC per inference.

    Raises:
        ArithmeticError: the bound exceeds the optimum, which only a bug can do.
    """
    if problem.horizon == 0:  # nothing to know beforehand that could be chosen by
        return float(problem.static_cost[0])
    spent = np.concatenate([[0.0], np.cumsum(problem.cost.device)])
    base = spent + problem.cost.edge
    edges = _panel_edges(base, problem.cost.airtime, problem.channel.breakpoints)
    bound = float(edges[0]) + sum(_tail_integral(problem, base, left, right) for left, right in _batches(edges))
    optimum = float(optimal_thresholds(problem)[1][0])
    if bound > optimum * (1.0 + _ABOVE_OPTIMUM):
        raise ArithmeticError(f"clairvoyant bound {bound!r} exceeds the optimum {optimum!r}: one of them is faulty")
    return bound


def _panel_edges(base: FloatArray, airtime: FloatArray, knots: FloatArray) -> FloatArray:
    """Levels from the least possible cost to the least of the largest ones, and all knots of every stage in between."""
    uploads = airtime > 0
    with np.errstate(over="ignore"):
        corners = base[uploads, None] + airtime[uploads, None] * knots
    fixed = base[~uploads]
    low = min(corners[:, 0].min(initial=np.inf), fixed.min(initial=np.inf))
    high = min(corners[:, -1].min(initial=np.inf), fixed.min(initial=np.inf))
    if np.isinf(high):  # no upload is bounded; beyond the knots even one is as good as impossible, and all must be
        high = corners[np.isfinite(corners)].max()
    inside = np.concatenate([corners.ravel(), np.linspace(low, high, _PANELS_AT_LEAST)])
    return np.unique(np.concatenate([[low, high], inside[(inside > low) & (inside < high)]]))


def _batches(edges: FloatArray, size: int = 256) -> list[tuple[FloatArray, FloatArray]]:
    """Left and right ends of the panels, some hundreds at a time to bound the memory."""
    starts = range(0, edges.size - 1, size)
    return [(edges[:-1][k : k + size], edges[1:][k : k + size]) for k in starts]


def _tail_integral(problem: StoppingProblem, base: FloatArray, left: FloatArray, right: FloatArray) -> float:
    """Sum over panels of the integral of prod_n P(base_n + A_n x > y)."""
    half, middle = 0.5 * (right - left), 0.5 * (right + left)
    level = middle[:, None] + half[:, None] * _NODES
    tail = np.ones_like(level)
    for offset, airtime in zip(base, problem.cost.airtime, strict=True):
        if airtime > 0:
            with np.errstate(over="ignore"):
                tail *= problem.channel.exceedance((level - offset) / airtime)
        else:
            tail *= level < offset
    return float(np.sum(half * (tail @ _WEIGHTS)))
