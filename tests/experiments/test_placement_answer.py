"""The answer to "how many layers on the device?" against the tables it is made of."""

import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.experiments.placement import placement_answer

DAILY = Scenario.load("resnet50-jetson", **{"channel.mean_snr_db": 5, "tasks_per_update": 10000})


def test_the_answer_holds_the_exact_table():
    table, answer = bl.optimal_placement(DAILY), placement_answer(DAILY)
    ahead, static = (bl.optimal_placement(DAILY, rule) for rule in ("look-ahead", "device-only"))
    assert answer.placement == table.placement == 11
    assert list(answer.within_1_percent) == table.within(0.01) == list(range(9, 16))
    assert answer.total["optimal"] == pytest.approx(table.total)
    assert answer.marginal_value == pytest.approx(table.marginal_value)
    assert answer.joint_optimum.cost == table.cost
    found = answer.look_ahead
    assert (found.placement, found.excess) == (ahead.placement, pytest.approx(ahead.cost / table.cost - 1))
    assert found.excess_with_optimal_splitting == pytest.approx(table.total[ahead.placement] / table.cost - 1)
    assert (answer.static.placement, answer.static.excess) == (static.placement, static.cost / table.cost - 1)
    assert answer.closed_form is None
    assert "the closed form needs equal layers" in answer.no_closed_form_because


def test_another_rule_is_tabulated_beside_the_joint_optimum():
    answer, ahead = placement_answer(DAILY, "look-ahead"), bl.optimal_placement(DAILY, "look-ahead")
    assert (answer.rule, answer.placement, answer.cost) == ("look-ahead", ahead.placement, ahead.cost)
    assert answer.joint_optimum.placement == 11
    assert list(answer.total) == ["optimal", "look-ahead", "device-only"]
    assert list(placement_answer(DAILY, "best-static").total) == ["optimal", "look-ahead", "device-only", "best-static"]


def test_the_closed_form_where_layers_are_equal():
    scenario = Scenario.load("mlp-pi")
    answer, closed = placement_answer(scenario), bl.closed_form_placement(scenario)
    assert (answer.closed_form.placement, answer.closed_form.cost) == (closed.placement, closed.cost)
    assert answer.no_closed_form_because is None


def test_what_does_not_fit_has_no_cost():
    free = placement_answer(Scenario.load("resnet18-phone"))
    tight = placement_answer(Scenario.load("resnet18-phone", **{"device.memory_bytes": 7e6}))
    assert (free.placement, tight.placement) == (8, 7)  # conv4_1 ends at 6.4 MB, conv4_2 at 11.1 MB
    assert tight.total["optimal"][8:] == (None,) * 5
    assert tight.largest_placement == 7


def test_unknown_rule():
    with pytest.raises(ValueError, match="rule = 'greedy' must be one of edge-only, device-only"):
        placement_answer(DAILY, "greedy")
