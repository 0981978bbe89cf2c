"""What the agent sees, and back: one layout per environment, asked by environments, policies and evaluation alike.

A stage as one scalar makes neighbouring layers look alike, which they are not; one-hot lets a linear first layer tell
them apart.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import ArrayLike, NDArray

from cointer_gym.problem import StoppingProblem
from cointer_gym.units import FloatArray, IntArray

DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN = -6.0, 2.0

Observation = NDArray[np.float32]


class Slot(NamedTuple):
    """A run of slots of an observation."""

    slots: str
    """Which, in terms of M or L."""
    width: int
    name: str
    low: float
    high: float


@dataclass(frozen=True)
class Layout(ABC):
    """Slots of a flat float32 observation; the last one is the SNR.

    Args:
        layers: layers that may be on the device: M of ``CoInference-v0``, L of ``CoInferencePlacement-v0``.
        average_snr: mean linear SNR, to which the SNR slot is relative.
    """

    layers: int
    average_snr: float

    @classmethod
    def of(cls, problem: StoppingProblem) -> Self:
        """The layout for a problem."""
        return cls(problem.horizon, problem.channel.average_snr)

    @abstractmethod
    def describe(self) -> list[Slot]:
        """All slots in order."""

    @property
    def size(self) -> int:
        """Number of slots."""
        return sum(slot.width for slot in self.describe())

    def space(self) -> Box:
        """The flat float32 box of shape (size,)."""
        slots = self.describe()
        bounds = np.array([(slot.low, slot.high) for slot in slots], dtype=np.float32)
        low, high = np.repeat(bounds, [slot.width for slot in slots], axis=0).T
        return Box(low, high, dtype=np.float32)

    def snr_decades(self, snr: ArrayLike) -> FloatArray:
        """The SNR slot: clipped log10(SNR / mean SNR), elementwise."""
        with np.errstate(divide="ignore"):
            decades = np.log10(np.asarray(snr, dtype=np.float64) / self.average_snr)
        return np.clip(decades, DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN)

    def snr_edges(self, cells: int) -> FloatArray:
        """SNRs from 0 over the whole range that observations can tell apart, shape (cells + 1,)."""
        edges = self.average_snr * np.logspace(DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN, cells + 1)
        edges[0] = 0.0
        return np.asarray(edges)

    def _stage_and_snr(self, stage: ArrayLike, snr: ArrayLike) -> Observation:
        one_hot = np.eye(self.layers + 1, dtype=np.float32)[np.asarray(stage)]
        return np.concatenate([one_hot, self.snr_decades(snr).astype(np.float32)[..., None]], axis=-1)

    def _decode_stage_and_snr(self, slots: NDArray[np.float32]) -> tuple[IntArray, FloatArray]:
        stage = np.argmax(slots[..., :-1], axis=-1)
        return stage, np.asarray(self.average_snr * 10.0 ** slots[..., -1].astype(np.float64))


class SplittingLayout(Layout):
    """What ``CoInference-v0`` shows: one-hot of the stage, and the SNR."""

    def describe(self) -> list[Slot]:
        """All slots in order."""
        return [
            Slot("0..M", self.layers + 1, "one-hot of the stage (layers done)", 0.0, 1.0),
            Slot("M+1", 1, "log10(SNR / mean SNR), clipped", DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN),
        ]

    def encode(self, stage: ArrayLike, snr: ArrayLike) -> Observation:
        """Observations of tasks at ``stage`` (any shape) with linear ``snr`` (same shape); (..., M+2), float32."""
        return self._stage_and_snr(stage, snr)

    def decode(self, observation: ArrayLike) -> tuple[IntArray, FloatArray]:
        """Stage and linear SNR behind observations of shape (..., M+2).

        Raises:
            ValueError: another number of slots.
        """
        array = np.asarray(observation)
        if array.shape[-1] != self.size:
            raise ValueError(f"observations have {array.shape[-1]} slots, expected {self.size}")
        return self._decode_stage_and_snr(array)


class PlacementLayout(Layout):
    """What ``CoInferencePlacement-v0`` shows: the phase, one-hots of placement and stage, and the SNR."""

    def describe(self) -> list[Slot]:
        """All slots in order."""
        later = "0 while the placement is to be chosen"
        return [
            Slot("0", 1, "1 while the placement is to be chosen", 0.0, 1.0),
            Slot("1..L+1", self.layers + 1, "one-hot of the placement, 0 while it is to be chosen", 0.0, 1.0),
            Slot("L+2..2L+2", self.layers + 1, f"one-hot of the stage, {later}", 0.0, 1.0),
            Slot("2L+3", 1, f"log10(SNR / mean SNR), clipped; {later}", DECADES_BELOW_MEAN, DECADES_ABOVE_MEAN),
        ]

    def encode(self, placement: ArrayLike, stage: ArrayLike, snr: ArrayLike) -> Observation:
        """Observations (..., 2L+4): the phase alone while ``placement`` is -1, then placement, stage and SNR."""
        chosen = np.asarray(placement)
        choosing = (chosen < 0)[..., None]
        placed = np.eye(self.layers + 1, dtype=np.float32)[np.maximum(chosen, 0)]
        rest = np.concatenate([placed, self._stage_and_snr(stage, snr)], axis=-1)
        return np.concatenate([choosing.astype(np.float32), np.where(choosing, np.float32(0), rest)], axis=-1)

    def decode(self, observation: ArrayLike) -> tuple[IntArray, IntArray, FloatArray]:
        """Placement (-1 while it is to be chosen), stage and linear SNR behind observations of shape (..., 2L+4)."""
        array = np.asarray(observation)
        placed, rest = array[..., 1 : self.layers + 2], array[..., self.layers + 2 :]
        placement = np.where(array[..., 0] > 0.5, -1, np.argmax(placed, axis=-1))
        return placement, *self._decode_stage_and_snr(rest)

    def embed(self, observation: ArrayLike, placement: int) -> Observation:
        """Observations (..., 2L+4) after ``placement`` was chosen, from those (..., M+2) of ``CoInference-v0``."""
        seen = np.asarray(observation)
        joint = np.zeros((*seen.shape[:-1], self.size), dtype=np.float32)
        joint[..., 1 + placement] = 1.0
        joint[..., self.layers + 2 : self.layers + 1 + seen.shape[-1]] = seen[..., :-1]
        joint[..., -1] = seen[..., -1]
        return joint
