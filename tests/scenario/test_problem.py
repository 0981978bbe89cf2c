"""The stopping problem as arrays: what it accepts, what it refuses, and the cost of its static splits."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym import Empirical, Nakagami, Rayleigh, StageTerms, StoppingProblem
from cointer_gym.scenario import Weights

FIELDS = {
    "airtime_cost": [1.0, 2.0, 3.0],
    "edge_cost": [0.3, 0.2, 0.1],
    "device_cost": [0.5, 0.7],
    "channel": Rayleigh(mean_snr=10.0),
    "completes": False,
}
COMPLETE = {"airtime_cost": [1.0, 2.0, 0.0], "edge_cost": [0.3, 0.2, 0.0], "completes": True}
SHANNON = Rayleigh(mean_snr=10.0, min_efficiency=0)


def make(**changes):
    return StoppingProblem(**FIELDS | changes)


def terms(airtime, edge, device):
    return StageTerms(airtime=np.array(airtime), edge=np.array(edge), device=np.array(device))


def test_holds_its_arrays_as_float64():
    problem = make(airtime_cost=(1, 2, 3), device_cost=np.array([0.5, 0.7], dtype=np.float32))
    assert problem.horizon == 2
    assert_array_equal(problem.cost.airtime, [1.0, 2.0, 3.0])
    assert {array.dtype for array in vars(problem.cost).values()} == {np.dtype(np.float64)}
    assert problem.stage_names == ("0", "1", "2")
    assert make(stage_names=("input", "conv", "fc")).stage_names == ("input", "conv", "fc")


def test_horizon_zero_is_a_lone_forced_upload():
    problem = make(airtime_cost=[2.0], edge_cost=[0.1], device_cost=[])
    assert problem.horizon == 0
    assert_allclose(problem.static_cost, [2.0 * problem.channel.mean_channel_uses_per_bit + 0.1], rtol=1e-15)


def test_is_immutable_and_apart_from_what_it_was_made_of():
    given = np.array([1.0, 2.0, 3.0])
    problem = make(airtime_cost=given)
    given[0] = 99.0
    assert problem.cost.airtime[0] == 1.0
    for array in vars(problem.cost).values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0
    with pytest.raises(AttributeError, match="cannot assign to field"):
        problem.completes = True


def test_static_cost_by_hand():
    # one sample at SNR 3: x = 1 / log2(4) = 1/2 for sure
    steady = make(channel=Empirical(snr=(3.0,)))
    # 0.5 + 0.3;  0.5 + (1.0 + 0.2);  0.5 + 0.7 + (1.5 + 0.1)
    assert_allclose(steady.static_cost, [0.8, 1.7, 2.8], rtol=1e-15)
    complete = make(channel=Empirical(snr=(3.0,)), **COMPLETE)
    assert_allclose(complete.static_cost, [0.8, 1.7, 1.2], rtol=1e-15)  # the last one uploads nothing


def test_terms_combine_with_weights_and_average_over_the_channel():
    time, energy = terms([1.0, 2.0], [0.1, 0.2], [3.0]), terms([10.0, 20.0], [0.0, 0.0], [5.0])
    weights = Weights(time_weight=2.0, energy_weight=0.5)
    both = terms(
        *(weights.amounts(getattr(time, term), getattr(energy, term)).cost for term in ("airtime", "edge", "device"))
    )
    assert_allclose(both.airtime, [7.0, 14.0])  # 2 x 1 + 0.5 x 10
    assert_allclose(both.edge, [0.2, 0.4])
    assert_allclose(both.device, [8.5])  # 2 x 3 + 0.5 x 5
    assert_allclose(both.mean_upload(Empirical(snr=(3.0,))), [3.7, 7.4])  # 7 / 2 + 0.2
    assert_array_equal(terms([0.0, 1.0], [0.5, 0.5], [0.0]).mean_upload(SHANNON), [0.5, math.inf])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edge_cost": [0.3, 0.2]}, r"edge_cost has shape \(2,\), expected \(3,\)"),
        ({"device_cost": [0.5, 0.7, 0.1]}, r"device_cost has shape \(3,\), expected \(2,\)"),
        ({"airtime_cost": [[1.0, 2.0, 3.0]]}, r"airtime_cost has shape \(1, 3\), expected \(3,\)"),
        ({"airtime_cost": 1.0, "edge_cost": [0.1], "device_cost": []}, r"airtime_cost has shape \(\), expected \(1,\)"),
        ({"airtime_cost": [], "edge_cost": [], "device_cost": []}, r"airtime_cost has shape \(0,\), expected \(1,\)"),
        ({"airtime_cost": [1.0, -2.0, 3.0]}, r"airtime_cost\[1\] = -2.0 must be finite and from 0 to 1e\+200"),
        ({"edge_cost": [0.3, 0.2, math.nan]}, r"edge_cost\[2\] = nan must be finite and from 0"),
        ({"device_cost": [math.inf, 0.1]}, r"device_cost\[0\] = inf must be finite and from 0"),
        ({"airtime_cost": [1.0, 1e-101, 3.0]}, r"airtime_cost\[1\] = 1e-101 must be 0 or at least 1e-100"),
        ({"edge_cost": [0.3, 1.1e200, 0.1]}, r"edge_cost\[1\] = 1.1e\+200 must be finite and from 0 to 1e\+200"),
        ({"channel": None}, r"channel = None must be a ChannelLaw, such as cointer_gym\.Rayleigh"),
        ({"channel": "rayleigh"}, "channel = 'rayleigh' must be a ChannelLaw"),
        (
            {"time": terms([1.0, -2.0, 3.0], [0.0] * 3, [1.0] * 2)},
            r"time\.airtime\[1\] = -2.0 must be finite and from 0",
        ),
        ({"time": terms([1.0] * 3, [0.0, 0.0, math.nan], [1.0] * 2)}, r"time\.edge\[2\] = nan must be finite"),
        ({"energy": terms([1.0] * 3, [0.0] * 3, [math.inf, 1.0])}, r"energy\.device\[0\] = inf must be finite"),
        (
            COMPLETE | {"energy": terms([1.0] * 3, [0.0] * 3, [1.0] * 2)},
            r"no upload at the last stage: energy\.airtime\[-1\] = 1.0, energy\.edge\[-1\] = 0.0 must be 0",
        ),
        ({"stage_names": ("a", "b")}, "stage_names has 2 entries, expected 3"),
        ({"completes": True}, r"airtime_cost\[-1\] = 3.0, edge_cost\[-1\] = 0.1 must be 0"),
        (COMPLETE | {"edge_cost": [0.3, 0.2, 0.1]}, r"airtime_cost\[-1\] = 0.0, edge_cost\[-1\] = 0.1 must be 0"),
        (
            {"airtime_cost": [0.0], "edge_cost": [0.0], "device_cost": [], "completes": True},
            "completes = True needs at least one layer, horizon = 0",
        ),
        (
            {"time": terms([1.0, 2.0], [0.0, 0.0], [1.0])},
            r"time\.airtime has shape \(2,\), expected \(3,\)",
        ),
        ({"energy": terms([1.0, 2.0, 3.0], [0.0] * 3, [1.0])}, r"energy\.device has shape \(1,\), expected \(2,\)"),
    ],
)
def test_bad_arrays_are_named_with_place_value_and_range(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("channel", [SHANNON, Empirical(snr=(0.0, 5.0), min_efficiency=0)])
def test_a_forced_upload_of_infinite_mean_cost_explains_itself(channel):
    with pytest.raises(ValueError, match=r"min_efficiency = 0.*forced upload at stage 2 infinite.*0\.1523.*all layers"):
        make(channel=channel)


def test_pure_shannon_is_legal_where_no_upload_is_forced_or_the_forced_one_is_free():
    assert make(channel=SHANNON, **COMPLETE).static_cost[-1] == pytest.approx(1.2)
    free = make(channel=SHANNON, airtime_cost=[1.0, 2.0, 0.0])
    assert_allclose(free.static_cost, [math.inf, math.inf, 1.3])
    assert make(channel=Empirical(snr=(1.0, 5.0), min_efficiency=0)).horizon == 2  # no outage: the mean is finite
    assert np.isfinite(make(channel=Nakagami(mean_snr=10.0, m=1.1, min_efficiency=0)).static_cost).all()


def test_terms_in_seconds_are_a_read_only_copy():
    time = terms([1.0, 2.0, 3.0], [0.0] * 3, [1.0] * 2)
    problem = make(time=time)
    time.airtime[0] = 9.0
    assert problem.time.airtime[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        problem.time.edge[0] = 1.0
