"""``CoInferencePlacement-v0``: choose the placement first, then split one task."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import ArrayLike, NDArray

from cointer_gym.envs.single import TaskEnv
from cointer_gym.envs.task import InferenceTask, Observation, Outcome, ScenarioLike, State, checked_scale, scene_of
from cointer_gym.envs.vector import TaskVectorEnv
from cointer_gym.observation import observe_placement, placement_observation_space
from cointer_gym.problem import StoppingProblem
from cointer_gym.rendering import Scene
from cointer_gym.rendering.scene import Finished
from cointer_gym.scenario import Scenario
from cointer_gym.stopping import CONTINUE, OFFLOAD, transition
from cointer_gym.units import FloatArray


@dataclass(frozen=True, eq=False)
class PlacementTask(InferenceTask):
    """One placement decision and one inference: an episode of ``CoInferencePlacement-v0``."""

    @property
    def observation_space(self) -> spaces.Space[Observation]:
        """Space of one task's observation."""
        return cast("spaces.Space[Observation]", placement_observation_space(self.problem))

    @property
    def action_space(self) -> spaces.Discrete:
        """0..L: a placement first, then continue or offload."""
        return spaces.Discrete(self.problem.horizon + 1)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Tasks whose placement is still to be chosen."""
        return State(np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64))

    def observe(self, state: State, snr: FloatArray) -> Observation:
        """Observations of a batch of tasks at linear ``snr``, which is hidden until the placement is chosen."""
        return observe_placement(self.problem, state.placement, state.stage, snr)

    def step(self, state: State, snr: ArrayLike, action: ArrayLike) -> Outcome:
        """Choose the placement where that is still to be done, and split where it is not."""
        chosen, choosing = np.asarray(action, dtype=np.int64), state.placement < 0
        split = np.where(chosen == CONTINUE, CONTINUE, OFFLOAD)
        move = transition(self.problem, state.stage, snr, np.where(choosing, CONTINUE, split), state.placement)
        placement = np.where(choosing, np.minimum(chosen, self.scenario.largest_placement), state.placement)
        download = {"cost": self.scenario.download_cost, "time_s": self.scenario.download_s}
        download["energy_j"] = self.scenario.link.rx_power_w * self.scenario.download_s
        amounts = {
            name: np.where(choosing, download[name][placement], value)
            for name, value in self._amounts(state, move).items()
        }
        move = move._replace(
            offloaded=move.offloaded & ~choosing,
            terminated=move.terminated & ~choosing,
        )
        return self._outcome(State(move.stage, placement), move, amounts)

    def action_mask(self, state: State) -> NDArray[np.int8]:
        """Placements that fit into the memory, then continue and offload; shape (..., L+1)."""
        actions = np.arange(self.problem.horizon + 1)
        split = np.pad(super().action_mask(state), [(0, 0)] * state.stage.ndim + [(0, self.problem.horizon - 1)])
        choosing = (state.placement < 0)[..., None]
        return np.where(choosing, actions <= self.scenario.largest_placement, split).astype(np.int8)

    def scene(self, state: State, path: FloatArray, cost: float, finished: Finished) -> Scene:
        """The task with its placement; before it is chosen, the whole network and no SNR yet."""
        if state.placement >= 0:
            problem = _placed(self, int(state.placement))
            return scene_of(self.scenario, problem, int(state.stage), path, cost, finished)
        whole = scene_of(self.scenario, self.problem, 0, path, cost, finished)
        return replace(whole, choosing=True, snr=0.0, snr_path=())


def placement_task(scenario: ScenarioLike, reward_scale: float | None) -> PlacementTask:
    """Load a scenario; ``reward_scale`` None is the best static split with the download of just its layers.

    Raises:
        ValueError: a placement below L would have infinite mean cost.
    """
    loaded = Scenario.load(scenario)
    problem = loaded.problem()
    if np.isinf(problem.channel.mean_channel_uses_per_bit):
        raise ValueError(
            f"min_efficiency = {problem.channel.min_efficiency} makes the forced upload of every placement below "
            f"{loaded.layers} cost infinitely much on average; give min_efficiency > 0 (default 0.1523 bit/s/Hz)"
        )
    best = float((problem.static_cost + loaded.download_cost)[: loaded.largest_placement + 1].min())
    return PlacementTask(loaded, problem, checked_scale(reward_scale, best))


@lru_cache(maxsize=32)
def _placed(task: PlacementTask, placement: int) -> StoppingProblem:
    """One and the same problem for all pictures of a placement: what they share is remembered by problem."""
    return task.scenario.problem(placement)


class CoInferencePlacementEnv(TaskEnv):
    """Choose how many layers to download to the device, then split one inference.

    ## Description
    The first action picks the placement M and pays its share of the model download, ``download_cost[M]``, which is
    spread over the K tasks served until the next model update. The remaining actions split one task as in
    ``CoInference-v0``. ``cointer_gym.baselines.optimal_placement`` gives the exact joint optimum.

    ## Action Space
    ``Discrete(L+1)``. First action: the placement M = 0..L; one that does not fit into the memory of the device stands
    for the largest that does. Afterwards 0 = continue and every other action offloads; the mask names 0 and 1 only. At
    stage M < L any action offloads.

    ## Observation Space
    ``Box`` of shape (2L+4,), float32:

    | slot | name | range |
    |---|---|---|
    | 0 | 1 while the placement is to be chosen | 0 to 1 |
    | 1..L+1 | one-hot of the placement, 0 while it is to be chosen | 0 to 1 |
    | L+2..2L+2 | one-hot of the stage, 0 while the placement is to be chosen | 0 to 1 |
    | 2L+3 | log10(SNR / mean SNR), clipped; 0 while the placement is to be chosen | -6 to 2 |

    ## Rewards
    Minus the energy-and-time cost (ETC) incurred by the action, download included, divided by ``reward_scale``. With
    the default scale a return of -1 is the expected cost of the best fixed split with the download of just its layers.
    ``info`` is that of ``CoInference-v0``; ``placement`` is -1, and ``snr_db`` already the SNR at stage 0, while the
    placement is to be chosen.

    ## Starting State
    No placement; the SNRs of all L+1 stages are drawn at reset. ``reset(options={"snr": path})`` injects them.

    ## Episode End
    Terminated by an offload, or when layer L is done on the device. Never truncated.

    ## Arguments
    - ``scenario``: built-in name, path to a ``.toml`` file, or a plain dictionary.
    - ``reward_scale``: ETC per unit of reward; None (default) is the cost described under Rewards.
    - ``render_mode``: ``"ansi"``, ``"rgb_array"``, ``"human"`` or None.

    ## Version History
    - v0: initial version.
    """

    def __init__(
        self, scenario: ScenarioLike = "alexnet-pi", reward_scale: float | None = None, render_mode: str | None = None
    ) -> None:
        super().__init__(placement_task(scenario, reward_scale), render_mode)


class CoInferencePlacementVectorEnv(TaskVectorEnv):
    """Native vector version of ``CoInferencePlacementEnv``; see there, and ``CoInferenceVectorEnv`` for the rest."""

    def __init__(
        self,
        num_envs: int = 1,
        scenario: ScenarioLike = "alexnet-pi",
        reward_scale: float | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        task = placement_task(scenario, reward_scale)
        super().__init__(num_envs, task, autoreset_mode, render_mode)
