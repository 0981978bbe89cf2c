"""Where tasks are, and what a decision does to them: arrays of a batch of any shape."""

from typing import NamedTuple

import numpy as np

from cointer_gym.records import Amounts
from cointer_gym.units import BoolArray, FloatArray, IntArray


class State(NamedTuple):
    """Where a task, or a batch of tasks, is; both fields have the batch's shape."""

    stage: IntArray
    """Layers done."""
    placement: IntArray
    """Layers on the device; -1 while it is still to be chosen."""

    def where(self, mask: BoolArray, other: "State") -> "State":
        """This state where ``mask`` holds, ``other`` elsewhere."""
        return State(np.where(mask, self.stage, other.stage), np.where(mask, self.placement, other.placement))


class Outcome(NamedTuple):
    """Result of one decision per task; every field has the batch's shape."""

    state: State
    reward: FloatArray
    terminated: BoolArray
    offloaded: BoolArray
    amounts: Amounts[FloatArray]
    """Incurred by the decision."""

    def where(self, mask: BoolArray, other: "Outcome") -> "Outcome":
        """This outcome where ``mask`` holds, ``other`` elsewhere."""
        return Outcome(
            self.state.where(mask, other.state),
            np.where(mask, self.reward, other.reward),
            np.where(mask, self.terminated, other.terminated),
            np.where(mask, self.offloaded, other.offloaded),
            self.amounts.combine(other.amounts, lambda mine, theirs: np.where(mask, mine, theirs)),
        )
