"""``CoInferencePlacement-v0``: choose the placement first, then split one task."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from cointer_gym import baselines as bl
from cointer_gym.dynamics import CHOOSING, Moves
from cointer_gym.envs.scalar import TaskEnv
from cointer_gym.envs.task import ScenarioLike, Task
from cointer_gym.envs.vector import TaskVectorEnv
from cointer_gym.observation import Observation, PlacementLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class PlacementTask(Task):
    """One placement decision and one inference, in two phases: an episode of ``CoInferencePlacement-v0``.

    A task is *choosing* while its placement is negative; a batch may hold tasks of both phases.
    """

    env_id: ClassVar[str] = "CoInferencePlacement-v0"
    name: ClassVar[str] = "placement"

    def __post_init__(self) -> None:
        if self.placement is not None:
            raise ValueError(f"placement = {self.placement} is given, but {self.env_id} learns the placement")
        super().__post_init__()

    @cached_property
    def problem(self) -> StoppingProblem:
        """The stopping problem with all layers placed.

        Raises:
            ValueError: a placement below L would have infinite mean cost.
        """
        problem = self.scenario.problem()
        if np.isinf(problem.channel.mean_channel_uses_per_bit):
            raise ValueError(
                f"min_efficiency = {problem.channel.min_efficiency} makes the forced upload of every placement below "
                f"{self.scenario.layers} cost infinitely much on average; give min_efficiency > 0 "
                "(default 0.1523 bit/s/Hz)"
            )
        return problem

    @property
    def _best_fixed_cost(self) -> float:
        """With the download of just the layers that it runs."""
        totals = self.problem.static_cost + self.scenario.download.cost
        return float(totals[: self.scenario.largest_placement + 1].min())

    @property
    def compared_with(self) -> float:
        """The best fixed split with its download, as the cost so far holds that of the placement."""
        return self._best_fixed_cost

    @cached_property
    def layout(self) -> PlacementLayout:
        """Phase, placement, stage and SNR."""
        return PlacementLayout.of(self.problem)

    @property
    def action_space(self) -> spaces.Discrete:
        """0..L: a placement first, then continue or offload."""
        return spaces.Discrete(self.problem.horizon + 1)

    @cached_property
    def moves(self) -> Moves:
        """Choose a placement and pay its download, the input still in hand; then continue or offload."""
        return Moves(self.problem, self.scenario.download, self.scenario.largest_placement)

    @property
    def first_placement(self) -> int:
        """None yet."""
        return CHOOSING

    def observe(self, stage: NDArray[np.integer], placement: IntArray, snr: FloatArray) -> Observation:
        """Observations (..., 2L+4) of a batch of tasks at linear ``snr``, which is hidden while they are choosing."""
        return self.layout.encode(placement, stage, snr)

    @property
    def label(self) -> str:
        """The name of the scenario, marked."""
        return f"{self.scenario.name}-joint"

    @property
    def placements(self) -> range:
        """All that fit into the memory."""
        return range(self.scenario.largest_placement + 1)

    def vector_env(self, num_envs: int, autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP) -> TaskVectorEnv:
        """The native vector environment of this task."""
        return TaskVectorEnv(num_envs, self, autoreset_mode)

    def score(self, policy: bl.Policy) -> bl.JointScore:
        """The exact score of a policy of ``CoInferencePlacement-v0``, download included."""
        return bl.evaluate_joint(policy, self.scenario)

    def splitting(self, policy: bl.Policy) -> tuple[bl.Policy, int]:
        """The policy after its choice, as one of ``CoInference-v0``, and the placement that it chooses."""
        chosen = bl.chosen_placement(policy, self.scenario)
        return bl.PlacedPolicy(policy, self.scenario, chosen), chosen

    def optimal_splitting(self) -> bl.Solution:
        """Backward induction with the optimal placement."""
        return bl.backward_induction(self.scenario.problem(self._optimum.placement))

    def with_download(self, score: bl.Score, placement: int) -> bl.JointScore:
        """The score of placing so many layers and splitting with ``score``."""
        return bl.joint_score(score, placement, self._optimum)

    @cached_property
    def _optimum(self) -> bl.PlacementTable:
        return bl.optimal_placement(self.scenario)


# Gymnasium's class stands among the bases because skrl recognises environments by their direct bases alone.
class CoInferencePlacementEnv(TaskEnv, gym.Env[Observation, np.int64 | int]):
    """Choose how many layers to download to the device, then split one inference.

    ## Description
    The first action picks the placement M and pays its share of the model download, ``download_cost[M]``, which is
    spread over the K tasks served until the next model update. The remaining actions split one task as in
    ``CoInference-v0``. ``cointer_gym.baselines.optimal_placement`` gives the exact joint optimum.

    ## Action Space
    ``Discrete(L+1)``. First action: the placement M = 0..L; one that does not fit into the memory of the device stands
    for the largest that does, and ``info["placement"]`` is the placement in force. Afterwards 0 = continue and every
    other action offloads; the mask names 0 and 1 only. At stage M < L any action offloads. So every action of the space
    is taken in every state, a masked one as the largest that is not masked; the mask is ``info["action_mask"]`` and, as
    sb3-contrib asks for it, ``action_masks()``.

    ## Observation Space
    ``Box`` of shape (2L+4,), float32:

    | slot | name | range |
    |---|---|---|
    | 0 | 1 while the placement is to be chosen | 0 to 1 |
    | 1..L+1 | one-hot of the placement, 0 while it is to be chosen | 0 to 1 |
    | L+2..2L+2 | one-hot of the stage, 0 while the placement is to be chosen | 0 to 1 |
    | 2L+3 | log10(SNR / mean SNR), cut where the rate changes no more; 0 while choosing | that of the channel law |

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
    - ``scenario``: as for ``CoInference-v0``.
    - ``reward_scale``: ETC per unit of reward; None (default) is the cost described under Rewards.
    - ``render_mode``: as for ``CoInference-v0``.

    ## Version History
    - v0: initial version.
    """

    def __init__(
        self, scenario: ScenarioLike = "alexnet-pi", reward_scale: float | None = None, render_mode: str | None = None
    ) -> None:
        super().__init__(PlacementTask(Scenario.load(scenario), given_scale=reward_scale), render_mode)


class CoInferencePlacementVectorEnv(TaskVectorEnv, VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Native vector version of ``CoInferencePlacementEnv``; see there, and ``CoInferenceVectorEnv`` for the rest."""

    def __init__(
        self,
        num_envs: int = 1,
        scenario: ScenarioLike = "alexnet-pi",
        reward_scale: float | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        compiled: bool | None = None,
    ) -> None:
        task = PlacementTask(Scenario.load(scenario), given_scale=reward_scale)
        super().__init__(num_envs, task, autoreset_mode, render_mode, max_episode_steps, compiled)
