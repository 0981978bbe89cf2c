"""Placement: every M in one pass against one problem at a time, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym import baselines as bl
from support.scenarios import STEADY, TIME_AND_TWICE_ENERGY, slow_scenario

check = settings(derandomize=True, deadline=None, max_examples=80, database=None)
ROUNDING = 1e-12


@st.composite
def channels(draw):
    limits = {"min_efficiency": draw(st.floats(0.02, 0.5)), "max_efficiency": draw(st.none() | st.floats(0.6, 8.0))}
    law = draw(st.sampled_from(["rayleigh", "rician", "nakagami", "empirical"]))
    if law == "empirical":
        trace = draw(st.lists(st.floats(-30.0, 40.0), min_size=1, max_size=6))
        return {"law": law, "trace_snr_db": trace, **limits}
    extra = {"rician": {"k_factor_db": 3.0}, "nakagami": {"m": 0.7}}.get(law, {})
    return {"law": law, "mean_snr_db": draw(st.floats(-15.0, 30.0)), **extra, **limits}


@st.composite
def scenarios(draw):
    sizes, work = st.integers(1, 10_000), st.just(0.0) | st.floats(1e2, 1e7)
    layer = st.tuples(sizes, work, st.integers(0, 10_000))
    return slow_scenario(
        draw(st.lists(layer, min_size=1, max_size=8)),
        inputs=draw(sizes),
        tasks_per_update=10.0 ** draw(st.floats(-2.0, 8.0)),
        channel=draw(channels()),
        edge=10.0 ** draw(st.floats(6.0, 10.0)),
        weights={"time_weight": draw(st.just(0.0) | st.floats(1e-3, 2.0)), "energy_weight": draw(st.floats(0.1, 2.0))},
    )


def close(found, wanted, scenario):
    """Equal up to rounding of the largest cost in sight."""
    assert_allclose(found, wanted, rtol=ROUNDING, atol=ROUNDING * float(scenario.problem().static_cost.max()))


# One SNR of 3: x = 1 / log2(1 + 3) = 1/2. Weights 1/s and 2/J, 0.5 W to transmit, 0.25 W to compute or receive:
#   upload     D x / W (1 + 2 * 0.5)        = 8000, 16000, 4000 bits / 1e4 Hz  = 0.8, 1.6, 0.4
#   edge       work still to do / 1e7       = 0.6, 0.5, 0.3, 0
#   s_n                                     = 1.4, 2.1, 0.7
#   device     work / 1e7 (1 + 2 * 0.25)    = 0.15, 0.30, 0.45
#   download   bits (1 + 2 * 0.25) / 1e5 K  = 32 * (0, 100, 300, 600) * 1.5e-5 / K = 0, 0.048, 0.144, 0.288 by K
STILL = slow_scenario(
    [(2000, 1e6, 100), (500, 2e6, 200), (10, 3e6, 300)],
    tasks_per_update=2.0,
    channel=STEADY,
    edge=1e7,
    weights=TIME_AND_TWICE_ENERGY,
)


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "inference", "placement"),
    [
        # offload at once, or after two layers for 0.15 + 0.3 + 0.7 = 1.15, or run all for 0.9
        ("optimal", [1.4, 1.4, 1.15, 0.9], 3),
        # 1.4 <= 0.15 + 2.1: the large feature behind layer 1 hides what follows
        ("look-ahead", [1.4, 1.4, 1.4, 1.4], 0),
        # 0.15 + 2.1, 0.45 + 0.7, 0.9
        ("device-only", [1.4, 2.25, 1.15, 0.9], 3),
    ],
)
def test_table_by_hand_on_a_channel_without_chance(rule, inference, placement):
    table = bl.optimal_placement(STILL, rule)
    download = np.array([0.0, 0.024, 0.072, 0.144])
    assert table.rule == rule
    assert table.scenario is STILL
    assert_allclose(table.inference_cost, inference, rtol=ROUNDING)
    assert_allclose(table.download_cost, download, rtol=ROUNDING)
    assert_allclose(table.total, inference + download, rtol=ROUNDING)
    assert_allclose(table.marginal_value, np.subtract(inference[:-1], inference[1:]), atol=ROUNDING)
    assert table.placement == placement
    assert table.cost == pytest.approx(inference[placement] + download[placement], rel=ROUNDING)


def test_frequent_updates_leave_nothing_to_place():
    # K = 0.2, five updates a task: 1.4, 1.4 + 0.24, 1.15 + 0.72, 0.9 + 1.44
    table = bl.optimal_placement(STILL.replace(tasks_per_update=0.2))
    assert_allclose(table.total, [1.4, 1.64, 1.87, 2.34], rtol=ROUNDING)
    assert table.placement == 0


def test_the_smallest_of_equal_placements_is_taken():
    # always the same SNR, nothing to download and a device so slow that the input is uploaded at once
    slow = slow_scenario([(1000, 1e9, 0)] * 3, channel={"law": "empirical", "trace_snr_db": [0.0]}, edge=1e12)
    table = bl.optimal_placement(slow)
    assert_allclose(table.total, np.full(4, 0.8 * 1.5 + 3e-3), rtol=ROUNDING)
    assert np.ptp(table.total) == 0
    assert (table.placement, table.within(0.0)) == (0, [0, 1, 2, 3])


# --- one pass against one problem at a time ---------------------------------------------------------------------------


@check
@given(scenarios())
def test_every_placement_is_that_of_its_own_problem(scenario):
    problems = [scenario.problem(m) for m in range(scenario.layers + 1)]
    singly = {
        "optimal": [bl.backward_induction(problem).cost for problem in problems],
        "look-ahead": [bl.look_ahead(problem).cost for problem in problems],
        "device-only": [bl.device_only(problem).cost for problem in problems],
    }
    for rule, costs in singly.items():
        table = bl.optimal_placement(scenario, rule)
        close(table.inference_cost, costs, scenario)
        totals = np.array(costs) + scenario.download.cost
        close(table.cost, totals.min(), scenario)
        assert totals[table.placement] <= totals.min() * (1 + 1e-9)


@check
@given(scenarios())
def test_one_more_layer_never_hurts_and_no_rule_beats_the_joint_optimum(scenario):
    best, near, still = (bl.optimal_placement(scenario, rule) for rule in ("optimal", "look-ahead", "device-only"))
    slack = ROUNDING * float(still.inference_cost.max())
    assert (best.marginal_value >= -slack).all()
    assert (near.marginal_value >= -slack).all()  # stage M decides well between s_M and E[s_M+1] instead of s_M alone
    assert (np.diff(best.download_cost) >= 0).all()
    for other in (near, still):
        assert (best.inference_cost <= other.inference_cost + slack).all()
        assert best.cost <= other.cost + slack
    fixed = [bl.best_static_split(scenario.problem(m)).cost for m in range(scenario.layers + 1)]
    assert best.cost <= np.min(fixed + best.download_cost) + slack
    bounds = [bl.clairvoyant_cost(scenario.problem(m)) for m in range(scenario.layers + 1)]
    assert (bounds <= best.inference_cost * (1 + 1e-9) + slack).all()


def test_more_layers_can_hurt_a_rule_that_does_not_look_at_the_channel():
    assert bl.optimal_placement(STILL, "device-only").marginal_value.min() == pytest.approx(1.4 - 2.25)


# --- the neighbourhood of the optimum, memory -------------------------------------------------------------------------


def test_within_lists_placements_by_their_share_above_the_optimum():
    table = bl.optimal_placement(STILL)  # totals 1.4, 1.424, 1.222, 1.044: 34.1 %, 36.4 %, 17.0 % and 0 above
    assert [table.within(share) for share in (0.0, 0.16, 0.18, 0.35, 0.37)] == [
        [3],
        [3],
        [2, 3],
        [0, 2, 3],
        [0, 1, 2, 3],
    ]


@pytest.mark.parametrize("share", [-0.01, float("nan")])
def test_bad_share(share):
    with pytest.raises(ValueError, match=f"share = {share} must be >= 0"):
        bl.optimal_placement(STILL).within(share)


@pytest.mark.parametrize(
    ("memory", "most", "placement"),
    # parameters of 4 bytes: 400, 1200 and 2400 bytes in all; totals 1.4, 1.424, 1.222, 1.044
    [(0.0, 0, 0), (399.0, 0, 0), (400.0, 1, 0), (1199.9, 1, 0), (1200.0, 2, 2), (2399.0, 2, 2), (2400.0, 3, 3)],
)
def test_memory_limits_the_placement(memory, most, placement):
    free = bl.optimal_placement(STILL)
    table = bl.optimal_placement(STILL.replace(**{"device.memory_bytes": memory}))
    assert_array_equal(table.allowed, np.arange(4) <= most)
    assert_array_equal(table.total, np.where(np.arange(4) <= most, free.total, np.inf))
    assert_array_equal(table.inference_cost, free.inference_cost)
    assert table.placement == placement
    assert table.cost == free.total[placement]
    assert max(table.within(1e9)) == most


def test_layers_without_parameters_need_no_memory():
    scenario = slow_scenario([(10, 1e3, 0), (10, 1e3, 0), (10, 1e3, 1)], device={"memory_bytes": 0.0})
    assert_array_equal(bl.optimal_placement(scenario).allowed, [True, True, True, False])


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["backward-induction", "", None, 1])
def test_unknown_rule(rule):
    with pytest.raises(
        ValueError, match=f"rule = {rule!r} must be one of edge-only, device-only, best-static, .*optimal"
    ):
        bl.optimal_placement(STILL, rule)


EQUAL = [(1000, 1e6, 100)] * 4
SHANNON = {"mean_snr_db": 10.0, "min_efficiency": 0.0}


def test_without_a_most_robust_rate_only_full_placement_has_a_mean_cost():
    scenario = slow_scenario(EQUAL, channel=SHANNON)
    for rule in ("optimal", "device-only"):
        table = bl.optimal_placement(scenario, rule)
        assert table.placement == 4
        assert_array_equal(np.isfinite(table.total), [False, False, False, False, True])
    assert bl.optimal_placement(scenario).inference_cost[4] == bl.backward_induction(scenario.problem()).cost


@pytest.mark.parametrize(
    ("rule", "device"),
    [
        ("look-ahead", {}),  # weighs computing against an upload of infinite mean cost, and uploads
        ("optimal", {"memory_bytes": 1500.0}),
    ],
)
def test_no_placement_with_a_finite_mean_cost(rule, device):
    scenario = slow_scenario(EQUAL, channel=SHANNON, device=device)
    with pytest.raises(ValueError, match=rf"min_efficiency = 0.0 makes .* infinite under rule = '{rule}'"):
        bl.optimal_placement(scenario, rule)
    if rule == "look-ahead":
        assert np.isposinf(bl.look_ahead(scenario.problem()).cost)
        with pytest.raises(ValueError, match=r"min_efficiency = 0.0 makes E\[x\] infinite"):
            bl.closed_form_placement(scenario)
