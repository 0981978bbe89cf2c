"""One task at a time: Gymnasium's API around a task."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded

from cointer_gym.envs.resets import checked_path, known_options
from cointer_gym.envs.spec import plain_spec
from cointer_gym.envs.state import Outcome, State
from cointer_gym.envs.task import Task
from cointer_gym.observation import Observation
from cointer_gym.problem import StoppingProblem
from cointer_gym.rendering import Renderer, Scene
from cointer_gym.rendering.scene import Finished
from cointer_gym.units import BoolArray, FloatArray


class TaskEnv(gym.Env[Observation, np.int64 | int]):
    """Gymnasium's API around one task; the rules are the task's, the pictures a renderer's.

    Args:
        task: what is played.
        render_mode: ``ansi``, ``rgb_array``, ``human`` or None.

    Raises:
        ValueError: an unknown render mode.
    """

    metadata = {  # noqa: RUF012 (Gymnasium declares an instance variable)
        "render_modes": ["ansi", "rgb_array", "human"],
        "render_fps": 2,
    }

    def __init__(self, task: Task, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode = {render_mode!r} must be None or one of {self.metadata['render_modes']}")
        self.task = task
        self.render_mode = render_mode
        self.action_space = task.action_space
        self.observation_space = task.observation_space
        self._path: FloatArray | None = None
        self._state: State = task.initial_state(())
        self._cost = 0.0
        self._finished: Finished = ""
        self._renderer: Renderer | None = None
        self._spec: EnvSpec | None = None

    @property
    def problem(self) -> StoppingProblem:
        """The stopping problem behind the environment."""
        return self.task.problem

    @property
    def spec(self) -> EnvSpec | None:
        """How ``gym.make`` made the environment, in plain data."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = plain_spec(spec, self.task.record())

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new task; see the class for ``options``."""
        given = known_options(options, "snr").get("snr")
        injected = checked_path(given, self.problem.horizon + 1)
        super().reset(seed=seed)
        # the whole path at once, so that the same seed gives every policy the same fading
        self._path = self.problem.draw_paths(self.np_random, ()) if injected is None else injected
        self._state, self._cost, self._finished = self.task.initial_state(()), 0.0, ""
        return self._emit(None)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take one decision.

        Raises:
            ResetNeeded: the task has ended or was never started.
            InvalidAction: the action is not in the action space.
        """
        if self._path is None or self._finished:
            raise ResetNeeded("the task has ended or was never started; call reset() before step()")
        if not self.action_space.contains(action):
            raise InvalidAction(f"action = {action!r} must be an integer in {self.action_space}")
        outcome = self.task.step(self._state, self._snr, action)
        self._state = outcome.state
        self._cost += float(outcome.amounts.cost)
        if outcome.terminated:
            self._finished = "offloaded" if outcome.offloaded else "completed"
        observation, info = self._emit(outcome)
        return observation, float(outcome.reward), bool(outcome.terminated), False, info

    def action_masks(self) -> BoolArray:
        """Which actions have an effect of their own in the current state, shape (actions,), as sb3-contrib asks it."""
        return self.task.action_mask(self._state).astype(np.bool_)

    @property
    def _snr(self) -> FloatArray:
        assert self._path is not None
        return np.asarray(self._path[self._state.stage])

    def _emit(self, outcome: Outcome | None) -> tuple[Observation, dict[str, Any]]:
        if self.render_mode == "human":
            self.render()
        arrays = self.task.info(self._state, self._snr, outcome.amounts if outcome else None)
        info = {name: value if np.ndim(value) else np.asarray(value).item() for name, value in arrays.items()}
        return self.task.observe(self._state, self._snr), info

    def render(self) -> Any:
        """The picture of the current state: str, (height, width, 3) array, or None after updating the window."""
        if self.render_mode is None:
            gym.logger.warn("render() needs a render_mode, e.g. gym.make('CoInference-v0', render_mode='rgb_array')")
            return None
        scene = self.scene()
        return self._drawer.draw(scene, self.render_mode)

    def scene(self) -> Scene:
        """The current state as ``cointer_gym.rendering`` draws it.

        Raises:
            ResetNeeded: there is no task yet.
        """
        if self._path is None:
            raise ResetNeeded("call reset() before render()")
        stage, placement = (int(value) for value in self._state)
        return self._drawer.scene(placement, stage, self._path, self._cost, self._finished)

    @property
    def _drawer(self) -> Renderer:
        self._renderer = self._renderer or Renderer(self.task.scenario, self.task.compared_with)
        return self._renderer

    def close(self) -> None:
        """Close the window, if any."""
        if self._renderer is not None:
            self._renderer.close()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_renderer": None}  # a copy draws anew, in a window of its own
