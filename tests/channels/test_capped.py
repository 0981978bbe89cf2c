"""E[min(x, tau)] by tables of the gain: one law against its oracle, numbers against arrays, many laws against each."""

import math

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad

from cointer_gym import Empirical, FadingLaw, Nakagami, Rayleigh, Rician
from cointer_gym.channels import capped
from cointer_gym.channels.columns import FadingLaws, Rates
from support.laws import LAWS, TRACE, each

WIDE = np.concatenate([[-math.inf, -1.0, 0.0], np.geomspace(1e-3, 1e3, 200), [1e12, 1e300, math.inf]])
PURE = {
    "pure rayleigh": Rayleigh(mean_snr=1e6, min_efficiency=0.0),
    "pure nakagami": Nakagami(mean_snr=0.1, m=1.5, min_efficiency=0.0, max_efficiency=4.0),
    "hardly limited": Rician(mean_snr=10.0, k_factor=2.0, min_efficiency=1e-200),
    "pure trace": Empirical(snr=TRACE, min_efficiency=0.0),
}


# --- one law ----------------------------------------------------------------------------------------------------------


def in_25_digits(mean_snr, low, high, tau):
    """E[min(x, tau)] under Rayleigh fading: 1/high + the integral of P(SNR < 2^u - 1) / u^2 from 1/tau to high."""
    with mp.workdps(25):
        end = mp.mpf(high) if high else mp.log(1 + 80 * mp.mpf(mean_snr)) / mp.log(2)
        start = max(1 / mp.mpf(tau), mp.mpf(low))
        if start >= end:
            return tau
        steps = int(mp.ceil(mp.log(end / start))) + 2
        points = [start * (end / start) ** (mp.mpf(k) / steps) for k in range(steps + 1)]
        points += [
            u for u in (mp.log(1 + mean_snr * mp.mpf(g)) / mp.log(2) for g in (0.3, 3, 15, 40)) if start < u < end
        ]
        return float(1 / end + mp.quad(lambda u: -mp.expm1(-mp.expm1(u * mp.log(2)) / mean_snr) / u**2, sorted(points)))


@pytest.mark.parametrize(("low", "high"), [(0.1523, None), (0.5, 3.0), (1e-3, 12.0), (1e-9, None)])
@pytest.mark.parametrize("mean_snr", [1e-3, 0.3, 10.0, 1e6])
def test_a_capped_mean_is_right_to_rounding_between_all_panels(mean_snr, low, high):
    law = Rayleigh(mean_snr=mean_snr, min_efficiency=low, max_efficiency=high)
    tau = np.minimum(1.0 / np.log2(1.0 + mean_snr * np.geomspace(1e-6, 30.0, 17)), 1.0 / low)
    exact = [in_25_digits(mean_snr, low, high, float(t)) for t in tau]
    assert_allclose(law.capped_mean(tau), exact, rtol=4e-15, atol=0)


@each(LAWS | PURE)
def test_a_number_gives_what_an_array_gives(law):
    numbers = [law.capped_mean_at(float(tau)) for tau in WIDE]
    assert all(type(number) is float for number in numbers)
    assert_allclose(numbers, law.capped_mean(WIDE), rtol=2e-15, atol=0)
    table = WIDE[:200].reshape(2, 4, 25)
    assert_array_equal(law.capped_mean(table), law.capped_mean(WIDE[:200]).reshape(2, 4, 25))
    assert law.capped_mean(0.7).shape == ()


@each(LAWS | PURE)
def test_the_support_of_x_ends_where_the_breakpoints_do(law):
    assert law.uses_range == (law.breakpoints[0], law.breakpoints[-1])


@pytest.mark.usefixtures("registry")
def test_laws_with_the_same_gain_share_its_table():
    asked = []

    class Counted(FadingLaw):
        shape: float

        @property
        def tail_rate(self):
            return 1.0

        def gain_survival(self, gain):
            return np.exp(-gain)

        def gain_cdf(self, gain):
            asked.append(gain)
            return -np.expm1(-gain)

    means = [Counted(mean_snr=snr, shape=1.0).mean_channel_uses_per_bit for snr in (1.0, 1.0, 40.0)]
    made = len(asked)
    assert 0 < made < 10
    assert means == [Rayleigh(mean_snr=snr).mean_channel_uses_per_bit for snr in (1.0, 1.0, 40.0)]
    assert Counted(mean_snr=1.0, shape=2.0).mean_channel_uses_per_bit == means[0]
    assert len(asked) > made


