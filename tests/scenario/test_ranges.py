"""What the names and numbers of a scenario may be, at the field where they are written."""

import json
import math
import re

import numpy as np
import pytest

from cointer_gym import Scenario
from support.scenarios import BY_HAND


def changed(**overrides):
    return Scenario.load(BY_HAND, **overrides)


@pytest.mark.parametrize(
    "name",
    [
        *["", "../../../x", "/absolute", "a/b", "a\\b", "..", ".hidden", "dot.", " edge", "edge ", "a\nb", "\x1b[2J"],
        *["\ud800", "C:x", "nul", "COM1.txt", "x" * 101],
    ],
)
@pytest.mark.parametrize("field", ["name", "dnn.name"])
def test_a_name_that_is_no_folder_s_is_refused(field, name):
    with pytest.raises(ValueError, match=rf"scenario toy: {field} = .* is no name for a folder: 1 to 100 .* none of"):
        changed(**{field: name})


@pytest.mark.parametrize("name", ["Müllers Küche 3", "場景", "v1.2 (old)", "x" * 100])
def test_names_of_people_are_names(name):
    assert changed(name=name).problem().horizon == 2


# Every number of a scenario, with the values that it may not have beside texts, booleans and what is not finite.
NUMBERS = {
    "tasks_per_update": "positive",
    "dnn.feature_bits_per_element": "positive",
    "dnn.input_bits_per_element": "positive",
    "dnn.parameter_bits_per_element": "positive",
    "dnn.input_elements": "count",
    "device.flops_per_s": "positive",
    "device.compute_power_w": "amount",
    "device.memory_bytes": "amount",
    "edge.flops_per_s": "positive",
    "link.bandwidth_hz": "positive",
    "link.tx_power_w": "positive",
    "link.downlink_bps": "positive",
    "link.rx_power_w": "amount",
    "weights.time_weight": "amount",
    "weights.energy_weight": "amount",
    "dvfs.clock_hz": "positive",
    "dvfs.flop_per_cycle": "positive",
    "dvfs.kappa": "factor",
    "budget.distance_m": "positive",
    "budget.carrier_hz": "positive",
    "budget.reference_distance_m": "positive",
    "budget.antenna_gain_db": "level",
    "budget.noise_figure_db": "level",
    "budget.noise_dbm_per_hz": "level",
    "layer.output_elements": "count",
    "layer.flops": "amount",
    "layer.parameters": "count",
    "measured.seconds": "amount",
    "measured.joules": "amount",
}
NO_NUMBERS = [True, np.bool_(True), "5", "", [5.0], math.nan, math.inf, -math.inf, 1e300, 1e31, 10**320, 10**5000]
REFUSED = {
    "positive": [0, -1.0, 1e-31, 1e-300],
    "amount": [-1.0, 1e-31, 1e-300],
    "factor": [-1.0],
    "level": [301.0, -301.0],
    "count": [-1, 1.5, 1e19],
}


def with_number(field, value):
    """``alexnet-pi`` with one number, and the name under which that number is known there."""
    table, _, name = field.partition(".")
    if table == "dvfs":
        content = {"clock_hz": 1e6, "flop_per_cycle": 10.0, "kappa": 3e-18}
        return {"device.dvfs": content | {name: value}}, f"device.{field}"
    if table == "budget":
        return {"channel.budget": {"distance_m": 60.0, "carrier_hz": 2e9} | {name: value}}, f"channel.{field}"
    if table == "layer":
        layer = {"name": "one", "output_elements": 5, "flops": 1e6} | {name: value}
        return {"dnn.layers": [layer]}, f"dnn.layers.0.{name}"
    if table == "measured":
        measured = {"network": "alexnet", "layers": [{"name": "conv1", name: value}]}
        return {"device.measured": measured}, f"device.measured.layers.0.{name}"
    return {field: value}, field


@pytest.mark.parametrize(("field", "kind"), NUMBERS.items())
def test_what_is_no_number_or_out_of_range_is_refused_by_the_name_of_the_field(field, kind):
    for value in NO_NUMBERS + REFUSED[kind]:
        overrides, name = with_number(field, value)
        with pytest.raises(ValueError, match=rf"^scenario alexnet-pi: {re.escape(name)}(\.0)?( =|:) ") as caught:
            Scenario.load("alexnet-pi", **overrides)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("field", "kind"), NUMBERS.items())
def test_numbers_are_numbers_however_they_are_held(field, kind):
    integers = [5, np.int64(5), np.int32(5), 5.0, np.float64(5.0), np.float32(5.0)]
    edges = {
        "positive": [1e-30, 1e30],
        "amount": [0, 1e-30, 1e30],
        "factor": [0, 1e-60],
        "level": [0.5],
        "count": [10**18],
    }
    for value in integers + (edges[kind] if not field.startswith("budget.") else []):
        if not (field == "dnn.input_elements" and value == 0):
            scenario = Scenario.load("alexnet-pi", **with_number(field, value)[0])
            assert Scenario.load(json.loads(scenario.model_dump_json(exclude_none=True))) == scenario


def test_costs_are_finite_at_the_ends_of_every_range():
    ends = {}
    for field, kind in NUMBERS.items():
        if field.partition(".")[0] in ("tasks_per_update", "dnn", "device", "edge", "link", "weights"):
            divides = field.endswith(("_hz", "_bps", "flops_per_s", "tasks_per_update"))
            ends[field] = 10**18 if kind == "count" else 1e-30 if divides else 1e30
    layers = [{"name": str(n), "output_elements": 10**18, "flops": 1e30, "parameters": 10**18} for n in range(100)]
    scenario = Scenario.load("alexnet-pi", **ends, **{"dnn.layers": layers})
    problem = scenario.problem()
    for terms in (problem.cost, problem.time, problem.energy):
        assert all(np.isfinite(values).all() for values in (terms.airtime, terms.edge, terms.device))
    assert np.isfinite(scenario.download.cost).all()


def layers_named(*names):
    return [{"name": name, "output_elements": 5, "flops": 1e6} for name in names]


def test_layers_are_told_apart_by_their_names():
    with pytest.raises(ValueError, match=r"dnn\.layers: layers\.2\.name = 'a' is the name of layers\.0, too"):
        changed(**{"dnn.layers": layers_named("a", "b", "a")})
    with pytest.raises(ValueError, match=r"layers\.0\.name = 'input' is the name of the input, too"):
        changed(**{"dnn.layers": layers_named("input")})


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "\ud800", "x" * 101, 5])
def test_names_of_layers_are_one_line(name):
    with pytest.raises(ValueError, match=r"dnn\.layers\.0\.name = .*(1 to 100 characters|valid string)"):
        changed(**{"dnn.layers": layers_named(name)})


def test_a_description_has_no_control_characters():
    assert changed(description="two\nlines").description == "two\nlines"
    with pytest.raises(ValueError, match=r"description = .* without control characters"):
        changed(description="\x1b]0;title\x07")


def test_the_number_of_layers_has_a_limit_that_is_said():
    most = layers_named(*map(str, range(2000)))
    assert changed(**{"dnn.layers": most}).layers == 2000
    for count in (0, 2001, 100_000):
        with pytest.raises(
            ValueError, match=rf"dnn\.layers: has {count} layers, allowed are 1 to 2000, so that .* minute"
        ):
            changed(**{"dnn.layers": (most * 50)[:count]})
