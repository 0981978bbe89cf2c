"""The bound of a device that knows the whole fading path in advance."""

import numpy as np

from cointer_gym.problem import StoppingProblem
from cointer_gym.units import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANELS_AT_LEAST = 64


def clairvoyant_cost(problem: StoppingProblem) -> float:
    """Expected cost when all SNRs are known beforehand; no causal policy can be cheaper.

        E[min_n (sum_{k<n} c_k + s_n(x_n))] = integral over y of prod_n P(sum_{k<n} c_k + s_n(x_n) > y)

    The integrand is smooth between the breakpoints of the laws of the s_n and integrated there by a composite
    Gauss-Legendre rule; for an empirical law it is constant there and the result is exact.

    Args:
        problem: the problem.

    Returns:
        float: ETC per inference.
    """
    spent = np.concatenate([[0.0], np.cumsum(problem.cost.device)])
    base, airtime = spent + problem.cost.edge, problem.cost.airtime
    uploads, knots = airtime > 0, problem.channel.breakpoints
    corners = base[uploads, None] + airtime[uploads, None] * knots
    fixed = base[~uploads]
    low = float(min(corners[:, 0].min(initial=np.inf), fixed.min(initial=np.inf)))
    high = float(min(corners[:, -1].min(initial=np.inf), fixed.min(initial=np.inf)))
    inside = np.concatenate([corners.ravel(), np.linspace(low, high, _PANELS_AT_LEAST)])
    edges = np.unique(np.concatenate([[low, high], inside[(inside > low) & (inside < high)]]))
    return low + sum(_tail_integral(problem, base, left, right) for left, right in _batches(edges))


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
            tail *= 1.0 - problem.channel.cdf((level - offset) / airtime)
        else:
            tail *= level < offset
    return float(np.sum(half * (tail @ _WEIGHTS)))
