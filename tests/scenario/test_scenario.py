"""Scenarios: reading, overriding, refusing, and the arrays they pose, with the arithmetic shown."""

import json
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym import Rayleigh, Scenario, list_scenarios

TOML = """
name = "pair"
description = "two layers"
tasks_per_update = 50

[dnn]
name = "two-layer"
input_elements = 1000
feature_bits_per_element = 16.0
input_bits_per_element = 8.0
parameter_bits_per_element = 32.0

[[dnn.layers]]
name = "conv"
output_elements = 400
flops = 2e6
parameters = 300

[[dnn.layers]]
name = "fc"
output_elements = 10
flops = 4e6
parameters = 1200

[device]
flops_per_s = 1e7
compute_power_w = 3.0

[edge]
flops_per_s = 1e9

[link]
bandwidth_hz = 1e4
tx_power_w = 0.5
downlink_bps = 1e5
rx_power_w = 0.2

[channel]
law = "rayleigh"
mean_snr_db = 10

[weights]
time_weight = 2.0
energy_weight = 4.0

[sources]
"link.bandwidth_hz" = "assumed"
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "pair.toml"
    file.write_text(TOML, encoding="utf-8")
    return file


@pytest.fixture
def pair(path):
    return Scenario.load(path)


def edited(tmp_path, *old_and_new):
    content = TOML
    for old, new in zip(old_and_new[::2], old_and_new[1::2], strict=True):
        assert old in content
        content = content.replace(old, new, 1)
    file = tmp_path / "edited.toml"
    file.write_text(content, encoding="utf-8")
    return file


# --- the arrays ----------------------------------------------------------------------------------


def test_complete_placement_by_hand(pair):
    problem = pair.problem()
    assert (problem.horizon, problem.completes, problem.stage_names) == (2, True, ("input", "conv", "fc"))
    # seconds per channel use per bit: input 1000 x 8 / 1e4, feature 400 x 16 / 1e4, nothing once complete
    assert_allclose(problem.time.airtime, [0.8, 0.64, 0.0], rtol=1e-15)
    # edge: (2e6 + 4e6) / 1e9, 4e6 / 1e9, 0
    assert_allclose(problem.time.edge, [0.006, 0.004, 0.0], rtol=1e-15)
    # device: 2e6 / 1e7, 4e6 / 1e7
    assert_allclose(problem.time.device, [0.2, 0.4], rtol=1e-15)
    # joules: 0.5 W on the air, 3 W computing, none of the device's while the edge computes
    assert_allclose(problem.energy.airtime, [0.4, 0.32, 0.0], rtol=1e-15)
    assert_array_equal(problem.energy.edge, 0.0)
    assert_allclose(problem.energy.device, [0.6, 1.2], rtol=1e-15)
    # ETC = 2 s + 4 J
    assert_allclose(problem.cost.airtime, [3.2, 2.56, 0.0], rtol=1e-15)  # 1.6 + 1.6, 1.28 + 1.28
    assert_allclose(problem.cost.edge, [0.012, 0.008, 0.0], rtol=1e-15)
    assert_allclose(problem.cost.device, [2.8, 5.6], rtol=1e-15)  # 0.4 + 2.4, 0.8 + 4.8
    assert problem.channel == Rayleigh(mean_snr=10.0)


def test_partial_placement_forces_the_last_upload(pair):
    problem = pair.problem(1)
    assert (problem.horizon, problem.completes, problem.stage_names) == (1, False, ("input", "conv"))
    assert_allclose(problem.cost.airtime, [3.2, 2.56], rtol=1e-15)
    assert_allclose(problem.cost.edge, [0.012, 0.008], rtol=1e-15)
    assert_allclose(problem.cost.device, [2.8], rtol=1e-15)


def test_placement_zero_is_a_lone_upload_and_placing_all_is_the_default(pair):
    nothing = pair.problem(0)
    assert (nothing.horizon, nothing.completes) == (0, False)
    assert_allclose(nothing.cost.airtime, [3.2], rtol=1e-15)
    assert nothing.cost.device.shape == (0,)
    assert_array_equal(pair.problem(np.int64(2)).cost.airtime, pair.problem().cost.airtime)


def test_download_cost_by_hand(pair):
    # bits: 0, 300 x 32 = 9600, (300 + 1200) x 32 = 48000; one update serves 50 tasks at 1e5 bit/s
    # ETC per second of download: 2 + 4 x 0.2 W = 2.8;  2.8 x 9600 / 5e6 = 0.005376, 2.8 x 48000 / 5e6 = 0.02688
    assert_allclose(pair.download.cost, [0.0, 0.005376, 0.02688], rtol=1e-14)
    assert_allclose(pair.download.time_s, [0.0, 9600 / 5e6, 48000 / 5e6], rtol=1e-14)
    assert_allclose(pair.download.energy_j, [0.0, 0.2 * 9600 / 5e6, 0.2 * 48000 / 5e6], rtol=1e-14)  # at 0.2 W
    once = pair.one_download(1)
    assert (once.time_s, once.energy_j, once.cost) == pytest.approx((0.096, 0.0192, 2 * 0.096 + 4 * 0.0192), rel=1e-14)


def test_measured_layers_reach_the_problem(tmp_path):
    on_device = '[device.measured]\nnetwork = "two-layer"\nlayers = [{ name = "conv", seconds = 0.05, joules = 0.01 }]'
    on_edge = '[edge.measured]\nnetwork = "two-layer"\nlayers = [{ name = "conv", seconds = 0.002 }]'
    measured = edited(tmp_path, "flops = 2e6", "", "[link]", f"{on_device}\n{on_edge}\n[link]")
    problem = Scenario.load(measured).problem()
    assert_allclose(problem.time.device, [0.05, 0.4], rtol=1e-15)
    assert_allclose(problem.energy.device, [0.01, 1.2], rtol=1e-15)
    assert_allclose(problem.time.edge, [0.006, 0.004, 0.0], rtol=1e-15)  # 0.002 + 4e6 / 1e9


# --- reading and overriding ----------------------------------------------------------------------


def test_a_file_a_dictionary_and_a_scenario_are_the_same(path, pair):
    assert Scenario.load(str(path)) == pair
    content = pair.model_dump(exclude_none=True)
    assert Scenario.load(content) == pair
    assert Scenario.load(json.loads(json.dumps(content))) == pair
    assert Scenario.load(pair) == pair


@pytest.mark.parametrize("name", list_scenarios())
def test_every_built_in_scenario_survives_a_round_trip(name):
    scenario = Scenario.load(name)
    assert scenario.name == name
    again = Scenario.load(json.loads(scenario.model_dump_json(exclude_none=True)))
    assert again == scenario
    for ours, theirs in zip(vars(again.problem().cost).values(), vars(scenario.problem().cost).values(), strict=True):
        assert_array_equal(ours, theirs)


def test_scenarios_compare_by_their_parameters_also_after_use(path, pair):
    twin, other = Scenario.load(path), pair.replace(**{"link.bandwidth_hz": 2e4})
    for scenario in (pair, twin, other):  # fills the caches
        assert scenario.problem().channel.mean_channel_uses_per_bit > 0
        assert scenario.download.cost.size == 3
    assert twin == pair
    assert other != pair


def test_overrides_change_one_field_and_nothing_else(pair):
    changed = pair.replace(**{"link.bandwidth_hz": 2e4, "weights.energy_weight": 0.0})
    assert (changed.link.bandwidth_hz, pair.link.bandwidth_hz) == (2e4, 1e4)
    # half of 0.8 s, at 2 per second and nothing per joule
    assert changed.problem().cost.airtime[0] == pytest.approx(0.8, rel=1e-15)
    rest = {"dnn", "device", "edge", "channel", "tasks_per_update", "name"}
    assert changed.model_dump(include=rest) == pair.model_dump(include=rest)


def test_overrides_apply_while_loading(path):
    scenario = Scenario.load(path, **{"channel.mean_snr_db": 0.0, "tasks_per_update": 7})
    assert scenario.channel_law == Rayleigh(mean_snr=1.0)
    assert scenario.tasks_per_update == 7


def test_the_clock_of_a_dvfs_device_can_be_changed(tmp_path):
    dvfs = "dvfs = { clock_hz = 1e6, flop_per_cycle = 10.0, kappa = 3e-18 }"
    direct = "flops_per_s = 1e7\ncompute_power_w = 3.0"
    scenario = Scenario.load(edited(tmp_path, direct, dvfs))
    assert_allclose(scenario.problem().cost.device, [2.8, 5.6], rtol=1e-14)  # as with the direct numbers
    # twice the clock: half the time, eight times the power: 2 x 0.1 + 4 x 0.1 x 24, twice that
    faster = scenario.replace(**{"device.dvfs.clock_hz": 2e6})
    assert_allclose(faster.problem().cost.device, [9.8, 19.6], rtol=1e-14)


def test_fields_beside_a_profile_override_it():
    scenario = Scenario.load("alexnet-pi", **{"dnn.feature_bits_per_element": 8.0})
    assert_allclose(scenario.dnn.output_bits[1:], Scenario.load("alexnet-pi").dnn.output_bits[1:] / 4)
    assert scenario.dnn.output_bits[0] == Scenario.load("alexnet-pi").dnn.output_bits[0]


def test_a_profile_may_be_a_file(tmp_path, pair):
    file = tmp_path / "net.json"
    file.write_text(pair.dnn.model_dump_json(exclude_none=True), encoding="utf-8")
    assert pair.replace(**{"dnn.profile": str(file)}) == pair


# --- refusing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "bandwidth_hz = 1e4",
            "bandwith_hz = 1e4",
            r"link\.bandwidth_hz: Field required; "
            r"link\.bandwith_hz = 10000\.0: unknown field, did you mean 'bandwidth_hz'\?",
        ),
        ("[weights]", "[wieghts]", r"wieghts: unknown field, did you mean 'weights'\?"),
        ("parameters = 300", "qqq = 300", r"dnn\.layers\.0\.qqq = 300: unknown field$"),
        (
            "bandwidth_hz = 1e4",
            "bandwidth_hz = -1e4",
            r"link\.bandwidth_hz = -10000\.0: .* greater than 0",
        ),
        ("mean_snr_db = 10", "mean_snr_db = nan", r"channel\.mean_snr_db = nan: Input should be a finite number"),
        ("tx_power_w = 0.5", "tx_power_w = inf", r"link\.tx_power_w = inf: Input should be a finite number"),
        ("bandwidth_hz = 1e4", "bandwidth_hz = 'wide'", r"link\.bandwidth_hz = 'wide': Input should be a valid number"),
        ('law = "rayleigh"', 'law = "raleigh"', r"channel\.law = 'raleigh': .* must be one of .*rayleigh, rician"),
        ("tasks_per_update = 50", "tasks_per_update = 0", r"tasks_per_update = 0: Input should be greater than 0"),
        (
            "flops = 4e6",
            "",
            r"dnn\.layers\.1: layer 'fc' needs flops, or measured seconds on the device and on the edge",
        ),
        (
            "time_weight = 2.0\nenergy_weight = 4.0",
            "time_weight = 0.0\nenergy_weight = 0.0",
            "weights: time_weight and energy_weight are both 0",
        ),
        (
            'law = "rayleigh"\nmean_snr_db = 10',
            'law = "empirical"\ntrace_snr_db = [1.0, 2.0, nan]',
            r"channel\.trace_snr_db\.2 = nan: Input should be a finite number",
        ),
        ('name = "two-layer"', 'profile = "mlp"', "dnn: give either profile or layers, not both"),
    ],
)
def test_a_fault_in_the_file_is_named_with_value_and_remedy(tmp_path, old, new, message):
    with pytest.raises(ValueError, match=f"^scenario .*edited.toml: {message}"):
        Scenario.load(edited(tmp_path, old, new))


def test_every_fault_is_listed(tmp_path):
    file = edited(tmp_path, "tx_power_w = 0.5\ndownlink_bps = 1e5", "tx_power_w = 0\ndownlink_bps = -1")
    with pytest.raises(ValueError, match=r"link\.tx_power_w = 0: .*; link\.downlink_bps = -1: "):
        Scenario.load(file)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "link.bandwith_hz",
            1.0,
            r"scenario pair: link\.bandwith_hz = 1\.0: .* mean 'bandwidth_hz'",
        ),
        ("lnk.bandwidth_hz", 1.0, "lnk: unknown field, did you mean 'link'"),
        ("name.first", "x", "field 'name' has no field 'first' to override"),
        ("link.bandwidth_hz", math.nan, r"link\.bandwidth_hz = nan: Input should be a finite number"),
        (
            "channel.min_efficiency",
            -0.1,
            r"channel\.min_efficiency = -0\.1: .* greater than or equal to 0",
        ),
        ("channel.max_efficiency", 0.1, r"channel.*max_efficiency = 0\.1 must exceed min_efficiency = 0\.1523"),
        ("sources", 3, "sources = 3: Input should be a valid dictionary"),
    ],
)
def test_bad_overrides_are_refused(pair, field, value, message):
    with pytest.raises(ValueError, match=message):
        pair.replace(**{field: value})


@pytest.mark.parametrize("placement", [99, 3, -1, 1.0, "1", True])
def test_placement_outside_the_network_is_refused(pair, placement):
    message = f"placement = {placement!r} must be an integer from 0 to 2, the layers of two-layer"
    with pytest.raises(ValueError, match=message):
        pair.problem(placement)


def test_pure_shannon_is_refused_only_where_an_upload_is_forced(pair):
    shannon = pair.replace(**{"channel.min_efficiency": 0.0})
    assert shannon.problem().completes
    with pytest.raises(ValueError, match=r"min_efficiency = 0.0 makes the mean cost of the forced upload at stage 1"):
        shannon.problem(1)


# --- immutability --------------------------------------------------------------------------------


def test_scenarios_cannot_be_changed(pair):
    for part, field in ((pair, "name"), (pair.link, "bandwidth_hz"), (pair.dnn.layers[0], "flops")):
        with pytest.raises(ValueError, match="frozen"):
            setattr(part, field, 1.0)


@pytest.mark.parametrize("array", ["dnn.output_bits", "dnn.parameter_bits", "download.cost"])
def test_what_a_scenario_hands_out_cannot_change_it(pair, array):
    owner, _, name = array.rpartition(".")
    values = getattr(getattr(pair, owner), name)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = -1.0
