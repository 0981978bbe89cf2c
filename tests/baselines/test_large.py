"""Networks of hundreds of layers: scores in bounded memory, and as on small ones."""

import tracemalloc

import numpy as np
import pytest

from cointer_gym import Rayleigh, Scenario
from cointer_gym import baselines as bl
from support.problems import stopping_problem

LIMIT = 60e6  # bytes; 1000 layers at once would take 16 GB at the default grid


def chain(layers):
    rng = np.random.default_rng(0)
    return stopping_problem(
        rng.uniform(0.5, 2.0, layers + 1),
        np.linspace(0.3, 0.0, layers + 1),
        np.full(layers, 1e-3),
        Rayleigh(mean_snr=10),
    )


class Network:
    """One hidden layer of random weights."""

    def __init__(self, slots):
        rng = np.random.default_rng(1)
        self.first, self.second = rng.normal(size=(slots, 8)).astype(np.float32), rng.normal(size=8).astype(np.float32)

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return (np.maximum(observation @ self.first, 0) @ self.second > 0).astype(int), state


def peak_of(function):
    tracemalloc.start()
    try:
        return function(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


POLICIES = {
    "threshold": lambda posed: bl.backward_induction(posed).policy(),
    "network": lambda posed: Network(posed.horizon + 2),
    "coin": lambda posed: bl.RandomPolicy(0.01),
}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
def test_a_thousand_layers_are_scored_in_bounded_memory(policy):
    posed = chain(1000)
    asked = policy(posed)
    score, peak = peak_of(lambda: bl.evaluate(asked, posed, grid=512))
    assert peak < LIMIT
    assert score.relative_gap >= -1e-12
    if isinstance(asked, bl.ThresholdPolicy):
        assert score.relative_gap == pytest.approx(0.0, abs=1e-12)
    if isinstance(asked, bl.RandomPolicy):
        lands = 0.01 * 0.99 ** np.arange(1000)
        assert score.cost == pytest.approx(lands @ posed.static_cost[:-1] + 0.99**1000 * posed.static_cost[-1])


def test_the_memory_does_not_grow_with_the_grid():
    posed = chain(1000)
    policy = Network(1002)
    peaks = [peak_of(lambda grid=grid: bl.evaluate(policy, posed, grid=grid))[1] for grid in (32, 320)]
    assert peaks[1] < 1.3 * peaks[0]


def test_placements_of_few_of_many_layers():
    """Observations of the placement have 2L+4 slots however few layers are placed."""
    layers = [{"name": f"l{n}", "output_elements": 100, "flops": 1e6, "parameters": 100} for n in range(600)]
    scenario = Scenario.load("alexnet-pi", dnn={"name": "deep", "input_elements": 1000, "layers": layers})

    class Two(Network):
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            actions, _ = super().predict(observation)
            return np.where(observation[:, 0] == 1, 2, actions), state

    policy = Two(1204)
    score, peak = peak_of(lambda: bl.evaluate_joint(policy, scenario, grid=16_384))
    assert score.placement == 2
    assert peak < LIMIT


@pytest.mark.parametrize("numbers", [1, 40, 1000])
def test_batches_of_any_size_give_the_same_score(monkeypatch, numbers):
    posed = chain(4)
    policies = [Network(6), bl.look_ahead(posed).policy(), bl.RandomPolicy(0.3)]
    scores = [bl.evaluate(policy, posed, grid=64) for policy in policies]
    found = bl.switches(policies[0], posed, grid=64)
    monkeypatch.setattr("cointer_gym.baselines.asking._NUMBERS_PER_BATCH", numbers)
    for policy, score in zip(policies, scores, strict=True):
        assert bl.evaluate(policy, posed, grid=64).cost == pytest.approx(score.cost, rel=1e-14)
    for one, other in zip(found, bl.switches(policies[0], posed, grid=64), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)
