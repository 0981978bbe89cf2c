"""Small scenarios with round numbers, as the dictionaries that ``Scenario.load`` and the environments take."""

import numpy as np
import pytest

from cointer_gym import Scenario

STEADY = {"law": "empirical", "trace_snr_db": [10 * np.log10(3.0)]}  # x = 1 / log2(1 + 3) = 1/2 for sure
TIME_AND_TWICE_ENERGY = {"time_weight": 1.0, "energy_weight": 2.0}


def tiny_scenario(
    layers, *, name="toy", input_elements=100, dnn=None, device=None, edge=None, link=None, channel=None, **more
):
    """A scenario from (name, output_elements, flops[, parameters]) of each layer.

    ``dnn``, ``device``, ``edge`` and ``link`` change fields of the usual ones, ``channel`` replaces the usual one, and
    ``more`` are further entries of the scenario.
    """
    fields = ("name", "output_elements", "flops", "parameters")
    rows = [dict(zip(fields, layer, strict=False)) for layer in layers]
    return {
        "name": name,
        "dnn": {"name": name, "input_elements": input_elements, "layers": rows} | (dnn or {}),
        "device": {"flops_per_s": 1e9, "compute_power_w": 2.0} | (device or {}),
        "edge": {"flops_per_s": 1e10} | (edge or {}),
        "link": {"bandwidth_hz": 1e6, "tx_power_w": 0.5, "downlink_bps": 1e6, "rx_power_w": 0.1} | (link or {}),
        "channel": channel or {"law": "rayleigh", "mean_snr_db": 10.0},
    } | more


def slow_scenario(
    layers, *, name="drawn", inputs=1000, bits=8.0, tasks_per_update=1000.0, edge=1e9, device=None, dnn=None, **more
):
    """A loaded scenario on slow hardware from (output_elements, flops, parameters) of layer1, layer2, ..."""
    content = tiny_scenario(
        [(f"layer{n}", *numbers) for n, numbers in enumerate(layers, start=1)],
        name=name,
        input_elements=inputs,
        dnn={"input_bits_per_element": bits, "feature_bits_per_element": bits} | (dnn or {}),
        device={"flops_per_s": 1e7, "compute_power_w": 0.25} | (device or {}),
        edge={"flops_per_s": edge},
        link={"bandwidth_hz": 1e4, "downlink_bps": 1e5, "rx_power_w": 0.25},
        tasks_per_update=tasks_per_update,
        **more,
    )
    return Scenario.load(content)


def changed(scenario, **fields):
    """A copy of a scenario's dictionary with other values at dotted names, such as ``link.bandwidth_hz``."""
    copy = dict(scenario)
    for dotted, value in fields.items():
        part, _, field = dotted.rpartition(".")
        copy |= {part: copy[part] | {field: value}} if part else {field: value}
    return copy


# Two layers of round numbers, for the arithmetic of a step by hand: 800 bits of input, 1600 bits behind layer a.
BY_HAND = tiny_scenario([("a", 50, 1e6), ("b", 10, 2e6)], weights=TIME_AND_TWICE_ENERGY)

# The same with 4000 + 6000 parameters, 32 bits each, over 1 Mbit/s, for 1000 tasks: 1.28e-4 s and 1.92e-4 s a task;
# receiving draws 0.1 W, so that a second of download costs 1 + 2 * 0.1.
BY_HAND_PLACED = tiny_scenario(
    [("a", 50, 1e6, 4000), ("b", 10, 2e6, 6000)], weights=TIME_AND_TWICE_ENERGY, tasks_per_update=1000
)

# Three layers of 16, 24 and 40 kB; nothing is 1, so that no factor can be forgotten unseen.
THREE_LAYERS = tiny_scenario(
    [("a", 50, 1e6, 4000), ("b", 70, 2e6, 6000), ("c", 10, 3e6, 10_000)],
    name="small",
    link={"downlink_bps": 3e6},
    weights={"time_weight": 1.5, "energy_weight": 0.7},
    tasks_per_update=250,
)
ONE_LAYER = changed(THREE_LAYERS, **{"name": "tiny", "dnn.layers": THREE_LAYERS["dnn"]["layers"][:1]})


def with_memory(memory_bytes):
    """``THREE_LAYERS`` on a device with this much memory: 16, 40 and 80 kB hold one, two and three layers."""
    return changed(THREE_LAYERS, **{"device.memory_bytes": memory_bytes})


every_placement_scenario = pytest.mark.parametrize(
    "scenario",
    [THREE_LAYERS, ONE_LAYER, with_memory(40_000), "alexnet-pi", "mobilenetv2-phone"],
    ids=["small", "one layer", "two of three layers fit", "alexnet-pi", "mobilenetv2-phone"],
)


# Placement matters: the first layer makes the feature small, the second is too large to download and to run on the
# device.
SECOND_TOO_LARGE = tiny_scenario(
    [("a", 30, 2e5, 1000), ("b", 10, 6e6, 60_000)],
    device={"flops_per_s": 1e10},
    edge={"flops_per_s": 1e11},
    weights=TIME_AND_TWICE_ENERGY,
    tasks_per_update=1000,
)

# Fading matters: the first layer is cheap and halves the feature, the second is dear. Where to offload depends on the
# fading, and no fixed split comes within a tenth of the optimum.
SECOND_TOO_DEAR = tiny_scenario(
    [("a", 500, 2e6), ("b", 250, 6e6)], input_elements=4000, edge={"flops_per_s": 1e11}, link={"tx_power_w": 0.1}
)

# Quick to learn: two layers with a small feature behind the first one.
LEARNABLE = tiny_scenario(
    [("first", 4000, 1e8, 1000), ("second", 10, 2e9, 1000)],
    input_elements=40_000,
    device={"flops_per_s": 1e10},
    edge={"flops_per_s": 1e12},
    link={"tx_power_w": 0.1, "downlink_bps": 1e7},
)
