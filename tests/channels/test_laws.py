"""Channel laws against quadrature over the gain and brute force over samples."""

import math
import pickle

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician
from cointer_gym.channels import LTE_MAX_EFFICIENCY, LTE_MIN_EFFICIENCY
from cointer_gym.units import db_to_linear
from support.laws import LAWS, TRACE, each

MEAN_SNR_DB = (-20, -10, 0, 10, 20, 30, 40)
LARGEST_K, LARGEST_M = (
    next(bound.le for bound in law.model_fields[name].metadata if hasattr(bound, "le"))
    for law, name in ((Rician, "k_factor"), (Nakagami, "m"))
)
CONTINUOUS = {name: law for name, law in LAWS.items() if name != "empirical"}


def x_of_survival(mean_snr, exponent):
    """The tau with F(tau) = e^-exponent under Rayleigh fading."""
    return math.log(2) / math.log1p(mean_snr * exponent)


# --- Phi, E[x] and the offload moments against quadrature -------------------------------------------------------------


@pytest.mark.parametrize("max_efficiency", [None, LTE_MAX_EFFICIENCY])
@pytest.mark.parametrize("mean_snr_db", MEAN_SNR_DB)
def test_rayleigh_partial_moment_is_exact_to_1e_10_from_the_far_tail_to_the_linear_part(
    oracle, mean_snr_db, max_efficiency
):
    mean_snr = float(db_to_linear(mean_snr_db))
    law = Rayleigh(mean_snr=mean_snr, max_efficiency=max_efficiency)
    exact = oracle.rayleigh(mean_snr, LTE_MIN_EFFICIENCY, max_efficiency)
    tau = np.array([x_of_survival(mean_snr, e) for e in (600, 90, 9, 1, 0.1, 1e-3)] + [6.5, 6.7, 50.0])
    assert_allclose(law.lower_partial_moment(tau), [float(exact.phi(t)) for t in tau], rtol=1e-10, atol=0)
    assert law.mean_channel_uses_per_bit == pytest.approx(float(exact.mean()), rel=1e-10)


@pytest.mark.parametrize("mean_snr_db", [-20, 10, 40])
def test_pure_shannon_rayleigh_has_a_finite_partial_moment_and_an_infinite_mean(oracle, mean_snr_db):
    mean_snr = float(db_to_linear(mean_snr_db))
    law, exact = Rayleigh(mean_snr=mean_snr, min_efficiency=0), oracle.rayleigh(mean_snr, 0)
    tau = np.array([x_of_survival(mean_snr, e) for e in (300, 3, 0.1, 1e-4, 1e-8)])
    assert_allclose(law.lower_partial_moment(tau), [float(exact.phi(t)) for t in tau], rtol=1e-10, atol=0)
    assert law.mean_channel_uses_per_bit == math.inf


@pytest.mark.parametrize("low", [1e-6, 1e-16])
def test_mean_follows_a_tiny_slowest_rate(oracle, low):
    law, exact = Rayleigh(mean_snr=10.0, min_efficiency=low), oracle.rayleigh(10.0, low)
    assert law.mean_channel_uses_per_bit == pytest.approx(float(exact.mean()), rel=1e-10)


@pytest.mark.parametrize("k_factor", [0.3, 4.0, LARGEST_K])
def test_rician_partial_moment_and_mean_agree_with_quadrature_over_the_whole_range_of_k(oracle, k_factor):
    law, exact = Rician(mean_snr=10.0, k_factor=k_factor), oracle.rician(k_factor, 10.0, LTE_MIN_EFFICIENCY)
    for tau in (0.28, 0.5, 7.0):
        assert float(law.lower_partial_moment(tau)) == pytest.approx(float(exact.phi(tau)), rel=1e-10, abs=0)
    assert law.mean_channel_uses_per_bit == pytest.approx(float(exact.mean()), rel=1e-10)


