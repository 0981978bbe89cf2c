"""Link budget and channel settings, with the arithmetic shown."""

import math

import pytest
from numpy.testing import assert_allclose

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician
from cointer_gym.channels import ChannelSettings
from cointer_gym.link import Link, LinkBudget
from cointer_gym.units import db_to_linear

LINK = Link(bandwidth_hz=1e6, tx_power_w=0.1, downlink_bps=1e7, rx_power_w=0.05)
WAVELENGTH_0_1_M = 2_997_924_580.0  # carrier in Hz whose wavelength is 0.1 m


def settings(**fields):
    return ChannelSettings.model_validate(fields)


# --- link budget ------------------------------------------------------------------------------------------------------


def test_mean_snr_of_a_link_budget_by_hand():
    budget = LinkBudget(
        distance_m=100.0,
        carrier_hz=WAVELENGTH_0_1_M,
        path_loss_exponent=3.5,
        antenna_gain_db=4.0,
        noise_figure_db=6.0,
        noise_dbm_per_hz=-174.0,
    )
    # free space up to 1 m: 20 log10(4 pi 1 / 0.1) = 41.984 dB; beyond: 35 log10(100) = 70 dB
    # noise: -174 + 10 log10(1e6) + 6 = -108 dBm; received: 20 + 4 - 111.984 = -87.984 dBm
    assert budget.mean_snr_db(LINK) == pytest.approx(-87.98418 + 108.0, abs=1e-4)


def test_link_budget_follows_each_of_its_terms():
    base = LinkBudget(distance_m=50.0, carrier_hz=2e9, path_loss_exponent=3.0)
    start = base.mean_snr_db(LINK)

    def gain(link=LINK, **change):
        return LinkBudget(**(base.model_dump() | change)).mean_snr_db(link) - start

    tenfold = 10.0  # dB
    assert gain(distance_m=500.0) == pytest.approx(-3 * tenfold)  # exponent 3
    assert gain(carrier_hz=2e10) == pytest.approx(-2 * tenfold)  # Friis goes with the square of the frequency
    assert gain(antenna_gain_db=7.0) == pytest.approx(7.0)
    assert gain(noise_figure_db=5.0) == pytest.approx(-5.0)
    assert gain(LINK.model_copy(update={"bandwidth_hz": 1e7})) == pytest.approx(-tenfold)
    assert gain(LINK.model_copy(update={"tx_power_w": 1.0})) == pytest.approx(tenfold)


def test_reference_distance_separates_free_space_from_the_power_law():
    near = LinkBudget(distance_m=5.0, carrier_hz=2e9, reference_distance_m=10.0, path_loss_exponent=4.0)
    at, beyond = (near.model_copy(update={"distance_m": distance}) for distance in (10.0, 100.0))
    assert beyond.mean_snr_db(LINK) - at.mean_snr_db(LINK) == pytest.approx(-40.0)  # 4 x 10 dB
    assert near.mean_snr_db(LINK) - at.mean_snr_db(LINK) == pytest.approx(20 * math.log10(2))  # still free space


def test_budget_is_the_mean_of_the_channel_it_builds():
    budget = {"distance_m": 80.0, "carrier_hz": 2e9, "path_loss_exponent": 3.5}
    law = settings(budget=budget).build(LINK)
    assert law == Rayleigh(mean_snr=float(db_to_linear(LinkBudget(**budget).mean_snr_db(LINK))))


@pytest.mark.parametrize(("distance_m", "gives"), [(1e9, "-"), (1e-3, "")])
def test_budget_out_of_range_says_what_it_gives(distance_m, gives):
    budget = {"distance_m": distance_m, "carrier_hz": 1e6 if not gives else 2e9, "antenna_gain_db": 10.0}
    with pytest.raises(ValueError, match=rf"budget gives a mean SNR of {gives}\d+\.\d dB, allowed is -30 to 60 dB"):
        settings(budget=budget).build(LINK)


# --- channel settings -------------------------------------------------------------------------------------------------


