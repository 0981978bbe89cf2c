"""Placement: every M in one pass against one problem at a time, and the closed form against the exhaustive search."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym import Scenario
from cointer_gym import baselines as bl

check = settings(derandomize=True, deadline=None, max_examples=80, database=None)
ROUNDING = 1e-12


def build(layers, *, inputs=1000, tasks_per_update=1000.0, channel=None, device=None, edge=1e9, bits=8.0, **more):
    """A scenario from (output_elements, flops, parameters) of each layer."""
    return Scenario.load(
        {
            "name": "drawn",
            "tasks_per_update": tasks_per_update,
            "dnn": {
                "name": "drawn",
                "input_elements": inputs,
                "input_bits_per_element": bits,
                "feature_bits_per_element": bits,
                "layers": [
                    {"name": f"layer{n}", "output_elements": out, "flops": flops, "parameters": parameters}
                    for n, (out, flops, parameters) in enumerate(layers, start=1)
                ],
            },
            "device": {"flops_per_s": 1e7, "compute_power_w": 0.25} | (device or {}),
            "edge": {"flops_per_s": edge},
            "link": {"bandwidth_hz": 1e4, "tx_power_w": 0.5, "downlink_bps": 1e5, "rx_power_w": 0.25},
            "channel": channel or {"law": "rayleigh", "mean_snr_db": 10.0},
        }
        | more
    )


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
    return build(
        draw(st.lists(layer, min_size=1, max_size=8)),
        inputs=draw(sizes),
        tasks_per_update=10.0 ** draw(st.floats(-2.0, 8.0)),
        channel=draw(channels()),
        edge=10.0 ** draw(st.floats(6.0, 10.0)),
        weights={"time_weight": draw(st.floats(0.0, 2.0)), "energy_weight": draw(st.floats(0.1, 2.0))},
    )


def close(found, wanted, scenario):
    """Equal up to rounding of the largest cost in sight."""
    assert_allclose(found, wanted, rtol=ROUNDING, atol=ROUNDING * float(scenario.problem().static_cost.max()))


# --- by hand ----------------------------------------------------------------------------------------------------------

# One SNR of 3: x = 1 / log2(1 + 3) = 1/2. Weights 1/s and 2/J, 0.5 W to transmit, 0.25 W to compute or receive:
#   upload     D x / W (1 + 2 * 0.5)        = 8000, 16000, 4000 bits / 1e4 Hz  = 0.8, 1.6, 0.4
#   edge       work still to do / 1e7       = 0.6, 0.5, 0.3, 0
#   s_n                                     = 1.4, 2.1, 0.7
#   device     work / 1e7 (1 + 2 * 0.25)    = 0.15, 0.30, 0.45
#   download   bits (1 + 2 * 0.25) / 1e5 K  = 32 * (0, 100, 300, 600) * 1.5e-5 / K = 0, 0.048, 0.144, 0.288 by K
STILL = build(
    [(2000, 1e6, 100), (500, 2e6, 200), (10, 3e6, 300)],
    tasks_per_update=2.0,
    channel={"law": "empirical", "trace_snr_db": [10 * np.log10(3.0)]},
    edge=1e7,
    weights={"time_weight": 1.0, "energy_weight": 2.0},
)


@pytest.mark.parametrize(
    ("rule", "inference", "placement"),
    [
        # offload at once, or after two layers for 0.15 + 0.3 + 0.7 = 1.15, or run all for 0.9
        ("optimal", [1.4, 1.4, 1.15, 0.9], 3),
        # 1.4 <= 0.15 + 2.1: the large feature behind layer 1 hides what follows
        ("look-ahead", [1.4, 1.4, 1.4, 1.4], 0),
        # 0.15 + 2.1, 0.45 + 0.7, 0.9
        ("static", [1.4, 2.25, 1.15, 0.9], 3),
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
    slow = build([(1000, 1e9, 0)] * 3, channel={"law": "empirical", "trace_snr_db": [0.0]}, edge=1e12)
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
        "static": [bl.device_only(problem).cost for problem in problems],
    }
    for rule, costs in singly.items():
        table = bl.optimal_placement(scenario, rule)
        close(table.inference_cost, costs, scenario)
        totals = np.array(costs) + scenario.download_cost
        close(table.cost, totals.min(), scenario)
        assert totals[table.placement] <= totals.min() * (1 + 1e-9)


@check
@given(scenarios())
def test_one_more_layer_never_hurts_and_no_rule_beats_the_joint_optimum(scenario):
    best, near, still = (bl.optimal_placement(scenario, rule) for rule in ("optimal", "look-ahead", "static"))
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
    assert bl.optimal_placement(STILL, "static").marginal_value.min() == pytest.approx(1.4 - 2.25)


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
    scenario = build([(10, 1e3, 0), (10, 1e3, 0), (10, 1e3, 1)], device={"memory_bytes": 0.0})
    assert_array_equal(bl.optimal_placement(scenario).allowed, [True, True, True, False])


# --- the closed form --------------------------------------------------------------------------------------------------


def equal_layers(rng):
    """A scenario of equal layers, far and wide: up to 24 layers, K from one hundredth to a thousand million."""

    def between(low, high):
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    channel = {"law": "rayleigh", "mean_snr_db": rng.uniform(-12.0, 30.0), "min_efficiency": between(0.02, 0.5)}
    if rng.random() < 0.5:
        channel["max_efficiency"] = between(0.6, 8.0)
    if rng.random() < 0.1:
        channel |= {"law": "nakagami", "m": between(0.5, 4.0)}
    if rng.random() < 0.1:
        trace = rng.uniform(-10.0, 30.0, size=rng.integers(1, 6)).tolist()
        channel = {"law": "empirical", "trace_snr_db": trace, "min_efficiency": channel["min_efficiency"]}
    return build(
        [(1000, between(1e4, 1e7), int(between(1, 1e5)))] * int(rng.choice([1, 2, 3, 6, 12, 24])),
        tasks_per_update=between(1e-2, 1e9),
        channel=channel,
        edge=between(3e6, 1e9),
    )


def outcome(form, layers):
    names = {0: "nothing", layers: "everything", layers - 1: "all but one"}
    return names.get(form.placement, "some")


def test_closed_form_is_the_exhaustive_search_under_the_look_ahead_rule():
    rng, seen, stopping = np.random.default_rng(0), Counter(), Counter()
    for _ in range(3000):
        scenario = equal_layers(rng)
        form, table = bl.closed_form_placement(scenario), bl.optimal_placement(scenario, "look-ahead")
        assert form.cost == pytest.approx(table.cost, rel=1e-9)
        assert table.total[form.placement] == pytest.approx(table.cost, rel=1e-9)
        if table.within(1e-9) == [table.placement]:
            assert form.placement == table.placement
        seen[outcome(form, scenario.layers)] += 1
        stopping[form.offload_probability if form.offload_probability in (0.0, 1.0) else "inside"] += 1
    assert min(seen[name] for name in ("nothing", "some", "all but one", "everything")) >= 50, seen
    assert min(stopping[q] for q in (0.0, 1.0, "inside")) >= 50, stopping


def test_increments_are_a_geometric_series():
    """total(M+1) - total(M) = d - (1-q)^M Delta for M + 1 < L, with the same threshold at every stage."""
    rng, powers = np.random.default_rng(1), []
    for _ in range(300):
        scenario = equal_layers(rng)
        form, table = bl.closed_form_placement(scenario), bl.optimal_placement(scenario, "look-ahead")
        keep = (1.0 - form.offload_probability) ** np.arange(scenario.layers - 1)
        increments = form.download_cost - keep * form.value_of_waiting
        scale = table.total[0] + scenario.layers * form.download_cost
        assert_allclose(np.diff(table.total)[:-1], increments, rtol=1e-9, atol=1e-11 * scale)
        assert form.download_cost == pytest.approx(scenario.download_cost[1], rel=ROUNDING)
        rule = bl.look_ahead(scenario.problem())
        assert_allclose(rule.threshold_snr[:-1], form.threshold_snr, rtol=1e-9)
        assert_allclose(rule.offload_probability[:-1], form.offload_probability, rtol=1e-9, atol=1e-300)
        powers.append(keep[-1] if keep.size else 1.0)
    assert np.quantile(powers, [0.1, 0.9]) == pytest.approx([0.0, 1.0], abs=0.01)  # the factor matters


def test_closed_form_by_hand():
    """Two SNRs, 1 and 15, equally likely: x = 1 and 1/4, E[x] = 5/8; unit weights, five layers.

    A = 8000 bits / 1e4 Hz * (1 + 0.5) = 1.2, c = 1e6 / 1e7 * 1.25 = 0.125, b = 1e6 / 4e7 = 0.025, c' = 0.1.
    tau = 0.1 / 1.2 + 5/8 = 17/24 lies between 1/4 and 1: q = 1/2, Phi = (17/24 - 1/4) / 2 = 11/48.
    Delta = 1.2 * 11/48 - 0.1 = 0.175; d = 3200 bits * 1.25 / 1e5 / K = 0.04 / K = 0.01.
    0.175, 0.0875, 0.04375, 0.021875, 0.0109: the fourth is the last above d that fits below L, so M* = L-1 = 4.
    total(4) = A 5/8 + 5 b + 4 d - Delta (1 + 1/2 + 1/4 + 1/8) = 0.75 + 0.125 + 0.04 - 0.328125 = 0.586875.
    M = 5 adds d and replaces, with probability 1/16, E[s_4] = 0.75 + 0.025 by E[min(s_4, c)] = c: A/4 + b > c.
    total(5) = 0.586875 + 0.01 - (0.775 - 0.125) / 16 = 0.55625.
    """
    channel = {"law": "empirical", "trace_snr_db": [0.0, 10 * np.log10(15.0)]}
    scenario = build([(1000, 1e6, 100)] * 5, channel=channel, edge=4e7, tasks_per_update=4.0)
    form = bl.closed_form_placement(scenario)
    assert form.offload_probability == pytest.approx(0.5, rel=ROUNDING)
    assert form.value_of_waiting == pytest.approx(0.175, rel=ROUNDING)
    assert form.download_cost == pytest.approx(0.01, rel=ROUNDING)
    assert form.threshold_snr == pytest.approx(2 ** (24 / 17) - 1, rel=ROUNDING)
    assert (form.placement, form.cost) == (5, pytest.approx(0.55625, rel=ROUNDING))
    # d = 0.04: 0.0875 and 0.04375 are above, 0.021875 is not, so M* = 3; total(3) = 0.875 + 0.12 - 0.30625
    # total(5) = 0.875 + 0.2 - 0.328125 - 0.040625 is more
    dearer = bl.closed_form_placement(scenario.replace(tasks_per_update=1.0))
    assert (dearer.placement, dearer.cost) == (3, pytest.approx(0.68875, rel=ROUNDING))
    # d = 0.175 = Delta: the first layer saves as much as it costs
    tie = bl.closed_form_placement(scenario.replace(tasks_per_update=0.04 / 0.1751))
    assert (tie.placement, tie.cost) == (0, pytest.approx(0.875, rel=ROUNDING))


@pytest.mark.parametrize("mean_snr_db", [-18.0, -20.0, -22.0])
def test_closed_form_keeps_its_digits_when_offloading_is_rare(mean_snr_db):
    scenario = build(
        [(1000, 1e6, 1)] * 20,
        channel={"mean_snr_db": mean_snr_db},
        device={"flops_per_s": 1e8, "compute_power_w": 0.0},
        edge=1e6,
        tasks_per_update=1e6,
    )
    form = bl.closed_form_placement(scenario)
    assert 0.0 < form.offload_probability < 1e-3
    assert form.cost == pytest.approx(bl.optimal_placement(scenario, "look-ahead").cost, rel=1e-9)


def test_closed_form_on_a_device_so_slow_that_waiting_is_worth_nothing():
    # q = 1; A Phi(tau) - c' would be the rounding of c' > 1e9, here 2e-7 instead of 0
    scenario = build([(1000, 1.1e16, 0)] * 3, edge=1e12)
    form = bl.closed_form_placement(scenario)
    assert (form.placement, form.offload_probability, form.value_of_waiting) == (0, 1.0, 0.0)
    assert form.cost == scenario.problem().static_cost[0]
    assert bl.optimal_placement(scenario, "look-ahead").within(1e-9) == [0, 1, 2, 3]


@pytest.mark.parametrize("tasks_per_update", [1e-12, 1e-3, 1e300])
@pytest.mark.parametrize("layers", [1, 2, 9])
def test_closed_form_with_hardly_any_tasks_and_with_no_end_of_them(tasks_per_update, layers):
    scenario = build([(1000, 1e5, 100)] * layers, tasks_per_update=tasks_per_update, channel={"mean_snr_db": 0.0})
    form, table = bl.closed_form_placement(scenario), bl.optimal_placement(scenario, "look-ahead")
    assert (form.placement, form.cost) == (table.placement, pytest.approx(table.cost, rel=1e-9))
    assert (form.placement == 0) == (tasks_per_update < 1)


@pytest.mark.parametrize("name", ["mlp-pi", "vit-b-16-blocks-phone"])
def test_closed_form_of_the_catalogue(name):
    scenario = Scenario.load(name)
    form, table = bl.closed_form_placement(scenario), bl.optimal_placement(scenario, "look-ahead")
    assert 0 < form.placement < scenario.layers
    assert (form.placement, form.cost) == (table.placement, pytest.approx(table.cost, rel=1e-9))
    joint = bl.optimal_placement(scenario)
    assert 1.05 * joint.cost < form.cost < 1.15 * joint.cost  # what deciding one stage ahead costs
    assert joint.placement >= form.placement


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["backward-induction", "", None, 1])
def test_unknown_rule(rule):
    with pytest.raises(ValueError, match=f"rule = {rule!r} must be one of optimal, look-ahead, static"):
        bl.optimal_placement(STILL, rule)


EQUAL = [(1000, 1e6, 100)] * 4


@pytest.mark.parametrize(
    ("layers", "inputs", "message"),
    [
        (EQUAL, 500, r"feature size in bits differs: 4000 at 'input', 8000 at 'layer1'"),
        (
            [*EQUAL[:2], (900, 1e6, 100), EQUAL[0]],
            1000,
            r"feature size in bits differs: 8000 at 'input', 7200 at 'layer3'",
        ),
        ([*EQUAL[:3], (1000, 2e6, 100)], 1000, r"device cost in ETC differs: 0.125 at 'layer1', 0.25 at 'layer4'"),
        (
            [EQUAL[0], (1000, 1e6, 101), *EQUAL],
            1000,
            r"parameter size in bits differs: 3200 at 'layer1', 3232 at 'layer2'",
        ),
    ],
)
def test_unequal_layers_say_what_differs(layers, inputs, message):
    with pytest.raises(ValueError, match=f"drawn: the closed form needs equal layers, but the {message}"):
        bl.closed_form_placement(build(layers, inputs=inputs))


def test_measured_edge_times_that_differ():
    content = build(EQUAL).model_dump(exclude_none=True)
    for n, layer in enumerate(content["dnn"]["layers"]):
        layer["edge_s"] = 2.0 if n == 2 else 1.0
    with pytest.raises(ValueError, match="edge cost in ETC differs: 1 at 'layer1', 2 at 'layer3'"):
        bl.closed_form_placement(Scenario.load(content))


def test_the_size_of_the_result_and_rounding_do_not_matter():
    layers = [*EQUAL[:3], (7, 1e6, 100)]  # what the last layer gives is never uploaded
    assert bl.closed_form_placement(build(layers)).cost == bl.closed_form_placement(build(EQUAL)).cost
    assert bl.closed_form_placement(build([(1000, 0.1 + 0.2, 100), (1000, 0.3, 100)])).placement in (0, 1, 2)


def test_closed_form_refuses_a_memory_limit():
    with pytest.raises(ValueError, match=r"device\.memory_bytes limits the placement"):
        bl.closed_form_placement(build(EQUAL, device={"memory_bytes": 1500.0}))
    assert bl.closed_form_placement(build(EQUAL, device={"memory_bytes": 1600.0})).placement in range(5)


SHANNON = {"mean_snr_db": 10.0, "min_efficiency": 0.0}


def test_without_a_most_robust_rate_only_full_placement_has_a_mean_cost():
    scenario = build(EQUAL, channel=SHANNON)
    for rule in ("optimal", "static"):
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
    scenario = build(EQUAL, channel=SHANNON, device=device)
    with pytest.raises(ValueError, match=rf"min_efficiency = 0.0 makes .* infinite under rule = '{rule}'"):
        bl.optimal_placement(scenario, rule)
    if rule == "look-ahead":
        assert np.isposinf(bl.look_ahead(scenario.problem()).cost)
        with pytest.raises(ValueError, match=r"min_efficiency = 0.0 makes E\[x\] infinite"):
            bl.closed_form_placement(scenario)
