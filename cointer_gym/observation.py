"""What the agent sees, and back: one layout per environment, asked by environments, policies and evaluation alike.

A stage as one scalar makes neighbouring layers look alike, which they are not; one-hot lets a linear first layer tell
them apart. The SNR is cut where the law of the channel says that nothing that matters changes any more
(``ChannelLaw.snr_range``), so no two SNRs that matter look alike.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import ArrayLike, NDArray

from cointer_gym.dynamics import stage_type
from cointer_gym.problem import StoppingProblem
from cointer_gym.units import BoolArray, FloatArray, IntArray

Observation = NDArray[np.float32]


class Slot(NamedTuple):
    """A run of slots of an observation."""

    slots: str
    """Which, in terms of M or L."""
    width: int
    name: str
    low: float
    high: float
    range: str = "0 to 1"
    """From ``low`` to ``high``, in words."""


@dataclass(frozen=True)
class Layout(ABC):
    """Slots of a flat float32 observation; the last one is the SNR.

    Args:
        layers: layers that may be on the device: M of ``CoInference-v0``, L of ``CoInferencePlacement-v0``.
        average_snr: mean linear SNR, to which the SNR slot is relative.
        snr_range: linear SNRs between which observations tell SNRs apart, 0 < low < high.
    """

    layers: int
    average_snr: float
    snr_range: tuple[float, float]

    @classmethod
    def of(cls, problem: StoppingProblem) -> Self:
        """The layout for a problem."""
        law = problem.channel
        return cls(problem.horizon, min(max(law.average_snr, law.snr_range[0]), law.snr_range[1]), law.snr_range)

    @abstractmethod
    def describe(self) -> list[Slot]:
        """All slots in order."""

    @cached_property
    def size(self) -> int:
        """Number of slots."""
        return sum(slot.width for slot in self.describe())

    def space(self) -> Box:
        """The flat float32 box of shape (size,)."""
        slots = self.describe()
        bounds = np.array([(slot.low, slot.high) for slot in slots], dtype=np.float32)
        low, high = np.repeat(bounds, [slot.width for slot in slots], axis=0).T
        return Box(low, high, dtype=np.float32)

    def checked(self, observation: ArrayLike) -> Observation:
        """Observations of this layout, as an array.

        Raises:
            ValueError: another number of slots, or NaN.
        """
        array = np.asarray(observation)
        if array.ndim == 0 or array.shape[-1] != self.size:
            raise ValueError(f"observations have shape {array.shape}, expected {self.size} slots on the last axis")
        if np.isnan(array).any():
            raise ValueError("observations hold NaN")
        return array

    def snr_slot(self, snr: ArrayLike) -> Observation:
        """The SNR slot: log10(SNR / mean SNR) within ``snr_range``, elementwise; it never falls as the SNR rises."""
        low, high, average = self._scales
        ratio = np.maximum(np.asarray(snr, dtype=np.float64), low)
        ratio = np.minimum(ratio, high) / average
        return np.log10(ratio).astype(np.float32)

    @cached_property
    def _scales(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """``snr_range`` and the mean as arrays without axes, with which NumPy calls take less time."""
        low, high = self.snr_range
        return np.array(low), np.array(high), np.array(self.average_snr)

    def threshold_slot(self, threshold_snr: ArrayLike) -> Observation:
        """What the SNR slot must reach for an SNR to reach a threshold, elementwise: -inf always, inf never.

        An SNR and a threshold that are equal give equal slots, so that decisions agree wherever they are taken.
        """
        threshold = np.asarray(threshold_snr, dtype=np.float64)
        beyond = np.where(threshold > self.snr_range[1], np.inf, self.snr_slot(threshold))
        return np.where(threshold <= 0, -np.inf, beyond).astype(np.float32)

    def _snr_slots(self, more: str = "") -> Slot:
        """Where the SNR stands: the last slot; 0, the mean, is in its range."""
        low, high = (float(bound) for bound in self.snr_slot(self.snr_range))
        name, words = "log10(SNR / mean SNR), cut where the rate changes no more", "that of the channel law"
        return Slot("", 1, name + more, min(low, 0.0), max(high, 0.0), words)

    def _slots(self, tasks: int) -> Observation:
        """Room for the observations of a batch, one row per slot."""
        return np.empty((self.size, tasks), dtype=np.float32)

    def _one_hot(self, index: NDArray[np.integer]) -> BoolArray:
        """Where each of the numbers 0..layers is the index, shape (layers+1, index.size); none for others."""
        numbers = self._numbers
        where: BoolArray = np.equal(index.astype(numbers.dtype, copy=False).ravel(), numbers)
        return where

    @cached_property
    def _numbers(self) -> NDArray[np.integer]:
        """0..layers, shape (layers+1, 1)."""
        return np.arange(self.layers + 1, dtype=stage_type(self.layers))[:, None]

    def _decode_stage_and_snr(self, slots: NDArray[np.float32]) -> tuple[IntArray, FloatArray]:
        stage = np.argmax(slots[..., :-1], axis=-1)
        return stage, np.asarray(self.average_snr * 10.0 ** slots[..., -1].astype(np.float64))


class SplittingLayout(Layout):
    """What ``CoInference-v0`` shows: one-hot of the stage, and the SNR."""

    def describe(self) -> list[Slot]:
        """All slots in order."""
        return [
            Slot("0..M", self.layers + 1, "one-hot of the stage (layers done)", 0.0, 1.0),
            self._snr_slots()._replace(slots="M+1"),
        ]

    def encode(self, stage: ArrayLike, snr: ArrayLike) -> Observation:
        """Observations of tasks at ``stage`` (any shape) with linear ``snr`` (same shape); (..., M+2), float32."""
        at, slots = np.asarray(stage), self._slots(np.size(stage))
        slots[:-1] = self._one_hot(at)
        slots[-1] = self.snr_slot(snr).ravel()
        return _tasks_first(slots, at.shape)

    def decode(self, observation: ArrayLike) -> tuple[IntArray, FloatArray]:
        """Stage and linear SNR behind observations of shape (..., M+2).

        Raises:
            ValueError: as ``checked``.
        """
        return self._decode_stage_and_snr(self.checked(observation))


class PlacementLayout(Layout):
    """What ``CoInferencePlacement-v0`` shows: the phase, one-hots of placement and stage, and the SNR."""

    def describe(self) -> list[Slot]:
        """All slots in order."""
        later = "0 while the placement is to be chosen"
        return [
            Slot("0", 1, "1 while the placement is to be chosen", 0.0, 1.0),
            Slot("1..L+1", self.layers + 1, "one-hot of the placement, 0 while it is to be chosen", 0.0, 1.0),
            Slot("L+2..2L+2", self.layers + 1, f"one-hot of the stage, {later}", 0.0, 1.0),
            self._snr_slots("; 0 while choosing")._replace(slots="2L+3"),
        ]

    def encode(self, placement: ArrayLike, stage: ArrayLike, snr: ArrayLike) -> Observation:
        """Observations (..., 2L+4): the phase alone while ``placement`` is -1, then placement, stage and SNR."""
        chosen, at, slot = np.asarray(placement), np.asarray(stage), self.snr_slot(snr)
        slots, choosing, layers = self._slots(at.size), (chosen < 0).ravel(), self.layers
        slots[0] = choosing
        slots[1 : layers + 2] = self._one_hot(chosen)
        slots[layers + 2 : -1] = self._one_hot(np.where(chosen < 0, self.layers + 1, at))
        slots[-1] = np.where(choosing, np.float32(0), slot.ravel())
        return _tasks_first(slots, at.shape)

    def decode(self, observation: ArrayLike) -> tuple[IntArray, IntArray, FloatArray]:
        """Placement (-1 while it is to be chosen), stage and linear SNR behind observations of shape (..., 2L+4)."""
        array = self.checked(observation)
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


def _tasks_first(slots: Observation, shape: tuple[int, ...]) -> Observation:
    """Observations of shape (*shape, size) from slots of shape (size, tasks), which are quicker to fill."""
    return slots.T if len(shape) == 1 else slots.T.reshape(*shape, slots.shape[0])
