"""The gain that is exceeded with a given probability, and what may go wrong with the table of it."""

import math
import pickle
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import special

from cointer_gym import FadingLaw, Nakagami, Rayleigh, Rician
from cointer_gym.channels.inverse import TabulatedInverse
from support.laws import LAWS, each

LOWEST, HIGHEST = 2.0**-53, 1.0 - 2.0**-53  # fractions that are drawn
GAINS = {
    "rayleigh": Rayleigh(mean_snr=1.0),
    **{f"rician {k:g}": Rician(mean_snr=1.0, k_factor=k) for k in (0.0, 0.01, 1.0, 4.0, 30.0, 300.0, 1e4)},
    **{f"nakagami {m:g}": Nakagami(mean_snr=1.0, m=m) for m in (0.5, 0.7, 2.5, 40.0, 1e4)},
}


def fractions(count=60_001):
    """Evenly spaced, and evenly in the logarithm of the odds, so that both ends are as dense as the middle."""
    odds = np.linspace(-36.7, 36.7, count)
    u = np.concatenate([1.0 / (1.0 + np.exp(odds)), np.linspace(0.0, 1.0, count)[1:-1], [LOWEST, HIGHEST]])
    return np.sort(np.clip(u, LOWEST, HIGHEST))


def miss(gain, u, law):
    """By how much P(g >= gain) is not u, on the side where the law says it best; in all, and as a part of it."""
    missed = np.where(u < 0.5, law.gain_survival(gain) - u, 1.0 - u - law.gain_cdf(gain))
    return np.abs(missed).max(), np.abs(missed / np.minimum(u, 1.0 - u)).max()


# --- the laws of the package ------------------------------------------------------------------------------------------


@each(GAINS)
def test_a_gain_is_exceeded_exactly_as_often_as_it_should(law):
    u = fractions()
    gain = law.gain_inverse_survival(u)
    absolute, relative = miss(gain, u, law)
    assert absolute < 1e-11
    assert relative < 1e-10
    assert (np.diff(gain) <= 4e-16 * gain[1:]).all()  # to rounding: the larger the probability, the smaller the gain


@pytest.mark.parametrize("m", [0.5, 2.5, 1e4])
def test_the_gain_is_the_inverse_of_the_incomplete_gamma_function(m):
    u = fractions(2001)
    gain = np.where(u < 0.5, special.gammainccinv(m, u), special.gammaincinv(m, 1.0 - u)) / m
    assert_allclose(Nakagami(mean_snr=1.0, m=m).gain_inverse_survival(u), gain, rtol=1e-10)


def test_the_gain_of_rayleigh_fading_has_a_formula():
    u = fractions(2001)
    assert_allclose(Rayleigh(mean_snr=7.0).inverse_survival(u), -7.0 * np.log(u), rtol=1e-15)
    assert_allclose(TabulatedInverse("own", *exponential(1.0))(u), -np.log(u), rtol=1e-11)


@pytest.mark.parametrize("mean_snr", [1e-30, 1.0, 1e30])
@each(GAINS)
def test_no_snr_is_0_or_infinite(law, mean_snr):
    extreme = law.model_copy(update={"mean_snr": mean_snr}).inverse_survival([LOWEST, HIGHEST])
    assert np.isfinite(extreme).all()
    assert extreme[0] > mean_snr > extreme[1] > 0


@each(LAWS)
def test_an_snr_is_reached_with_its_probability(law):
    u = fractions(501)
    snr = law.inverse_survival(u)
    assert (law.survival(snr) >= u - 1e-11).all()
    assert (law.survival(snr * (1 + 1e-9) + 1e-300) <= u + 1e-8).all()


def test_a_table_is_cheap():
    asked = 0

    def count(probability):
        def counted(gain):
            nonlocal asked
            asked += gain.size
            return probability(gain)

        return counted

    law = Rician(mean_snr=1.0, k_factor=4.0)
    TabulatedInverse("own", count(law.gain_survival), count(law.gain_cdf))
    assert asked < 12_000  # gains, at half a microsecond each


def test_laws_with_the_same_gain_share_a_table():
    law = Nakagami(mean_snr=3.0, m=2.125)
    others = [Nakagami(mean_snr=5.0, m=2.125, min_efficiency=0.0, max_efficiency=2.0), pickle.loads(pickle.dumps(law))]
    assert all(other._inverse is law._inverse for other in others)
    assert Nakagami(mean_snr=3.0, m=2.25)._inverse is not law._inverse
    assert_array_equal(others[0].inverse_survival([0.1, 0.9]), law.inverse_survival([0.1, 0.9]) / 3.0 * 5.0)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (), (1, 1, 1), (3, 5), (8192,), (8193,), (3, 10_000)])
