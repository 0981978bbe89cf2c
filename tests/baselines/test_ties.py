"""SNRs that equal a threshold: the environment, simulations and exact scores decide by one comparison."""

import numpy as np
import pytest

from cointer_gym import Empirical
from cointer_gym import baselines as bl
from cointer_gym.baselines.simulation import rollout
from cointer_gym.envs import CoInferenceEnv
from cointer_gym.observation import SplittingLayout
from support.problems import stopping_problem
from support.scenarios import ONE_LAYER, changed

TRACES = {
    "constant": (0.1,) * 3,  # the mean of which is 0.10000000000000002
    "constant, seven": (7.7,) * 7,
    "constant, ten": (1e3 / 3,) * 10,
    "tied": (0.3, 0.3, 0.7, 0.7, 0.7, 1.1, 3.0, 3.0, 8.1),
    "wide": (1e-2, 3e-2, 1e6),
    "close": tuple(2.0 * (1 + k * 1e-8) for k in range(-8, 8)),  # float32 decades take several for one
}
every_trace = pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES.keys())


def on_trace(trace, airtime=(20.0, 1.0), edge=(0.1, 0.0), device=(0.05,)):
    return stopping_problem(list(airtime), list(edge), list(device), Empirical(snr=trace, min_efficiency=1e-3))


def all_paths(trace):
    """Every path over two stages, each as likely as any other."""
    return np.array([(first, second) for first in trace for second in trace])


def beside(snr):
    return (np.nextafter(snr, 0), snr, np.nextafter(snr, np.inf))


@every_trace
def test_exact_scores_are_means_over_all_paths(trace):
    posed = on_trace(trace)
    for sample in sorted(set(trace)):
        for threshold in np.clip(beside(sample), *posed.channel.snr_range):
            policy = bl.ThresholdPolicy(posed, [threshold])
            simulated = rollout(policy, posed, all_paths(trace)).cost.mean()
            assert bl.evaluate(policy, posed).cost == pytest.approx(simulated, rel=1e-12)


@every_trace
def test_the_environment_offloads_as_often_as_the_score_says(trace):
    env = CoInferenceEnv(changed(ONE_LAYER, channel={"law": "empirical", "snr": list(trace), "min_efficiency": 1e-3}))
    for sample in sorted(set(trace)):
        for threshold in np.clip(beside(sample), *env.problem.channel.snr_range):
            policy = bl.ThresholdPolicy(env.problem, [threshold])
            chosen = []
            for snr in trace:
                observation, _ = env.reset(options={"snr": [snr, 1.0]})
                chosen.append(policy.predict(observation)[0])
            assert bl.policy_moments(policy, env.problem).probability == pytest.approx(np.mean(chosen), abs=1e-15)
            assert (chosen[trace.index(sample)] == 1) or threshold > sample


@every_trace
def test_the_optimum_is_its_own_policy(trace):
    posed = on_trace(trace)
    best = bl.backward_induction(posed)
    assert bl.evaluate(best.policy(), posed).cost == pytest.approx(best.cost, rel=1e-7)


def test_a_threshold_at_the_constant_snr_offloads():
    """Offloading costs 0.048, going on 8.39."""
    uses = 1 / np.log2(1.1)
    posed = on_trace((0.1,) * 3, airtime=(0.048 / uses, 0.0), edge=(0.0, 0.0), device=(8.39,))
    policy = bl.ThresholdPolicy(posed, [0.1])
    assert bl.evaluate(policy, posed).cost == pytest.approx(0.048, rel=1e-12)
    assert bl.simulate(policy, posed, 100).cost == pytest.approx(0.048, rel=1e-12)


def test_bands_between_samples_do_not_matter_and_bands_on_samples_do():
    """Any deterministic policy, asked at the samples themselves."""
    trace = tuple(np.random.default_rng(1).exponential(10.0, 60))
    posed = on_trace(trace)
    layout = SplittingLayout.of(posed)

    class Restless:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return (np.sin(300.0 * observation[:, -1]) > 0).astype(int), state

    chosen = Restless().predict(layout.encode(np.zeros(60, int), np.array(trace)))[0]
    assert 20 < chosen.sum() < 40
    assert bl.policy_moments(Restless(), posed).probability == pytest.approx(chosen.mean(), rel=1e-12)
    simulated = rollout(Restless(), posed, all_paths(trace)).cost.mean()
    assert bl.evaluate(Restless(), posed).cost == pytest.approx(simulated, rel=1e-12)


def test_randomised_policies_are_averaged_over_the_samples():
    trace = TRACES["tied"]
    posed = on_trace(trace)
    layout = SplittingLayout.of(posed)

    class Chance(bl.RandomPolicy):
        def offload_probability(self, observation):
            return np.abs(np.sin(40.0 * observation[:, -1].astype(float)))

    chance = Chance().offload_probability(layout.encode(np.zeros(len(trace), int), np.array(trace)))
    moments = bl.policy_moments(Chance(), posed)
    uses = posed.channel.channel_uses_per_bit(np.array(trace))
    assert moments.probability == pytest.approx(chance.mean(), rel=1e-12)
    assert moments.channel_uses == pytest.approx((chance * uses).mean(), rel=1e-12)
    assert moments.waiting == pytest.approx((1 - chance).mean(), rel=1e-12)
