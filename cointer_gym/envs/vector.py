"""``CoInference-v0``, many tasks at a time in NumPy: the same rules and law as the scalar environment."""

from typing import Any

import numpy as np
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from cointer_gym.envs.task import InferenceTask, Observation, Outcome, ScenarioLike, State
from cointer_gym.problem import StoppingProblem
from cointer_gym.units import BoolArray, FloatArray, checked_integer

VectorStep = tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]


class TaskVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Gymnasium's vector API around a batch of tasks; the rules are the task's."""

    def __init__(
        self, num_envs: int, task: InferenceTask, autoreset_mode: str | AutoresetMode, render_mode: str | None
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
        """Start a new task in every slot."""
        if seed is not None and not isinstance(seed, int | np.integer):
            raise ValueError(f"seed = {seed!r} must be an integer or None: one generator draws all tasks")
        super().reset(seed=seed)
        self._path = self.task.draw_path(self.np_random, (self.num_envs,), options)
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
        amounts = {name: np.where(fresh, 0.0, value) for name, value in outcome.amounts.items()}
        info = self._masked(self.task.info(self._state, self._snr, amounts))
        return self._observe(), reward, self._ended.copy(), np.zeros_like(fresh), info

    def _step_same(self, outcome: Outcome) -> VectorStep:
        """Slots that end are reset at once; what they ended with is in ``final_obs`` and ``final_info``."""
        done = outcome.terminated
        self._state = outcome.state
        final_observation, final_info = self._observe(), self.task.info(self._state, self._snr, outcome.amounts)
        self._restart(done)
        amounts = {name: np.where(done, 0.0, value) for name, value in outcome.amounts.items()}
        info = self._masked(self.task.info(self._state, self._snr, amounts))
        if done.any():
            final = np.full(self.num_envs, None, dtype=object)
            for slot in np.flatnonzero(done):
                final[slot] = final_observation[slot]
            info |= {"final_obs": final, "_final_obs": done.copy()}
            info |= {"final_info": self._masked(final_info, done), "_final_info": done.copy()}
        return self._observe(), outcome.reward, done, np.zeros_like(done), info

    @property
    def _snr(self) -> FloatArray:
        assert self._path is not None
        return np.asarray(self._path[np.arange(self.num_envs), self._state.stage])

    def _restart(self, slots: BoolArray) -> None:
        assert self._path is not None
        count = int(slots.sum())
        if count:
            self._path[slots] = self.task.draw_path(self.np_random, (count,), None)
            first = self.task.initial_state((self.num_envs,))
            self._state = State(*(np.where(slots, new, old) for new, old in zip(first, self._state, strict=True)))

    def _observe(self) -> Observation:
        return self.task.observe(self._state, self._snr)

    def _masked(self, info: dict[str, Any], valid: BoolArray | None = None) -> dict[str, Any]:
        """Add Gymnasium's ``_key`` arrays, which say for which slots a key holds."""
        everywhere = np.ones(self.num_envs, dtype=np.bool_) if valid is None else valid
        return info | {f"_{key}": everywhere.copy() for key in info}


class CoInferenceVectorEnv(TaskVectorEnv):
    """Native vector version of ``CoInferenceEnv``; see there for spaces, rewards and arguments.

    One generator draws the paths of all tasks. ``reset(options={"snr": paths})`` injects them, shape (num_envs, M+1).

    Args:
        num_envs: number of parallel tasks.
        scenario, placement, reward_scale: as for ``CoInferenceEnv``.
        autoreset_mode: ``NextStep`` (Gymnasium's default) or ``SameStep`` (final observation and info under
            ``final_obs`` and ``final_info``).
    """

    def __init__(
        self,
        num_envs: int = 1,
        scenario: ScenarioLike = "alexnet-pi",
        placement: int | None = None,
        reward_scale: float | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        task = InferenceTask.create(scenario, placement, reward_scale)
        super().__init__(num_envs, task, autoreset_mode, render_mode)


def _supported(mode: str | AutoresetMode) -> AutoresetMode:
    modes = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
    for supported in modes:
        if mode in (supported, supported.value):
            return supported
    raise ValueError(f"autoreset_mode = {mode!r} must be one of {[supported.value for supported in modes]}")
