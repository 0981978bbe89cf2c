"""How the SNR moves from stage to stage: a process draws the fading path of a task, and nobody else does."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from cointer_gym.channels.law import ChannelLaw
from cointer_gym.units import FloatArray


class Process(ABC):
    """A stationary process of SNRs over the stages of a task."""

    @abstractmethod
    def paths(self, rng: np.random.Generator, tasks: tuple[int, ...], stages: int) -> FloatArray:
        """Linear SNRs of independent tasks, shape (*tasks, stages)."""


@dataclass(frozen=True)
class Independent(Process):
    """Block fading: every stage draws anew from the law."""

    law: ChannelLaw

    def paths(self, rng: np.random.Generator, tasks: tuple[int, ...], stages: int) -> FloatArray:
        """Independent draws, shape (*tasks, stages)."""
        return self.law.sample_snr(rng, (*tasks, stages))