@pytest.mark.usefixtures("registry")
def test_a_law_with_fields_that_have_no_hash():
    class Listed(Rayleigh):
        notes: list[float]

    assert (
        Listed(mean_snr=3.0, notes=[1.0]).mean_channel_uses_per_bit == Rayleigh(mean_snr=3.0).mean_channel_uses_per_bit
    )


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("knee", [0.5, 0.123456])
def test_a_law_with_kinks(knee):
    """P(g < s) rises in straight lines through (knee, 1/2) and (2, 1): panels are halved around both."""

    class Bent(FadingLaw):
        @property
        def tail_rate(self):
            return 1.0

        def gain_cdf(self, gain):
            return np.interp(gain, [0.0, knee, 2.0], [0.0, 0.5, 1.0])

        def gain_survival(self, gain):
            return 1.0 - self.gain_cdf(gain)

    law = Bent(mean_snr=10.0)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    expected = 0.0
    lowest = (2**0.1523 - 1) / 10.0
    for low, high, share in ((lowest, knee, 0.5 - 0.5 * lowest / knee), (knee, 2.0, 0.5)):
        gain = 0.5 * (low + high) + 0.5 * (high - low) * nodes
        expected += 0.5 * share * weights @ (1.0 / np.log2(1.0 + 10.0 * gain))
    expected += 0.5 * lowest / knee / 0.1523
    assert law.mean_channel_uses_per_bit == pytest.approx(expected, rel=1e-11)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    "pieces", [[(0.9, 1.1)], [(0.98, 1.02)], [(0.99, 1.01)], [(0.5, 1.5)], [(0.4, 0.6), (1.4, 1.6)]], ids=str
)
def test_a_law_of_flat_pieces(registry, pieces):
    """A gain that is uniform on each of some intervals, equally likely: kinks and gaps anywhere in the panels."""
    low, high = np.array(pieces).T

    def below(gain):
        return np.clip((np.asarray(gain)[..., None] - low) / (high - low), 0.0, 1.0).mean(axis=-1)

    class Flat(FadingLaw, law="flat"):
        @property
        def tail_rate(self):
            return 1.0

        def gain_cdf(self, gain):
            return below(gain)

        def gain_survival(self, gain):
            return 1.0 - below(gain)

    law = Flat(mean_snr=5.0)
    x = lambda gain: 1.0 / law.rate.spectral_efficiency(5.0 * gain)  # noqa: E731
    mean = np.mean([quad(x, a, b, epsrel=1e-13)[0] / (b - a) for a, b in pieces])
    assert law.mean_channel_uses_per_bit == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("base", [Rayleigh, Empirical])
def test_a_formula_of_ones_own_holds_for_numbers_too(base):
    class Own(base):
        def capped_mean(self, channel_uses):
            return np.minimum(np.asarray(channel_uses), 0.25)

    law = Own(mean_snr=10.0) if base is Rayleigh else Own(snr=TRACE)
    assert law.capped_mean_at(3.0) == 0.25


# --- many laws --------------------------------------------------------------------------------------------------------


def side_by_side(law, mean_snr, low, high, asked=None):
    low, high = np.broadcast_to(low, mean_snr.shape), np.broadcast_to(high, mean_snr.shape)
    with np.errstate(divide="ignore"):
        return FadingLaws(law, mean_snr, Rates(1.0 / high, 1.0 / low), asked)


KINDS = {
    "rayleigh": Rayleigh(mean_snr=1.0),
    "nakagami harsh": Nakagami(mean_snr=1.0, m=0.5),
    "nakagami": Nakagami(mean_snr=1.0, m=3.7),
    "nakagami still": Nakagami(mean_snr=1.0, m=1e4),
    "rician": Rician(mean_snr=1.0, k_factor=7.0),
    "rician still": Rician(mean_snr=1.0, k_factor=1e4),
}