@pytest.mark.parametrize("m", [0.5, 1.7, 20.0, LARGEST_M])
def test_nakagami_partial_moment_and_mean_agree_with_quadrature_over_the_whole_range_of_m(oracle, m):
    law, exact = Nakagami(mean_snr=10.0, m=m), oracle.nakagami(m, 10.0, LTE_MIN_EFFICIENCY)
    for tau in (0.28, 0.5, 2.0, 7.0):
        assert float(law.lower_partial_moment(tau)) == pytest.approx(float(exact.phi(tau)), rel=1e-10, abs=0)
    assert law.mean_channel_uses_per_bit == pytest.approx(float(exact.mean()), rel=1e-10)


@pytest.mark.parametrize("k_factor", [0.0, 0.5, 7.0, 80.0])
def test_rician_gain_is_noncentral_chi_square(k_factor):
    gain = np.array([0.02, 0.3, 1.0, 2.0])
    law, scale = Rician(mean_snr=3.0, k_factor=k_factor), 2 * (1 + k_factor)
    assert_allclose(law.survival(3.0 * gain), stats.ncx2.sf(scale * gain, 2, 2 * k_factor), rtol=1e-8)
    assert_allclose(law.gain_cdf(gain), stats.ncx2.cdf(scale * gain, 2, 2 * k_factor), rtol=1e-8)


@pytest.mark.parametrize("k_factor", [0.0, 4.0, 30.0, 100.0])
def test_rician_probabilities_stay_within_0_and_1(k_factor):
    law, gain = Rician(mean_snr=1.0, k_factor=k_factor), np.linspace(0.0, 0.5, 40)
    for tail in (law.survival(gain), law.gain_cdf(1.0 / (gain + 1e-9))):
        assert (tail <= 1.0).all()
        assert tail[0] == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("other", [Rician(mean_snr=8.0, k_factor=0.0), Nakagami(mean_snr=8.0, m=1.0)])
def test_rician_without_line_of_sight_and_nakagami_1_are_rayleigh(other):
    rayleigh, tau = Rayleigh(mean_snr=8.0), np.linspace(0.05, 8.0, 60)
    assert_allclose(other.lower_partial_moment(tau), rayleigh.lower_partial_moment(tau), rtol=1e-12)
    assert_allclose(other.cdf(tau), rayleigh.cdf(tau), rtol=1e-12)
    assert other.mean_channel_uses_per_bit == pytest.approx(rayleigh.mean_channel_uses_per_bit, rel=1e-12)


@pytest.mark.parametrize("max_efficiency", [None, 3.0])
def test_offload_moments_agree_with_quadrature_inside_and_in_both_clipped_zones(oracle, max_efficiency):
    law = Rayleigh(mean_snr=10.0, min_efficiency=0.5, max_efficiency=max_efficiency)
    exact = oracle.rayleigh(10.0, 0.5, max_efficiency)
    # eta_min is reached at SNR 2^0.5 - 1 = 0.414, eta_max at 2^3 - 1 = 7
    snr = np.array([0.0, 0.1, 0.4, 0.414213562, 0.5, 3.0, 6.9, 7.1, 30.0])
    moments = law.offload_moments(snr)
    assert_allclose(moments.probability, np.exp(-snr / 10.0), rtol=1e-14)
    assert_allclose(moments.channel_uses, [float(exact.partial_mean(t)) for t in snr], rtol=1e-10)
    if max_efficiency:  # above SNR 7 every x is 1/3
        assert_allclose(moments.channel_uses[-2:], np.exp([-0.71, -3.0]) / 3.0, rtol=1e-12)


@pytest.mark.parametrize("name", ["rician", "nakagami", "nakagami-harsh"])
def test_offload_moments_of_the_other_laws_agree_with_quadrature(oracle, name):
    exact = {
        "rician": oracle.rician(4.0, 5.0, LTE_MIN_EFFICIENCY, 4.0),
        "nakagami": oracle.nakagami(2.5, 20.0, LTE_MIN_EFFICIENCY),
        "nakagami-harsh": oracle.nakagami(0.5, 2.0, LTE_MIN_EFFICIENCY),
    }[name]
    for snr in (0.05, 1.0, 8.0):
        moments = LAWS[name].offload_moments(snr)
        assert float(moments.probability) == pytest.approx(float(exact.survival(snr)), rel=1e-10)
        assert float(moments.channel_uses) == pytest.approx(float(exact.partial_mean(snr)), rel=1e-10)


