"""Channels that move in time: transitions against moments, mpmath and SciPy's laws; draws; chains; what is refused."""

import re

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import j0

from cointer_gym import Nakagami, Rayleigh, Rician
from cointer_gym.channels import (
    FiniteState,
    GaussMarkov,
    Independent,
    Rate,
    doppler_to_coherence_time_s,
    speed_to_doppler_hz,
)
from cointer_gym.channels.amplitude import AmplitudeStep, log_scaled_bessel
from cointer_gym.channels.counter import counters, keys
from support.randomness import ALPHA

TIMES = [0.01, 0.0, 0.2, 0.03]
Z = 4.892  # two-sided normal quantile at alpha = 1e-6
LAWS = {
    "rayleigh": Rayleigh(mean_snr=10.0),
    "nakagami-0.5": Nakagami(mean_snr=3.0, m=0.5),
    "nakagami-0.8": Nakagami(mean_snr=0.5, m=0.8),
    "nakagami-3": Nakagami(mean_snr=100.0, m=3.0),
    "nakagami-60": Nakagami(mean_snr=1.0, m=60.0),
}
each_law = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
KEY = keys([7])[0]


def step(m, rho):
    return AmplitudeStep(m, rho, -np.expm1(2.0 * np.log(rho)) if rho > 0 else 1.0)


