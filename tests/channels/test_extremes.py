"""Moments of x far out: caps up to 1e300, hardly any most robust rate, laws as narrow as they are allowed to be."""

import math
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import ndtr

from cointer_gym import Empirical, FadingLaw, Nakagami, Rayleigh, Rician
from support.laws import LAWS, TRACE, each

OF = {
    "rayleigh": (lambda **more: Rayleigh(**more), lambda oracle, *rest: oracle.rayleigh(*rest)),
    "rician": (lambda **more: Rician(k_factor=6.0, **more), lambda oracle, *rest: oracle.rician(6.0, *rest)),
    "nakagami 0.5": (lambda **more: Nakagami(m=0.5, **more), lambda oracle, *rest: oracle.nakagami(0.5, *rest)),
    "nakagami 1.05": (lambda **more: Nakagami(m=1.05, **more), lambda oracle, *rest: oracle.nakagami(1.05, *rest)),
    "nakagami 3": (lambda **more: Nakagami(m=3.0, **more), lambda oracle, *rest: oracle.nakagami(3.0, *rest)),
}


@pytest.fixture(params=OF)
def kind(request, oracle):
    """A law from a mean SNR and a most robust rate, and its oracle."""
    make, exact = OF[request.param]
    return lambda mean, low: (make(mean_snr=mean, min_efficiency=low), exact(oracle, mean, low))


def lognormal(**arguments):
    """A user's law: its survival function does not fall exponentially, and P(g < eps) is no power of eps."""

    class Lognormal(FadingLaw):
        @property
        def tail_rate(self):
            return 1.0

        def gain_survival(self, gain):
            return ndtr(-np.log(np.maximum(gain, 1e-300)) - 0.5)

        def gain_cdf(self, gain):
            return ndtr(np.log(np.maximum(gain, 1e-300)) + 0.5)

    return Lognormal(**arguments)


# --- E[min(x, tau)] and E[(x - tau)^+] --------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "low"), [(1e-3, 0.0), (10.0, 1e-10), (1e6, 1e-300)])
def test_a_capped_mean_keeps_its_digits_for_caps_up_to_1e300(kind, mean, low):
    law, exact = kind(mean, low)
    tau = [1.0 / math.log2(1 + mean * gain) for gain in (2.0, 0.5)] + [1e10, 1e300]
    assert_allclose(law.capped_mean(tau), [float(exact.capped_mean(t)) for t in tau], rtol=1e-11, atol=0)


@pytest.mark.parametrize("low", [1e-10, 1e-100, 1e-300])
def test_the_mean_follows_any_most_robust_rate(kind, low):
    law, exact = kind(1e6, low)
    assert law.mean_channel_uses_per_bit == pytest.approx(float(exact.capped_mean(mp.inf)), rel=1e-12, abs=0)


@pytest.mark.parametrize("m", [1.001, 1.5, 80.0])
def test_fading_that_is_mild_near_0_needs_no_most_robust_rate(oracle, m):
    law = Nakagami(mean_snr=10.0, m=m, min_efficiency=0)
    far = mp.mpf(10) ** 30_000  # (1e-30000)^0.001 is 1e-30
    assert law.mean_channel_uses_per_bit == pytest.approx(
        float(oracle.nakagami(m, 10.0, 0).capped_mean(far)), rel=1e-11, abs=0
    )


@pytest.mark.parametrize(
    "law", [Rayleigh(mean_snr=10.0, min_efficiency=0), Nakagami(mean_snr=1e6, m=0.6, min_efficiency=0)]
)
def test_fading_that_is_not_mild_near_0_has_no_finite_mean(law):
    assert law.mean_channel_uses_per_bit == math.inf
    assert np.isfinite(law.capped_mean([1e300, 1.7e308])).all()
    assert law.mean_excess(1.0) == math.inf


