"""The closed form for equal layers against the exhaustive search."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from support.scenarios import slow_scenario

ROUNDING = 1e-12


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
    return slow_scenario(
        [(1000, between(1e4, 1e7), int(between(1, 1e5)))] * int(rng.choice([1, 2, 3, 6, 12, 24])),
        tasks_per_update=between(1e-2, 1e9),
        channel=channel,
        edge=between(3e6, 1e9),
    )


def outcome(form, layers):
    names = {0: "nothing", layers: "everything", layers - 1: "all but one"}
    return names.get(form.placement, "some")


# --- the closed form --------------------------------------------------------------------------------------------------


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
        increments = form.layer_download_cost - keep * form.value_of_waiting
        scale = table.total[0] + scenario.layers * form.layer_download_cost
        assert_allclose(np.diff(table.total)[:-1], increments, rtol=1e-9, atol=1e-11 * scale)
        assert form.layer_download_cost == pytest.approx(scenario.download.cost[1], rel=ROUNDING)
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
    scenario = slow_scenario([(1000, 1e6, 100)] * 5, channel=channel, edge=4e7, tasks_per_update=4.0)
    form = bl.closed_form_placement(scenario)
    assert form.offload_probability == pytest.approx(0.5, rel=ROUNDING)
    assert form.value_of_waiting == pytest.approx(0.175, rel=ROUNDING)
    assert form.layer_download_cost == pytest.approx(0.01, rel=ROUNDING)
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
    scenario = slow_scenario(
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
    scenario = slow_scenario([(1000, 1.1e16, 0)] * 3, edge=1e12)
    form = bl.closed_form_placement(scenario)
    assert (form.placement, form.offload_probability, form.value_of_waiting) == (0, 1.0, 0.0)
    assert form.cost == scenario.problem().static_cost[0]
    assert bl.optimal_placement(scenario, "look-ahead").within(1e-9) == [0, 1, 2, 3]


@pytest.mark.parametrize("tasks_per_update", [1e-12, 1e-3, 1e30])
@pytest.mark.parametrize("layers", [1, 2, 9])
def test_closed_form_with_hardly_any_tasks_and_with_no_end_of_them(tasks_per_update, layers):
    scenario = slow_scenario(
        [(1000, 1e5, 100)] * layers, tasks_per_update=tasks_per_update, channel={"mean_snr_db": 0.0}
    )
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


EQUAL = [(1000, 1e6, 100)] * 4


# --- refusals ---------------------------------------------------------------------------------------------------------


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
        bl.closed_form_placement(slow_scenario(layers, inputs=inputs))


def test_measured_edge_times_that_differ():
    content = slow_scenario(EQUAL).model_dump(exclude_none=True)
    names = [layer["name"] for layer in content["dnn"]["layers"]]
    layers = [{"name": name, "seconds": 2.0 if n == 2 else 1.0} for n, name in enumerate(names)]
    content["edge"]["measured"] = {"network": content["dnn"]["name"], "layers": layers}
    with pytest.raises(ValueError, match="edge cost in ETC differs: 1 at 'layer1', 2 at 'layer3'"):
        bl.closed_form_placement(Scenario.load(content))


def test_the_size_of_the_result_and_rounding_do_not_matter():
    layers = [*EQUAL[:3], (7, 1e6, 100)]  # what the last layer gives is never uploaded
    assert bl.closed_form_placement(slow_scenario(layers)).cost == bl.closed_form_placement(slow_scenario(EQUAL)).cost
    assert bl.closed_form_placement(slow_scenario([(1000, 0.1 + 0.2, 100), (1000, 0.3, 100)])).placement in (0, 1, 2)


@pytest.mark.parametrize("room", [0.0, 400.0, 800.0, 1200.0, 1500.0, 1600.0])  # a layer takes 400 bytes
@pytest.mark.parametrize("tasks_per_update", [1e-3, 1.0, 1e3, 1e9])
def test_closed_form_keeps_to_a_memory_limit_as_the_search_does(room, tasks_per_update):
    scenario = slow_scenario(EQUAL, device={"memory_bytes": room}, tasks_per_update=tasks_per_update)
    form, table = bl.closed_form_placement(scenario), bl.optimal_placement(scenario, "look-ahead")
    assert (form.placement, form.cost) == (table.placement, pytest.approx(table.cost, rel=ROUNDING))
    assert form.placement <= room // 400
