"""What one decision does, as tables: the rules of an episode, written once for environments and simulators.

A task is in a *state*, a number; an action in a state is a *row* of tables, which say what it costs, where it leads
and how far it moves the counter of the fading. States are numbered by their first row, so that

    row = state + min(action, limit[state])

There is a state per stage n for a task that may go on (``free``), for one that must upload (``forced``) and for one
that has ended (``ended``: whatever is done there, a new task begins), and, where the placement is to be chosen first,
one for choosing it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cointer_gym.channels.counter import GOLDEN, STAGES
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.records import Amounts
from cointer_gym.units import BoolArray, FloatArray, IntArray

CONTINUE, OFFLOAD = 0, 1

CHOOSING = -1
"""The placement of a task while it is still to be chosen."""
KEPT = -2
"""The placement after a row that changes none."""
_NOT_FREE = -3  # no placement is that


class Charge(NamedTuple):
    """Cost, seconds, joules or reward of every row: ``airtime * x + fixed``, x in channel uses per bit."""

    airtime: FloatArray
    """Shape (rows,)."""
    fixed: FloatArray
    """Shape (rows,)."""

    def of(self, row: IntArray, channel_uses: FloatArray, bounded: bool = False) -> FloatArray:
        """What the rows incur, same shape; where nothing is uploaded even an infinite x costs nothing.

        Args:
            row: rows of the tables.
            channel_uses: x of an upload.
            bounded: no x is infinite, so that nobody has to look.
        """
        airtime = self.airtime.take(row)
        if not bounded:
            channel_uses = np.where(airtime != 0, channel_uses, 0.0)
        np.multiply(airtime, channel_uses, airtime)
        return np.add(airtime, self.fixed.take(row), airtime)

    def scaled(self, factor: float) -> "Charge":
        """The same in another unit; 0 stays 0, not -0."""
        return Charge(0.0 + self.airtime * factor, 0.0 + self.fixed * factor)


@dataclass(frozen=True, eq=False)
class Moves:
    """Tables of one task; those over states are indexed by the state, too, and hold for its rows.

    Args:
        problem: the problem, with the most layers that may be placed.
        download: what placing the first m layers takes, shape (L+1,) each, where the placement is chosen first.
        largest: most layers that may be chosen.

    Raises:
        ValueError: a horizon of more stages than the fading of an episode has counters.
    """

    problem: StoppingProblem
    download: Amounts[FloatArray] | None = None
    largest: int = 0

    def __post_init__(self) -> None:
        if self._stages > STAGES:
            raise ValueError(f"horizon = {self.problem.horizon} must be at most {STAGES - 1}")

    # --- states -------------------------------------------------------------------------------------------------------

    @cached_property
    def chooses(self) -> bool:
        """Whether the placement is chosen first."""
        return self.download is not None

    @property
    def _stages(self) -> int:
        return self.problem.horizon + 1

    @property
    def choosing(self) -> int:
        """The state in which the placement is chosen."""
        return 4 * self._stages

    @cached_property
    def first_ended(self) -> int:
        """States from here on are of tasks that have ended."""
        return self.choosing + (self.largest + 1 if self.chooses else 0)

    @cached_property
    def rows(self) -> int:
        """Number of rows of the tables."""
        return self.first_ended + 4 * self._stages + self.chooses

    @property
    def start(self) -> int:
        """The state in which a task begins."""
        return self.choosing if self.chooses else self.entered(0, self.problem.horizon)

    def entered(self, stage: int, placement: int) -> int:
        """The state of a task that arrives at ``stage`` with that many layers on the device."""
        if self.problem.completes and stage == self.problem.horizon:
            return self.first_ended + 2 * stage
        return 2 * stage + (self.forced if stage >= placement else 0)

    @cached_property
    def forced(self) -> int:
        """From the free state of a stage to the forced one."""
        return 2 * self._stages

    # --- tables over states -------------------------------------------------------------------------------------------

    @cached_property
    def stage(self) -> NDArray[np.unsignedinteger]:
        """Layers done, shape (rows,), in a small type that observations are quickly made from."""
        stages = np.tile(np.arange(self._stages).repeat(2), 2)
        chosen = np.zeros(self.first_ended - self.choosing)
        return np.concatenate([stages, chosen, stages, chosen[: self.chooses]]).astype(stage_type(self.problem.horizon))

    @cached_property
    def limit(self) -> IntArray:
        """The largest action that differs from smaller ones, shape (rows,)."""
        limits = np.ones(self.rows, dtype=np.int64)
        limits[self.choosing : self.first_ended] = self.largest
        limits[self.rows - self.chooses :] = 0
        return limits

    @cached_property
    def free_stage(self) -> IntArray:
        """The stage of a free state, ``_NOT_FREE`` of every other one, shape (rows,)."""
        stages = np.full(self.rows, _NOT_FREE)
        stages[: self.forced] = np.arange(self._stages).repeat(2)
        return stages

    @cached_property
    def given_up(self) -> IntArray:
        """The state of a task that is cut off, shape (rows,); of one that has ended the state that it is in."""
        rows = np.arange(self.rows)
        after = np.where(rows < self.choosing, self.first_ended + rows // 2 * 2, self.rows - 1)
        after[self.first_ended : self.first_ended + self.choosing] = after[: self.choosing]
        return after

    @cached_property
    def masks(self) -> NDArray[np.int8]:
        """1 for every action that has an effect of its own, before the end if that has come, shape (rows, actions)."""
        actions = self.problem.horizon + 1 if self.chooses else 2
        masks = np.zeros((self.rows, actions), dtype=np.int8)
        masks[:, OFFLOAD] = 1
        masks[:, CONTINUE] = self.free_stage >= 0
        masks[self.choosing : self.first_ended] = np.arange(actions) <= self.largest
        masks[self.first_ended : self.first_ended + self.choosing] = masks[: self.choosing]
        masks[self.rows - self.chooses :] = masks[self.choosing]
        return masks

    # --- tables over rows ---------------------------------------------------------------------------------------------

    @cached_property
    def after(self) -> IntArray:
        """The state that a row leads to, shape (rows,); see ``placed`` for tasks whose placement is chosen."""
        last = self.problem.horizon
        after = np.full(self.rows, self.start)
        after[: self.choosing] = self.given_up[: self.choosing]
        for n in range(last):
            after[2 * n + CONTINUE] = self.entered(n + 1, last)
        for m in range(self.first_ended - self.choosing):
            after[self.choosing + m] = self.entered(0, m)
        return after

    @cached_property
    def advance(self) -> NDArray[np.uint64]:
        """What a row adds to the counter of the fading, modulo 2^64, shape (rows,)."""
        stages = np.zeros(self.rows, dtype=object)
        stages[CONTINUE : 2 * self.problem.horizon : 2] = 1
        stages[self.first_ended :] = STAGES - self.stage[self.first_ended :].astype(object)
        return np.array([int(count) * GOLDEN % 2**64 for count in stages], dtype=np.uint64)

    @cached_property
    def restart(self) -> IntArray:
        """The start for states of tasks that have ended, the state itself for others, shape (rows,)."""
        return np.where(np.arange(self.rows) < self.first_ended, np.arange(self.rows), self.start)

    @cached_property
    def restart_advance(self) -> NDArray[np.uint64]:
        """What that adds to the counter of the fading, shape (rows,)."""
        return np.where(np.arange(self.rows) < self.first_ended, np.uint64(0), self.advance)

    @cached_property
    def placed(self) -> IntArray:
        """The placement after a row: a chosen one, ``CHOOSING`` where a task begins, or ``KEPT``, shape (rows,)."""
        placed = np.full(self.rows, KEPT)
        placed[self.choosing : self.first_ended] = np.arange(self.first_ended - self.choosing)
        placed[self.first_ended :] = CHOOSING
        return placed

    @cached_property
    def offloads(self) -> BoolArray:
        """Whether a row uploads, shape (rows,)."""
        uploads = np.zeros(self.rows, dtype=np.bool_)
        uploads[OFFLOAD : self.forced : 2] = uploads[self.forced : self.choosing] = True
        return uploads

    @cached_property
    def charges(self) -> Amounts[Charge]:
        """ETC, seconds and joules of every row."""
        downloads = {} if self.download is None else self.download.known()
        return Amounts(
            **{name: self._charge(terms, downloads.get(name)) for name, terms in self.problem.terms.known().items()}
        )

    def _charge(self, terms: StageTerms, download: FloatArray | None) -> Charge:
        airtime, fixed = np.zeros(self.rows), np.zeros(self.rows)
        fixed[CONTINUE : 2 * self.problem.horizon : 2] = terms.device
        if download is not None:
            fixed[self.choosing : self.first_ended] = download[: self.largest + 1]
        stage = self.stage[self.offloads]
        airtime[self.offloads], fixed[self.offloads] = terms.airtime[stage], terms.edge[stage]
        return Charge(airtime, fixed)

    # --- one decision per task ----------------------------------------------------------------------------------------

    def row(self, state: IntArray, action: NDArray[np.integer]) -> IntArray:
        """The rows of actions, elementwise."""
        if self.chooses:
            action = np.minimum(action, self.limit.take(state))
        row: IntArray = np.add(state, action)
        return row

    def arrived(self, row: IntArray, placement: IntArray) -> tuple[IntArray, IntArray]:
        """State and placement after the rows, elementwise; ``placement`` is that before."""
        state = self.after.take(row)
        if not self.chooses:
            return state, placement
        placed = self.placed.take(row)
        placement = np.where(placed == KEPT, placement, placed)
        state += self.forced * (self.free_stage.take(state) == placement)
        return state, placement


def stage_type(layers: int) -> type[np.unsignedinteger[Any]]:
    """The smallest type that has room for 0..layers, and for numbers beside them that stand for none."""
    return np.uint8 if layers < 254 else np.uint16
