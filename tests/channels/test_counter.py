"""Random numbers by counter: against SplitMix64 as published, and in statistical tests beside NumPy's Philox."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from cointer_gym.channels.counter import GOLDEN, MULTIPLIERS, STAGES, counters, keys, mix, uniform
from support.randomness import ALPHA, POWER, has_fair_bits, is_uncorrelated, is_uniform, is_uniform_in_pairs

WORD = 2**64
SHIFTS = (30, 27)


def words(numbers):
    return np.array([int(number) % WORD for number in numbers], dtype=np.uint64)


def unmixed(product):
    """The counter whose twice multiplied word, of which ``uniform`` takes the upper 52 bits, is ``product``."""
    for shift, factor in zip(SHIFTS[::-1], MULTIPLIERS[::-1], strict=True):
        shifted = product * pow(factor, -1, WORD) % WORD
        product = shifted
        for _ in range(3):  # 27 bits more are right each time
            product = shifted ^ (product >> shift)
    return product


# --- words ------------------------------------------------------------------------------------------------------------


def test_words_are_those_of_splitmix64():
    """Reference values of the seed 1234567, as on rosettacode.org."""
    states = words(1234567 + GOLDEN * np.arange(1, 6, dtype=object))
    assert mix(states).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_counters_are_an_arithmetic_sequence_that_wraps():
    key, episodes, stages = words([WORD - 5])[0], [0, 1, 7, 2**40, 2**47], [0, 1, STAGES - 1]
    expected = [words(WORD - 5 + (STAGES * k + n) * GOLDEN for n in stages) for k in episodes]
    assert_array_equal(counters(key, np.array(episodes)[:, None], stages), expected)
    assert_array_equal(
        counters(words([1, 2]), 3, 4), words([1 + (3 * STAGES + 4) * GOLDEN, 2 + (3 * STAGES + 4) * GOLDEN])
    )


def test_fractions_stay_inside_0_and_1():
    lowest, highest = uniform(words([unmixed(0), unmixed(WORD - 1)]))
    assert (lowest, highest) == (2.0**-53, 1.0 - 2.0**-53)


def test_fractions_are_the_middles_of_2_to_the_52_equal_steps():
    products = [0, 1, 2**12 - 1, 2**12, 3 * 2**12 + 5, 2**63 - 1, 2**63, WORD - 2**12 - 1, WORD - 1]
    expected = [((product >> 12) + 0.5) / 2**52 for product in products]
    assert_array_equal(uniform(words(map(unmixed, products))), expected)


def test_fractions_differ_from_those_of_the_whole_mixer_by_less_than_2_to_the_minus_31():
    states = words(GOLDEN * np.arange(10_000, dtype=object))
    whole = ((mix(states) >> np.uint64(12)) + 0.5) / 2**52
    assert 0 < np.abs(uniform(states) - whole).max() < 2.0**-31


def test_fractions_do_not_touch_their_counters_nor_depend_on_their_place():
    states = counters(keys([3])[0], np.arange(50)[:, None], np.arange(40))
    before, drawn = states.copy(), uniform(states)
    for place in (np.s_[::-1, 1::3], np.s_[7], np.s_[4, 5], np.s_[:, -1:]):
        assert_array_equal(uniform(states[place]), drawn[place])
    assert_array_equal(uniform(np.asfortranarray(states)), drawn)
    assert_array_equal(states, before)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_depends_on_its_own_seed_alone():
    assert_array_equal(keys([5, 0, 2**80]), np.concatenate([keys([5]), keys([0]), keys([2**80])]))


@pytest.mark.parametrize("base", [0, 12345, 2**64 - 1, 2**200 + 2**64 + 3])
def test_every_bit_of_a_seed_counts(base):
    seeds = [base, *(base ^ (1 << bit) for bit in range(256))]
    assert len(set(keys(seeds).tolist())) == len(seeds)


def test_parts_of_a_large_seed_do_not_cancel():
    seeds = [(high << 64) + low for high in range(1, 60) for low in range(60)] + list(range(60))
    assert len(set(keys(seeds).tolist())) == len(seeds)
    assert len({*keys([1 << 64, 1 << 128, 1 << 192, 1, 0, (1 << 64) + (1 << 128)]).tolist()}) == 6


def test_no_two_of_many_seeds_share_a_key_nor_the_beginning_of_one():
    found = keys(range(2**18))
    assert np.unique(found).size == found.size
    assert stats.chisquare(np.bincount((found >> np.uint64(54)).astype(np.int64), minlength=1024)).pvalue > ALPHA


def test_a_seed_may_be_any_whole_number():
    assert_array_equal(keys(np.array([3, 2**62])), keys([3, 2**62]))
    assert_array_equal(keys([np.uint64(2**63 + 1)]), keys([2**63 + 1]))


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed = -1 must be an integer >= 0"):
        keys([3, -1])


# --- quality ----------------------------------------------------------------------------------------------------------


def states(shape):
    seeds, episodes, stages = map(range, shape)
    return counters(keys(seeds)[:, None, None], np.array(episodes)[:, None], stages)


def by_counter(shape):
    return uniform(states(shape))


def by_philox(shape):
    return np.random.Generator(np.random.Philox(20_230)).random(shape)


def without_mixer(shape):
    return (states(shape) >> np.uint64(11)) * 2.0**-53


def with_one_multiplication(shape):
    word = states(shape)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(MULTIPLIERS[0])
    return (word >> np.uint64(11)) * 2.0**-53


def with_seeds_as_keys(shape):
    """Without a hash, the stages of a seed are those of the seed before, a stage later."""
    seeds, episodes, stages = (np.arange(size, dtype=np.uint64) for size in shape)
    return uniform(counters(seeds[:, None, None] * np.uint64(GOLDEN), episodes[:, None], stages))


def chance(source):
    """How likely it is that any of many tests finds numbers so far off by chance."""
    found = []
    for shape in ((64, 128, 128), (1, 2**20, 1)):  # seeds, episodes, stages
        u = source(shape)
        found += [has_fair_bits(u.ravel()[:: 2**4]), is_uniform(u)]
        for axis in np.flatnonzero(np.array(shape) > 1):
            for lag in (lag for lag in (1, 2, 64, 1024) if lag < u.shape[axis]):
                size = u.shape[axis] - lag
                first, second = (np.take(u, range(start, start + size), axis) for start in (0, lag))
                low_digits = first * 2.0**26 % 1.0, second * 2.0**26 % 1.0
                found += [is_uncorrelated(first, second), is_uniform_in_pairs(first, second)]
                found.append(is_uniform_in_pairs(*low_digits))
    return len(found) * min(found)


@pytest.mark.parametrize("source", [by_counter, by_philox])
def test_fractions_of_seeds_episodes_and_stages_are_uniform_and_independent(source):
    assert chance(source) > ALPHA


@pytest.mark.parametrize("source", [without_mixer, with_one_multiplication, with_seeds_as_keys])
def test_worse_numbers_are_found_out(source):
    assert chance(source) < ALPHA


def test_a_correlation_of_one_hundredth_is_found():
    pairs = 2**20
    assert stats.norm.cdf(0.01 * np.sqrt(pairs) - stats.norm.isf(ALPHA / 2)) > POWER
    rng = np.random.default_rng(1)
    first = rng.standard_normal(pairs)
    second = 0.0105 * first + np.sqrt(1 - 0.0105**2) * rng.standard_normal(pairs)  # 0.01 of their ranks
    assert is_uncorrelated(stats.norm.cdf(first), stats.norm.cdf(second)) < ALPHA
