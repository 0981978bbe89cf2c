"""The inner loop of a batch: what a decision does, what the next SNRs are, and what is observed.

``Kernel`` does it in NumPy. ``cointer_gym.envs.compiled`` does the same, bit for bit, in fewer passes where Numba is
installed (``pip install 'cointer-gym[fast]'``).
"""

import warnings
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cointer_gym.channels.counter import WordArray
from cointer_gym.envs.task import Task
from cointer_gym.observation import Observation
from cointer_gym.units import BoolArray, FloatArray, IntArray


class Decision(NamedTuple):
    """What one action per slot did; every field has shape (slots,)."""

    row: IntArray
    """Of the tables of the task's ``moves``."""
    reward: FloatArray
    state: IntArray
    placement: IntArray
    counter: WordArray
    terminated: BoolArray


class Kernel:
    """The arrays of a task's rules, in NumPy.

    Args:
        task: what is played.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.moves, self.rewards = task, task.moves, task.rewards
        self.process, self.channel = task.problem.process, task.problem.channel
        self._first_ended = np.array(self.moves.first_ended)
        self._bounded = self.channel.rate.min_efficiency > 0

    def decide(
        self, state: IntArray, placement: IntArray, counter: WordArray, uses: FloatArray, action: IntArray
    ) -> Decision:
        """Apply one action per slot; ``uses`` is x of an upload there. Slots that have ended begin a new task."""
        row = self.moves.row(state, action)
        reward = self.rewards.of(row, uses, self._bounded)
        after, placed = self.moves.arrived(row, placement)
        return Decision(row, reward, after, placed, counter + self.moves.advance.take(row), after >= self._first_ended)

    def snr(self, counter: WordArray) -> FloatArray:
        """Linear SNRs that the counters name."""
        return self.process.snr(counter)

    def uses(self, snr: FloatArray) -> FloatArray:
        """Channel uses per bit of uploads at linear SNRs."""
        return self.channel.channel_uses_per_bit(snr)

    def observe(self, stage: NDArray[np.unsignedinteger], placement: IntArray, snr: FloatArray) -> Observation:
        """Observations, shape (slots, size)."""
        return self.task.observe(stage, placement, snr)


def make_kernel(task: Task, compiled: bool | None = None) -> Kernel:
    """The fastest kernel there is, or the one asked for.

    Args:
        task: what is played.
        compiled: whether it must be the compiled one, or must not; None takes it where Numba is installed.

    Raises:
        ImportError: it must be compiled, and Numba is not installed.
    """
    if compiled is False or (compiled is None and find_spec("numba") is None):
        return Kernel(task)
    try:
        from cointer_gym.envs.compiled import CompiledKernel
    except ImportError as error:  # Numba refuses versions of NumPy that it does not know yet
        if compiled:
            raise ImportError(f"compiled = True needs Numba: pip install 'cointer-gym[fast]' ({error})") from error
        warnings.warn(f"Numba is installed but cannot be used ({error}); NumPy takes its place", stacklevel=4)
        return Kernel(task)
    return CompiledKernel(task)