@pytest.mark.parametrize("count", [5, 90])  # from the definition, and by polynomials of the mean SNR
@each(KINDS)
def test_many_laws_give_what_each_of_them_gives(law, count):
    rng = np.random.default_rng(1)
    mean_snr = np.sort(10.0 ** rng.uniform(-8.0, 10.0, count))
    low, high = rng.uniform(0.01, 0.4, count), np.where(rng.random(count) < 0.5, np.inf, rng.uniform(0.5, 9.0, count))
    many = side_by_side(law, mean_snr, low, high)
    tau = np.sort(10.0 ** rng.uniform(-3.0, 3.0, (40, count)), axis=0)
    snr = np.concatenate(
        [np.zeros((1, count)), mean_snr * 10.0 ** rng.uniform(-6.0, 1.4, (38, count)), np.full((1, count), np.inf)]
    )
    capped_mean, threshold, moments = many.capped_mean(tau), many.threshold_snr(tau), many.offload_moments(snr)
    for row in range(count):
        limits = {"min_efficiency": low[row], "max_efficiency": None if np.isinf(high[row]) else high[row]}
        alone = law.model_copy(update={"mean_snr": mean_snr[row], **limits})
        assert many.mean_channel_uses_per_bit[row] == pytest.approx(alone.mean_channel_uses_per_bit, rel=1e-12)
        assert_allclose(capped_mean[:, row], alone.capped_mean(tau[:, row]), rtol=1e-12, atol=0)
        assert_array_equal(threshold[:, row], alone.threshold_snr(tau[:, row]))
        expected = alone.offload_moments(snr[:, row])
        assert_allclose(moments.probability[:, row], expected.probability, rtol=1e-12, atol=1e-290)
        assert_allclose(moments.waiting[:, row], expected.waiting, rtol=1e-12)
        assert_allclose(moments.channel_uses[:, row], expected.channel_uses, rtol=1e-9, atol=1e-290)
    assert_array_equal(many.capped_mean(tau[7]), capped_mean[7])


@pytest.mark.parametrize("m", np.geomspace(100.0, 1e4, 12))
def test_no_steep_rise_hides_between_the_nodes_of_a_panel(m):
    mean_snr = np.geomspace(0.1, 1e4, 60)
    found = side_by_side(Nakagami(mean_snr=1.0, m=m), mean_snr, 0.1, np.inf).mean_channel_uses_per_bit
    exact = [Nakagami(mean_snr=snr, m=m, min_efficiency=0.1).mean_channel_uses_per_bit for snr in mean_snr]
    assert_allclose(found, exact, rtol=2e-13)


def test_the_order_of_the_laws_does_not_matter():
    rng = np.random.default_rng(2)
    mean_snr, tau = 10.0 ** rng.uniform(-3.0, 6.0, 500), rng.uniform(0.01, 9.0, 500)
    order = np.argsort(mean_snr)
    shuffled = side_by_side(KINDS["rayleigh"], mean_snr, 0.1, np.inf).capped_mean(tau)
    ordered = side_by_side(KINDS["rayleigh"], mean_snr[order], 0.1, np.inf).capped_mean(tau[order])
    assert_allclose(shuffled[order], ordered, rtol=1e-13)


def test_without_a_most_robust_rate_the_largest_cap_decides():
    mean_snr = np.geomspace(0.1, 1e4, 100)
    most = np.full(100, 50.0)
    many = side_by_side(KINDS["rayleigh"], mean_snr, 0.0, np.inf, most)
    tau = np.geomspace(0.01, 50.0, 30)[:, None] * np.ones(100)
    found = many.capped_mean(tau)
    for row in range(0, 100, 9):
        alone = Rayleigh(mean_snr=mean_snr[row], min_efficiency=0.0)
        assert_allclose(found[:, row], alone.capped_mean(tau[:, row]), rtol=1e-12)
    assert np.isposinf(many.mean_channel_uses_per_bit).all()
    assert np.isposinf(many.capped_mean(np.full(100, np.inf))).all()


def test_tables_of_many_mean_snrs_are_forgotten_before_they_fill_the_memory():
    table = capped.GainTable(KINDS["rayleigh"], capped.QUICK, deep=False)
    wanted = [np.full(60, math.exp(cell + 0.5)) for cell in range(-40, 40)]
    first = table.series(wanted[0], 0)
    for mean_snr in wanted:
        table.series(mean_snr, 0)
    assert len(table._polynomials) <= capped._KEPT
    assert_array_equal(table.series(wanted[0], 0), first)
