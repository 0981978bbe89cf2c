"""Many tasks at a time in NumPy: the same rules and law as the scalar environment."""

from typing import Any

import numpy as np
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from cointer_gym.envs.state import Outcome, State
from cointer_gym.envs.task import Task
from cointer_gym.observation import Observation
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import checked_integer
from cointer_gym.units import BoolArray, FloatArray

VectorStep = tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]


class TaskVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Gymnasium's vector API around a batch of tasks; the rules are the task's.

    Args:
        num_envs: number of parallel tasks.
        task: what every slot plays.
        autoreset_mode: ``NextStep`` (Gymnasium's default) or ``SameStep`` (final observation and info under
            ``final_obs`` and ``final_info``).
        render_mode: None; there is no picture of a batch.

    Raises:
        ValueError: an argument that is not supported.
    """

    def __init__(
        self,
        num_envs: int,
        task: Task,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise ValueError(
                f"render_mode = {render_mode!r}: the vector environment has no picture, use gym.make for one task"
            )
        self.autoreset_mode = _supported(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.task = task
        self.num_envs = checked_integer("num_envs", num_envs, 1)
        self.render_mode = None
        self.single_action_space = task.action_space
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.single_observation_space = task.observation_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._generators: list[np.random.Generator] = []
        self._path: FloatArray | None = None
        self._state: State = task.initial_state((num_envs,))
        self._ended: BoolArray = np.zeros(num_envs, dtype=np.bool_)

    @property
    def problem(self) -> StoppingProblem:
        """The stopping problem behind the environment."""
        return self.task.problem

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new task in every slot.

        Args:
            seed: slot i draws from its own generator, seeded with ``seed + i`` or with the i-th entry of a list, as in
                Gymnasium's ``SyncVectorEnv``; None goes on with the generators there are.
            options: see the class.

        Raises:
            ValueError: a list of another length than ``num_envs``, or bad options.
        """
        seeds = self._slot_seeds(seed)
        super().reset(seed=seeds[0])
        if not self._generators or seed is not None:
            self._generators = [seeding.np_random(slot_seed)[0] for slot_seed in seeds]
        injected = self.task.injected_path((self.num_envs,), options)
        self._path = np.stack([self._draw_path(rng) for rng in self._generators]) if injected is None else injected
        self._state = self.task.initial_state((self.num_envs,))
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        return self._observe(), self._masked(self.task.info(self._state, self._snr))

    def step(self, actions: Any) -> VectorStep:
        """Take one decision in every slot; slots that ended are reset as ``autoreset_mode`` says.

        Raises:
            ResetNeeded: ``reset`` was never called.
            InvalidAction: wrong shape, or an action outside the action space.
        """
        if self._path is None:
            raise ResetNeeded("call reset() before step()")
        decisions = np.asarray(actions)
        allowed = np.arange(self.task.action_space.n)
        if decisions.shape != (self.num_envs,) or not np.isin(decisions, allowed).all():
            raise InvalidAction(f"actions = {actions!r} must be {self.num_envs} integers from 0 to {allowed[-1]}")
        outcome = self.task.step(self._state, self._snr, decisions)
        step = self._step_next if self.autoreset_mode is AutoresetMode.NEXT_STEP else self._step_same
        return step(outcome)

    def _step_next(self, outcome: Outcome) -> VectorStep:
        """Slots that ended at the previous step ignore the action and are reset now, with reward 0."""
        fresh = self._ended
        self._state = outcome.state
        self._restart(fresh)
        reward = np.where(fresh, 0.0, outcome.reward)
        self._ended = outcome.terminated & ~fresh
        amounts = outcome.amounts.map(lambda amount: np.where(fresh, 0.0, amount))
        info = self._masked(self.task.info(self._state, self._snr, amounts))
        return self._observe(), reward, self._ended.copy(), np.zeros_like(fresh), info

    def _step_same(self, outcome: Outcome) -> VectorStep:
        """Slots that end are reset at once; what they ended with is in ``final_obs`` and ``final_info``."""
        done = outcome.terminated
        self._state = outcome.state
        final_observation, final_info = self._observe(), self.task.info(self._state, self._snr, outcome.amounts)
        self._restart(done)
        amounts = outcome.amounts.map(lambda amount: np.where(done, 0.0, amount))
        info = self._masked(self.task.info(self._state, self._snr, amounts))
        if done.any():
            final = np.full(self.num_envs, None, dtype=object)
            for slot in np.flatnonzero(done):
                final[slot] = final_observation[slot]
            info |= {"final_obs": final, "_final_obs": done.copy()}
            info |= {"final_info": self._masked(final_info, done), "_final_info": done.copy()}
        return self._observe(), outcome.reward, done, np.zeros_like(done), info

    def _slot_seeds(self, seed: Any) -> list[int | None]:
        if seed is None or isinstance(seed, int | np.integer):
            return [None if seed is None else int(seed) + slot for slot in range(self.num_envs)]
        if not isinstance(seed, list) or len(seed) != self.num_envs:
            raise ValueError(f"seed = {seed!r} must be an integer, None, or a list of {self.num_envs}")
        return list(seed)

    @property
    def _snr(self) -> FloatArray:
        assert self._path is not None
        return np.asarray(self._path[np.arange(self.num_envs), self._state.stage])

    def _draw_path(self, rng: np.random.Generator) -> FloatArray:
        """The whole path of a task at once, so that the same seed gives every policy the same fading."""
        return self.task.problem.draw_paths(rng, ())

    def _restart(self, slots: BoolArray) -> None:
        assert self._path is not None
        if slots.any():
            for slot in np.flatnonzero(slots):
                self._path[slot] = self._draw_path(self._generators[slot])
            self._state = self.task.initial_state((self.num_envs,)).where(slots, self._state)

    def _observe(self) -> Observation:
        return self.task.observe(self._state, self._snr)

    def _masked(self, info: dict[str, Any], valid: BoolArray | None = None) -> dict[str, Any]:
        """Add Gymnasium's ``_key`` arrays, which say for which slots a key holds."""
        everywhere = np.ones(self.num_envs, dtype=np.bool_) if valid is None else valid
        return info | {f"_{key}": everywhere.copy() for key in info}


def _supported(mode: str | AutoresetMode) -> AutoresetMode:
    modes = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
    for supported in modes:
        if mode in (supported, supported.value):
            return supported
    raise ValueError(f"autoreset_mode = {mode!r} must be one of {[supported.value for supported in modes]}")
