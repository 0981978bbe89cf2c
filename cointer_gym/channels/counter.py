"""Random numbers as a function of (seed, episode, stage): no generator, no state, the same in any order.

A 64-bit counter names a draw, and a mixer turns it into a random word:

    counter = key(seed) + (2^16 episode + stage) g      mod 2^64,   g = 2^64 / golden ratio, odd
    word    = mix(counter)

So every policy meets the same fading, single tasks and batches agree slot by slot, and a run that is taken up again
goes on where it was. Counters of two seeds meet with a probability of about 2^-64 per pair of draws.

Source: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators (increment and mixer, variant 13 of
Stafford). ``uniform`` leaves out the mixer's last step, which changes a fraction by less than 2^-31.
"""

from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cointer_gym.units import FloatArray

WordArray = NDArray[np.uint64]

STAGES = 2**16
"""Counters of one episode."""
GOLDEN = 0x9E3779B97F4A7C15
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Of the mixer."""

_MASK = 2**64 - 1


def _constant(value: int | float, dtype: Any = np.uint64) -> NDArray[Any]:
    return np.array(value, dtype=dtype)  # with arrays without axes NumPy's calls are half as long as with scalars


_STEP = _constant(GOLDEN)
_FIRST, _SECOND = (_constant(multiplier) for multiplier in MULTIPLIERS)
EPISODE = _constant(STAGES * GOLDEN & _MASK)
"""From an episode to the next."""
_SHIFT_30, _SHIFT_27, _SHIFT_31, _SHIFT_12 = (_constant(bits) for bits in (30, 27, 31, 12))
_ONE = _constant(0x3FF0000000000000)  # the bits of 1.0: with 52 random ones below, a number from 1 to 2
_BELOW_1 = _constant(1.0 - 2.0**-53, np.float64)


def keys(seeds: Iterable[int]) -> WordArray:
    """A key per seed, shape (seeds,); seeds are integers of any size, and all their bits count.

    Raises:
        ValueError: a seed is negative.
    """
    folded = np.array([_folded(index(seed)) for seed in seeds], dtype=np.uint64)
    return mix(mix(folded * _STEP + _SECOND) + _FIRST)


def counters(key: WordArray, episode: ArrayLike, stage: ArrayLike) -> WordArray:
    """The counters of stages of episodes, broadcast."""
    number, at = np.asarray(episode).astype(np.uint64), np.asarray(stage).astype(np.uint64)
    return np.asarray(key + number * EPISODE + at * _STEP)


def mix(counter: WordArray) -> WordArray:
    """Random 64-bit words, elementwise: SplitMix64's mixer."""
    word = _twice_multiplied(counter)
    return np.asarray(word ^ (word >> _SHIFT_31))


def uniform(counter: WordArray) -> FloatArray:
    """Uniform fractions in the open interval (0, 1), elementwise: odd multiples of 2^-53."""
    word = _twice_multiplied(counter)
    np.right_shift(word, _SHIFT_12, word)
    np.bitwise_or(word, _ONE, word)
    fraction = word.view(np.float64)
    np.subtract(fraction, _BELOW_1, fraction)
    return fraction


def _twice_multiplied(counter: WordArray) -> WordArray:
    word = np.asarray(np.bitwise_xor(np.right_shift(counter, _SHIFT_30), counter))
    np.multiply(word, _FIRST, word)
    shifted = np.right_shift(word, _SHIFT_27)
    np.bitwise_xor(word, shifted, word)
    np.multiply(word, _SECOND, word)
    return word


def _folded(seed: int) -> int:
    """All 64-bit digits of a seed in one; seeds below 2^64 stay what they are."""
    if seed < 0:
        raise ValueError(f"seed = {seed} must be an integer >= 0")
    folded = seed & _MASK
    while seed := seed >> 64:
        mixed = int(mix(np.array((folded + GOLDEN) & _MASK, dtype=np.uint64)))
        folded = int(mix(np.array(mixed ^ (seed & _MASK), dtype=np.uint64)))
    return folded
