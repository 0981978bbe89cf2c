"""Device and edge server: seconds and joules of a layer, with the arithmetic shown."""

import pytest
from numpy.testing import assert_allclose

from cointer_gym import Dnn, Scenario
from cointer_gym.hardware import Device, Dvfs, EdgeServer


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


def measured(**taken):
    """A measurement of the first layer of ``two_layers``."""
    return {"network": "pair", "layers": [{"name": "one", **taken}]}


def device_with(**taken):
    return Device.model_validate({"flops_per_s": 1e7, "compute_power_w": 3.0, "measured": measured(**taken)})


def edge_with(**taken):
    return EdgeServer.model_validate({"flops_per_s": 1e9, "measured": measured(**taken)})


def test_measured_seconds_and_joules_override_layer_by_layer():
    dnn = two_layers()
    assert_allclose(device_with(seconds=0.5).layer_s(dnn), [0.5, 0.4], rtol=1e-15)
    assert_allclose(device_with(seconds=0.5).layer_j(dnn), [1.5, 1.2], rtol=1e-15)  # 0.5 s x 3 W
    assert_allclose(edge_with(seconds=0.01).layer_s(dnn), [0.01, 0.004], rtol=1e-15)
    assert_allclose(device_with(joules=0.25).layer_j(dnn), [0.25, 1.2], rtol=1e-15)
    assert_allclose(device_with(joules=0.25).layer_s(dnn), [0.2, 0.4], rtol=1e-15)


def test_a_measured_zero_is_a_measurement_and_not_an_absence():
    dnn, instant, free = two_layers(), device_with(seconds=0.0), device_with(joules=0.0)
    assert (instant.layer_s(dnn)[0], instant.layer_j(dnn)[0], edge_with(seconds=0.0).layer_s(dnn)[0]) == (0.0, 0.0, 0.0)
    assert (free.layer_s(dnn)[0], free.layer_j(dnn)[0]) == (0.2, 0.0)


@pytest.mark.parametrize(
    ("device", "edge"), [({}, {}), ({"seconds": 0.1}, {}), ({}, {"seconds": 0.1}), ({"joules": 1.0}, {"seconds": 0.1})]
)
def test_a_layer_without_work_needs_both_times(device, edge):
    content = {"dnn": {"name": "pair", "input_elements": 20, "layers": [{"name": "one", "output_elements": 10}]}}
    content |= {f"{name}.measured": measured(**taken) for name, taken in (("device", device), ("edge", edge)) if taken}
    with pytest.raises(
        ValueError, match=r"dnn\.layers\.0: layer 'one' needs flops, or measured seconds on the device and"
    ):
        Scenario.load("alexnet-pi", **content)
    timed = content | {f"{name}.measured": measured(seconds=0.1) for name in ("device", "edge")}
    assert_allclose(Scenario.load("alexnet-pi", **timed).problem().time.device, [0.1])


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("network", "pear", r"device\.measured\.network = 'pear' must be the network, 'pair'"),
        (
            "layers",
            [{"name": "three", "seconds": 1.0}],
            r"layers\.0\.name = 'three' must be the name of a layer of pair",
        ),
        ("layers", [{"name": "one", "seconds": 1.0}] * 2, "layer 'one' is measured twice"),
        ("layers", [{"name": "one"}], "layer 'one' is measured, but has neither seconds nor joules"),
        ("layers", [{"name": "one", "seconds": -1.0}], r"seconds\n.*greater than or equal to 0"),
    ],
)
def test_a_measurement_belongs_to_one_network_on_one_computer(field, value, message):
    with pytest.raises(ValueError, match=message):
        Device(flops_per_s=1e7, compute_power_w=3.0, measured=measured(seconds=1.0) | {field: value}).layer_s(
            two_layers()
        )


@pytest.mark.parametrize(("field", "where"), [("device_s", "device"), ("device_j", "device"), ("edge_s", "edge")])
def test_times_given_with_the_network_are_sent_where_they_belong(field, where):
    layers = [{"name": "one", "output_elements": 10, "flops": 1.0, field: 0.1}]
    message = rf"dnn\.layers\.0\.{field} = 0\.1: unknown field; .* belong to \[{where}\.measured\]"
    with pytest.raises(ValueError, match=message):
        Scenario.load("alexnet-pi", dnn={"name": "pair", "input_elements": 20, "layers": layers})


def test_another_network_leaves_the_measurements_behind():
    timed = Scenario.load(
        "alexnet-pi", **{"device.measured": {"network": "alexnet", "layers": [{"name": "conv1", "seconds": 9.0}]}}
    )
    assert timed.problem().time.device[0] == 9.0
    assert timed.replace(**{"dnn.profile": "vgg16"}).device.measured is None


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
