"""The rules by hand: look-ahead and what it overlooks, static splits, and stages of extreme cost."""

import math

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym import Rayleigh
from cointer_gym import baselines as bl
from support.problems import steady_problem, stopping_problem

# --- look-ahead ----------------------------------------------------------------------------------


def test_one_huge_feature_hides_a_small_one_from_one_stage_of_foresight():
    # x = 1/2: uploads cost 1.0, 10, 0.1; computing 0.1 a layer
    problem = steady_problem([2.0, 20.0, 0.2], [0.0, 0.0, 0.0], [0.1, 0.1])
    blind, seeing, optimum = bl.look_ahead(problem), bl.look_ahead(problem, 2), bl.backward_induction(problem)
    assert_allclose(blind.value, [1.0, 0.2, 0.1])  # 1.0 <= 0.1 + 10: stop at once
    assert_allclose(seeing.value, [0.3, 0.2, 0.1])  # 1.0 > 0.1 + (0.1 + 0.1)
    assert_allclose(optimum.value, seeing.value)
    assert blind.relative_gap == pytest.approx((1.0 - 0.3) / 0.3)
    assert (blind.optimal, seeing.optimal, optimum.optimal) == (False, True, True)
    assert (blind.rule, seeing.rule, optimum.rule) == ("look-ahead, 1 stage", "look-ahead, 2 stages", "optimal")


def test_one_stage_of_foresight_certifies_itself_over_one_layer():
    problem = stopping_problem(
        airtime=[1.0, 0.4],
        edge=[0.1, 0.0],
        device=[0.2],
        channel=Rayleigh(mean_snr=5.0),
        completes=False,
    )
    ahead = bl.look_ahead(problem)
    assert ahead.optimal
    assert ahead.relative_gap == pytest.approx(0.0, abs=1e-15)


def test_equal_layers_follow_the_geometric_law_of_the_look_ahead_rule():
    # J(M+1) - J(M) = -(1 - q)^M (A Phi(tau) - c'), tau = c'/A + E[x], q = F(tau), c' = c - (B_n - B_n+1)
    channel, airtime, device, edge = Rayleigh(mean_snr=8.0), 0.5, 0.06, 0.01
    drop = device - edge
    tau = drop / airtime + channel.mean_channel_uses_per_bit
    q, saving = channel.cdf(tau), airtime * channel.lower_partial_moment(tau) - drop
    costs = [
        bl.look_ahead(
            stopping_problem(
                airtime=np.full(layers + 1, airtime),
                edge=edge * np.arange(12, 11 - layers, -1),
                device=np.full(layers, device),
                channel=channel,
                completes=False,
            )
        ).cost
        for layers in range(9)
    ]
    assert 0.1 < q < 0.9
    assert_allclose(np.diff(costs), -((1 - q) ** np.arange(8)) * saving, rtol=1e-9)


@pytest.mark.parametrize("stages", [0, -1, 1.0, True])
def test_look_ahead_needs_at_least_one_stage(stages):
    with pytest.raises(ValueError, match=f"stages = {stages} must be an integer >= 1"):
        bl.look_ahead(steady_problem([1.0, 1.0], [0.0, 0.0], [0.1]), stages)


# --- static rules --------------------------------------------------------------------------------


def test_static_rules_by_hand():
    # x = 1/2: uploads cost 0.5 + 0.3, 0.2 + 0.2, 3.0 + 0.1; computing 0.15, 0.25
    problem = steady_problem([1.0, 0.4, 6.0], [0.3, 0.2, 0.1], [0.15, 0.25])
    edge, best, device = bl.edge_only(problem), bl.best_static_split(problem), bl.device_only(problem)
    assert (edge.split, best.split, device.split) == (0, 1, 2)
    assert_allclose([edge.cost, best.cost, device.cost], [0.8, 0.55, 3.5])  # 0.8; 0.15 + 0.4; 0.15 + 0.25 + 3.1
    assert_array_equal(edge.threshold_snr, [0.0, 0.0])
    assert_array_equal(best.threshold_snr, [math.inf, 0.0])
    assert_array_equal(device.threshold_snr, [math.inf, math.inf])
    assert_array_equal(best.threshold_snr_db, [math.inf, -math.inf])
    assert_array_equal(best.split_probability, [0.0, 1.0, 0.0])
    assert_array_equal(device.offload_probability, [0.0, 0.0])
    assert_allclose(device.value, [3.5, 3.35, 3.1])
    assert bl.static_split(problem, 1).cost == best.cost


