"""Many tasks at a time in NumPy: the same rules and law as the scalar environment."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from cointer_gym.channels.counter import EPISODE, WordArray, keys
from cointer_gym.envs.infos import LazyInfo
from cointer_gym.envs.kernel import Kernel, make_kernel
from cointer_gym.envs.resets import checked_paths, checked_slots, known_options, slot_seeds
from cointer_gym.envs.spec import plain_spec
from cointer_gym.envs.task import Task
from cointer_gym.observation import Observation
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Amounts, checked_integer
from cointer_gym.units import BoolArray, FloatArray, IntArray

VectorStep = tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]


class TaskVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Gymnasium's vector API around a batch of tasks; the rules are the task's.

    Args:
        num_envs: number of parallel tasks.
        task: what every slot plays.
        autoreset_mode: ``NextStep`` (Gymnasium's default), ``SameStep`` (final observation and info under ``final_obs``
            and ``final_info``) or ``Disabled`` (the caller resets the slots that ended, see ``reset``).
        render_mode: None; there is no picture of a batch.
        max_episode_steps: steps after which a task that has not ended is truncated, as by ``gym.make``; None or -1 is
            no limit, and a task ends by itself.
        compiled: whether Numba's loops are used; None is where it is installed. No result depends on it.

    Raises:
        ValueError: an argument that is not supported.
    """

    def __init__(
        self,
        num_envs: int,
        task: Task,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        compiled: bool | None = None,
    ) -> None:
        if render_mode is not None:
            raise ValueError(
                f"render_mode = {render_mode!r}: the vector environment has no picture, use gym.make for one task"
            )
        self.autoreset_mode = _known_mode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.task = task
        self.num_envs = checked_integer("num_envs", num_envs, 1)
        self.max_episode_steps = _known_limit(max_episode_steps)
        self.render_mode = None
        self.single_action_space = task.action_space
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._last_action = int(task.action_space.n) - 1
        self.single_observation_space = task.observation_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._spec: EnvSpec | None = None
        self._moves, self._kernel = task.moves, make_kernel(task, compiled)
        self._started = False
        self._state: IntArray = np.full(self.num_envs, self._moves.start)
        self._placement: IntArray = np.full(self.num_envs, task.first_placement)
        self._counter: WordArray = np.zeros(self.num_envs, dtype=np.uint64)
        self._given: Given | None = None
        self._decided: tuple[IntArray, FloatArray] | None = None
        self._ends: _Ends | None = None
        self._elapsed: IntArray = np.zeros(self.num_envs, dtype=np.int64)
        self._ended: BoolArray = np.zeros(self.num_envs, dtype=np.bool_)

    @property
    def problem(self) -> StoppingProblem:
        """The stopping problem behind the environment."""
        return self.task.problem

    @property
    def spec(self) -> EnvSpec | None:
        """How ``gym.make_vec`` made the environment, in plain data."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        own = {name: getattr(self, name) for name in ("num_envs", "max_episode_steps")}
        self._spec = plain_spec(spec, self.task.record() | own | {"autoreset_mode": self.autoreset_mode.value})

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new task in every slot, or in those of a mask.

        Args:
            seed: slot i plays the tasks of ``seed + i`` or of the i-th entry of a sequence, as in Gymnasium's
                ``SyncVectorEnv``; a slot with None goes on with its next task.
            options: ``"snr"``: per slot a path to inject, or None where the slot draws its own; an injected path
                takes the place of no drawn one. ``"reset_mask"``: boolean array; the other slots go on with their
                tasks, their seeds and paths are not used, and ``info`` does not hold for them.

        Raises:
            ValueError: a seed or an option that does not fit.
            ResetNeeded: a mask before all slots were reset once.
        """
        given = known_options(options, "snr", "reset_mask")
        slots = checked_slots(given.get("reset_mask"), self.num_envs)
        if not self._started and not slots.all():
            raise ResetNeeded("call reset() for all slots before options['reset_mask']")
        paths = checked_paths(given.get("snr"), self.num_envs, self.problem.horizon + 1)
        seeds = slot_seeds(seed, self.num_envs)
        super().reset(seed=seeds[0])
        self._begin(slots, seeds, paths)
        return self._observe(), self._info(np.zeros(self.num_envs, dtype=np.int64), None, slots)

    def _begin(self, slots: BoolArray, seeds: list[int | None], paths: list[FloatArray | None]) -> None:
        """New tasks in ``slots``: the first of a seed where there is one, else the next of the slot.

        A task on an injected path counts as none: the one after it is the one that would have been drawn.
        """
        if not self._started:
            counter: WordArray = np.random.SeedSequence().generate_state(self.num_envs, np.uint64)  # type: ignore[assignment]
        else:
            counter = self._counter + np.where(
                slots, self._moves.advance.take(self._moves.given_up.take(self._state)), 0
            )
        seeded = slots & np.array([each is not None for each in seeds])
        injected = slots & np.array([path is not None for path in paths])
        counter[seeded] = keys(int(each) for each, used in zip(seeds, seeded, strict=True) if used)  # type: ignore[arg-type]
        counter[injected] -= EPISODE
        self._started, self._counter = True, counter
        self._state = np.where(slots, self._moves.start, self._state)
        self._placement = np.where(slots, self.task.first_placement, self._placement)
        self._elapsed, self._ended = np.where(slots, 0, self._elapsed), self._ended & ~slots
        self._given = _injected(self._given, slots, injected, paths)
        self._decided = self._ends = None
        self._meet()

    def step(self, actions: Any) -> VectorStep:
        """Take one decision in every slot; slots that ended are reset as ``autoreset_mode`` says.

        Raises:
            ResetNeeded: ``reset`` was never called, or not for a slot that has ended while nothing resets it.
            InvalidAction: wrong shape, or an action outside the action space.
        """
        if not self._started:
            raise ResetNeeded("call reset() before step()")
        begins = self._ended  # slots that start anew at this step, whatever the action
        if self.autoreset_mode is AutoresetMode.DISABLED and begins.any():
            raise ResetNeeded(
                f"slots {np.flatnonzero(begins).tolist()} have ended; "
                "call reset(options={'reset_mask': ...}) for them before step()"
            )
        uses, action = self._uses, self._checked(actions)
        row, reward, self._state, self._placement, self._counter, terminated = self._kernel.decide(
            self._state, self._placement, self._counter, uses, action
        )
        self._decided = row, uses
        truncated = self._cut_off(begins)
        self._ended = terminated | truncated
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            return self._restarted(row, uses, reward, terminated, truncated)
        self._forget(begins)
        self._meet()
        return self._observe(), reward, terminated, truncated, self._info(row, uses)

    def _restarted(
        self, row: IntArray, uses: FloatArray, reward: FloatArray, terminated: BoolArray, truncated: BoolArray
    ) -> VectorStep:
        """Slots that end are reset at once; what they ended with is in ``final_obs`` and ``final_info``."""
        done = self._ended
        ends = self._ends = _Ends(done, self._state, self._placement, self._counter, self._given)
        self._counter = self._counter + self._moves.restart_advance.take(self._state)
        self._state = self._moves.restart.take(self._state)
        if self._moves.chooses:
            self._placement = np.where(done, self.task.first_placement, self._placement)
        self._elapsed = self._elapsed * ~done
        self._ended = np.zeros_like(done)
        self._forget(done)
        self._meet()
        now = self._state, self._placement, self._snr

        def fill() -> dict[str, Any]:
            amounts = self._charged(row, uses)
            info = _masked(self.task.info(*now, amounts.map(lambda amount: np.where(done, 0.0, amount))))
            if not done.any():
                return info
            final = np.full(self.num_envs, None, dtype=object)
            slots = np.flatnonzero(done)
            for slot, observation in zip(slots.tolist(), self._observed_last(ends, slots), strict=True):
                final[slot] = observation
            final_info = _masked(self.task.info(ends.state, ends.placement, self._snr_last(ends), amounts), done)
            info |= {"final_obs": final, "_final_obs": done.copy()}
            return info | {"final_info": final_info, "_final_info": done.copy()}

        return self._observe(), reward, terminated, truncated, LazyInfo(fill)

    def last_amounts(self) -> Amounts[FloatArray]:
        """What the last decision of every slot took, shape (num_envs,) each: ``info``'s, or ``final_info``'s at an end.

        Raises:
            ResetNeeded: there was no decision yet.
        """
        if self._decided is None:
            raise ResetNeeded("call step() before last_amounts()")
        return self._charged(*self._decided)

    def last_observations(self, slots: IntArray) -> Observation:
        """Last observations of the tasks that the last step ended in ``slots`` (``final_obs``), shape (slots, size).

        Raises:
            ValueError: nothing was reset within the step, or not in one of the slots.
        """
        if self._ends is None or not self._ends.slots[slots].all():
            raise ValueError(f"slots = {slots!r} must be such as the last step has ended and reset")
        return self._observed_last(self._ends, slots)

    def _observed_last(self, ends: "_Ends", slots: IntArray) -> Observation:
        stage, snr = self._moves.stage.take(ends.state[slots]), self._snr_last(ends)[slots]
        return np.ascontiguousarray(self._kernel.observe(stage, ends.placement[slots], snr))

    def _snr_last(self, ends: "_Ends") -> FloatArray:
        return _snr(self._kernel, ends.counter, self._moves.stage.take(ends.state), ends.given)

    def action_masks(self) -> BoolArray:
        """Which actions have an effect of their own in each slot, shape (num_envs, actions)."""
        return self._moves.masks.take(self._state, axis=0).astype(np.bool_)

    def _checked(self, actions: Any) -> IntArray:
        decisions, last = np.asarray(actions), self._last_action
        fits = decisions.shape == (self.num_envs,) and decisions.dtype.kind in "biuf"
        if fits and decisions.dtype == np.int64:  # as unsigned numbers, negative ones are too large, too
            fits = bool(np.maximum.reduce(decisions.view(np.uint64)) <= last)
        elif fits:
            fits = bool(((decisions >= 0) & (decisions <= last) & (decisions % 1 == 0)).all())
        if not fits:
            raise InvalidAction(f"actions = {actions!r} must be {self.num_envs} integers from 0 to {last}")
        return decisions.astype(np.int64, copy=False)

    def _cut_off(self, begun: BoolArray) -> BoolArray:
        """Which slots reach ``max_episode_steps``; their tasks end, too. Those that have ``begun`` count from 0."""
        if self.max_episode_steps is None:
            return np.zeros(self.num_envs, dtype=np.bool_)
        self._elapsed = (self._elapsed + 1) * ~begun
        truncated = self._elapsed >= self.max_episode_steps
        self._state = np.where(truncated, self._moves.given_up.take(self._state), self._state)
        return truncated

    def _forget(self, slots: BoolArray) -> None:
        """Slots that begin a new task draw its path themselves."""
        if self._given is not None:
            kept = self._given.slots & ~slots
            self._given = Given(kept, self._given.paths) if kept.any() else None

    def _meet(self) -> None:
        """The SNRs at which the tasks are, and the channel uses per bit of an upload there."""
        self._stage = self._moves.stage.take(self._state)
        self._snr = _snr(self._kernel, self._counter, self._stage, self._given)
        self._uses = self._kernel.uses(self._snr)

    def _observe(self) -> Observation:
        return self._kernel.observe(self._stage, self._placement, self._snr)

    def _charged(self, row: IntArray, uses: FloatArray) -> Amounts[FloatArray]:
        return self._moves.charges.map(lambda charge: charge.of(row, uses))

    def _info(self, row: IntArray, uses: FloatArray | None, valid: BoolArray | None = None) -> LazyInfo:
        """What is read of it is computed then; nothing that it holds on to is written to later."""
        where = self._state, self._placement, self._snr

        def fill() -> dict[str, Any]:
            nothing = self._moves.charges.map(lambda _: np.zeros(self.num_envs))
            amounts = nothing if uses is None else self._charged(row, uses)
            return _masked(self.task.info(*where, amounts), valid)

        return LazyInfo(fill)


