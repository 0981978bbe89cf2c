"""``CoInference-v0``, one task at a time."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.error import InvalidAction, ResetNeeded

from cointer_gym.envs.task import InferenceTask, Observation, Outcome, ScenarioLike, State, inference_task
from cointer_gym.problem import StoppingProblem
from cointer_gym.rendering import Scene, Window, draw_rgb, draw_text
from cointer_gym.rendering.scene import Finished
from cointer_gym.units import FloatArray


class TaskEnv(gym.Env[Observation, np.int64 | int]):
    """Gymnasium's API around one task; the rules are the task's."""

    metadata = {  # noqa: RUF012 (Gymnasium declares an instance variable)
        "render_modes": ["ansi", "rgb_array", "human"],
        "render_fps": 2,
    }

    def __init__(self, task: InferenceTask, render_mode: str | None) -> None:
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
        self._window: Window | None = None

    @property
    def problem(self) -> StoppingProblem:
        """The stopping problem behind the environment."""
        return self.task.problem

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new task; see the class for ``options``."""
        super().reset(seed=seed)
        injected = self.task.injected_path((), options)
        self._path = self.task.draw_path(self.np_random) if injected is None else injected
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
        self._cost += float(outcome.amounts["cost"])
        if outcome.terminated:
            self._finished = "offloaded" if outcome.offloaded else "completed"
        observation, info = self._emit(outcome)
        return observation, float(outcome.reward), bool(outcome.terminated), False, info

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
        if self.render_mode == "human":
            self._window = self._window or Window()
            self._window.show(scene)
            return None
        return draw_text(scene) if self.render_mode == "ansi" else draw_rgb(scene)

    def scene(self) -> Scene:
        """The current state as ``cointer_gym.rendering`` draws it.

        Raises:
            ResetNeeded: there is no task yet.
        """
        if self._path is None:
            raise ResetNeeded("call reset() before render()")
        return self.task.scene(self._state, self._path, self._cost, self._finished)

    def close(self) -> None:
        """Close the window, if any."""
        if self._window is not None:
            self._window.close()
            self._window = None


class CoInferenceEnv(TaskEnv):
    """Decide after each layer whether to upload the feature or to compute one more layer on the device.

    ## Description
    A wireless device runs the first M of the L layers of a deep neural network. With feature n in hand it sees the
    uplink's SNR and either offloads (the edge server finishes the task) or computes layer n+1. Fading is drawn anew
    at every stage. This is a finite-horizon optimal stopping problem; ``cointer_gym.baselines.backward_induction``
    gives its exact optimum.

    ## Action Space
    ``Discrete(2)``: 0 = continue (compute the next layer on the device), 1 = offload. At stage M < L any action
    offloads.

    ## Observation Space
    ``Box`` of shape (M+2,), float32:

    | slot | name | range |
    |---|---|---|
    | 0..M | one-hot of the stage (layers done) | 0 to 1 |
    | M+1 | log10(SNR / mean SNR), clipped | -6 to 2 |

    ## Rewards
    Minus the energy-and-time cost (ETC) incurred by the action, divided by ``reward_scale``. With the default scale a
    return of -1 is the expected cost of the best fixed split. ``info`` has the step's raw ``cost``, ``time_s`` and
    ``energy_j``, the ``placement``, ``stage``, ``snr_db`` and the ``action_mask``.

    ## Starting State
    Stage 0, the raw input in hand; the SNRs of all stages are drawn at reset. ``reset(options={"snr": path})``
    injects them: M+1 linear SNRs.

    ## Episode End
    Terminated by an offload, or when layer L is done on the device. Never truncated.

    ## Arguments
    - ``scenario``: built-in name, path to a ``.toml`` file, or a plain dictionary.
    - ``placement``: M, layers on the device; None (default) is all.
    - ``reward_scale``: ETC per unit of reward; None (default) is the expected ETC of the best static split.
    - ``render_mode``: ``"ansi"``, ``"rgb_array"``, ``"human"`` or None.

    ## Version History
    - v0: initial version.
    """

    def __init__(
        self,
        scenario: ScenarioLike = "alexnet-pi",
        placement: int | None = None,
        reward_scale: float | None = None,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(inference_task(scenario, placement, reward_scale), render_mode)