def test_each_law_is_built_with_linear_parameters():
    limits = {"min_efficiency": 0.2, "max_efficiency": 5.0}
    k_factor, mean_snr = 10**0.6, 10**1.5
    cases = [
        (settings(mean_snr_db=15.0, **limits), Rayleigh(mean_snr=mean_snr, **limits)),
        (settings(law="rician", mean_snr_db=15, k_factor_db=6, **limits), Rician(mean_snr=mean_snr, k_factor=k_factor)),
        (settings(law="nakagami", mean_snr_db=15, m=2, **limits), Nakagami(mean_snr=mean_snr, m=2.0, **limits)),
        (settings(law="empirical", trace_snr_db=[0, 10], **limits), Empirical(snr=(1.0, 10.0), **limits)),
    ]
    for given, expected in cases:
        law = given.build(LINK)
        assert type(law) is type(expected)
        assert (law.min_efficiency, law.max_efficiency) == (0.2, 5.0)
        assert law.average_snr == pytest.approx(expected.average_snr, rel=1e-14)
    assert cases[1][0].build(LINK).k_factor == pytest.approx(k_factor, rel=1e-14)
    assert cases[2][0].build(LINK).m == 2.0
    assert_allclose(cases[3][0].build(LINK).snr, [1.0, 10.0], rtol=1e-14)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "law = 'rayleigh' takes exactly one of mean_snr_db and budget"),
        (
            {"mean_snr_db": 3, "budget": {"distance_m": 1, "carrier_hz": 1e9}},
            "law = 'rayleigh' takes exactly one of mean_snr_db and budget",
        ),
        (
            {"law": "empirical", "trace_snr_db": [1], "mean_snr_db": 1},
            "law = 'empirical' does not take mean_snr_db; its fields are trace_snr_db, min_efficiency, max_efficiency",
        ),
        (
            {"law": "empirical", "trace_snr_db": [1], "budget": {"distance_m": 1, "carrier_hz": 1e9}},
            "takes neither mean_snr_db nor budget",
        ),
        ({"law": "empirical"}, "law = 'empirical' needs trace_snr_db"),
        ({"law": ["rayleigh"], "mean_snr_db": 3}, "law\n.*valid string"),
        ({"law": "math:tau", "mean_snr_db": 3}, "law = 'math:tau' is no subclass of cointer_gym.ChannelLaw"),
        ({"law": "no.such:Law", "mean_snr_db": 3}, "cannot import 'no.such:Law'"),
        (
            {"law": "rician", "mean_snr_db": 3},
            "law = 'rician' needs k_factor_db; its fields are mean_snr_db or budget, k_factor_db, min",
        ),
        ({"law": "nakagami", "mean_snr_db": 3}, "law = 'nakagami' needs m"),
        ({"mean_snr_db": 3, "m": 2}, "law = 'rayleigh' does not take m"),
        ({"mean_snr_db": 3, "k_factor_db": 2}, "law = 'rayleigh' does not take k_factor_db"),
        ({"mean_snr_db": 3, "trace_snr_db": [1.0]}, "law = 'rayleigh' does not take trace_snr_db"),
        (
            {"law": "rice", "mean_snr_db": 3},
            r"law = 'rice' must be one of .*rayleigh, rician, nakagami.*package\.module:Class",
        ),
        ({"mean_snr_db": 61}, "mean_snr_db = 61.0 dB, allowed is -30 to 60 dB"),
        ({"mean_snr_db": -31}, "mean_snr_db = -31.0 dB, allowed is -30 to 60 dB"),
        ({"law": "empirical", "trace_snr_db": [1.0, math.nan]}, r"trace_snr_db\.1\n.*finite number"),
    ],
)
def test_contradictory_or_missing_channel_settings_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        settings(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"law": "nakagami", "mean_snr_db": 3, "m": 0.4},
        {"law": "rician", "mean_snr_db": 3, "k_factor_db": 61},
        {"law": "empirical", "trace_snr_db": []},
        {"law": "empirical", "trace_snr_db": [1e5]},
        {"mean_snr_db": 3, "max_efficiency": 0.1},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_settings_that_no_law_accepts_are_refused_when_read_in_the_units_they_were_given_in(fields):
    with pytest.raises(ValueError, match=list(fields)[-1]):
        settings(**fields)


@pytest.mark.parametrize("field", ["bandwidth_hz", "tx_power_w", "downlink_bps"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_link_needs_positive_rates_and_power(field, value):
    with pytest.raises(ValueError, match=rf"{field}\n\s+Input should be greater than 0 .*input_value={value}"):
        Link(**(LINK.model_dump() | {field: value}))


def test_receiving_may_be_free_but_not_negative():
    assert Link(**(LINK.model_dump() | {"rx_power_w": 0.0})).rx_power_w == 0.0
    with pytest.raises(ValueError, match=r"rx_power_w\n.*greater than or equal to 0"):
        Link(**(LINK.model_dump() | {"rx_power_w": -0.1}))