def test_what_x_exceeds_a_cap_by_is_no_small_difference(oracle):
    law, exact = Rayleigh(mean_snr=10.0, min_efficiency=1e-6), oracle.rayleigh(10.0, 1e-6)
    tau = [0.05, 0.3, 7.0, 1e3, 9e5, 9.99999e5]
    assert_allclose(law.mean_excess(tau), [float(exact.excess(t)) for t in tau], rtol=1e-9, atol=0)
    assert law.mean_excess(2e6) == 0.0
    assert law.mean_excess(-1.0) == pytest.approx(law.mean_channel_uses_per_bit + 1.0, rel=1e-15)


@each(LAWS)
def test_the_parts_of_x_below_and_above_a_cap_add_up(law):
    tau = np.concatenate([[-1.0, 0.0], np.geomspace(1e-3, 20.0, 60)])
    mean = law.mean_channel_uses_per_bit
    assert_allclose(law.capped_mean(tau) + law.mean_excess(tau), mean, rtol=1e-14)
    assert_allclose(law.capped_mean(tau) + law.lower_partial_moment(tau), tau, rtol=1e-13, atol=1e-13)
    assert law.capped_mean(1e9) == mean
    assert_allclose(law.exceedance(tau) + law.cdf(tau), 1.0, rtol=1e-14)


@pytest.mark.usefixtures("registry")
def test_a_law_that_gives_phi_alone_gets_the_rest_from_it():
    class Plain(Empirical):
        capped_mean, mean_excess, outage = (
            getattr(Empirical.__base__, name) for name in ("capped_mean", "mean_excess", "outage")
        )

    plain, full, tau = Plain(snr=TRACE), Empirical(snr=TRACE), np.linspace(0.0, 8.0, 40)
    for name in ("capped_mean", "mean_excess", "exceedance"):
        assert_allclose(getattr(plain, name)(tau), getattr(full, name)(tau), rtol=1e-12, atol=1e-15)


def test_an_empirical_cap_by_hand():
    law = Empirical(snr=(0.0, 1.0, 3.0), min_efficiency=0)  # x = inf, 1, 1/2
    assert_allclose(law.capped_mean([0.2, 0.75, 4.0, 1e300]), [0.2, 2 / 3, 5.5 / 3, 1e300 / 3], rtol=1e-15)
    assert law.capped_mean(math.inf) == math.inf
    steady = Empirical(snr=(1.0, 3.0))
    assert_allclose(steady.mean_excess([0.0, 0.75, 1.0, 2.0]), [0.75, 0.125, 0.0, 0.0], rtol=1e-15)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("low", [0.0, 1e-3])
def test_a_law_of_ones_own_need_be_neither_exponential_nor_a_power(low):
    law = lognormal(mean_snr=10.0, min_efficiency=low)

    def uses(z):
        efficiency = mp.log1p(10 * mp.exp(z - mp.mpf("0.5"))) / mp.log(2)
        return 1 / max(efficiency, mp.mpf(low))

    for tau in (0.1, 1.0, 1e3):
        points = sorted({*range(-24, 25, 4), *(mp.log((2 ** (1 / mp.mpf(cap)) - 1) / 10) + 0.5 for cap in (tau,))})
        expected = mp.quad(lambda z, tau=tau: mp.npdf(z) * min(uses(z), tau), points)
        assert float(law.capped_mean(tau)) == pytest.approx(float(expected), rel=1e-11)


# --- offload moments --------------------------------------------------------------------------------------------------


def test_what_an_almost_sure_upload_takes_and_leaves(oracle):
    law, exact = Rayleigh(mean_snr=1e6, min_efficiency=0), oracle.rayleigh(1e6, 0)
    snr = np.array([1e-290, 1e-100, 1e-16, 1e-3, 1e3, 1e6, 1e7])
    moments = law.offload_moments(snr)
    assert_allclose(moments.waiting, -np.expm1(-snr / 1e6), rtol=1e-14)
    assert_allclose(moments.probability, np.exp(-snr / 1e6), rtol=1e-14)
    for threshold, got in zip(snr, moments.channel_uses, strict=True):
        tau = 1 / (mp.log1p(mp.mpf(threshold)) / mp.log(2))
        within = exact.capped_mean(tau) - tau * -mp.expm1(-mp.mpf(threshold) / 1000_000)
        assert float(got) == pytest.approx(float(within), rel=1e-10), threshold


