"""What the agent sees, and back."""

import numpy as np

from cointer_gym import Scenario
from cointer_gym.observation import PlacementLayout, SplittingLayout
from support.problems import MEAN_SNR, THREE_LAYERS
from support.scenarios import THREE_LAYERS as THREE_LAYER_SCENARIO


def test_observations_give_stage_and_snr_back():
    snr = MEAN_SNR * np.logspace(-5.9, 1.9, 50)
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
