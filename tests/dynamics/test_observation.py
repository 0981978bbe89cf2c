"""What the agent sees, and back."""

import numpy as np
import pytest

from cointer_gym import Empirical, Rayleigh, Scenario, StoppingProblem
from cointer_gym import baselines as bl
from cointer_gym.observation import PlacementLayout, SplittingLayout
from support.problems import THREE_LAYERS
from support.scenarios import THREE_LAYERS as THREE_LAYER_SCENARIO


def test_observations_give_stage_and_snr_back():
    snr = np.geomspace(*SplittingLayout.of(THREE_LAYERS).snr_range, 50)
    stages = np.arange(50) % 4
    layout = SplittingLayout.of(THREE_LAYERS)
    stage, decoded = layout.decode(layout.encode(stages, snr))
    np.testing.assert_array_equal(stage, stages)
    np.testing.assert_allclose(decoded, snr, rtol=1e-6)


def test_observations_can_be_read_back():
    problem = Scenario.load(THREE_LAYER_SCENARIO).problem()
    placement, stage, snr = np.array([[-1, 0, 3], [2, 3, 1]]), np.array([[0, 0, 2], [2, 3, 0]]), np.full((2, 3), 25.0)
    layout = PlacementLayout.of(problem)
    observation = layout.encode(placement, stage, snr)
    assert (observation.shape, observation.dtype) == ((2, 3, 10), np.float32)
    back = layout.decode(observation)
    np.testing.assert_array_equal(back[0], placement)
    np.testing.assert_array_equal(back[1], stage)
    np.testing.assert_allclose(back[2], np.where(placement < 0, 10.0, 25.0), rtol=1e-6)  # hidden reads as the mean


# Samples that lie far below the mean, and a task in which the two weak ones make all the difference.
FAR_BELOW = Empirical(snr=(1e-2, 3e-2, 1e6), min_efficiency=1e-3)


def test_the_optimum_acts_on_its_own_observations_however_far_the_snrs_lie_below_the_mean():
    problem = StoppingProblem(
        airtime_cost=[1.0, 1.0], edge_cost=[0.0, 0.0], device_cost=[1.0], channel=FAR_BELOW, completes=False
    )
    optimum = bl.backward_induction(problem)
    assert 1e-2 < optimum.threshold_snr[0] <= 3e-2
    assert bl.evaluate(optimum.policy(), problem).relative_gap == pytest.approx(0.0, abs=1e-12)
    assert bl.simulate(optimum.policy(), problem, episodes=3000).interval(1 - 1e-6)[0] < optimum.cost


@pytest.mark.parametrize(
    "law",
    [
        FAR_BELOW,
        Rayleigh(mean_snr=10.0),
        Rayleigh(mean_snr=1e-3),  # nearly always below the most robust rate
        Rayleigh(mean_snr=1e6, min_efficiency=0.0),
        Rayleigh(mean_snr=30.0, max_efficiency=4.0),
        Empirical(snr=(2.0, 2.0)),
        Empirical(snr=(0.0,), min_efficiency=0.2),
    ],
)
def test_snrs_that_matter_look_different_and_all_lie_in_the_space(law):
    problem = StoppingProblem(airtime_cost=[1.0, 0.0], edge_cost=[0, 0], device_cost=[1], channel=law, completes=True)
    layout = SplittingLayout.of(problem)
    drawn = np.sort(law.inverse_survival(np.random.default_rng(0).random(2000)))
    slot, uses = layout.snr_slot(drawn), law.channel_uses_per_bit(drawn)
    assert (np.diff(slot) >= 0).all()
    alike = np.diff(slot) == 0
    assert (uses[1:][alike] > uses[:-1][alike] * (1 - 1e-6)).all()  # to the resolution of float32
    snr = np.append(drawn, [0.0, 1e-300, 1e300, np.inf])
    observations = layout.encode(np.zeros(snr.size, dtype=int), snr)
    assert all(observation in layout.space() for observation in observations)


def test_equal_snr_and_threshold_decide_alike_everywhere():
    """A mean of equal samples is rounded: the slot of the SNR and that of the threshold are, too, in the same way."""
    for snr in (0.1 + 0.2, 1.7, 8.39):
        trace = Empirical(snr=(snr,) * 3)
        problem = StoppingProblem(
            airtime_cost=[1.0, 8.0], edge_cost=[0.0, 0.0], device_cost=[0.0], channel=trace, completes=False
        )
        policy = bl.ThresholdPolicy(problem, [snr])
        exact = float(trace.channel_uses_per_bit(snr))
        assert bl.evaluate(policy, problem).cost == pytest.approx(exact, rel=1e-12)
        np.testing.assert_allclose(bl.simulate(policy, problem, episodes=5).costs, exact, rtol=1e-12)


def test_observations_that_hold_nan_or_have_other_slots_are_refused():
    policy = bl.ThresholdPolicy(THREE_LAYERS, [1.0, 1.0, 1.0])
    seen = SplittingLayout.of(THREE_LAYERS).encode(np.zeros(2, dtype=int), np.ones(2))
    seen[1, -1] = np.nan
    with pytest.raises(ValueError, match="observations hold NaN"):
        policy.predict(seen)
    for wrong in (np.zeros(3), np.zeros((2, 7)), np.float32(1.0)):
        with pytest.raises(ValueError, match=r"observations have shape .*, expected 5 slots"):
            policy.predict(wrong)


def test_a_threshold_among_snrs_that_look_alike_is_refused_not_rounded():
    capped = Rayleigh(mean_snr=30.0, max_efficiency=4.0)  # the fastest rate from 2^4 - 1 on
    robust = 2**0.1523 - 1  # the SNR of the most robust rate
    for law, hidden, visible, message in (
        (
            Rayleigh(mean_snr=10.0),
            0.08,
            robust,
            r"threshold_snr\[0\] = 0\.08 lies where .*; take more than 0\.110226, or 0",
        ),
        (Rayleigh(mean_snr=10.0), 0.99 * robust, 1.001 * robust, "take more than"),
        (capped, 20.0, capped.snr_range[1], r"threshold_snr\[0\] = 20 lies where .*; take at most 15, or inf"),
    ):
        problem = StoppingProblem(airtime_cost=[1, 0], edge_cost=[0, 0], device_cost=[1], channel=law, completes=True)
        with pytest.raises(ValueError, match=message):
            bl.ThresholdPolicy(problem, [hidden])
        rule = bl.threshold_solution(problem, "visible", np.array([visible]))
        assert bl.evaluate(rule.policy(), problem).cost == pytest.approx(rule.cost, rel=1e-6)
    # beyond what is ever drawn it makes no difference
    far = StoppingProblem(
        airtime_cost=[1, 0], edge_cost=[0, 0], device_cost=[1], channel=Rayleigh(mean_snr=1.0), completes=True
    )
    assert bl.evaluate(bl.ThresholdPolicy(far, [1e8]), far).offload_probability[0] == 0.0