class _Ends(NamedTuple):
    """Where the tasks were that ended within a step, before others began in their slots."""

    slots: BoolArray
    state: IntArray
    placement: IntArray
    counter: WordArray
    given: "Given | None"


class Given(NamedTuple):
    """Injected paths, of the slots that play one."""

    slots: BoolArray
    """Shape (num_envs,)."""
    paths: FloatArray
    """Linear SNRs, shape (num_envs, stages); those of other slots mean nothing."""


def _injected(
    before: Given | None, reset: BoolArray, injected: BoolArray, paths: Sequence[FloatArray | None]
) -> Given | None:
    """The injected paths after a reset."""
    kept = np.zeros_like(reset) if before is None else before.slots & ~reset
    if not (kept | injected).any():
        return None
    new = {slot: path for slot, path in enumerate(paths) if injected[slot] and path is not None}
    stages = before.paths.shape[1] if before is not None else next(iter(new.values())).size
    held = np.zeros((reset.size, stages)) if before is None else before.paths.copy()
    for slot, path in new.items():
        held[slot] = path
    return Given(kept | injected, held)


def _snr(kernel: Kernel, counter: WordArray, stage: NDArray[np.integer], given: Given | None) -> FloatArray:
    """Linear SNRs, shape (num_envs,)."""
    drawn = kernel.snr(counter)
    if given is None:
        return drawn
    return np.where(given.slots, given.paths[np.arange(stage.size), stage], drawn)


def _masked(info: dict[str, Any], valid: BoolArray | None = None) -> dict[str, Any]:
    """Add Gymnasium's ``_key`` arrays, which say for which slots a key holds."""
    everywhere = np.ones(len(info["stage"]), dtype=np.bool_) if valid is None else valid
    return info | {f"_{key}": everywhere.copy() for key in info}


def _known_mode(mode: str | AutoresetMode) -> AutoresetMode:
    for known in AutoresetMode:
        if mode in (known, known.value):
            return known
    raise ValueError(f"autoreset_mode = {mode!r} must be one of {[known.value for known in AutoresetMode]}")


def _known_limit(max_episode_steps: int | None) -> int | None:
    if max_episode_steps is None or max_episode_steps == -1:  # what gym.make takes as no limit
        return None
    return checked_integer("max_episode_steps", max_episode_steps, 1, note=", or None or -1 for no limit")
