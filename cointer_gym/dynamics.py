"""What one decision does: the rules of an episode as pure, elementwise functions that all simulators share."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.units import BoolArray, FloatArray, IntArray

CONTINUE, OFFLOAD = 0, 1


class Transition(NamedTuple):
    """What one decision did, for a batch of tasks; every field has the shape of ``stage``."""

    stage: IntArray
    """Stage after the decision; unchanged by offloading."""
    offloaded: BoolArray
    terminated: BoolArray
    channel_uses: FloatArray
    """x of an upload, 0 where nothing was uploaded."""


def transition(
    problem: StoppingProblem, stage: ArrayLike, snr: ArrayLike, action: ArrayLike, horizon: ArrayLike | None = None
) -> Transition:
    """Apply one decision to every task of a batch.

    Args:
        problem: the problem.
        stage: current stage, 0..M.
        snr: linear SNR at that stage.
        action: 0 continue, 1 offload; at a forced stage any action offloads.
        horizon: layers on the device, per task; the problem's own unless given.

    Returns:
        Transition: next stage, flags and channel uses; see ``incurred`` for cost, time and energy.
    """
    now = np.asarray(stage)
    offloaded = (np.asarray(action) == OFFLOAD) | upload_is_forced(problem, now, horizon)
    after = np.where(offloaded, now, now + 1)
    done = offloaded | (problem.completes & (after == problem.horizon))
    uses = np.where(offloaded, problem.channel.channel_uses_per_bit(snr), 0.0)
    return Transition(after, offloaded, done, uses)


def upload_is_forced(problem: StoppingProblem, stage: ArrayLike, horizon: ArrayLike | None = None) -> BoolArray:
    """Whether the device has run all its layers but the network is not complete."""
    last = problem.horizon if horizon is None else np.asarray(horizon)
    return np.asarray((np.asarray(stage) >= last) & ~(problem.completes & (np.asarray(stage) == problem.horizon)))


def incurred(terms: StageTerms, stage: ArrayLike, step: Transition) -> FloatArray:
    """Cost, seconds or joules that a transition from ``stage`` incurred, same shape."""
    now = np.asarray(stage)
    device = np.append(terms.device, 0.0)[now]
    return np.asarray(np.where(step.offloaded, terms.airtime[now] * step.channel_uses + terms.edge[now], device))
