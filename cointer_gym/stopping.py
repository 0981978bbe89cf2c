"""Array functions of the stopping problem: the dynamics of an episode and the recursions that solve and score it.

Environments, solvers and evaluators all call these, so the model is written once. Every function is pure; where a
batch makes sense it works elementwise.

    tau = (C - B) / A                       stop at n iff x <= tau
    E[min(s_n(x), C)] = C - A Phi(tau)      value of being able to stop at n or go on at cost C
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channel import Channel, OffloadMoments
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


def stop_or_continue(
    airtime: ArrayLike, edge: ArrayLike, go_on: ArrayLike, channel: Channel
) -> tuple[FloatArray, FloatArray]:
    """Best of stopping at cost A x + B and going on at cost C, elementwise.

    Returns:
        tau: stop iff x <= tau, channel uses per bit; -inf never, inf always.
        value: E[min(A x + B, C)].
    """
    a, b, c = np.broadcast_arrays(np.asarray(airtime, float), np.asarray(edge, float), np.asarray(go_on, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = np.where(a > 0, (c - b) / a, np.where(c >= b, np.inf, -np.inf))
        inside = np.clip(np.nan_to_num(tau, posinf=0.0, neginf=0.0), 0.0, None)
        value = np.where(a > 0, c - a * channel.lower_partial_moment(inside), c)
        stop_value = np.where(a > 0, a * channel.mean_channel_uses_per_bit, 0.0) + b
    # where it always stops, C - A Phi(tau) would be a small difference of large numbers
    return tau, np.where(tau >= channel.breakpoints[-1], stop_value, value)


def optimal_thresholds(problem: StoppingProblem) -> tuple[FloatArray, FloatArray]:
    """Backward induction: tau of shape (M,) and the value V of shape (M+1,), V[n] before x_n is seen."""
    terms, horizon = problem.cost, problem.horizon
    tau, value = np.empty(horizon), np.empty(horizon + 1)
    value[-1] = terms.mean_upload(problem.channel)[-1]
    for n in reversed(range(horizon)):
        tau[n], value[n] = stop_or_continue(
            terms.airtime[n], terms.edge[n], terms.device[n] + value[n + 1], problem.channel
        )
    return tau, value


def look_ahead_thresholds(problem: StoppingProblem, stages: int) -> FloatArray:
    """Thresholds tau, shape (M,), of a device that plans as if it had to upload within ``stages`` more layers."""
    terms = problem.cost
    value = terms.mean_upload(problem.channel)
    tau = np.empty(problem.horizon)
    for _ in range(min(stages, problem.horizon)):
        go_on = terms.device + value[1:]
        tau, planned = stop_or_continue(terms.airtime[:-1], terms.edge[:-1], go_on, problem.channel)
        value = np.append(planned, value[-1])
    return tau


def placement_values(problem: StoppingProblem, moments: OffloadMoments | None = None) -> FloatArray:
    """V_0(M) for every placement M = 0..L in one backward pass, shape (L+1,).

    All placements share the stages; they differ only in where the forced upload stands. Entry M of the batch starts
    there and joins the recursion at stage M - 1.

    Args:
        problem: the problem with all L layers placed.
        moments: score this rule, with offload moments of shape (L,), instead of the optimum of each placement.
    """
    terms = problem.cost
    value = terms.mean_upload(problem.channel)
    stop = None if moments is None else stop_part(terms, moments)
    for n in reversed(range(problem.horizon)):
        go_on = terms.device[n] + value[n + 1 :]
        if moments is None or stop is None:
            value[n + 1 :] = stop_or_continue(terms.airtime[n], terms.edge[n], go_on, problem.channel)[1]
        else:
            value[n + 1 :] = stop[n] + _weighted(1.0 - moments.probability[n], go_on)
    return value


def threshold_moments(problem: StoppingProblem, threshold_snr: FloatArray) -> OffloadMoments:
    """Offload probabilities and partial means of x, each of shape (M,), of a threshold policy."""
    return problem.channel.offload_moments(threshold_snr)


def policy_value(terms: StageTerms, problem: StoppingProblem, moments: OffloadMoments) -> FloatArray:
    """Expected quantity still to come at every stage, shape (M+1,), of the policy with the given moments.

    J_n = A_n E[x; offload] + B_n P(offload) + P(continue) (c_n + J_{n+1})
    """
    value = np.empty(problem.horizon + 1)
    value[-1] = terms.mean_upload(problem.channel)[-1]
    stop = stop_part(terms, moments)
    for n in reversed(range(problem.horizon)):
        value[n] = stop[n] + _weighted(1.0 - moments.probability[n], terms.device[n] + value[n + 1])
    return value


def stop_part(terms: StageTerms, moments: OffloadMoments) -> FloatArray:
    """A_n E[x; offload] + B_n P(offload), shape (M,); no airtime costs nothing even where E[x] is infinite."""
    with np.errstate(invalid="ignore"):
        airtime = np.where(terms.airtime[:-1] > 0, terms.airtime[:-1] * moments.channel_uses, 0.0)
    return np.asarray(airtime + terms.edge[:-1] * moments.probability)


def _weighted(probability: float, value: FloatArray) -> FloatArray:
    """``probability * value``, 0 for what never happens even if its value is infinite."""
    return probability * value if probability > 0 else np.zeros_like(value)


def reach_probability(moments: OffloadMoments) -> FloatArray:
    """P(stage n is reached), shape (M+1,)."""
    return np.concatenate([[1.0], np.cumprod(1.0 - moments.probability)])


def split_probability(moments: OffloadMoments) -> FloatArray:
    """P(the network is split after layer n), shape (M+1,); the last entry is running all M placed layers."""
    return np.asarray(reach_probability(moments) * np.append(moments.probability, 1.0))
