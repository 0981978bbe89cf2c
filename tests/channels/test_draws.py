"""Channel laws against their own draws, made as the environments make them: from counters, by inversion."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician
from cointer_gym.channels import Independent
from cointer_gym.channels.counter import STAGES, keys, uniform
from support.laws import LAWS, TRACE, each
from support.randomness import ALPHA, POWER, is_uncorrelated, is_uniform_in_pairs

MEAN_SNR = 6.0
EPISODES, STAGES_OF_A_TASK = 2**15, 2**7
DRAWS = EPISODES * STAGES_OF_A_TASK  # 4 million
BINS = 16
GAIN_LAWS = {
    "rayleigh": (Rayleigh(mean_snr=MEAN_SNR), stats.expon()),
    # (1 + K) g ~ ncx2(2, 2K) / 2
    "rician": (Rician(mean_snr=MEAN_SNR, k_factor=4.0), stats.ncx2(2, 8.0, scale=0.1)),
    "rician-narrowest": (Rician(mean_snr=MEAN_SNR, k_factor=1e4), stats.ncx2(2, 2e4, scale=0.5 / 10_001)),
    "nakagami": (Nakagami(mean_snr=MEAN_SNR, m=2.5), stats.gamma(2.5, scale=0.4)),
    "nakagami-harsh": (Nakagami(mean_snr=MEAN_SNR, m=0.5), stats.gamma(0.5, scale=2.0)),
    "nakagami-narrowest": (Nakagami(mean_snr=MEAN_SNR, m=1e4), stats.gamma(1e4, scale=1e-4)),
}


def paths(law, seeds=(20_220,), episodes=EPISODES, stages=STAGES_OF_A_TASK):
    """SNRs, shape (seeds, episodes, stages)."""
    return Independent(law).paths(keys(seeds)[:, None], np.arange(episodes), stages)


class Fit:
    """How likely draws are under a gain of scipy's, by tests of the mean, the variance, and the shape.

    The edges of the bins are those of equal probability under ``gain``.
    """

    def __init__(self, gain):
        self._gain = gain
        self._edges = gain.ppf(np.linspace(0.0, 1.0, 32 * BINS + 1))
        self._mean, self._variance, self._kurtosis = (float(gain.stats(moment)) for moment in "mvk")

    def mean(self, sample):
        return 2.0 * stats.norm.sf(abs(sample.mean() - 1.0) / math.sqrt(self._variance / sample.size))

    def variance(self, sample):
        # Var[(g - 1)^2] = (kurtosis_excess + 2) variance^2
        spread = self._variance * math.sqrt((self._kurtosis + 2.0) / sample.size)
        return 2.0 * stats.norm.sf(abs(((sample - 1.0) ** 2).mean() - self._variance) / spread)

    def chi_square(self, sample):
        return stats.chisquare(self._counts(sample).reshape(BINS, -1).sum(axis=1)).pvalue

    def distance(self, sample):
        """Kolmogorov-Smirnov at the edges of the bins: no more than that at all points."""
        share = np.cumsum(self._counts(sample)) / sample.size
        return stats.kstwobign.sf(
            np.sqrt(sample.size) * np.abs(share - np.linspace(0.0, 1.0, share.size + 1)[1:]).max()
        )

    def _counts(self, sample):
        below = np.searchsorted(np.sort(sample, axis=None), self._edges[1:-1])
        return np.diff(below, prepend=0, append=sample.size)

    def power(self, factor):
        """How likely each test but that of the variance finds a gain that is this factor larger, for DRAWS draws."""
        critical, shift = stats.norm.isf(ALPHA / 2.0), abs(factor - 1.0) / math.sqrt(self._variance / DRAWS)
        below = self._gain.cdf(self._edges / factor)
        share = np.diff(below[:: self._edges.size // BINS])
        excess = DRAWS * ((share - 1.0 / BINS) ** 2 * BINS).sum()
        off = np.abs(below - self._gain.cdf(self._edges)).max() * math.sqrt(DRAWS) - stats.kstwobign.isf(ALPHA)
        return {
            "mean": stats.norm.cdf(shift - critical),
            "chi_square": stats.ncx2.sf(stats.chi2.isf(ALPHA, BINS - 1), BINS - 1, excess),
            "distance": stats.norm.cdf(2.0 * off),  # at least: the standard deviation of a share is 1/2 or less
        }


@pytest.fixture(scope="module", params=GAIN_LAWS)
def drawn(request):
    law, gain = GAIN_LAWS[request.param]
    return Fit(gain), paths(law)[0] / MEAN_SNR


@pytest.mark.parametrize("test", ["mean", "variance", "chi_square", "distance"])
def test_draws_follow_the_law(drawn, test):
    fit, sample = drawn
    assert sample.shape == (EPISODES, STAGES_OF_A_TASK)
    assert getattr(fit, test)(sample) > ALPHA


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_a_mean_snr_that_is_one_per_cent_off_would_be_found(drawn, factor):
    fit, sample = drawn
    for test, power in fit.power(factor).items():
        assert power > POWER, test
        assert getattr(fit, test)(factor * sample) < ALPHA, test


@pytest.mark.parametrize(
    ("drawn_from", "name"),
    [
        (Rician(mean_snr=MEAN_SNR, k_factor=4.05), "rician"),
        (Nakagami(mean_snr=MEAN_SNR, m=2.53), "nakagami"),
        (Nakagami(mean_snr=MEAN_SNR, m=2.5), "rician"),
        (Rician(mean_snr=MEAN_SNR, k_factor=0.1), "rayleigh"),
    ],
)
def test_another_law_of_the_same_mean_would_be_found(drawn_from, name):
    fit = Fit(GAIN_LAWS[name][1])
    assert fit.mean(sample := paths(drawn_from)[0] / MEAN_SNR) > ALPHA
    assert min(fit.variance(sample), fit.chi_square(sample)) < ALPHA


@pytest.mark.parametrize("name", ["rayleigh", "nakagami-harsh"])
def test_draws_of_neighbours_are_independent(name):
    """Stages, episodes and seeds: a correlation of 0.01 of their ranks would be found, see test_counter."""
    law = GAIN_LAWS[name][0]
    rank = law.survival(paths(law, range(32), 256, 128))
    for axis in range(3):
        first, second = (np.take(rank, range(start, rank.shape[axis] - 1 + start), axis) for start in (0, 1))
        assert min(is_uncorrelated(first, second), is_uniform_in_pairs(first, second)) > ALPHA


def test_the_next_episode_begins_where_all_stages_of_this_one_end():
    law = Rayleigh(mean_snr=MEAN_SNR)
    path = paths(law, (3,), 2, STAGES)[0]
    assert np.unique(path).size == path.size
    with pytest.raises(ValueError, match="stages = 65537 must be at most 65536"):
        paths(law, (3,), 2, STAGES + 1)


# --- empirical --------------------------------------------------------------------------------------------------------


def test_empirical_draws_come_from_the_trace_in_proportion():
    sample = paths(Empirical(snr=TRACE))
    values, counts = np.unique(sample, return_counts=True)
    assert values.tolist() == sorted(set(TRACE))
    share = np.array([TRACE.count(value) / len(TRACE) for value in values])
    assert stats.chisquare(counts, share * DRAWS).pvalue > ALPHA
    off = np.where(np.arange(share.size) == 0, 1.02, 1.0) * share
    off /= off.sum()  # one sample is drawn 2 % too often, which would be found
    excess = DRAWS * ((off - share) ** 2 / share).sum()
    assert stats.ncx2.sf(stats.chi2.isf(ALPHA, share.size - 1), share.size - 1, excess) > POWER
    assert stats.chisquare(counts, off * DRAWS).pvalue < ALPHA


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000, 65_537])
def test_every_sample_of_a_trace_has_its_share_of_the_probability(size):
    law = Empirical(snr=tuple(np.arange(size, dtype=float)))
    edges = np.arange(1, size) / size
    inside = np.concatenate([edges * (1 - 1e-12), edges * (1 + 1e-12), [2.0**-53, 1.0 - 2.0**-53]])
    assert_array_equal(law.inverse_survival(inside), size - 1 - np.floor(inside * size))
    assert (law.survival(law.inverse_survival(inside)) >= inside).all()


# --- a function of the counter ----------------------------------------------------------------------------------------


@each(LAWS)
def test_the_seed_determines_the_draws(law):
    first, again, other = (paths(law, (seed,), 3, 20) for seed in (1, 1, 2))
    assert first.shape == (1, 3, 20)
    assert first.dtype == np.float64
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@each(LAWS)
def test_a_draw_is_the_same_whatever_is_drawn_beside_it(law):
    counter = np.arange(20_000, dtype=np.uint64).reshape(40, 500) * np.uint64(0x9E3779B97F4A7C15)
    whole = law.inverse_survival(uniform(counter))
    for place in (np.s_[:], np.s_[:, ::7], np.s_[::-1, ::-1], np.s_[3], np.s_[:, 4], np.s_[:1, :1], np.s_[5, :9]):
        assert_array_equal(law.inverse_survival(uniform(counter[place])), whole[place])
        assert_array_equal(law.inverse_survival(uniform(counter)[place].copy()), whole[place])
    assert_array_equal(law.inverse_survival(uniform(counter.T)), whole.T)
    assert_array_equal(law.inverse_survival(uniform(np.asfortranarray(counter))), whole)
    for row, column in ((0, 0), (7, 13), (39, 499)):
        one = law.inverse_survival(uniform(counter[row, column]))
        assert (np.shape(one), float(one)) == ((), whole[row, column])
        assert float(law.inverse_survival(float(uniform(counter[row, column])))) == whole[row, column]
