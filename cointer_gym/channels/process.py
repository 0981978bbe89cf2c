"""How the SNR moves from stage to stage: a process draws the fading path of a task, and nobody else does.

The fading is a function of (key of the seed, episode, stage); see ``cointer_gym.channels.counter``.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels.counter import STAGES, WordArray, counters, uniform
from cointer_gym.channels.law import ChannelLaw
from cointer_gym.units import FloatArray


class Process(ABC):
    """A stationary process of SNRs over the stages of a task."""

    @abstractmethod
    def snr(self, counter: WordArray) -> FloatArray:
        """Linear SNRs at the stages that the counters name, elementwise."""

    def paths(self, key: WordArray, episode: ArrayLike, stages: int) -> FloatArray:
        """Linear SNRs of the first stages of episodes.

        Args:
            key: of the seed; broadcast with ``episode``.
            episode: numbers of the episodes, from 0.
            stages: number of stages.

        Returns:
            FloatArray: shape (*broadcast, stages).

        Raises:
            ValueError: more stages than counters, of which the next episode would have some.
        """
        if stages > STAGES:
            raise ValueError(f"stages = {stages} must be at most {STAGES}")
        episodes = np.asarray(episode)[..., None]
        return self.snr(counters(np.asarray(key)[..., None], episodes, np.arange(stages)))


@dataclass(frozen=True)
class Independent(Process):
    """Block fading: every stage draws anew from the law."""

    law: ChannelLaw

    def snr(self, counter: WordArray) -> FloatArray:
        """Independent draws, elementwise."""
        return self.law.inverse_survival(uniform(counter))
