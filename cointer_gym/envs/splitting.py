"""``CoInference-v0``: split the inference of a network whose first M layers are on the device."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from cointer_gym import baselines as bl
from cointer_gym.dynamics import Moves
from cointer_gym.envs.scalar import TaskEnv
from cointer_gym.envs.task import ScenarioLike, Task
from cointer_gym.envs.vector import TaskVectorEnv
from cointer_gym.observation import Observation, SplittingLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class SplittingTask(Task):
    """One inference with a given placement, all layers unless given: an episode of ``CoInference-v0``."""

    env_id: ClassVar[str] = "CoInference-v0"
    name: ClassVar[str] = "splitting"

    @cached_property
    def problem(self) -> StoppingProblem:
        """The stopping problem with the given placement."""
        return self.scenario.problem(self.placement)

    @property
    def _best_fixed_cost(self) -> float:
        return float(self.problem.static_cost.min())

    @cached_property
    def layout(self) -> SplittingLayout:
        """Stage and SNR."""
        return SplittingLayout.of(self.problem)

    @property
    def action_space(self) -> spaces.Discrete:
        """0 continue, 1 offload."""
        return spaces.Discrete(2)

    @cached_property
    def moves(self) -> Moves:
        """Continue or offload; after the last placed layer any action offloads."""
        return Moves(self.problem)

    @property
    def first_placement(self) -> int:
        """The given one."""
        return self.problem.horizon

    def observe(self, stage: NDArray[np.integer], placement: IntArray, snr: FloatArray) -> Observation:
        """Observations (..., M+2) of a batch of tasks at linear ``snr``."""
        return self.layout.encode(stage, snr)

    @property
    def label(self) -> str:
        """The name of the scenario."""
        return self.scenario.name

    @property
    def placements(self) -> tuple[int, ...]:
        """The given one."""
        return (self.problem.horizon,)

    def vector_env(self, num_envs: int, autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP) -> TaskVectorEnv:
        """The native vector environment of this task."""
        return TaskVectorEnv(num_envs, self, autoreset_mode)

    def score(self, policy: bl.Policy) -> bl.Score:
        """The exact score of a policy of ``CoInference-v0``."""
        return bl.evaluate(policy, self.problem)

    def splitting(self, policy: bl.Policy) -> tuple[bl.Policy, int]:
        """The policy itself, and the given placement."""
        return policy, self.problem.horizon

    def optimal_splitting(self) -> bl.Solution:
        """Backward induction with the given placement."""
        return bl.backward_induction(self.problem)

    def with_download(self, score: bl.Score, placement: int) -> bl.Score:
        """The score itself: nothing is downloaded."""
        return score


# Gymnasium's class stands among the bases because skrl recognises environments by their direct bases alone.
class CoInferenceEnv(TaskEnv, gym.Env[Observation, np.int64 | int]):
    """Decide after each layer whether to upload the feature or to compute one more layer on the device.

    ## Description
    A wireless device runs the first M of the L layers of a deep neural network. With feature n in hand it sees the
    uplink's SNR and either offloads (the edge server finishes the task) or computes layer n+1. Fading is drawn anew
    at every stage. This is a finite-horizon optimal stopping problem; ``cointer_gym.baselines.backward_induction``
    gives its exact optimum.

    ## Action Space
    ``Discrete(2)``: 0 = continue (compute the next layer on the device), 1 = offload. At stage M < L any action
    offloads: 0 is masked there and stands for 1. The mask of the current state is ``info["action_mask"]`` and, as
    sb3-contrib asks for it, ``action_masks()``.

    ## Observation Space
    ``Box`` of shape (M+2,), float32:

    | slot | name | range |
    |---|---|---|
    | 0..M | one-hot of the stage (layers done) | 0 to 1 |
    | M+1 | log10(SNR / mean SNR), cut where the rate changes no more | that of the channel law |

    ## Rewards
    Minus the energy-and-time cost (ETC) incurred by the action, divided by ``reward_scale``. With the default scale a
    return of -1 is the expected cost of the best fixed split. ``info`` has the step's raw ``cost``, ``time_s`` and
    ``energy_j``, the ``placement``, ``stage``, ``snr_db`` and the ``action_mask``.

    ## Starting State
    Stage 0, the raw input in hand; the SNRs of all stages are drawn at reset. ``reset(options={"snr": path})``
    injects them: M+1 linear SNRs. It takes the place of no drawn task; a path of None is drawn.

    ## Episode End
    Terminated by an offload, or when layer L is done on the device. Never truncated.

    ## Arguments
    - ``scenario``: built-in name, path to a ``.toml`` file, plain dictionary, or a ``Scenario``. What is no name or
      path stands in ``spec`` as a dictionary of all its values.
    - ``placement``: M, layers on the device; None (default) is all.
    - ``reward_scale``: ETC per unit of reward; None (default) is the expected ETC of the best static split.
    - ``render_mode``: ``"ansi"``, ``"rgb_array"``, ``"human"`` or None. Gymnasium's ``RecordVideo`` takes
      ``"rgb_array"`` and needs moviepy (``pip install moviepy``).

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
        super().__init__(SplittingTask(Scenario.load(scenario), placement, reward_scale), render_mode)


class CoInferenceVectorEnv(TaskVectorEnv, VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Native vector version of ``CoInferenceEnv``; see there for spaces, rewards and arguments.

    With the same seed it plays the same tasks as Gymnasium's ``SyncVectorEnv`` of scalar environments, whatever the
    policy does. ``reset(options={"snr": paths})`` injects the first paths: per slot M+1 linear SNRs, or None where the
    slot draws its own. ``reset(options={"reset_mask": mask})`` resets the slots of a boolean array alone.

    Args:
        num_envs: number of parallel tasks.
        scenario, placement, reward_scale: as for ``CoInferenceEnv``.
        autoreset_mode: ``NextStep`` (Gymnasium's default), ``SameStep`` (final observation and info under ``final_obs``
            and ``final_info``) or ``Disabled`` (slots that ended are reset with ``reset_mask`` before the next step).
        max_episode_steps: truncates as ``gym.make`` does; a task ends by itself after at most M+1 steps, one more in
            ``CoInferencePlacement-v0``. None (default) or -1 is no limit.
        compiled: whether loops compiled by Numba are used, which no result depends on; None (default) is where it is
            installed (``pip install 'cointer-gym[fast]'``). The first step then takes seconds, once.
    """

    def __init__(
        self,
        num_envs: int = 1,
        scenario: ScenarioLike = "alexnet-pi",
        placement: int | None = None,
        reward_scale: float | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        compiled: bool | None = None,
    ) -> None:
        task = SplittingTask(Scenario.load(scenario), placement, reward_scale)
        super().__init__(num_envs, task, autoreset_mode, render_mode, max_episode_steps, compiled)