def test_any_shape_of_probabilities(shape):
    law = Rician(mean_snr=1.0, k_factor=4.0)
    u = np.random.default_rng(0).random(shape)
    gain = law.gain_inverse_survival(u)
    assert gain.shape == shape
    assert_array_equal(
        gain.ravel(), [law.gain_inverse_survival(each) for each in np.ravel(u)[:50]] + [*gain.ravel()[50:]]
    )
    assert_array_equal(law.gain_inverse_survival(u[::-1] if shape else u), gain[::-1] if shape else gain)


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value) encountered:RuntimeWarning")
def test_what_is_no_probability_has_no_gain():
    found = Nakagami(mean_snr=1.0, m=2.0).gain_inverse_survival([-0.1, 0.0, 1e-300, 1.0, 1.1, math.nan, math.inf])
    assert np.isnan(found).all()


# --- laws of one's own ------------------------------------------------------------------------------------------------


def exponential(mean):
    return lambda gain: np.exp(-gain / mean), lambda gain: -np.expm1(-gain / mean)


def uniform(low, high):
    share = 1.0 / (high - low)
    return lambda gain: np.clip(share * (high - gain), 0, 1), lambda gain: np.clip(share * (gain - low), 0, 1)


def lognormal(sigma):
    def score(gain):
        return np.log(np.maximum(gain, 1e-300)) / sigma + sigma / 2

    return lambda gain: special.ndtr(-score(gain)), lambda gain: special.ndtr(score(gain))


def mixed(*parts):
    """Of pairs of a weight and a law."""
    weights, laws = zip(*parts, strict=True)
    survivals, cdfs = zip(*laws, strict=True)
    return (
        lambda gain: sum(p * survival(gain) for p, survival in zip(weights, survivals, strict=True)),
        lambda gain: sum(p * cdf(gain) for p, cdf in zip(weights, cdfs, strict=True)),
    )


def pareto(gain, index=1.1):
    return np.minimum(((1 - 1 / index) / np.maximum(gain, 1e-300)) ** index, 1.0)


KNOTS = [0.0, 0.3, 0.5, 1.2, 3.0], [0.0, 0.1, 0.6, 0.7, 1.0]  # gains and P(g < gain), straight between them
OWN = {
    "shadowed": mixed((0.8, exponential(1 / 0.82)), (0.2, exponential(0.1 / 0.82))),
    "hardly ever there": mixed((0.999, exponential(1.0)), (0.001, exponential(1e-12))),
    "lognormal": lognormal(1.0),
    "lognormal, wide": lognormal(5.0),
    "lognormal, narrow": lognormal(0.01),
    "lognormal, hardly any": lognormal(1e-6),
    "uniform": uniform(0.5, 1.5),
    "uniform from 0": uniform(0.0, 2.0),
    "two modes with nothing between": mixed((0.3, uniform(0.1, 0.2)), (0.7, uniform(1.0, 1.6))),
    "kinks": (lambda gain: 1.0 - np.interp(gain, *KNOTS), lambda gain: np.interp(gain, *KNOTS)),
    "an end far from the rest": mixed((1 - 1e-15, exponential(1.0)), (1e-15, uniform(1e4, 2e4))),
    "heavy tail": (pareto, lambda gain: 1.0 - pareto(gain)),
}


@pytest.mark.parametrize("name", OWN)
def test_a_law_of_ones_own_is_drawn_from_to_1e_9(name):
    survival, cdf = OWN[name]
    inverse, u = TabulatedInverse(name, survival, cdf), fractions()
    gain = inverse(u)
    assert np.abs(np.where(u < 0.5, survival(gain) - u, 1.0 - u - cdf(gain))).max() < 1e-9
    assert (np.diff(gain) <= 1e-14 * gain[1:]).all()
    assert 0 < gain[-1] < gain[0] < math.inf


def test_a_draw_near_a_kink_or_a_gap_is_exact():
    near = np.concatenate([share + np.linspace(-0.05, 0.05, 20_001) for share in KNOTS[1][1:-1]])
    gain = TabulatedInverse("kinks", *OWN["kinks"])(1.0 - near)
    assert_allclose(gain, np.interp(near, *KNOTS[::-1]), rtol=1e-8)
    gap = TabulatedInverse("gap", *OWN["two modes with nothing between"])
    assert_allclose(gap([0.7 + 1e-12, 0.7 - 1e-12]), [0.2, 1.0], rtol=1e-9)
    assert_allclose(gap([0.7 + 1e-3, 0.7 - 1e-3]), [0.2 - 1e-3 / 3.0, 1.0 + 0.6 * 1e-3 / 0.7], rtol=1e-9)


