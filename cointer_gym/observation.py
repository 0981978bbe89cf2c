"""What the agent sees, and back.

    slots 0..M   one-hot of the stage                                    {0, 1}
    slot  M+1    log10(SNR / mean SNR), clipped to the range             [-6, 2]

``CoInferencePlacement-v0`` puts a phase flag and a one-hot of the placement in front.

A stage as one scalar makes neighbouring layers look alike, which they are not; one-hot lets a linear first layer tell
them apart.
"""

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import ArrayLike, NDArray

from cointer_gym.problem import StoppingProblem
from cointer_gym.units import FloatArray, IntArray

DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN = -6.0, 2.0


def observation_space(problem: StoppingProblem) -> Box:
    """The flat float32 box of shape (M+2,)."""
    low = np.zeros(problem.horizon + 2, dtype=np.float32)
    high = np.ones(problem.horizon + 2, dtype=np.float32)
    low[-1], high[-1] = DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN
    return Box(low, high, dtype=np.float32)


def snr_decades(problem: StoppingProblem, snr: ArrayLike) -> FloatArray:
    """The SNR slot: clipped log10(SNR / mean SNR), elementwise."""
    with np.errstate(divide="ignore"):
        decades = np.log10(np.asarray(snr, dtype=np.float64) / problem.channel.average_snr)
    return np.clip(decades, DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN)


def observe(problem: StoppingProblem, stage: ArrayLike, snr: ArrayLike) -> NDArray[np.float32]:
    """Observations of tasks at ``stage`` (any shape) with linear ``snr`` (same shape); shape (..., M+2), float32."""
    one_hot = np.eye(problem.horizon + 1, dtype=np.float32)[np.asarray(stage)]
    decades = snr_decades(problem, snr).astype(np.float32)
    return np.concatenate([one_hot, decades[..., None]], axis=-1)


def decode(observation: ArrayLike, average_snr: float) -> tuple[IntArray, FloatArray]:
    """Stage and linear SNR behind observations of shape (..., M+2)."""
    array = np.asarray(observation)
    stage = np.argmax(array[..., :-1], axis=-1)
    return stage, np.asarray(average_snr * 10.0 ** array[..., -1].astype(np.float64))


def placement_observation_space(problem: StoppingProblem) -> Box:
    """Flat float32 box of shape (2L+4,) for a problem with all L layers: phase, placement, stage, SNR."""
    low = np.zeros(2 * problem.horizon + 4, dtype=np.float32)
    high = np.ones(2 * problem.horizon + 4, dtype=np.float32)
    low[-1], high[-1] = DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN
    return Box(low, high, dtype=np.float32)


def observe_placement(
    problem: StoppingProblem, placement: ArrayLike, stage: ArrayLike, snr: ArrayLike
) -> NDArray[np.float32]:
    """Observations (..., 2L+4): the phase flag alone while ``placement`` is -1, then placement, stage and SNR."""
    chosen = np.asarray(placement)
    choosing = (chosen < 0)[..., None]
    placed = np.eye(problem.horizon + 1, dtype=np.float32)[np.maximum(chosen, 0)]
    rest = np.concatenate([placed, observe(problem, stage, snr)], axis=-1)
    return np.concatenate([choosing.astype(np.float32), np.where(choosing, np.float32(0), rest)], axis=-1)


def with_placement(observation: ArrayLike, placement: int, layers: int) -> NDArray[np.float32]:
    """Observations (..., 2L+4) after ``placement`` was chosen, from those (..., M+2) of ``CoInference-v0`` with it."""
    seen = np.asarray(observation)
    joint = np.zeros((*seen.shape[:-1], 2 * layers + 4), dtype=np.float32)
    joint[..., 1 + placement] = 1.0
    joint[..., layers + 2 : layers + 1 + seen.shape[-1]] = seen[..., :-1]
    joint[..., -1] = seen[..., -1]
    return joint


def decode_placement(observation: ArrayLike, average_snr: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Placement (-1 while it is to be chosen), stage and linear SNR behind observations of shape (..., 2L+4)."""
    array = np.asarray(observation)
    slots = (array.shape[-1] - 2) // 2
    placement = np.where(array[..., 0] > 0.5, -1, np.argmax(array[..., 1 : slots + 1], axis=-1))
    stage, snr = decode(array[..., slots + 1 :], average_snr)
    return placement, stage, snr
