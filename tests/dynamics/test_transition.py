"""One decision for a batch of tasks: where it leads, and what it costs, by hand."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym.dynamics import incurred, transition, upload_is_forced
from support.problems import steady_problem

FORCED = steady_problem([1.0, 2.0, 3.0], [0.3, 0.2, 0.1], [0.5, 0.7])
COMPLETE = steady_problem([1.0, 2.0, 0.0], [0.3, 0.2, 0.0], [0.5, 0.7], completes=True)
SNR = 3.0  # x = 1/2


def test_a_batch_continues_offloads_and_is_forced():
    stage, action = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 1])
    move = transition(FORCED, stage, np.full(6, SNR), action)
    assert_array_equal(move.stage, [1, 0, 2, 1, 2, 2])
    assert_array_equal(move.offloaded, [False, True, False, True, True, True])
    assert_array_equal(move.terminated, move.offloaded)
    assert_allclose(move.channel_uses, [0.0, 0.5, 0.0, 0.5, 0.5, 0.5], rtol=1e-15)
    # continue 0.5, upload 1/2 + 0.3, continue 0.7, upload 2/2 + 0.2, forced 3/2 + 0.1 twice
    assert_allclose(incurred(FORCED.cost, stage, move), [0.5, 0.8, 0.7, 1.2, 1.6, 1.6], rtol=1e-15)


def test_the_last_layer_of_a_complete_network_ends_the_task_without_an_upload():
    move = transition(COMPLETE, 1, SNR, 0)
    assert (move.stage, move.offloaded, move.terminated, move.channel_uses) == (2, False, True, 0.0)
    assert incurred(COMPLETE.cost, 1, move) == 0.7
    assert not transition(COMPLETE, 0, SNR, 0).terminated


def test_uploads_are_forced_where_the_device_has_no_layer_left():
    stages = np.arange(3)
    assert_array_equal(upload_is_forced(FORCED, stages), [False, False, True])
    assert_array_equal(upload_is_forced(COMPLETE, stages), [False, False, False])
    assert_array_equal(upload_is_forced(COMPLETE, stages, horizon=1), [False, True, False])
    move = transition(COMPLETE, [1, 1], SNR, 0, horizon=[1, 2])  # each task with its own placement
    assert_array_equal(move.offloaded, [True, False])
