"""The clairvoyant bound against quadrature; test_solvers.py holds it against enumeration and simulation."""

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, StoppingProblem
from cointer_gym import baselines as bl


@pytest.mark.parametrize(
    "channel",
    [Rayleigh(mean_snr=3.0), Rician(mean_snr=3.0, k_factor=9.0, max_efficiency=2.0), Empirical(snr=(0.2, 3.0, 7.0))],
)
def test_without_layers_the_clairvoyant_and_every_rule_pay_the_mean(channel):
    problem = StoppingProblem(airtime_cost=[2.0], edge_cost=[0.3], device_cost=[], channel=channel, completes=False)
    expected = 2.0 * channel.mean_channel_uses_per_bit + 0.3
    assert bl.clairvoyant_cost(problem) == pytest.approx(expected, rel=1e-12)
    for rule in (bl.backward_induction, bl.look_ahead, bl.best_static_split, bl.edge_only, bl.device_only):
        solution = rule(problem)
        assert solution.cost == pytest.approx(expected, rel=1e-14)
        assert solution.threshold_snr.shape == (0,)
        assert_array_equal(solution.split_probability, [1.0])
        assert solution.optimal


@pytest.mark.parametrize(("low", "completes"), [(0.3, False), (0.3, True), (0.0, True)])
@pytest.mark.parametrize("m", [0.5, 1.0, 80.0])
def test_clairvoyant_agrees_with_quadrature(m, low, completes):
    spent, airtime = [0.0, 0.2, 0.5], [1.0, 0.3, 0.0 if completes else 0.6]
    edge = [0.1, 0.05, 0.0]
    problem = StoppingProblem(
        airtime_cost=airtime,
        edge_cost=edge,
        device_cost=np.diff(spent),
        channel=Nakagami(mean_snr=6.0, m=m, min_efficiency=low, max_efficiency=4.0),
        completes=completes,
    )

    def tail(uses):  # P(x > uses)
        if uses < mp.mpf(1) / 4:
            return mp.mpf(1)
        if low and uses >= 1 / mp.mpf(low):
            return mp.mpf(0)
        return mp.gammainc(m, 0, m * mp.expm1(mp.log(2) / uses) / 6, regularized=True)

    def all_above(level):
        stages = zip(spent, airtime, edge, strict=True)
        return mp.fprod(tail((level - s - b) / a) if a else mp.mpf(level < s + b) for s, a, b in stages)

    limits = [mp.mpf(1) / 4, 1 / mp.log(7, 2)] + ([1 / mp.mpf(low)] if low else [])
    corners = {mp.mpf(s + b) + a * x for s, a, b in zip(spent, airtime, edge, strict=True) for x in limits if a}
    top = min(
        mp.mpf(s + b) + (a / mp.mpf(low) if a else 0)
        for s, a, b in zip(spent, airtime, edge, strict=True)
        if low or not a
    )
    near = {point + offset for point in corners for offset in (-0.05, -0.02, -0.005, 0.005, 0.02, 0.05)}
    points = [0, *sorted(point for point in corners | near if 0 < point < top), top]
    assert bl.clairvoyant_cost(problem) == pytest.approx(float(mp.quad(all_above, points)), rel=1e-10)
