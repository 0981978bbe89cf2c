"""What a law takes, where its SNRs matter, and when a rate limit that nobody wrote down speaks up."""

import math
import warnings

import numpy as np
import pytest

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, Scenario
from cointer_gym.channels import LTE_MIN_EFFICIENCY, ChannelSettings, ClippedSamplesWarning
from cointer_gym.link import Link
from support.laws import LAWS, each
from support.problems import stopping_problem
from support.scenarios import tiny_scenario

LINK = Link(bandwidth_hz=1e6, tx_power_w=0.1, downlink_bps=1e7, rx_power_w=0.05)
FLOOR = 2**LTE_MIN_EFFICIENCY - 1  # the SNR of the most robust rate, -9.5 dB


# --- fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, np.bool_(True), "5", None, [5.0]])
@pytest.mark.parametrize(
    ("law", "field"),
    [
        (Rayleigh, "mean_snr"),
        (Rayleigh, "mean_snr_db"),
        (Rayleigh, "min_efficiency"),
        (Rician, "k_factor"),
        (Rician, "k_factor_db"),
        (Nakagami, "m"),
    ],
)
def test_what_is_no_number_is_refused(law, field, value):
    others = {"k_factor": 2.0} if law is Rician else {"m": 2.0} if law is Nakagami else {}
    given = {"mean_snr": 3.0} | others
    given = {name: number for name, number in given.items() if field != f"{name}_db"} | {field: value}
    with pytest.raises(ValueError, match=field.removesuffix("_db")):
        law(**given)


@pytest.mark.parametrize(
    "number", [np.float32(20), np.int64(20), np.array(20.0), 20, 20.0], ids=lambda number: type(number).__name__
)
def test_a_ratio_in_db_may_be_any_number(number):
    assert Rayleigh(mean_snr_db=number).mean_snr == pytest.approx(100.0)
    assert Empirical(trace_snr_db=np.array([number, 0.0])).snr == pytest.approx((100.0, 1.0))
    assert ChannelSettings(mean_snr_db=number).build(LINK).average_snr == pytest.approx(100.0)


@pytest.mark.parametrize("low", [1e300, 100.1, 1e-301, 5e-324])
def test_a_most_robust_rate_without_sense_is_refused(low):
    with pytest.raises(ValueError, match="min_efficiency"):
        Rayleigh(mean_snr=1.0, min_efficiency=low)


# --- the range of SNRs that matter ------------------------------------------------------------------------------------


def test_the_range_ends_at_the_rates_or_where_nothing_happens():
    far = -10.0 * math.log(1e-30)
    assert Rayleigh(mean_snr=10.0).snr_range == pytest.approx((FLOOR, far), rel=0.011)
    assert Rayleigh(mean_snr=10.0, max_efficiency=3.0).snr_range == pytest.approx((FLOOR, 7.0), rel=0.011)
    assert Rayleigh(mean_snr=10.0, min_efficiency=0).snr_range == pytest.approx((1e-29, far), rel=1e-9)
    assert Nakagami(mean_snr=10.0, m=100.0).snr_range[0] > 1.0  # hardly any fade is so deep that the floor matters


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        (Empirical(snr=(1e-2, 3e-2, 1e6), min_efficiency=1e-3), (1e-2, 1e6)),
        (Empirical(snr=(0.0, 2.0, 7.0)), (FLOOR, 7.0)),
        (Empirical(snr=(0.0, 2.0, 7.0), min_efficiency=0), (2.0, 7.0)),
        (Empirical(snr=(0.5, 2.0, 40.0), max_efficiency=3.0), (0.5, 7.0)),
        (Empirical(snr=(3.0,)), (3.0 / math.sqrt(10), 3.0 * math.sqrt(10))),
        (Empirical(snr=(0.0,), min_efficiency=0), (1.0 / math.sqrt(10), math.sqrt(10))),
    ],
)
def test_the_range_of_a_trace_is_that_of_its_samples(law, expected):
    assert law.snr_range == pytest.approx(expected, rel=0.011)


@each(LAWS)
def test_the_rate_does_not_change_beyond_the_range(law):
    low, high = law.snr_range
    assert 0 < low < high < math.inf
    uses = law.channel_uses_per_bit
    assert law.outage(low * (1 - 1e-9)) < 1e-29 or uses(0.0) == pytest.approx(uses(low), rel=1e-12)
    assert law.survival(high * (1 + 1e-9)) < 1e-29 or uses(1e9) == pytest.approx(uses(high), rel=1e-12)


# --- samples that the most robust rate lifts --------------------------------------------------------------------------


def test_the_default_rate_says_what_it_makes_of_a_trace():
    # x = 1 / 0.1523 = 6.566, 1 and 1/2; without the limit the first is 1 / log2(1.01) = 69.66
    trace = [-20.0, 0.0, 10 * math.log10(3.0)]
    said = r"0\.1523 bit/s/Hz, .* lifts 1 of the 3 samples .* below -9\.5 dB: E\[x\] is 2\.689 .* would be 23\.72"
    with pytest.warns(ClippedSamplesWarning, match=said):
        settings = ChannelSettings(law="empirical", trace_snr_db=trace)
    with pytest.warns(ClippedSamplesWarning, match=said):
        stopping_problem([1.0], [0.0], [], Empirical(trace_snr_db=trace))
    with pytest.warns(ClippedSamplesWarning, match=said):
        scenario = Scenario.load(tiny_scenario([("a", 10, 1e6)], channel={"law": "empirical", "trace_snr_db": trace}))
    with warnings.catch_warnings(action="error"):  # once is enough: the record of the scenario has the number in it
        scenario.replace(tasks_per_update=3.0).problem()
        settings.build(LINK)


def test_an_outage_is_infinitely_far_from_what_the_default_makes_of_it():
    with pytest.warns(ClippedSamplesWarning, match="lifts 1 of the 2 samples .* would be inf"):
        ChannelSettings(law="empirical", snr=[0.0, 1.0])


@pytest.mark.parametrize(
    "channel",
    [
        {"snr": (0.01, 1.0), "min_efficiency": LTE_MIN_EFFICIENCY},  # written down: a choice
        {"snr": (0.01, 1.0), "min_efficiency": 0},
        {"snr": (0.12, 1.0)},  # above the floor of 0.1113
        {"snr": (0.1112, *[1.0] * 100)},  # one of 101 samples, by a hair
    ],
    ids=["written", "none", "above", "hardly"],
)
def test_a_choice_and_a_trifle_are_silent(channel):
    with warnings.catch_warnings(action="error"):
        stopping_problem([1.0], [0.0], [], Empirical(**channel))
        ChannelSettings(law="empirical", **channel)
        ChannelSettings.model_validate(Empirical(**channel))


def test_one_deep_fade_in_many_samples_is_no_trifle():
    with pytest.warns(ClippedSamplesWarning, match="lifts 1 of the 1001 samples"):
        stopping_problem([1.0], [0.0], [], Empirical(snr=(1e-4, *[1.0] * 1000)))


def test_the_built_in_trace_states_its_limit():
    channel = Scenario.load("mobilenetv2-phone").channel_law
    assert "min_efficiency" in channel.model_fields_set
    assert "lifts 12 of the 200 samples" in channel.lifted()
