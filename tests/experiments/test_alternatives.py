"""The one comparison of alternatives, against its definitions solved one placement at a time."""

import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.experiments.alternatives import CAUSAL, LABELS, RIVALS, Alternative, Comparison

ALEXNET = Scenario.load("alexnet-pi")


@pytest.mark.parametrize(
    "name",
    [
        "alexnet-pi",
        "autoencoder-mcu",
        "mlp-pi",
        "mobilenetv2-phone",
        "mobilenetv2-phone-all-device",
        "vgg16-pi-all-edge",
    ],
)
def test_alternatives_are_ordered(name):
    costs = Comparison(Scenario.load(name)).costs()
    assert set(costs) == set(Alternative)
    assert costs[Alternative.CLAIRVOYANT] <= costs[Alternative.JOINT] * (1 + 1e-9)
    assert all(costs[rival] >= costs[Alternative.JOINT] * (1 - 1e-9) for rival in RIVALS)


@pytest.mark.parametrize("memory_bytes", [None, 12e6])
def test_alternatives_equal_their_definitions_solved_one_placement_at_a_time(memory_bytes):
    scenario = Scenario.load("resnet18-phone", **{"device.memory_bytes": memory_bytes})
    most = 12 if memory_bytes is None else 8  # conv5_1 needs 2.4 M parameters of 4 bytes on top of 11.1 MB
    problems = {m: scenario.problem(m) for m in range(most + 1)}
    download = scenario.download.cost
    optimal = {m: bl.backward_induction(p).cost + download[m] for m, p in problems.items()}
    ahead = {m: bl.look_ahead(p).cost + download[m] for m, p in problems.items()}
    full = problems[most]
    expected = {
        Alternative.JOINT: min(optimal.values()),
        Alternative.AHEAD: min(ahead.values()),
        Alternative.AHEAD_PLACED: optimal[min(ahead, key=ahead.get)],
        Alternative.FULL: optimal[most],
        Alternative.HALF: optimal[6],
        Alternative.STATIC: min(bl.device_only(p).cost + download[m] for m, p in problems.items()),
        Alternative.DEVICE: bl.device_only(full).cost + download[most],
        Alternative.EDGE: bl.edge_only(full).cost,
        Alternative.CLAIRVOYANT: min(bl.clairvoyant_cost(p) + download[m] for m, p in problems.items()),
    }
    here = Comparison(scenario)
    assert here.costs() == pytest.approx(expected, rel=1e-12)
    for alternative in CAUSAL:
        assert here.score(alternative).cost == pytest.approx(expected[alternative], rel=1e-12)


@pytest.mark.parametrize("memory_bytes", [None, 12e6])
def test_rules_and_alternatives_of_one_name_are_the_same(memory_bytes):
    here = Comparison(Scenario.load("resnet18-phone", **{"device.memory_bytes": memory_bytes}))
    for alternative, rule in (
        (Alternative.JOINT, "optimal"),
        (Alternative.AHEAD, "look-ahead"),
        (Alternative.STATIC, "best-static"),
        (Alternative.DEVICE, "device-only"),
        (Alternative.EDGE, "edge-only"),
    ):
        assert here.suits(rule) == here.placed(alternative)
        assert here.score_rule(rule, here.suits(rule)).cost == pytest.approx(here.cost(alternative), rel=1e-12)


def test_every_registered_rule_has_a_table_and_none_beats_the_joint_optimum():
    here = Comparison(ALEXNET)
    for rule in bl.RULES:
        table = here.table(rule)
        assert table.rule == rule
        assert table.cost >= here.cost(Alternative.JOINT) * (1 - 1e-12)
        assert here.table(rule) is table


def test_labels_are_distinct_and_not_the_names():
    assert set(LABELS) == set(Alternative)
    assert len({alternative.label for alternative in Alternative}) == len(Alternative)


def test_a_bound_above_the_optimum_is_an_error(monkeypatch):
    monkeypatch.setattr(bl, "clairvoyant_cost", lambda problem: 10.0)
    with pytest.raises(ArithmeticError, match=r"alexnet-pi: Clairvoyant bound costs 10\.\d+, the joint optimum 0\.23"):
        Comparison(ALEXNET).costs()


def test_an_alternative_below_the_optimum_is_an_error(monkeypatch):
    solve = bl.optimal_placement
    worse = {"optimal": "device-only"}
    monkeypatch.setattr(bl, "optimal_placement", lambda scenario, rule: solve(scenario, worse.get(rule, rule)))
    with pytest.raises(ArithmeticError, match="Look-ahead splitting and placement costs"):
        Comparison(ALEXNET).costs()
