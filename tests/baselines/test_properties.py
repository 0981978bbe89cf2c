"""What must hold for every problem: bounds, monotonicity, equivariance and conservation."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, Scenario, StoppingProblem
from cointer_gym import baselines as bl
from cointer_gym.baselines.bellman import policy_value, split_probability
from cointer_gym.channels import OffloadMoments

ROUNDING = 1e-11  # relative to the largest sum of costs in sight

check = settings(derandomize=True, deadline=None, max_examples=60, database=None)
probability = st.floats(0.0, 1.0)
cost = st.just(0.0) | st.floats(1e-3, 3.0)
positive = st.floats(1e-2, 3.0)


@st.composite
def channels(draw, empirical=True):
    limits = {
        "min_efficiency": draw(st.floats(0.05, 0.5)),
        "max_efficiency": draw(st.none() | st.floats(1.0, 6.0)),
    }
    kind = draw(st.integers(0, 3 if empirical else 2))
    if kind == 3:
        return Empirical(snr=tuple(draw(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=6))), **limits)
    mean_snr = 10.0 ** draw(st.floats(-1.5, 3.0))
    if kind == 0:
        return Rayleigh(mean_snr=mean_snr, **limits)
    if kind == 1:
        return Rician(mean_snr=mean_snr, k_factor=draw(st.floats(0.0, 15.0)), **limits)
    return Nakagami(mean_snr=mean_snr, m=draw(st.floats(0.5, 15.0)), **limits)


@st.composite
def problems(draw, min_layers=0, empirical=True):
    horizon = draw(st.integers(min_layers, 5))
    completes = horizon > 0 and draw(st.booleans())
    airtime, edge = (draw(st.lists(cost, min_size=horizon + 1, max_size=horizon + 1)) for _ in range(2))
    if completes:
        airtime[-1] = edge[-1] = 0.0
    return StoppingProblem(
        airtime_cost=airtime,
        edge_cost=edge,
        device_cost=draw(st.lists(cost, min_size=horizon, max_size=horizon)),
        channel=draw(channels(empirical)),
        completes=completes,
    )


@st.composite
def scenarios(draw):
    sizes, count = st.integers(1, 1000), draw(st.integers(1, 5))
    layers = [
        {"name": f"layer {n}", "output_elements": draw(sizes), "flops": draw(positive) * 1e6, "parameters": draw(sizes)}
        for n in range(count)
    ]
    return Scenario.load(
        {
            "name": "drawn",
            "dnn": {"name": "drawn", "input_elements": draw(sizes), "layers": layers},
            "device": {"flops_per_s": draw(positive) * 1e7, "compute_power_w": draw(positive)},
            "edge": {"flops_per_s": draw(positive) * 1e8},
            "link": {"bandwidth_hz": 1e5, "tx_power_w": draw(positive), "downlink_bps": 1e6, "rx_power_w": 0.1},
            "channel": {"mean_snr_db": draw(st.floats(-10.0, 30.0))},
            "weights": {"time_weight": draw(positive), "energy_weight": draw(positive)},
        }
    )


@st.composite
def thresholds(draw, problem):
    snr = st.sampled_from([0.0, math.inf]) | st.floats(-3.0, 3.0).map(lambda decades: 10.0**decades)
    return np.array(draw(st.lists(snr, min_size=problem.horizon, max_size=problem.horizon)))


def slack(problem):
    """Allowance for rounding: no cost of the problem exceeds the sum of them all."""
    return ROUNDING * (problem.static_cost.sum() + 1e-6)


# --- the channel ---------------------------------------------------------------------------------


@check
@given(channels(), st.lists(st.floats(0.0, 25.0), min_size=3, max_size=8, unique=True))
def test_partial_moment_is_convex_with_slopes_in_0_1_and_above_jensens_bound(channel, tau):
    tau = np.sort(tau)
    assume((np.diff(tau) > 1e-6).all())
    phi = channel.lower_partial_moment(tau)
    slopes = np.diff(phi) / np.diff(tau)
    assert (phi >= np.maximum(tau - channel.mean_channel_uses_per_bit, 0.0) - 1e-12).all()
    assert (slopes > -1e-6).all()
    assert (slopes < 1 + 1e-6).all()
    assert (np.diff(slopes) > -1e-6).all()


@check
@given(channels(), st.lists(st.floats(0.0, 500.0), min_size=2, max_size=8))
def test_a_larger_offload_set_has_larger_moments(channel, snr):
    moments = channel.offload_moments(np.sort(snr)[::-1])
    assert (np.diff(moments.probability) >= -1e-12).all()
    assert (np.diff(moments.channel_uses) >= -1e-12).all()
    low, high = channel.breakpoints[0], channel.breakpoints[-1]
    assert (moments.channel_uses >= low * moments.probability - 1e-12).all()
    assert (moments.channel_uses <= high * moments.probability + 1e-12).all()


# --- the optimum and its bounds ------------------------------------------------------------------


@check
@given(problems())
def test_the_optimum_is_no_dearer_than_stopping_or_going_on(problem):
    value = bl.backward_induction(problem).value
    assert (value <= problem.cost.mean_upload(problem.channel) + slack(problem)).all()
    assert (value[:-1] <= problem.cost.device + value[1:] + slack(problem)).all()
    assert (value >= 0).all()


@check
@given(problems(), st.data())
def test_clairvoyant_then_optimum_then_every_other_rule(problem, data):
    optimum = bl.backward_induction(problem).cost
    assert bl.clairvoyant_cost(problem) <= optimum + slack(problem)
    others = [bl.static_split(problem, split) for split in range(problem.horizon + 1)]
    others += [bl.look_ahead(problem, stages) for stages in (1, 2, 3)]
    others += [bl.threshold_solution(problem, "drawn", data.draw(thresholds(problem))) for _ in range(3)]
    for other in others:
        assert other.cost >= optimum - slack(problem), other.rule
        assert other.relative_gap >= -1e-9
    coin = np.array(data.draw(st.lists(probability, min_size=problem.horizon, max_size=problem.horizon)))
    flips = OffloadMoments(coin, coin * problem.channel.mean_channel_uses_per_bit)
    assert policy_value(problem.cost, problem, flips)[0] >= optimum - slack(problem)


@check
@given(problems())
def test_static_solutions_cost_what_the_problem_says(problem):
    costs = [bl.static_split(problem, split).cost for split in range(problem.horizon + 1)]
    assert_allclose(costs, problem.static_cost, rtol=1e-12, atol=1e-15)
    assert bl.best_static_split(problem).cost <= min(costs) + slack(problem)


# --- look-ahead ----------------------------------------------------------------------------------


@check
@given(problems(), st.integers(0, 3))
def test_looking_ahead_to_the_end_is_backward_induction(problem, beyond):
    ahead = bl.look_ahead(problem, max(problem.horizon, 1) + beyond)
    optimum = bl.backward_induction(problem)
    assert_allclose(ahead.threshold_snr, optimum.threshold_snr, rtol=1e-12)
    assert_allclose(ahead.value, optimum.value, rtol=0, atol=slack(problem))
    assert ahead.relative_gap < 1e-9


@check
@given(problems(min_layers=2))
def test_every_further_stage_of_foresight_waits_longer_and_pays_no_more(problem):
    """The planned value falls with the depth k, so the stopping sets shrink; and rule k is worth at least its plan.

    V^k_n = E min(s_n, c_n + V^(k-1)_(n+1)) <= V^(k-1)_n,   J^k_n <= V^k_n,   hence J^(k+1)_n <= J^k_n.
    """
    rules = [bl.look_ahead(problem, stages) for stages in range(1, problem.horizon + 1)]
    for nearer, farther in pairwise(rules):
        assert (farther.threshold_snr >= nearer.threshold_snr * (1 - 1e-9)).all()
        assert (farther.value <= nearer.value + slack(problem)).all()
        assert (nearer.value <= problem.cost.mean_upload(problem.channel) + slack(problem)).all()


# --- monotonicity and equivariance ---------------------------------------------------------------


@check
@given(scenarios())
def test_one_more_placed_layer_never_hurts(scenario):
    posed = [scenario.problem(placement) for placement in range(scenario.layers + 1)]
    values = np.array([bl.backward_induction(problem).cost for problem in posed])
    assert (np.diff(values) <= max(slack(problem) for problem in posed)).all()
    assert (np.diff(scenario.download.cost) >= 0).all()


@check
@given(
    scenarios(), st.floats(1.0, 20.0), st.sampled_from(["link.bandwidth_hz", "edge.flops_per_s", "device.flops_per_s"])
)
def test_more_bandwidth_or_speed_never_hurts(scenario, factor, field):
    part, name = field.split(".")
    better = scenario.replace(**{field: getattr(getattr(scenario, part), name) * factor})
    for placement in range(scenario.layers + 1):
        before, after = (bl.backward_induction(posed.problem(placement)) for posed in (scenario, better))
        assert (after.value <= before.value + slack(before.problem)).all()


@check
@given(problems(empirical=False), st.floats(1.0, 20.0))
def test_a_higher_mean_snr_never_hurts(problem, factor):
    channel = problem.channel.model_dump()
    channel["mean_snr"] *= factor
    better = pose_again(problem, channel=type(problem.channel)(**channel))
    assert better.channel.mean_channel_uses_per_bit <= problem.channel.mean_channel_uses_per_bit * (1 + 1e-12)
    assert (bl.backward_induction(better).value <= bl.backward_induction(problem).value + slack(problem)).all()
    assert bl.clairvoyant_cost(better) <= bl.clairvoyant_cost(problem) + slack(problem)


@check
@given(problems(), st.floats(-6.0, 6.0).map(lambda decades: 10.0**decades))
def test_costs_in_another_unit_scale_the_value_and_keep_the_rule(problem, unit):
    terms = problem.cost
    scaled = pose_again(
        problem, airtime_cost=unit * terms.airtime, edge_cost=unit * terms.edge, device_cost=unit * terms.device
    )
    for rule in (bl.backward_induction, bl.look_ahead):
        before, after = rule(problem), rule(scaled)
        assert_allclose(after.value, unit * before.value, rtol=1e-9, atol=unit * slack(problem))
        assert_allclose(after.threshold_snr, before.threshold_snr, rtol=1e-9)
    assert_allclose(
        bl.clairvoyant_cost(scaled), unit * bl.clairvoyant_cost(problem), rtol=1e-9, atol=unit * slack(problem)
    )


@check
@given(problems(min_layers=1), st.floats(0.0, 3.0))
def test_a_cost_on_every_way_out_shifts_the_value_and_keeps_the_rule(problem, extra):
    assume(not problem.completes)
    shifted = pose_again(problem, edge_cost=problem.cost.edge + extra)
    before, after = bl.backward_induction(problem), bl.backward_induction(shifted)
    assert_allclose(after.value, before.value + extra, rtol=1e-9)
    assert abs(bl.clairvoyant_cost(shifted) - bl.clairvoyant_cost(problem) - extra) <= slack(shifted)


def pose_again(problem, **changes):
    fields = ("airtime_cost", "edge_cost", "device_cost", "channel", "completes")
    return StoppingProblem(**{name: getattr(problem, name) for name in fields} | changes)


# --- conservation --------------------------------------------------------------------------------


@check
@given(scenarios(), st.data())
def test_time_and_energy_recombine_to_the_cost_of_any_threshold_rule(scenario, data):
    problem = scenario.problem(data.draw(st.integers(0, scenario.layers)))
    rule = bl.threshold_solution(problem, "drawn", data.draw(thresholds(problem)))
    time, energy = (policy_value(terms, problem, rule.moments) for terms in (problem.time, problem.energy))
    weights = scenario.weights
    assert_allclose(weights.time_weight * time + weights.energy_weight * energy, rule.value, rtol=1e-12)


@check
@given(problems(), st.data())
def test_regrets_add_up_to_the_gap_and_splits_to_one(problem, data):
    moments = problem.channel.offload_moments(data.draw(thresholds(problem)))
    score = bl.score_moments(moments, problem)
    assert abs(score.stage_regret.sum() - score.gap) <= slack(problem)
    assert (score.stage_regret >= -slack(problem)).all()
    splits = split_probability(moments)
    assert (splits >= 0).all()
    assert abs(splits.sum() - 1.0) < 1e-12
