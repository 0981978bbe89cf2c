"""Integrals over the efficiency axis of a probability of the power gain g, seen through SNR = mean SNR x g.

A composite Gauss-Legendre rule in log u follows the decay of the integrand: both a power law near 0 and the tail of the
survival function are then integrated to rounding.
"""

from collections.abc import Callable

import numpy as np

from cointer_gym.channels.rate import Rate
from cointer_gym.units import BoolArray, FloatArray, IntArray

Probability = Callable[[FloatArray], FloatArray]
"""P of the gain, elementwise."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_RATIO = np.exp(4.0)  # of the efficiencies at the ends of a panel, at most
_CHANGE = 8.0  # a probability changes by at most e^8 over a panel: 16 nodes are then exact to rounding
_NO_SURVIVAL = 1e-300  # what is smaller is left alone: functions lose their digits on the way to 0
_NO_OUTAGE = 1e-25  # what is smaller adds nothing to an integral that holds the outage of higher rates too
_ROUNDS = 60


def gain_at(efficiency: FloatArray, mean_snr: float) -> FloatArray:
    """The gain from which the link reaches ``efficiency``, elementwise."""
    return np.asarray(np.expm1(np.asarray(efficiency) * np.log(2.0)) / mean_snr)


def integral(probability: Probability, mean_snr: float, low: FloatArray, high: FloatArray) -> FloatArray:
    """Gauss-Legendre value of int_low^high P(u) / u^2 du, elementwise, P a probability of the gain at 2^u - 1."""
    half = 0.5 * np.log1p((high - low) / low)
    efficiency = (np.sqrt(low) * np.sqrt(high))[..., None] * np.exp(half[..., None] * _NODES)
    return np.asarray(half * ((probability(gain_at(efficiency, mean_snr)) / efficiency) @ _WEIGHTS))


def panel_edges(
    survival: Probability, outage: Probability, mean_snr: float, tail_rate: float, rate: Rate, lowest: float
) -> FloatArray:
    """Panel edges from the most robust rate, or ``lowest`` if that is less, to the fastest one or the end of the law.

    Args:
        survival: P(g >= gain).
        outage: P(g < gain).
        mean_snr: linear.
        tail_rate: exponential decay rate of ``survival``.
        rate: the rate.
        lowest: smallest efficiency.
    """
    low = max(rate.min_efficiency, lowest)
    end = 750.0 / tail_rate
    while end < 1e200 and survival(np.asarray(end)) > 0:
        end *= 2.0
    high = float(np.log1p(mean_snr * end) / np.log(2.0))
    high = high if rate.max_efficiency is None else min(high, rate.max_efficiency)
    if high <= low:
        return np.array([low, low])
    edges = _coarse(low, high)
    for _ in range(_ROUNDS):
        gain = gain_at(edges, mean_snr)
        falls = -np.diff(np.log(np.maximum(survival(gain), _NO_SURVIVAL)))
        rises = np.diff(np.log(np.maximum(outage(gain), _NO_OUTAGE)))
        pieces = np.ceil(np.maximum(falls, rises) / _CHANGE).astype(np.int64)
        if pieces.max() <= 1:
            break
        inner = _split(gain, np.maximum(pieces, 1), geometric=rises > falls)
        edges = np.sort(np.concatenate([edges, np.log1p(mean_snr * inner) / np.log(2.0)]))
    return edges


def _coarse(low: float, high: float) -> FloatArray:
    """Geometric up to 1 bit/s/Hz, then steps of at most 1."""
    middle = min(max(low, 1.0), high)
    geometric = np.geomspace(low, middle, int(np.ceil(np.log(middle / low) / np.log(_RATIO))) + 1)
    linear = np.linspace(middle, high, int(np.ceil(high - middle)) + 1)
    return np.concatenate([geometric[:-1], linear])


def _split(edges: FloatArray, pieces: IntArray, geometric: BoolArray) -> FloatArray:
    """New points that divide every panel into that many pieces of equal width, or of equal ratio."""
    more = pieces - 1
    part = (np.arange(more.sum()) - np.repeat(np.cumsum(more) - more, more) + 1) / np.repeat(pieces, more)
    low, high = np.repeat(edges[:-1], more), np.repeat(edges[1:], more)
    return np.where(np.repeat(geometric, more), low * (high / low) ** part, low + (high - low) * part)