def test_a_small_step_in_the_middle_of_a_cell_is_seen():
    share = 1.0 / (1.0 + math.exp(0.5 * 80 / 1024))  # where the error in the middle of that cell is 0
    step = -math.log(share)
    survival, cdf = mixed((1 - 4e-9, exponential(1.0)), (4e-9, uniform(step, step * (1 + 1e-9))))
    u = share + np.linspace(-0.01, 0.01, 20_001)
    assert np.abs(survival(TabulatedInverse("step", survival, cdf)(u)) - u).max() < 1e-9


def test_draws_that_are_hard_do_not_depend_on_those_beside_them():
    inverse, u = TabulatedInverse("kinks", *OWN["kinks"]), np.linspace(0.35, 0.45, 2000)
    assert_array_equal(inverse(u), [float(inverse(each)) for each in u])
    assert_array_equal(inverse(u.reshape(2, 50, 20)[:, ::-1]), inverse(u).reshape(2, 50, 20)[:, ::-1])


@pytest.mark.parametrize(
    ("survival", "cdf", "message"),
    [
        (
            *mixed((0.9, exponential(1.0)), (0.1, (lambda g: (g <= 1) * 1.0, lambda g: (g > 1) * 1.0))),
            "at 1 gain_survival is",
        ),
        (
            lambda g: 0.9 * np.exp(-0.9 * g),
            lambda g: 1 - 0.9 * np.exp(-0.9 * g),
            "gain_survival is 0.9 and gain_cdf is 0.1",
        ),
        (
            exponential(1.0)[0],
            exponential(1.0001)[1],
            r"gain_survival is 0\.36\d+ and gain_cdf is 0\.63\d+, which must",
        ),
        (*exponential(1.0)[::-1], "gain_survival is .* and gain_cdf is 1, which must be continuous and add to 1"),
        (lambda g: np.where(g > 2, np.nan, np.exp(-g)), exponential(1.0)[1], "gain_survival is nan"),
        (lambda g: 0.5 + 0 * g, lambda g: 0.5 + 0 * g, "gain_survival is 0.5 and gain_cdf is 0.5"),
    ],
    ids=["atom", "atom at 0", "no complement", "swapped", "nan", "constant"],
)
def test_what_cannot_be_drawn_from_is_refused(survival, cdf, message):
    with pytest.raises(
        ArithmeticError, match=r"law = 'own': no gain is exceeded with probability [0-9.e-]+ to 1e-09; .*" + message
    ):
        TabulatedInverse("own", survival, cdf)


@pytest.mark.usefixtures("registry")
def test_a_law_that_has_a_formula_for_it_needs_no_table():
    class Constant(FadingLaw, law="constant-of-this-test"):
        tail_rate: ClassVar[float] = 1.0

        def gain_survival(self, gain):
            return np.where(gain <= 1.0, 1.0, 0.0)

        def gain_cdf(self, gain):
            return np.where(gain <= 1.0, 0.0, 1.0)

    class Formula(Constant):
        def gain_inverse_survival(self, probability):
            return np.ones(np.shape(probability))

    with pytest.raises(ArithmeticError, match=r"law = 'constant-of-this-test': no gain .* gain_inverse_survival$"):
        Constant(mean_snr=3.0).inverse_survival(0.3)
    assert_array_equal(Formula(mean_snr=3.0).inverse_survival([0.3, 0.6]), [3.0, 3.0])


@pytest.mark.usefixtures("registry")
def test_fields_of_a_law_may_be_of_any_kind():
    class Mixture(FadingLaw, law="mixture-of-this-test"):
        tail_rate: ClassVar[float] = 0.5

        parts: list[tuple[float, float]]  # has no hash

        def gain_survival(self, gain):
            return sum(p * np.exp(-gain / mean) for p, mean in self.parts)

        def gain_cdf(self, gain):
            return sum(-p * np.expm1(-gain / mean) for p, mean in self.parts)

    law = Mixture(parts=[(0.5, 0.5), (0.5, 1.5)], mean_snr=2.0)
    assert_allclose(law.survival(law.inverse_survival([0.1, 0.9])), [0.1, 0.9], rtol=1e-10)


@pytest.mark.usefixtures("registry")
def test_what_a_law_derived_from_rayleigh_changes_is_what_is_drawn():
    class Formula(Rayleigh):
        def gain_inverse_survival(self, probability):
            return 2.0 * super().gain_inverse_survival(probability)

    class Weibull(Rayleigh):
        def gain_survival(self, gain):
            return np.exp(-(gain**2))

        def gain_cdf(self, gain):
            return -np.expm1(-(gain**2))

    u = fractions(101)
    assert_allclose(Formula(mean_snr=3.0).inverse_survival(u), -6.0 * np.log(u), rtol=1e-15)
    assert_allclose(Weibull(mean_snr=3.0).inverse_survival(u), 3.0 * np.sqrt(-np.log(u)), rtol=1e-10)
    assert_allclose(Weibull(mean_snr=3.0).gain_inverse_survival(u), np.sqrt(-np.log(u)), rtol=1e-10)