@each(LAWS)
def test_offloading_never_and_always(law):
    moments = law.offload_moments([math.inf, 0.0])
    assert_array_equal(moments.probability, [0.0, 1.0])
    assert moments.channel_uses[0] == 0.0
    assert moments.channel_uses[1] == pytest.approx(law.mean_channel_uses_per_bit, rel=1e-12)


def test_a_random_offload_set_of_a_pure_shannon_link_has_a_finite_moment_unless_it_holds_snr_zero(oracle):
    law, exact = Rayleigh(mean_snr=10.0, min_efficiency=0), oracle.rayleigh(10.0, 0)
    moments = law.offload_moments([0.0, 1e-3, 2.0])
    assert moments.channel_uses[0] == math.inf
    assert_allclose(moments.channel_uses[1:], [float(exact.partial_mean(t)) for t in (1e-3, 2.0)], rtol=1e-10)


# --- the distribution function ----------------------------------------------------------------------------------------


@each(CONTINUOUS)
def test_cdf_is_the_derivative_of_the_partial_moment(law):
    tau, step = np.linspace(law.breakpoints[0] + 0.15, 1.0 / law.min_efficiency - 0.15, 25), 1e-4
    slope = (law.lower_partial_moment(tau + step) - law.lower_partial_moment(tau - step)) / (2 * step)
    assert_allclose(law.cdf(tau), slope, rtol=1e-4, atol=1e-7)


@each(LAWS)
def test_beyond_the_slowest_rate_the_partial_moment_is_tau_minus_the_mean(law):
    tau = np.array([1.0, 1.5, 100.0]) / law.min_efficiency
    assert_allclose(law.lower_partial_moment(tau), tau - law.mean_channel_uses_per_bit, rtol=1e-12)


@each(LAWS)
def test_partial_moment_and_cdf_vanish_up_to_the_fastest_rate(law):
    fastest = 1e-9 if law.max_efficiency is None else 1.0 / law.max_efficiency
    tau = np.array([-1.0, 0.0, 0.5 * fastest, fastest * (1 - 1e-12)])
    assert_array_equal(law.lower_partial_moment(tau), 0.0)
    assert_array_equal(law.cdf(tau), 0.0)


@pytest.mark.parametrize("law", [Rayleigh(mean_snr=4.0, max_efficiency=2.0), Nakagami(mean_snr=4.0, m=3.0)])
def test_both_efficiency_limits_carry_an_atom(law):
    slowest, snr_of_slowest = 1.0 / LTE_MIN_EFFICIENCY, 2**LTE_MIN_EFFICIENCY - 1
    assert law.cdf(slowest) == 1.0
    assert law.cdf(slowest * (1 - 1e-9)) == pytest.approx(law.survival(snr_of_slowest), rel=1e-9)
    assert law.survival(snr_of_slowest) < 1.0
    if law.max_efficiency:  # x = 1/2 from SNR 3 on: P = e^(-3/4)
        assert law.cdf(0.5) == pytest.approx(math.exp(-0.75), rel=1e-14)


@each(LAWS)
def test_threshold_snr_inverts_channel_uses_and_marks_never_and_always(law):
    low, high = law.breakpoints[0], law.breakpoints[-1]
    tau = np.linspace(max(low, 0.1), 0.99 * high, 40)
    assert_allclose(law.channel_uses_per_bit(law.threshold_snr(tau)), tau, rtol=1e-12)
    assert_array_equal(law.threshold_snr([high, 2 * high, math.inf]), 0.0)
    assert_array_equal(law.threshold_snr([-math.inf, -1.0, 0.0, low * (1 - 1e-12)]), math.inf)