def quadrature(move, amplitude):
    """Nodes over the window of an amplitude, and weights times density; what lies outside is below 1e-14."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    low, high = (float(end) for end in move.window(np.array(amplitude)))
    grid = low + (high - low) * (np.linspace(0.0, 1.0, 61) ** (4 if low == 0.0 else 1))  # finer near 0
    half = 0.5 * np.diff(grid)[:, None]
    at = (grid[:-1, None] + half) + half * nodes
    return at.ravel(), (half * weights * move.density(np.array(amplitude), at)).ravel()


# --- the transition density -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [0.5, 0.6, 1.0, 2.7, 8.3, 29.9, 30.0, 100.0])
def test_bessel_table_and_expansion_equal_mpmath(m):
    for z in (0.0, 1e-12, 1e-5, 9e-3, 2e-2, 0.3, 3.3, 10.0, 47.0, 200.0, 3e3, 5e4, 1e6, 1e12):
        if z == 0.0:
            expected = -mp.loggamma(m)
        else:
            scaled = mp.log(mp.besseli(mp.mpf(m) - 1, z) * mp.exp(-mp.mpf(z)))
            expected = scaled - (mp.mpf(m) - 1) * mp.log(mp.mpf(z) / 2)
        assert abs(float(log_scaled_bessel(m, np.array(z))) - float(expected)) < 1e-12


@pytest.mark.parametrize("m", [0.5, 0.8, 1.0, 2.7, 60.0, 1000.0])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.9, 0.999, 1.0 - 1e-8])
def test_transition_has_the_moments_of_the_power_gain(m, rho):
    """E[g' | g] = 1 + rho^2 (g - 1),  Var[g' | g] = q (q + 2 rho^2 g) / m."""
    move = step(m, rho)
    for gain in (0.2, 1.0, 1.7):
        at, mass = quadrature(move, np.sqrt(m * gain))
        following = at**2 / m
        mean = 1.0 + rho**2 * (gain - 1.0)
        assert mass.sum() == pytest.approx(1.0, abs=3e-12)
        assert (following * mass).sum() == pytest.approx(mean, rel=3e-12)
        variance = move.q * (move.q + 2.0 * rho**2 * gain) / m
        assert ((following - mean) ** 2 * mass).sum() == pytest.approx(variance, rel=1e-6)


@pytest.mark.parametrize("m", [0.7, 1.0, 4.0])
def test_density_is_that_of_a_noncentral_chi_square_law(m):
    move, at = step(m, 0.8), np.array([0.05, 0.4, 1.0, 1.9])
    for amplitude in (0.0, 0.3, 1.5):
        scale = 0.5 * move.q
        expected = stats.ncx2.pdf(at**2 / scale, 2.0 * m, (0.8 * amplitude) ** 2 / scale) * 2.0 * at / scale
        if amplitude == 0.0:
            expected = stats.chi2.pdf(at**2 / scale, 2.0 * m) * 2.0 * at / scale
        assert_allclose(move.density(np.array(amplitude), at), expected, rtol=1e-11)


@pytest.mark.parametrize("m", [1.0, 2.5])
def test_two_steps_are_one_and_time_runs_either_way(m):
    first, second, both = step(m, 0.9), step(m, 0.7), step(m, 0.63)
    at, mass = quadrature(first, 1.1)
    for end in (0.4, 1.3):
        assert (mass * second.density(at, np.array(end))).sum() == pytest.approx(
            float(both.density(np.array(1.1), np.array(end))), rel=1e-11
        )
        law = step(m, 0.0)
        forth = law.density(np.zeros(1), np.array([1.1])) * first.density(np.array([1.1]), np.array([end]))
        back = law.density(np.zeros(1), np.array([end])) * first.density(np.array([end]), np.array([1.1]))
        assert_allclose(forth, back, rtol=1e-12)


# --- draws of the Gauss-Markov process --------------------------------------------------------------------------------


@each_law
def test_no_coherence_is_the_independent_law_bit_for_bit(law):
    process, episodes = GaussMarkov(law, 0.0), np.arange(500)
    assert_array_equal(process.paths(KEY, episodes, TIMES), Independent(law).paths(KEY, episodes, 5))


@each_law
def test_no_time_and_endless_coherence_keep_the_channel_exactly(law):
    path = GaussMarkov(law, 0.05).paths(KEY, np.arange(500), TIMES)
    assert_array_equal(path[:, 1], path[:, 2])
    assert (path[:, 2] != path[:, 3]).all()
    still = GaussMarkov(law, np.inf).paths(KEY, np.arange(500), TIMES)
    assert_array_equal(still, np.repeat(still[:, :1], 5, axis=1))


@each_law
def test_paths_are_what_single_steps_draw_whatever_the_batch(law):
    process, episodes = GaussMarkov(law, 0.05), np.arange(40)
    path = process.paths(KEY, episodes, TIMES)
    for episode in (0, 13, 39):
        alone = process.paths(KEY, episode, TIMES)
        assert_array_equal(alone, path[episode])
        words = counters(KEY, np.array([episode]), np.arange(5))
        snr = process.first(words[0])
        for n, seconds in enumerate(TIMES, start=1):
            snr = process.following(words[n], snr, seconds)
            assert snr == path[episode, n]
    assert (process.paths(keys([8])[0], episodes, TIMES)[:, 0] != path[:, 0]).all()
    mixed = process.following(counters(KEY, episodes, 1), path[:, 0], np.where(episodes % 2, 0.0, TIMES[0]))
    assert_array_equal(mixed, np.where(episodes % 2, path[:, 0], path[:, 1]))


@each_law
@pytest.mark.parametrize("rho", [0.05, 0.5, 0.95, 0.9999])
def test_steps_follow_the_transition_law(law, rho):
    """Kolmogorov-Smirnov of the probability integral transform; a scale that is 1 % off is found among 10^5 draws."""
    process = GaussMarkov(law, 1.0)
    start = law.average_snr * 0.6
    drawn = process.following(counters(KEY, np.arange(100_000), 1), start, -np.log(rho))
    scale = (1.0 - rho**2) / (2.0 * process.m)
    fractions = stats.ncx2.cdf(drawn / law.average_snr / scale, 2.0 * process.m, rho**2 * 0.6 / scale)
    assert stats.kstest(fractions, "uniform").pvalue > ALPHA


@each_law
def test_the_law_stays_and_the_gain_is_correlated_as_rho_squared(law):
    process = GaussMarkov(law, 0.1)
    path = process.paths(KEY, np.arange(100_000), [0.02, 0.05])
    for n in range(3):
        assert stats.kstest(law.survival(path[:, n]), "uniform").pvalue > ALPHA
    for n, seconds in ((1, 0.02), (2, 0.07)):
        expected = np.exp(-2.0 * seconds / 0.1)
        product = (path[:, 0] / law.average_snr - 1.0) * (path[:, n] / law.average_snr - 1.0) * process.m
        assert product.mean() == pytest.approx(expected, abs=Z * product.std() / np.sqrt(product.size))
        assert process.correlation(seconds) == pytest.approx(np.sqrt(expected), rel=1e-14)


# --- Doppler ----------------------------------------------------------------------------------------------------------


def test_coherence_time_is_where_jakes_correlation_is_1_over_e():
    time_s = doppler_to_coherence_time_s(6.67)
    assert j0(2.0 * np.pi * 6.67 * time_s) == pytest.approx(np.exp(-1.0), rel=1e-10)
    assert time_s * 6.67 == pytest.approx(0.27884, abs=5e-6)
    assert j0(2.0 * np.pi * 6.67 * time_s / 10.0) == pytest.approx(0.9923, abs=5e-5)
    assert doppler_to_coherence_time_s(0.0) == np.inf


def test_doppler_of_a_walk():
    assert speed_to_doppler_hz(3.0 / 3.6, 2.4e9) == pytest.approx(3.0 / 3.6 * 2.4e9 / 299_792_458.0)
    assert speed_to_doppler_hz(0.0, 2.4e9) == 0.0


# --- chains -----------------------------------------------------------------------------------------------------------

LEVELS = (0.1, 2.0, 30.0)
RATES = np.array([[-3.0, 2.0, 1.0], [0.5, -1.5, 1.0], [0.0, 4.0, -4.0]])


def test_a_generator_gives_every_time_and_the_same_chain():
    chain = FiniteState.from_generator(LEVELS, RATES, step_s=0.1)
    half, whole = chain.transition(0.05), chain.transition(0.1)
    assert_allclose(half @ half, whole, atol=1e-14)
    assert_allclose(whole, chain.matrix, atol=1e-14)
    assert_allclose(
        whole, np.eye(3) + sum(np.linalg.matrix_power(0.1 * RATES, k) / f for k, f in FACTORIALS), atol=1e-12
    )
    assert_allclose(chain.stationary @ RATES, 0.0, atol=1e-14)
    read_off = FiniteState(LEVELS, chain.matrix, 0.1)
    assert_allclose(read_off.transition(0.05), half, atol=1e-12)
    assert_allclose(read_off.transition(0.0), np.eye(3), atol=0)


FACTORIALS = [(k, float(np.prod(np.arange(1, k + 1)))) for k in range(1, 15)]


def test_whole_steps_are_powers_and_parts_of_a_step_need_a_generator():
    swaps = FiniteState((1.0, 2.0), [[0.1, 0.9], [0.8, 0.2]], 0.5)  # an eigenvalue of -0.7 has no logarithm
    assert_allclose(swaps.transition(1.5), np.linalg.matrix_power([[0.1, 0.9], [0.8, 0.2]], 3), atol=1e-15)
    assert_allclose(swaps.stationary, [8 / 17, 9 / 17], rtol=1e-14)
    with pytest.raises(ValueError, match=r"elapsed_s = 0.7 is no whole number of steps of 0.5 s; .* no generator"):
        swaps.transition(0.7)
    cycle = FiniteState((1.0, 2.0, 3.0), [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]], 1.0)
    with pytest.raises(ValueError, match="no generator"):  # its logarithm has negative rates
        cycle.transition(0.5)


def test_chain_draws_its_levels_as_often_as_it_says():
    chain = FiniteState.from_generator(LEVELS, RATES)
    path = chain.paths(KEY, np.arange(100_000), [0.3, 0.0])
    states = chain.state(path)
    assert_array_equal(path[:, 1], path[:, 2])
    assert_array_equal(chain.paths(KEY, 17, [0.3, 0.0]), path[17])
    pairs = np.bincount(3 * states[:, 0] + states[:, 1], minlength=9) / len(path)
    expected = (chain.stationary[:, None] * chain.transition(0.3)).ravel()
    assert (np.abs(pairs - expected) < Z * np.sqrt(expected * (1 - expected) / len(path))).all()


def test_fit_counts_a_trace_as_a_ring():
    trace = np.array([1.0, 1.0, 9.0, 9.0, 9.0, 1.0])
    chain = FiniteState.fit(trace, 0.1 * np.arange(6), 2)
    assert_allclose(chain.levels_snr, [1.0, 9.0], rtol=1e-12)
    assert_allclose(chain.matrix, [[2 / 3, 1 / 3], [1 / 3, 2 / 3]], rtol=1e-12)
    assert chain.step_s == pytest.approx(0.1)


def test_fit_keeps_the_mean_upload_and_the_shares():
    rng = np.random.default_rng(3)
    trace, rate = rng.exponential(5.0, 400), Rate(0.1523, 3.0)
    chain = FiniteState.fit(trace, np.arange(400.0), 7, rate=rate)
    uses = rate.channel_uses_per_bit
    assert chain.stationary @ uses(chain.levels_snr) == pytest.approx(uses(trace).mean(), rel=1e-12)
    assert chain.levels_snr.size < 7  # many samples are as fast as the fastest scheme
    one = FiniteState.fit(trace, np.arange(400.0), 1, rate=rate)
    assert_allclose(one.matrix, [[1.0]])


def test_fit_finds_the_chain_that_made_a_trace():
    chain = FiniteState.from_generator(LEVELS, RATES, step_s=0.1)
    word = counters(KEY, 0, np.arange(60_000))
    snr = [float(chain.first(word[0]))]
    cumulative, fractions = np.cumsum(chain.matrix, axis=1), np.random.default_rng(1).random(word.size)
    for u in fractions:
        snr.append(LEVELS[int(np.searchsorted(cumulative[LEVELS.index(snr[-1])], u))])
    found = FiniteState.fit(snr, 0.1 * np.arange(len(snr)), len(snr))
    assert_allclose(found.levels_snr[1:], LEVELS[1:], rtol=1e-10)
    assert_allclose(found.matrix, chain.matrix, atol=0.02)


def test_gaps_are_errors_or_bridged():
    trace, times = [1.0, 2.0, 1.0, 2.0, 2.0], [0.0, 1.0, 2.0, 7.0, 8.0]
    with pytest.raises(ValueError, match=re.escape("times_s[3] - times_s[2] = 5 s differs from the usual step of 1 s")):
        FiniteState.fit(trace, times, 2)
    bridged = FiniteState.fit(trace, times, 5, gaps="bridge")
    assert_allclose(bridged.matrix, [[0.0, 1.0], [2 / 3, 1 / 3]], rtol=1e-12)
    with pytest.raises(ValueError, match="differs from the usual step"):
        FiniteState.fit(trace, [0.0, 1.0, 1.5, 2.5, 3.5], 2, gaps="bridge")


def test_a_chain_that_falls_apart_needs_a_start():
    with pytest.raises(ValueError, match="2 stationary laws"):
        FiniteState((1.0, 2.0), np.eye(2), 1.0)
    chain = FiniteState((1.0, 2.0), np.eye(2), 1.0, start=[0.25, 0.75])
    assert_array_equal(chain.stationary, [0.25, 0.75])
    leaks = FiniteState((1.0, 2.0, 3.0), [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]], 1.0)
    assert_allclose(leaks.stationary, [0.0, 0.5, 0.5], atol=1e-15)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: GaussMarkov(Rician(mean_snr=1.0, k_factor=1.0), 1.0),
            "its power alone is not Markov, because .* phase",
        ),
        (lambda: GaussMarkov(Rayleigh(mean_snr=1.0), -1.0), r"coherence_time_s = -1.0 must be >= 0"),
        (lambda: GaussMarkov(Rayleigh(mean_snr=1.0), np.nan), r"coherence_time_s = nan must be >= 0"),
        (
            lambda: GaussMarkov(LAWS["rayleigh"], 1.0).paths(KEY, 0, [1.0, -2.0]),
            r"elapsed_s\[1\] = -2.0 must be finite",
        ),
        (lambda: GaussMarkov(LAWS["rayleigh"], 1.0).paths(KEY, 0, 1.0), r"elapsed_s has shape \(\), expected \(M,\)"),
        (lambda: GaussMarkov(LAWS["rayleigh"], 1.0).paths(KEY, 0, np.ones(65536)), "65536 entries, .* at most 65535"),
        (lambda: doppler_to_coherence_time_s(-1.0), "doppler_hz = -1.0 must be finite and >= 0"),
        (lambda: speed_to_doppler_hz(-1.0, 1e9), "speed_m_per_s = -1.0 must be from 0"),
        (lambda: speed_to_doppler_hz(1.0, 0.0), "carrier_hz = 0.0 must be finite and > 0"),
        (lambda: FiniteState((), np.eye(0), 1.0), r"levels_snr has shape \(0,\)"),
        (lambda: FiniteState((1.0, -1.0), np.eye(2), 1.0), r"levels_snr\[1\] = -1.0 must be finite and >= 0"),
        (lambda: FiniteState((1.0, 1.0), np.eye(2), 1.0), r"levels_snr\[1\] = 1.0 must exceed .* cannot be told apart"),
        (lambda: FiniteState((1.0, 2.0), np.eye(3), 1.0), r"matrix has shape \(3, 3\), expected \(2, 2\)"),
        (lambda: FiniteState((1.0, 2.0), [[1.1, -0.1], [0, 1]], 1.0), r"matrix\[0, 0\] = 1.1 must be from 0 to 1"),
        (
            lambda: FiniteState((1.0, 2.0), [[0.5, 0.5], [0.5, 0.4]], 1.0),
            r"matrix\[1\] sums to 0.9, a row must sum to 1",
        ),
        (lambda: FiniteState((1.0,), [[1.0]], 0.0), "step_s = 0.0 must be finite and > 0"),
        (lambda: FiniteState((1.0,), [[1.0]], 1.0, start=[0.5]), "must be probabilities that sum to 1"),
        (lambda: FiniteState((1.0,), [[1.0]], 1.0, start=[0.5, 0.5]), r"start has shape \(2,\)"),
        (lambda: FiniteState((1.0, 2.0), [[0, 1], [1, 0]], 1.0, start=[0.25, 0.75]), "must be stationary"),
        (lambda: FiniteState((1.0,), [[1.0]], 1.0).state([1.0, 3.0]), "snr = 3.0 must be one of the 1 levels"),
        (lambda: FiniteState.from_generator((1.0, 2.0), np.eye(2)), r"generator_per_s\[0\] sums to 1"),
        (lambda: FiniteState.from_generator((1.0, 2.0), [[1, -1], [1, -1]]), ">= 0 off its diagonal"),
        (lambda: FiniteState.from_generator((1.0, 2.0), np.eye(3)), r"generator_per_s has shape \(3, 3\)"),
        (lambda: FiniteState.fit([1.0], [0.0], 1), r"trace_snr has shape \(1,\), expected \(N,\) with N >= 2"),
        (lambda: FiniteState.fit([1.0, 2.0], [0.0], 1), r"times_s has shape \(1,\), expected \(2,\)"),
        (lambda: FiniteState.fit([1.0, -2.0], [0.0, 1.0], 1), r"trace_snr\[1\] = -2.0 must be finite and >= 0"),
        (lambda: FiniteState.fit([1.0, 2.0], [1.0, 1.0], 1), r"times_s\[1\] = 1.0 must be later than times_s\[0\]"),
        (lambda: FiniteState.fit([1.0, 2.0], [0.0, 1.0], 3), "states = 3 must be an integer from 1 to 2"),
        (lambda: FiniteState.fit([1.0, 2.0], [0.0, 1.0], 1, gaps="skip"), "gaps = 'skip' must be 'error' or 'bridge'"),
        (lambda: FiniteState.fit([0.0, 2.0], [0.0, 1.0], 1, rate=Rate(0.0)), r"trace_snr\[0\] = 0 never gets a bit"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_another_law_of_the_same_kind_has_no_process(registry):
    class Odd(Rayleigh, law="odd"):
        pass

    with pytest.raises(ValueError, match="law = odd has no Gauss-Markov process"):
        GaussMarkov(Odd(mean_snr=1.0), 1.0)