def test_what_an_upload_takes_that_hardly_ever_happens(oracle):
    law, exact = Rayleigh(mean_snr=10.0), oracle.rayleigh(10.0, 0.1523)
    snr = [100.0, 400.0, 2000.0, 6000.0]  # down to e^-600
    assert_allclose(law.offload_moments(snr).channel_uses, [float(exact.partial_mean(s)) for s in snr], rtol=1e-10)


@each(LAWS)
def test_waiting_is_what_offloading_leaves(law):
    moments = law.offload_moments(np.geomspace(1e-4, 1e3, 30))
    assert_allclose(moments.probability + moments.waiting, 1.0, rtol=1e-14)
    assert_allclose(moments._replace(goes_on=None).waiting, moments.waiting, atol=1e-15)


# --- narrow laws, and tails -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k_factor", [0.0, 0.3, 30.0, 1e3])
def test_rician_probabilities_keep_their_digits_down_to_1e_300(k_factor):
    law = Rician(mean_snr=1.0, k_factor=k_factor)
    line, scale = mp.sqrt(2 * mp.mpf(k_factor)), 2 * (1 + mp.mpf(k_factor))

    def share(low, high):
        """Of the amplitude t, integrated outwards from the end that weighs most."""
        density = lambda t: t * mp.besseli(0, line * t) * mp.exp(-(t * t + line * line) / 2)  # noqa: E731
        middle = min(max(line, low), high)
        steps = [mp.mpf(4) ** k / 64 for k in range(6)]
        points = sorted({low, middle, *(p for s in steps for p in (middle - s, middle + s) if low < p < high), high})
        scale = max(density((a + b) / 2) for a, b in pairwise(points))
        return scale * mp.quad(lambda t: density(t) / scale, points)

    deviations = np.array([3.0, 12.0, 36.0])
    up = np.minimum((math.sqrt(2 * k_factor) + deviations) ** 2 / (2 + 2 * k_factor), 1e3)
    down = np.maximum(math.sqrt(2 * k_factor) - deviations, deviations * 1e-9) ** 2 / (2 + 2 * k_factor)
    for gain in (*up, *down):
        amplitude = mp.sqrt(scale * mp.mpf(float(gain)))
        tail, rest = law.gain_survival(np.asarray(gain)), law.gain_cdf(np.asarray(gain))
        assert float(tail) == pytest.approx(float(share(amplitude, max(line, amplitude) + 45)), rel=1e-11, abs=0)
        assert float(rest) == pytest.approx(float(share(mp.mpf(0), amplitude)), rel=1e-11, abs=0)


@pytest.mark.parametrize("law", [Rician(mean_snr=10.0, k_factor=1e3), Nakagami(mean_snr=10.0, m=1e4)])
def test_the_narrowest_law_is_nearly_no_fading(law):
    # Var[log x] is small: E[x] lies within a variance of x at the mean SNR
    variance = 2001 / 1001**2 if isinstance(law, Rician) else 1e-4
    assert law.mean_channel_uses_per_bit == pytest.approx(1 / math.log2(11), rel=variance)
    beyond = 10.0 * (1.0 + 5.0 * math.sqrt(variance) * np.array([1.0, -1.0]))  # five standard deviations: 3e-7 each
    assert law.cdf(1 / math.log2(1 + beyond[0])) < 1e-5
    assert law.exceedance(1 / math.log2(1 + beyond[1])) < 1e-5
    draws = law.inverse_survival(np.random.default_rng(0).random(100_000)) / 10.0
    assert draws.var() == pytest.approx(variance, rel=0.05)