def test_spectral_efficiency_is_shannon_between_its_limits():
    law = Rayleigh(mean_snr=1.0, min_efficiency=0.5, max_efficiency=4.0)
    # log2(1+0) = 0 -> 0.5, log2(1+1) = 1, log2(1+7) = 3, log2(1+31) = 5 -> 4
    assert_allclose(
        law.rate.spectral_efficiency([0.0, 1.0, 7.0, 31.0, math.inf]), [0.5, 1.0, 3.0, 4.0, 4.0], rtol=1e-15
    )
    assert_allclose(law.channel_uses_per_bit([0.0, 1.0, 7.0, 31.0]), [2.0, 1.0, 1 / 3, 0.25], rtol=1e-15)
    assert Rayleigh(mean_snr=1.0, min_efficiency=0).channel_uses_per_bit(0.0) == math.inf


@each(LAWS)
def test_breakpoints_are_sorted_and_end_at_the_ends_of_the_support(law):
    knots = law.breakpoints
    assert (np.diff(knots) > 0).all()
    if law.max_efficiency is not None:
        assert knots[0] == 1.0 / law.max_efficiency
    assert knots[-1] == 1.0 / law.min_efficiency


# --- the empirical law ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{}, {"min_efficiency": 1.0, "max_efficiency": 3.0}, {"min_efficiency": 0.001}])
def test_empirical_law_equals_brute_force_over_its_samples(limits):
    law, snr = Empirical(snr=TRACE, **limits), np.array(TRACE)
    x = 1.0 / np.clip(np.log2(1.0 + snr), law.min_efficiency, law.max_efficiency)
    tau = np.concatenate([np.linspace(0.0, 1.2 * x.max(), 301), x])
    assert_allclose(law.lower_partial_moment(tau), np.maximum(tau[:, None] - x, 0.0).mean(axis=1), atol=1e-13)
    assert law.mean_channel_uses_per_bit == pytest.approx(x.mean(), rel=1e-14)
    assert law.average_snr == pytest.approx(snr.mean(), rel=1e-14)
    for threshold in (0.0, 0.005, 0.01, 0.5, 3.0, 3.1, 12.5, 39.9, 40.0, 41.0, math.inf):
        chosen = snr >= threshold
        assert law.survival(threshold) == pytest.approx(chosen.mean(), abs=1e-15)
        moments = law.offload_moments(threshold)
        assert moments.probability == pytest.approx(chosen.mean(), abs=1e-15)
        assert moments.channel_uses == pytest.approx((x * chosen).mean(), rel=1e-14)


def test_empirical_cdf_counts_the_samples_it_is_asked_about():
    for snr in np.random.default_rng(0).exponential(10.0, (40, 7)):
        law = Empirical(snr=tuple(snr))
        x = law.channel_uses_per_bit(snr)
        assert_allclose(law.cdf(x), (x[None, :] <= x[:, None]).mean(axis=1), atol=1e-15)
        assert_allclose(law.survival(law.threshold_snr(x)), law.cdf(x), atol=1e-15)


def test_empirical_outage_without_a_most_robust_rate_has_infinite_mean_and_finite_partial_moment():
    law = Empirical(snr=(0.0, 1.0, 3.0), min_efficiency=0)  # x = inf, 1, 1/2
    assert law.mean_channel_uses_per_bit == math.inf
    # (2 - 1)/3 + (2 - 1/2)/3 = 5/6
    assert law.lower_partial_moment(2.0) == pytest.approx(5 / 6, rel=1e-15)
    # SNR 1 and 3 upload: (1 + 1/2)/3
    assert law.offload_moments(0.5).channel_uses == pytest.approx(0.5, rel=1e-15)
    assert law.offload_moments(0.0).channel_uses == math.inf


