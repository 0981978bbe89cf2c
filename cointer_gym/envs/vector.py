"""Many tasks at a time in NumPy: the same rules and law as the scalar environment."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from cointer_gym.envs.resets import checked_paths, checked_slots, known_options, slot_seeds
from cointer_gym.envs.spec import plain_spec
from cointer_gym.envs.state import Outcome, State
from cointer_gym.envs.task import Task
from cointer_gym.observation import Observation
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import checked_integer
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
        self._generators: list[np.random.Generator] = []
        self._path: FloatArray | None = None
        self._state: State = task.initial_state((self.num_envs,))
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
            seed: slot i draws from its own generator, seeded with ``seed + i`` or with the i-th entry of a sequence, as
                in Gymnasium's ``SyncVectorEnv``; a slot with None goes on with the generator that it has.
            options: ``"snr"``: per slot a path to inject, or None where the slot draws its own (from its generator,
                which an injected path leaves alone). ``"reset_mask"``: boolean array; the other slots go on with their
                tasks, their seeds and paths are not used, and ``info`` does not hold for them.

        Raises:
            ValueError: a seed or an option that does not fit.
            ResetNeeded: a mask before all slots were reset once.
        """
        given = known_options(options, "snr", "reset_mask")
        slots = checked_slots(given.get("reset_mask"), self.num_envs)
        if self._path is None and not slots.all():
            raise ResetNeeded("call reset() for all slots before options['reset_mask']")
        paths = checked_paths(given.get("snr"), self.num_envs, self.problem.horizon + 1)
        seeds = slot_seeds(seed, self.num_envs)
        self._generators = self._reseeded(slots, seeds)
        super().reset(seed=seeds[0])
        if self._path is None:
            self._path = np.zeros((self.num_envs, self.problem.horizon + 1))
        self._restart(slots, paths)
        return self._observe(), self._masked(self.task.info(self._state, self._snr), slots)

    def _reseeded(self, slots: BoolArray, seeds: list[int | None]) -> list[np.random.Generator]:
        """The generators, with new ones where there are none yet and for those of ``slots`` that have a seed."""
        if not self._generators:
            return [seeding.np_random(seed)[0] for seed in seeds]
        return [
            old if seed is None or not reset else seeding.np_random(seed)[0]
            for old, seed, reset in zip(self._generators, seeds, slots, strict=True)
        ]

    def step(self, actions: Any) -> VectorStep:
        """Take one decision in every slot; slots that ended are reset as ``autoreset_mode`` says.

        Raises:
            ResetNeeded: ``reset`` was never called, or not for a slot that has ended while nothing resets it.
            InvalidAction: wrong shape, or an action outside the action space.
        """
        if self._path is None:
            raise ResetNeeded("call reset() before step()")
        if self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any():
            raise ResetNeeded(
                f"slots {np.flatnonzero(self._ended).tolist()} have ended; "
                "call reset(options={'reset_mask': ...}) for them before step()"
            )
        outcome = self.task.step(self._state, self._snr, self._checked(actions))
        self._state, self._elapsed = outcome.state, self._elapsed + 1
        return self._step_same(outcome) if self.autoreset_mode is AutoresetMode.SAME_STEP else self._step_next(outcome)

    def _step_next(self, outcome: Outcome) -> VectorStep:
        """Slots that ended at the previous step ignore the action and are reset now, with reward 0."""
        fresh = self._ended
        self._restart(fresh)
        reward = np.where(fresh, 0.0, outcome.reward)
        terminated, truncated = outcome.terminated & ~fresh, self._truncated()
        self._ended = terminated | truncated
        amounts = outcome.amounts.map(lambda amount: np.where(fresh, 0.0, amount))
        info = self._masked(self.task.info(self._state, self._snr, amounts))
        return self._observe(), reward, terminated, truncated, info

    def _step_same(self, outcome: Outcome) -> VectorStep:
        """Slots that end are reset at once; what they ended with is in ``final_obs`` and ``final_info``."""
        terminated, truncated = outcome.terminated, self._truncated()
        done = terminated | truncated
        final_observation, final_info = self._observe(), self.task.info(self._state, self._snr, outcome.amounts)
        self._restart(done)
        amounts = outcome.amounts.map(lambda amount: np.where(done, 0.0, amount))
        info = self._masked(self.task.info(self._state, self._snr, amounts))
        if done.any():
            final = np.full(self.num_envs, None, dtype=object)
            for slot, observation in zip(np.flatnonzero(done).tolist(), final_observation[done], strict=True):
                final[slot] = observation
            info |= {"final_obs": final, "_final_obs": done.copy()}
            info |= {"final_info": self._masked(final_info, done), "_final_info": done.copy()}
        return self._observe(), outcome.reward, terminated, truncated, info

    def action_masks(self) -> BoolArray:
        """Which actions have an effect of their own in each slot, shape (num_envs, actions)."""
        return self.task.action_mask(self._state).astype(np.bool_)

    def _checked(self, actions: Any) -> NDArray[Any]:
        decisions, last = np.asarray(actions), self._last_action
        fits = decisions.shape == (self.num_envs,) and decisions.dtype.kind in "biuf"
        if not fits or not ((decisions >= 0) & (decisions <= last) & (decisions % 1 == 0)).all():
            raise InvalidAction(f"actions = {actions!r} must be {self.num_envs} integers from 0 to {last}")
        return decisions

    def _truncated(self) -> BoolArray:
        limit = np.inf if self.max_episode_steps is None else self.max_episode_steps
        return np.asarray(self._elapsed >= limit)

    @property
    def _snr(self) -> FloatArray:
        assert self._path is not None
        return np.asarray(self._path[np.arange(self.num_envs), self._state.stage])

    def _restart(self, slots: BoolArray, paths: Sequence[FloatArray | None] | None = None) -> None:
        """Start new tasks in ``slots``, on the given paths or on ones that are drawn.

        A path is drawn as a whole, so that the same seed gives every policy the same fading.
        """
        assert self._path is not None
        draw = self.task.problem.draw_paths
        for slot in np.flatnonzero(slots).tolist():
            given = None if paths is None else paths[slot]
            self._path[slot] = draw(self._generators[slot], ()) if given is None else given
        self._state = self.task.initial_state((self.num_envs,)).where(slots, self._state)
        self._elapsed, self._ended = np.where(slots, 0, self._elapsed), self._ended & ~slots

    def _observe(self) -> Observation:
        return self.task.observe(self._state, self._snr)

    def _masked(self, info: dict[str, Any], valid: BoolArray | None = None) -> dict[str, Any]:
        """Add Gymnasium's ``_key`` arrays, which say for which slots a key holds."""
        everywhere = np.ones(self.num_envs, dtype=np.bool_) if valid is None else valid
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
