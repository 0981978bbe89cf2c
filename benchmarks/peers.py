"""Peers of the solvers: the same stopping problem with 1 000 levels of SNR, and its exact value."""

import warnings
from typing import Any

import mpmath
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

import cointer_gym as cg

LEVELS = 1000
_LEAST_USES = 1 / 200  # per bit: 200 bit/s/Hz need an SNR of 600 dB, whose probability is 0 to any digit
Array = NDArray[np.float64]


def levels(mean_snr: ArrayLike, min_efficiency: float, max_efficiency: float | None, count: int = LEVELS) -> Array:
    """Channel uses per bit at equally likely SNRs, the middles of the quantiles of Rayleigh fading: (..., count)."""
    snr = -np.asarray(mean_snr)[..., None] * np.log((np.arange(count) + 0.5) / count)
    return np.asarray(1.0 / np.clip(np.log2(1.0 + snr), min_efficiency, max_efficiency))


def levels_of(problem: cg.StoppingProblem) -> Array:
    """The levels of a problem, shape (1000,)."""
    channel = _rayleigh(problem)
    return levels(channel.mean_snr, channel.min_efficiency, channel.max_efficiency)


def grid_recursion(problem: cg.StoppingProblem, uses: Array) -> float:
    """Optimal cost on levels: V_n = mean of min(A_n x + B_n, c_n + V_{n+1})."""
    airtime, edge, device = problem.cost.airtime, problem.cost.edge, problem.cost.device
    value = 0.0 if problem.completes else float(np.mean(airtime[-1] * uses + edge[-1]))
    for n in reversed(range(problem.horizon)):
        value = float(np.minimum(airtime[n] * uses + edge[n], device[n] + value).mean())
    return value


def grid_recursions(airtime: Array, edge: Array, device: Array, uses: Array) -> Array:
    """The same for many problems that end with the last layer, shape (P,).

    Args:
        airtime: A, shape (P, S).
        edge: B, shape (P, S).
        device: c, shape (P, S-1).
        uses: levels of each, shape (P, levels).
    """
    value = np.zeros(len(uses))
    for n in reversed(range(device.shape[1])):
        value = np.minimum(airtime[:, n, None] * uses + edge[:, n, None], (device[:, n] + value)[:, None]).mean(axis=1)
    return value


class QuantEcon:
    """The problem on levels as a ``DiscreteDP``, solved by QuantEcon's backward induction.

    States are (stage, level), one chance node before every stage, and the end. The node spreads over the levels, so
    that the transition matrix is sparse; without it every level of a stage would lead to every level of the next.

    Args:
        problem: what is solved.
        uses: levels.
    """

    def __init__(self, problem: cg.StoppingProblem, uses: Array) -> None:
        from quantecon.markov import DiscreteDP

        stages, count = problem.horizon, uses.size
        decisions = stages * count
        airtime, edge, device = problem.cost.airtime, problem.cost.edge, problem.cost.device
        last = 0.0 if problem.completes else float(np.mean(airtime[-1] * uses + edge[-1]))
        going_on = device + np.append(np.zeros(stages - 1), last)
        stopping = airtime[:-1, None] * uses + edge[:-1, None]
        end = decisions + stages
        after = np.append(decisions + np.arange(1, stages), end)  # the chance node of the next stage, or the end
        pairs = np.column_stack([np.repeat(after, count), np.full(decisions, end)])  # going on, stopping
        nodes = np.arange(decisions, end + 1)
        costs = np.column_stack([np.repeat(going_on, count), stopping.ravel()])
        rows = np.concatenate([np.arange(2 * decisions), 2 * decisions + count * np.arange(stages + 1)])
        matrix = sparse.csr_matrix(
            (
                np.concatenate([np.ones(2 * decisions), np.full(decisions, 1.0 / count), [1.0]]),
                np.concatenate([pairs.ravel(), np.arange(decisions), [end]]),
                np.append(rows, rows[-1] + 1),
            )
        )
        with warnings.catch_warnings(action="ignore"):  # without discounting it has no infinite horizon: there is none
            self.model = DiscreteDP(
                np.append(-costs.ravel(), np.zeros(stages + 1)),
                matrix,
                1.0,
                np.append(np.repeat(np.arange(decisions), 2), nodes),
                np.append(np.tile([0, 1], decisions), np.zeros(stages + 1, dtype=np.int64)),
            )
        self._periods, self._start = 2 * stages, decisions

    def solve(self) -> float:
        """Optimal cost: a chance node and a decision are a period each."""
        from quantecon.markov.ddp import backward_induction

        values, _ = backward_induction(self.model, self._periods)
        return -float(values[0][self._start])


def exact_cost(problem: cg.StoppingProblem) -> float:
    """Optimal cost under Rayleigh fading by quadrature with 30 digits; shares no formula with the solvers.

    V_n = C_n - A_n Phi(tau_n) with Phi the integral of P(x <= t) over t up to tau_n, and C_n = c_n + V_{n+1}.
    """
    channel = _rayleigh(problem)
    with mpmath.workdps(30):
        mean = mpmath.mpf(channel.mean_snr)
        most = 1 / mpmath.mpf(channel.min_efficiency)
        least = 1 / mpmath.mpf(channel.max_efficiency) if channel.max_efficiency else mpmath.mpf(0)

        def below(t: Any) -> Any:
            return mpmath.exp(-(2 ** (1 / t) - 1) / mean) if t > _LEAST_USES else mpmath.mpf(0)

        def phi(tau: Any) -> Any:
            if tau <= least:
                return mpmath.mpf(0)
            inside = min(tau, most)
            return mpmath.quad(below, mpmath.linspace(least, inside, 9)) + (tau - inside)

        airtime, edge, device = (
            [mpmath.mpf(float(number)) for number in terms]
            for terms in (problem.cost.airtime, problem.cost.edge, problem.cost.device)
        )
        value = mpmath.mpf(0) if problem.completes else airtime[-1] * (most - phi(most)) + edge[-1]
        for n in reversed(range(problem.horizon)):
            go_on = device[n] + value
            free = airtime[n] == 0  # of airtime
            value = min(go_on, edge[n]) if free else go_on - airtime[n] * phi((go_on - edge[n]) / airtime[n])
        return float(value)


def _rayleigh(problem: cg.StoppingProblem) -> cg.Rayleigh:
    assert isinstance(problem.channel, cg.Rayleigh)
    return problem.channel