# --- validation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "arguments", "message"),
    [
        (Rayleigh, {"mean_snr": -1.0}, r"mean_snr\s+Input should be greater than 0 .*input_value=-1.0"),
        (Rayleigh, {"mean_snr": 0.0}, r"mean_snr\s+Input should be greater than 0"),
        (Rayleigh, {"mean_snr": 1e-31}, r"mean_snr\s+Value error, must be at least 1e-30"),
        (Rayleigh, {"mean_snr": 1e31}, r"mean_snr\s+Value error, must be at most 1e\+30"),
        (Rayleigh, {"mean_snr": math.nan}, r"mean_snr\s+Input should be a finite number"),
        (Rayleigh, {"mean_snr": math.inf}, r"mean_snr\s+Input should be a finite number"),
        (Rayleigh, {"mean_snr": 1.0, "min_efficiency": -0.1}, r"min_efficiency\s+.*greater than or equal to 0"),
        (Rayleigh, {"mean_snr": 1.0, "min_efficiency": 2.0, "max_efficiency": 2.0}, "= 2.0 must exceed min_effi.* 2.0"),
        (
            Rayleigh,
            {"mean_snr": 1.0, "max_efficiency": 0.1},
            "max_efficiency = 0.1 must exceed min_efficiency = 0.1523",
        ),
        (Rayleigh, {"mean_snr": 1.0, "k_factor": 2.0}, r"k_factor\s+Extra inputs are not permitted"),
        (Rician, {"mean_snr": 1.0}, r"k_factor\s+Field required"),
        (Rician, {"mean_snr": 1.0, "k_factor": -0.5}, r"k_factor\s+Input should be greater than or equal to 0"),
        (Rician, {"mean_snr": 1.0, "k_factor": LARGEST_K + 1}, r"k_factor\s+Input should be less than or equal to 100"),
        (Nakagami, {"mean_snr": 1.0, "m": 0.4}, r"m\s+Input should be greater than or equal to 0.5"),
        (Nakagami, {"mean_snr": 1.0, "m": LARGEST_M + 1}, r"m\s+Input should be less than or equal to 100"),
        (Empirical, {"snr": (1.0, math.nan, 2.0)}, r"snr\.1\s+Input should be a finite number .*input_value=nan"),
        (Empirical, {"snr": (1.0, 2.0, -3.0)}, r"snr\[2\] = -3.0 must be from 0 to 1e\+30"),
        (Empirical, {"snr": ()}, r"snr\s+Tuple should have at least 1 item"),
    ],
)
def test_bad_parameters_are_named_with_value_and_range(law, arguments, message):
    with pytest.raises(ValueError, match=message):
        law(**arguments)


@each(LAWS)
def test_laws_are_immutable_values(law):
    with pytest.raises(ValueError, match="frozen"):
        law.min_efficiency = 0.3
    twin = pickle.loads(pickle.dumps(law))
    assert twin.lower_partial_moment(0.7) == law.lower_partial_moment(0.7)


@each(LAWS)
def test_laws_compare_by_their_parameters_also_after_use(law):
    parameters = law.model_dump()
    first, twin, other = (type(law)(**parameters | change) for change in ({}, {}, {"min_efficiency": 0.07}))
    for used in (first, twin, other):  # fills the caches
        assert used.lower_partial_moment(0.7) > 0
        assert used.breakpoints.size > 1
    assert twin == first
    assert hash(twin) == hash(first)
    assert other != first


def test_a_copy_with_another_parameter_keeps_nothing_computed_from_the_old_one():
    law = Rayleigh(mean_snr=10.0)
    assert law.mean_channel_uses_per_bit > 0
    changed = law.model_copy(update={"mean_snr": 100.0})
    assert changed.mean_channel_uses_per_bit == Rayleigh(mean_snr=100.0).mean_channel_uses_per_bit
    with pytest.raises(ValueError, match="greater than 0"):
        law.model_copy(update={"mean_snr": -1.0})


def test_the_oracle_itself_is_right_where_the_answer_is_known(oracle):
    # at tau = 1/eta_max + eps only the atom counts; E[min(x, ...)] of a law squeezed between two rates is bracketed
    squeezed = oracle.rayleigh(10.0, 1.0, 1.0 + 1e-12)
    assert squeezed.mean() == pytest.approx(1.0, rel=1e-11)
    assert squeezed.phi(3.0) == pytest.approx(2.0, rel=1e-11)
    assert squeezed.survival(10.0) == pytest.approx(math.exp(-1.0), rel=1e-15)
    assert mp.almosteq(oracle.nakagami(1.0, 10.0, 0.2).phi(0.7), oracle.rayleigh(10.0, 0.2).phi(0.7), rel_eps=1e-14)
    assert mp.almosteq(oracle.rician(0.0, 10.0, 0.2).phi(0.7), oracle.rayleigh(10.0, 0.2).phi(0.7), rel_eps=1e-14)
