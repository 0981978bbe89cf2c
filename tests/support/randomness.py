"""Statistical tests of uniform fractions: each gives the probability of being so far off by chance, on both sides."""

import numpy as np
from scipy import stats

ALPHA = 1e-6  # of every test
POWER = 0.999  # of finding the alternative that stands with a test


def is_uniform(u):
    """Kolmogorov-Smirnov."""
    return two_sided(stats.kstwobign.sf(np.sqrt(u.size) * stats.kstest(u.ravel(), "uniform").statistic))


def is_uniform_in_pairs(u, v, bins=64):
    """Chi-square over the squares of a chess board, of neighbours that should be independent."""
    square = (bins * u).astype(np.int64) * bins + (bins * v).astype(np.int64)
    counts = np.bincount(square.ravel(), minlength=bins**2)
    return two_sided(stats.chisquare(counts).pvalue)


def is_uncorrelated(u, v):
    """The correlation coefficient; one of 0.01 is found among 10^6 pairs."""
    correlation = 12.0 * ((u - 0.5) * (v - 0.5)).mean()
    return 2.0 * stats.norm.sf(abs(correlation) * np.sqrt(u.size))


def has_fair_bits(u):
    """Each of the first 52 binary digits, and each pair of them, is as often 1 (unequal) as 0 (equal)."""
    digits = (((u.ravel() * 2.0**52).astype(np.uint64)[:, None] >> np.arange(52, dtype=np.uint64)) & 1).astype(
        np.float32
    )
    signs = 2.0 * digits - 1.0
    sums = np.append((signs.T @ signs)[np.triu_indices(52, 1)], signs.sum(axis=0))
    return min(1.0, sums.size * 2.0 * stats.norm.sf(np.abs(sums).max() / np.sqrt(u.size)))


def two_sided(p):
    return 2.0 * min(p, 1.0 - p)