def test_running_everything_on_the_device_uploads_nothing():
    problem = steady_problem([1.0, 0.4, 0.0], [0.3, 0.2, 0.0], [0.15, 0.25], completes=True)
    assert_allclose(bl.device_only(problem).value, [0.4, 0.25, 0.0])
    assert bl.best_static_split(problem).split == 2


@pytest.mark.parametrize("split", [-1, 3, 0.5])
def test_split_outside_the_network_is_refused(split):
    with pytest.raises(ValueError, match=f"split = {split} must be an integer from 0 to 2"):
        bl.static_split(steady_problem([1.0, 0.4, 6.0], [0.3, 0.2, 0.1], [0.15, 0.25]), split)


# --- degenerate stages and extreme scales --------------------------------------------------------


@pytest.mark.parametrize(
    ("edge", "threshold", "value"),
    [(0.1, 0.0, 0.1), (0.9, math.inf, 0.7), (0.7, 0.0, 0.7)],
    ids=["cheaper", "dearer", "equal"],
)
@pytest.mark.parametrize("rule", [bl.backward_induction, bl.look_ahead])
def test_a_free_upload_is_decided_by_the_edge_cost_alone(rule, edge, threshold, value):
    # going on costs 0.2 + 1.0 x 1/2 = 0.7
    solution = rule(steady_problem([0.0, 1.0], [edge, 0.0], [0.2]))
    assert_array_equal(solution.threshold_snr, [threshold])
    assert_allclose(solution.value, [value, 0.5], rtol=1e-15)


def test_a_free_forced_upload_costs_its_edge_part_only():
    channel = Rayleigh(mean_snr=10.0, min_efficiency=0)
    problem = stopping_problem(airtime=[0.0, 0.0], edge=[0.9, 0.4], device=[0.2], channel=channel, completes=False)
    assert_allclose(bl.backward_induction(problem).value, [0.6, 0.4], rtol=1e-15)
    assert bl.clairvoyant_cost(problem) == pytest.approx(0.6, rel=1e-15)


def test_a_free_upload_stays_free_where_the_mean_of_x_is_infinite():
    channel = Rayleigh(mean_snr=10.0, min_efficiency=0)
    problem = stopping_problem(airtime=[0.0, 0.0], edge=[0.1, 0.4], device=[0.2], channel=channel, completes=False)
    for rule in (bl.backward_induction, bl.look_ahead, bl.edge_only):
        assert_allclose(rule(problem).value, [0.1, 0.4], rtol=1e-15)


def test_pure_shannon_with_a_complete_network_is_solved(oracle):
    exact = oracle.rayleigh(10.0, 0)
    problem = stopping_problem(
        airtime=[1.0, 0.5, 0.0],
        edge=[0.1, 0.1, 0.0],
        device=[0.3, 0.4],
        channel=Rayleigh(mean_snr=10.0, min_efficiency=0),
        completes=True,
    )
    one = mp.mpf(0.4) - mp.mpf(0.5) * exact.phi((mp.mpf(0.4) - mp.mpf(0.1)) / mp.mpf(0.5))
    zero = mp.mpf(0.3) + one - exact.phi(mp.mpf(0.3) + one - mp.mpf(0.1))
    assert_allclose(bl.backward_induction(problem).value, [float(zero), float(one), 0.0], rtol=1e-12)


def test_nothing_costs_nothing():
    problem = steady_problem([0.0, 0.0], [0.0, 0.0], [0.0])
    optimum = bl.backward_induction(problem)
    assert (optimum.cost, optimum.relative_gap, optimum.optimal) == (0.0, 0.0, True)
    assert bl.clairvoyant_cost(problem) == 0.0


@pytest.mark.parametrize("device", [1e2, 1e5, 1e9])
def test_a_dear_device_costs_no_digits_of_a_cheap_upload(device):
    problem = stopping_problem(
        airtime=[1e-3, 1e-3],
        edge=[0.0, 0.0],
        device=[device],
        channel=Rayleigh(mean_snr=10.0),
        completes=False,
    )
    upload = 1e-3 * problem.channel.mean_channel_uses_per_bit
    assert bl.backward_induction(problem).cost == pytest.approx(upload, rel=1e-13, abs=0)
    assert bl.edge_only(problem).optimal
