"""What scalar and vector environments share: state, fading path, spaces, and the step from cost to reward."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from cointer_gym.observation import observation_space, observe
from cointer_gym.problem import StoppingProblem
from cointer_gym.rendering import Scene, optimal_threshold_snr
from cointer_gym.rendering.scene import Finished
from cointer_gym.scenario import Scenario
from cointer_gym.stopping import Transition, incurred, transition, upload_is_forced
from cointer_gym.units import BoolArray, FloatArray, IntArray, linear_to_db

Observation = NDArray[np.float32]
ScenarioLike = str | Path | dict[str, Any] | Scenario

_LOWEST_SNR_DB = -300.0  # an SNR of 0 in ``info``, which must stay finite


class State(NamedTuple):
    """Where a task, or a batch of tasks, is; both fields have the batch's shape."""

    stage: IntArray
    """Layers done."""
    placement: IntArray
    """Layers on the device; -1 while it is still to be chosen."""


class Outcome(NamedTuple):
    """Result of one decision per task; every field has the batch's shape."""

    state: State
    reward: FloatArray
    terminated: BoolArray
    offloaded: BoolArray
    amounts: dict[str, FloatArray]
    """``cost`` (ETC), ``time_s`` and ``energy_j`` incurred by the decision."""


@dataclass(frozen=True, eq=False)
class InferenceTask:
    """One inference of a scenario's network with a given placement: an episode of ``CoInference-v0``."""

    scenario: Scenario
    problem: StoppingProblem
    reward_scale: float
    """ETC that counts as a reward of -1."""

    @property
    def observation_space(self) -> spaces.Space[Observation]:
        """Space of one task's observation."""
        return cast("spaces.Space[Observation]", observation_space(self.problem))

    @property
    def action_space(self) -> spaces.Discrete:
        """Space of one task's action."""
        return spaces.Discrete(2)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Tasks about to begin."""
        return State(np.zeros(shape, dtype=np.int64), np.full(shape, self.problem.horizon, dtype=np.int64))

    def observe(self, state: State, snr: FloatArray) -> Observation:
        """Observations of a batch of tasks at linear ``snr``."""
        return observe(self.problem, state.stage, snr)

    def step(self, state: State, snr: ArrayLike, action: ArrayLike) -> Outcome:
        """Apply one decision per task."""
        move = transition(self.problem, state.stage, snr, action, state.placement)
        after = State(move.stage, state.placement)
        return self._outcome(after, move, self._amounts(state, move))

    def info(self, state: State, snr: ArrayLike, amounts: dict[str, FloatArray] | None = None) -> dict[str, Any]:
        """Arrays of ``info``: where the task is, SNR in dB, action mask, and the amounts of the last decision."""
        spent = amounts or {name: np.zeros(state.stage.shape) for name in ("cost", "time_s", "energy_j")}
        snr_db = np.maximum(linear_to_db(snr), _LOWEST_SNR_DB)
        where = {name: np.array(value) for name, value in state._asdict().items()}  # copies: callers keep infos
        return {**where, "snr_db": snr_db, "action_mask": self.action_mask(state), **spent}

    def action_mask(self, state: State) -> NDArray[np.int8]:
        """1 for every action that has an effect of its own, shape (..., actions)."""
        free = ~upload_is_forced(self.problem, state.stage, state.placement)
        return np.stack([free, np.ones_like(free)], axis=-1).astype(np.int8)

    def scene(self, state: State, path: FloatArray, cost: float, finished: Finished) -> Scene:
        """What the picture of one task shows."""
        return scene_of(self.scenario, self.problem, int(state.stage), path, cost, finished)

    def draw_path(self, rng: np.random.Generator) -> FloatArray:
        """SNRs of all stages of one task, shape (M+1,).

        The whole path is drawn at once, so the same seed gives every policy the same fading.
        """
        return self.problem.channel.sample_snr(rng, (self.problem.horizon + 1,))

    def injected_path(self, tasks: tuple[int, ...], options: dict[str, Any] | None) -> FloatArray | None:
        """The path given as ``options={"snr": ...}``, linear, shape (*tasks, M+1); None if there is none.

        Raises:
            ValueError: an unknown option, a wrong shape, or an SNR that is negative or not finite.
        """
        unknown = set(options or {}) - {"snr"}
        if unknown:
            raise ValueError(f"reset options {sorted(unknown)} are unknown; the only option is 'snr', the fading path")
        if not options:
            return None
        shape = (*tasks, self.problem.horizon + 1)
        path = np.array(options["snr"], dtype=np.float64)
        if path.shape != shape:
            raise ValueError(f"options['snr'] has shape {path.shape}, expected {shape}: one linear SNR per stage")
        bad = ~(np.isfinite(path) & (path >= 0))
        if bad.any():
            raise ValueError(f"options['snr'] holds {path[bad][0]}; SNRs are linear, finite and >= 0")
        return path

    def _amounts(self, state: State, move: Transition) -> dict[str, FloatArray]:
        terms = {"cost": self.problem.cost, "time_s": self.problem.time, "energy_j": self.problem.energy}
        return {name: incurred(of, state.stage, move) for name, of in terms.items() if of is not None}

    def _outcome(self, after: State, move: Transition, amounts: dict[str, FloatArray]) -> Outcome:
        """The only place where cost becomes reward."""
        reward = 0.0 - amounts["cost"] / self.reward_scale  # not -0.0 where nothing was spent
        return Outcome(after, reward, move.terminated, move.offloaded, amounts)


def inference_task(scenario: ScenarioLike, placement: int | None, reward_scale: float | None) -> InferenceTask:
    """Load a scenario; ``reward_scale`` None is the expected ETC of the best static split."""
    loaded = Scenario.load(scenario)
    problem = loaded.problem(placement)
    return InferenceTask(loaded, problem, checked_scale(reward_scale, float(problem.static_cost.min())))


def scene_of(
    scenario: Scenario, problem: StoppingProblem, stage: int, path: FloatArray, cost: float, finished: Finished
) -> Scene:
    """The picture of a task of ``problem`` at ``stage`` whose SNRs are ``path``."""
    return Scene(
        problem=problem,
        title=scenario.name,
        feature_bits=tuple(scenario.dnn.output_bits[: problem.horizon + 1]),
        total_layers=scenario.layers,
        stage=stage,
        snr=float(path[stage]),
        snr_path=tuple(path[: stage + 1]),
        cost=cost,
        finished=finished,
        threshold_snr=optimal_threshold_snr(problem),
    )


def checked_scale(reward_scale: float | None, default: float) -> float:
    """The given scale, or the default if None.

    Raises:
        ValueError: not finite and positive.
    """
    scale = default if reward_scale is None else float(reward_scale)
    if not (np.isfinite(scale) and scale > 0):
        origin = "the best static split costs" if reward_scale is None else "reward_scale ="
        raise ValueError(f"{origin} {scale}; reward_scale must be finite and > 0")
    return scale
