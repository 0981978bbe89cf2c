"""Link budget, channel settings and hardware, with the arithmetic shown."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cointer_gym import Dnn, Empirical, Nakagami, Rayleigh, Rician
from cointer_gym.hardware import Device, Dvfs, EdgeServer
from cointer_gym.link import ChannelSettings, Link, LinkBudget
from cointer_gym.units import BOLTZMANN_NOISE_DBM_PER_HZ, db_to_linear, linear_to_db, w_to_dbm

LINK = Link(bandwidth_hz=1e6, tx_power_w=0.1, downlink_bps=1e7, rx_power_w=0.05)
WAVELENGTH_0_1_M = 2_997_924_580.0  # carrier in Hz whose wavelength is 0.1 m


def settings(**fields):
    return ChannelSettings.model_validate(fields)


# --- units ---------------------------------------------------------------------------------------


def test_decibels_there_and_back():
    assert_allclose(db_to_linear([-30.0, 0.0, 3.0, 10.0, -np.inf]), [1e-3, 1.0, 1.9952623149688795, 10.0, 0.0])
    assert_allclose(linear_to_db([1e-3, 1.0, 100.0, 0.0]), [-30.0, 0.0, 20.0, -np.inf])
    assert w_to_dbm(0.1) == pytest.approx(20.0, abs=1e-12)  # 100 mW


def test_noise_density_is_k_t_at_290_kelvin():
    # 10 log10(1.380649e-23 J/K x 290 K / 1 mW)
    assert pytest.approx(10 * math.log10(1.380649e-23 * 290 * 1e3), abs=5e-4) == BOLTZMANN_NOISE_DBM_PER_HZ


# --- link budget ---------------------------------------------------------------------------------


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


# --- channel settings ----------------------------------------------------------------------------


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
        ({"law": "empirical", "trace_snr_db": [1], "mean_snr_db": 1}, "takes neither mean_snr_db nor budget"),
        ({"law": "empirical"}, "law = 'empirical' needs trace_snr_db"),
        ({"law": "rician", "mean_snr_db": 3}, "law = 'rician' needs k_factor_db"),
        ({"law": "nakagami", "mean_snr_db": 3}, "law = 'nakagami' needs m"),
        ({"mean_snr_db": 3, "m": 2}, "law = 'rayleigh' does not take m"),
        ({"mean_snr_db": 3, "k_factor_db": 2}, "law = 'rayleigh' does not take k_factor_db"),
        ({"mean_snr_db": 3, "trace_snr_db": [1.0]}, "law = 'rayleigh' does not take trace_snr_db"),
        ({"law": "rice", "mean_snr_db": 3}, "law\n.*'rayleigh', 'rician', 'nakagami' or 'empirical'"),
        ({"mean_snr_db": 61}, "mean_snr_db\n.*less than or equal to 60"),
        ({"mean_snr_db": -31}, "mean_snr_db\n.*greater than or equal to -30"),
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
        {"law": "rician", "mean_snr_db": 3, "k_factor_db": 31},
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


# --- hardware ------------------------------------------------------------------------------------


def two_layers(**first):
    layers = [
        {"name": "one", "output_elements": 10, "flops": 2e6} | first,
        {"name": "two", "output_elements": 5, "flops": 4e6},
    ]
    return Dnn.model_validate({"name": "pair", "input_elements": 20, "layers": layers})


def test_time_and_energy_follow_from_work():
    device, edge = Device(flops_per_s=1e7, compute_power_w=3.0), EdgeServer(flops_per_s=1e9)
    assert_allclose(device.layer_s(two_layers()), [0.2, 0.4], rtol=1e-15)  # 2e6 / 1e7, 4e6 / 1e7
    assert_allclose(device.layer_j(two_layers()), [0.6, 1.2], rtol=1e-15)  # x 3 W
    assert_allclose(edge.layer_s(two_layers()), [0.002, 0.004], rtol=1e-15)


def test_measured_seconds_and_joules_override_layer_by_layer():
    device, edge = Device(flops_per_s=1e7, compute_power_w=3.0), EdgeServer(flops_per_s=1e9)
    timed = two_layers(device_s=0.5, edge_s=0.01)
    assert_allclose(device.layer_s(timed), [0.5, 0.4], rtol=1e-15)
    assert_allclose(device.layer_j(timed), [1.5, 1.2], rtol=1e-15)  # 0.5 s x 3 W
    assert_allclose(edge.layer_s(timed), [0.01, 0.004], rtol=1e-15)
    assert_allclose(device.layer_j(two_layers(device_j=0.25)), [0.25, 1.2], rtol=1e-15)
    assert_allclose(device.layer_s(two_layers(device_j=0.25)), [0.2, 0.4], rtol=1e-15)


def test_a_measured_zero_is_a_measurement_and_not_an_absence():
    device, edge = Device(flops_per_s=1e7, compute_power_w=3.0), EdgeServer(flops_per_s=1e9)
    instant, free = two_layers(device_s=0.0, edge_s=0.0), two_layers(device_j=0.0)
    assert (device.layer_s(instant)[0], device.layer_j(instant)[0], edge.layer_s(instant)[0]) == (0.0, 0.0, 0.0)
    assert (device.layer_s(free)[0], device.layer_j(free)[0]) == (0.2, 0.0)


@pytest.mark.parametrize("measured", [{}, {"device_s": 0.1}, {"edge_s": 0.1}, {"device_j": 0.1}])
def test_a_layer_without_work_needs_both_times(measured):
    with pytest.raises(ValueError, match="layer 'one' needs flops, or both device_s and edge_s measured"):
        two_layers(flops=None, **measured)


def test_dvfs_gives_speed_and_power():
    device = Device(dvfs=Dvfs(clock_hz=1.5e9, flop_per_cycle=8.0, kappa=1e-27))
    # 1.5e9 x 8 = 12 GFLOP/s; 1e-27 x (1.5e9)^3 = 3.375 W
    assert_allclose(device.layer_s(two_layers()), [2e6 / 12e9, 4e6 / 12e9], rtol=1e-14)
    assert_allclose(device.layer_j(two_layers()), [2e6 / 12e9 * 3.375, 4e6 / 12e9 * 3.375], rtol=1e-14)


@pytest.mark.parametrize(
    "given", [{}, {"flops_per_s": 1e9}, {"compute_power_w": 1.0}, {"dvfs": {}, "flops_per_s": 1e9}]
)
def test_device_is_given_one_way_or_the_other(given):
    dvfs = {"dvfs": {"clock_hz": 1e9, "flop_per_cycle": 8.0, "kappa": 1e-27}} if "dvfs" in given else {}
    with pytest.raises(ValueError, match="either flops_per_s and compute_power_w, or dvfs"):
        Device.model_validate(given | dvfs)


@pytest.mark.parametrize(
    ("dvfs", "message"),
    [
        ({"clock_hz": -1e9}, r"dvfs\.clock_hz\n.*greater than 0"),
        ({"flop_per_cycle": 0}, r"dvfs\.flop_per_cycle\n.*greater than 0"),
        ({"kappa": -1e-27}, r"dvfs\.kappa\n.*greater than or equal to 0"),
        ({"volts": 1}, r"dvfs\.volts\n.*Extra inputs"),
    ],
)
def test_bad_dvfs_fields_are_named(dvfs, message):
    with pytest.raises(ValueError, match=message):
        Device.model_validate({"dvfs": {"clock_hz": 1e9, "flop_per_cycle": 8.0, "kappa": 1e-27} | dvfs})
