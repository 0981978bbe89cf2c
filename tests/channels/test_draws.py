"""Channel laws against their own draws."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician
from support.laws import LAWS, TRACE, each

# alpha = 1e-6 per test, two-sided z = 4.892. With n draws, the tests of the mean and of the variance find an error of
# 2 z standard errors, and the Dvoretzky-Kiefer-Wolfowitz test finds a law whose distribution function is off by
# 2 sqrt(log(2/alpha)/(2n)) = 0.0108 anywhere, each with probability 1 - 1e-6.
DRAWS = 250_000
Z = 4.892
GAIN_LAWS = {
    "rayleigh": (Rayleigh(mean_snr=6.0), stats.expon()),
    "rician": (Rician(mean_snr=6.0, k_factor=4.0), stats.ncx2(2, 8.0, scale=0.1)),  # (1 + K) g ~ ncx2(2, 2K) / 2
    "nakagami": (Nakagami(mean_snr=6.0, m=2.5), stats.gamma(2.5, scale=0.4)),
    "nakagami-harsh": (Nakagami(mean_snr=6.0, m=0.5), stats.gamma(0.5, scale=2.0)),
}


@pytest.fixture(scope="module", params=GAIN_LAWS)
def draws(request):
    law, gain = GAIN_LAWS[request.param]
    return law, gain, law.sample_snr(np.random.default_rng(20_220), (DRAWS // 10, 10)) / 6.0


def test_draws_have_the_mean_and_variance_of_the_law(draws):
    law, gain, sample = draws
    variance, kurtosis = (float(gain.stats(moment)) for moment in "vk")
    assert law.average_snr == 6.0
    assert sample.mean() == pytest.approx(1.0, abs=Z * math.sqrt(variance / DRAWS))
    # Var[(g - 1)^2] = (kurtosis_excess + 2) variance^2
    assert ((sample - 1) ** 2).mean() == pytest.approx(variance, abs=Z * variance * math.sqrt((kurtosis + 2) / DRAWS))


def test_draws_follow_the_distribution_function_of_the_law(draws):
    law, gain, sample = draws
    bound = math.sqrt(math.log(2 / 1e-6) / (2 * DRAWS))
    ordered, rank = np.sort(sample, axis=None), np.arange(1, DRAWS + 1) / DRAWS
    for cdf in (gain.cdf(ordered), 1.0 - law.survival(6.0 * ordered)):
        assert max(np.abs(rank - cdf).max(), np.abs(rank - 1 / DRAWS - cdf).max()) < bound


def test_draws_of_successive_stages_are_uncorrelated(draws):
    uniform = draws[1].cdf(draws[2]) - 0.5
    lag_one = (uniform[:, 1:] * uniform[:, :-1]).mean() * 12.0
    assert abs(lag_one) < Z / math.sqrt(uniform[:, 1:].size)


def test_empirical_draws_come_from_the_trace_in_proportion():
    law = Empirical(snr=TRACE)
    sample = law.sample_snr(np.random.default_rng(3), (DRAWS,))
    for value in set(TRACE):
        share = TRACE.count(value) / len(TRACE)
        assert (sample == value).mean() == pytest.approx(share, abs=Z * math.sqrt(share * (1 - share) / DRAWS))
    assert set(np.unique(sample)) == set(TRACE)


@each(LAWS)
def test_the_seed_determines_the_draws(law):
    first, again, other = (law.sample_snr(np.random.default_rng(seed), (3, 20)) for seed in (1, 1, 2))
    assert first.shape == (3, 20)
    assert first.dtype == np.float64
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
