"""Costs and rates as far apart as they are allowed to be: no digit is lost, and no bound is violated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from cointer_gym import Nakagami, Rayleigh, Rician
from cointer_gym import baselines as bl
from cointer_gym.baselines import clairvoyant
from support.problems import THREE_LAYERS, stopping_problem

check = settings(derandomize=True, deadline=None, max_examples=60, database=None)


@pytest.mark.parametrize(("cost", "low"), [(1e16, 0.0), (1e12, 0.0), (1e16, 1e-10), (1e16, 1e-100), (1e16, 1e-300)])
def test_a_device_so_slow_that_hardly_any_fade_is_waited_out(oracle, cost, low):
    """One decision, A = 1, c huge: V_0 = E[min(x, c)], and to know x beforehand is to know it in time."""
    channel = Rayleigh(mean_snr=1e6, min_efficiency=low)
    problem = stopping_problem([1.0, 0.0], [0.0, 0.0], [cost], channel, completes=True)
    optimum, expected = bl.backward_induction(problem), float(oracle.rayleigh(1e6, low).capped_mean(cost))
    assert expected == pytest.approx(0.05297, rel=3e-4)
    assert optimum.cost == pytest.approx(expected, rel=1e-12, abs=0)
    assert bl.clairvoyant_cost(problem) == pytest.approx(expected, rel=1e-12, abs=0)
    scored = bl.threshold_solution(problem, "scored", optimum.threshold_snr)
    assert scored.cost == pytest.approx(expected, rel=1e-12, abs=0)
    assert scored.optimal


def test_two_such_decisions(oracle):
    channel, exact = Rayleigh(mean_snr=1e6, min_efficiency=0), oracle.rayleigh(1e6, 0)
    problem = stopping_problem([1e-3, 1.0, 0.0], [0.0, 1e-9, 0.0], [1e9, 1e16], channel, completes=True)
    later = 1e-9 + exact.capped_mean(1e16)
    first = exact.capped_mean((1e9 + later) / 1e-3) * 1e-3
    assert_allclose(bl.backward_induction(problem).value, [float(first), float(later), 0.0], rtol=1e-11, atol=0)


@pytest.mark.parametrize("m", [1.01, 1.5, 30.0])
def test_a_forced_upload_without_a_most_robust_rate_where_fading_is_mild(oracle, m):
    channel, exact = Nakagami(mean_snr=10.0, m=m, min_efficiency=0), oracle.nakagami(m, 10.0, 0)
    alone = stopping_problem([2.0], [0.5], [], channel)
    mean = float(exact.capped_mean(oracle.mp.mpf(10) ** 4000))
    for cost in (bl.backward_induction(alone).cost, bl.clairvoyant_cost(alone), bl.edge_only(alone).cost):
        assert cost == pytest.approx(0.5 + 2.0 * mean, rel=1e-10)
    problem = stopping_problem([1.0, 0.5], [0.0, 0.0], [0.05], channel)
    go_on = 0.05 + 0.5 * mean
    assert bl.backward_induction(problem).cost == pytest.approx(float(exact.capped_mean(go_on)), rel=1e-10)
    # with m = 30 an upload that is cheaper than going on has a probability of 7e-17: V_0 = C (1 - 2e-19)
    assert bl.clairvoyant_cost(problem) < bl.backward_induction(problem).cost <= min(mean, go_on)


def test_costs_at_both_ends_of_what_is_allowed(oracle):
    channel = Rayleigh(mean_snr=10.0, min_efficiency=0)
    problem = stopping_problem([1e-100, 0.0], [0.0, 0.0], [1e200], channel, completes=True)
    optimum = bl.backward_induction(problem)
    assert optimum.cost == pytest.approx(1e-100 * float(oracle.rayleigh(10.0, 0).capped_mean(1e300)), rel=1e-11, abs=0)
    assert bl.threshold_solution(problem, "scored", optimum.threshold_snr).cost == pytest.approx(
        optimum.cost, rel=1e-11, abs=0
    )
    assert bl.clairvoyant_cost(problem) == pytest.approx(optimum.cost, rel=1e-9, abs=0)


def decades(low, high):
    return st.floats(low, high).map(lambda decade: 10.0**decade)


@st.composite
def extremes(draw):
    low = draw(st.sampled_from([0.0, 1e-300, 1e-100, 1e-10, 0.1523]))
    law = draw(
        st.sampled_from([Rayleigh, Nakagami, Nakagami, Rician]).flatmap(
            lambda law: st.just((law, {"m": draw(st.sampled_from([0.5, 1.2, 7.0, 1e4]))} if law is Nakagami else {}))
        )
    )
    more = law[1] | ({"k_factor": draw(st.sampled_from([0.0, 5.0, 300.0]))} if law[0] is Rician else {})
    channel = law[0](mean_snr=draw(decades(-3.0, 6.0)), min_efficiency=low, **more)
    horizon = draw(st.integers(1, 3))
    costs = st.lists(st.just(0.0) | decades(-15.0, 16.0), min_size=horizon + 1, max_size=horizon + 1)
    airtime, edge, device = draw(costs), draw(costs), draw(costs)[1:]
    completes = np.isinf(channel.mean_channel_uses_per_bit) or draw(st.booleans())
    if completes:
        airtime[-1] = edge[-1] = 0.0
    return stopping_problem(airtime, edge, device, channel, completes=bool(completes))


@check
@given(extremes())
def test_no_bound_is_violated_however_far_apart_the_costs_are(problem):
    optimum = bl.backward_induction(problem)
    value, terms, up = optimum.value, problem.cost, 1 + 1e-11
    assert bl.clairvoyant_cost(problem) <= optimum.cost * up
    assert (value >= 0).all()
    assert (value <= terms.mean_upload(problem.channel) * up).all()
    assert (value[:-1] <= (terms.device + value[1:]) * up).all()
    scored = bl.threshold_solution(problem, "scored", optimum.threshold_snr)
    assert_allclose(scored.value, value, rtol=1e-10, atol=0)
    for other in (bl.best_static_split(problem), bl.look_ahead(problem), bl.look_ahead(problem, 2)):
        assert other.cost >= optimum.cost / up


def test_a_bound_above_the_optimum_is_an_error(monkeypatch):
    real = clairvoyant.optimal_thresholds
    monkeypatch.setattr(clairvoyant, "optimal_thresholds", lambda problem: (real(problem)[0], 0.5 * real(problem)[1]))
    with pytest.raises(ArithmeticError, match=r"clairvoyant bound 0\.\d+ exceeds the optimum 0\.\d+"):
        bl.clairvoyant_cost(THREE_LAYERS)
