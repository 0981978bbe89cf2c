"""What a policy is trained for and scored on: one environment of one scenario."""

from dataclasses import dataclass
from typing import Literal, get_args

from cointer_gym import baselines as bl
from cointer_gym.agents.vec_env import NativeVecEnv
from cointer_gym.envs import CoInferencePlacementVectorEnv, CoInferenceVectorEnv
from cointer_gym.policies import Policy
from cointer_gym.scenario import Scenario

EnvId = Literal["CoInference-v0", "CoInferencePlacement-v0"]


@dataclass(frozen=True, eq=False)
class Target:
    """An environment id with its arguments.

    Args:
        scenario: the scenario.
        env_id: ``CoInference-v0``, or ``CoInferencePlacement-v0`` where the placement is learned, too.
        placement: layers on the device; None is all. Not with ``CoInferencePlacement-v0``.

    Raises:
        ValueError: unknown environment, or a placement where it is to be learned.
    """

    scenario: Scenario
    env_id: EnvId = "CoInference-v0"
    placement: int | None = None

    def __post_init__(self) -> None:
        if self.env_id not in get_args(EnvId):
            raise ValueError(f"env_id = {self.env_id!r} must be one of {', '.join(get_args(EnvId))}")
        if self.joint and self.placement is not None:
            raise ValueError(f"placement = {self.placement} is given, but {self.env_id} learns the placement")
        self.scenario.problem(self.placement)

    @property
    def joint(self) -> bool:
        """Whether the placement is part of the policy."""
        return self.env_id == "CoInferencePlacement-v0"

    @property
    def label(self) -> str:
        """Name for directories."""
        return f"{self.scenario.name}-joint" if self.joint else self.scenario.name

    def vec_env(self, num_envs: int) -> NativeVecEnv:
        """The native vector environment for Stable-Baselines3."""
        if self.joint:
            return NativeVecEnv(CoInferencePlacementVectorEnv(num_envs, self.scenario, autoreset_mode="SameStep"))
        env = CoInferenceVectorEnv(num_envs, self.scenario, self.placement, autoreset_mode="SameStep")
        return NativeVecEnv(env)

    def score(self, policy: Policy) -> bl.Score | bl.JointScore:
        """The exact score of a policy of this environment."""
        if self.joint:
            return bl.evaluate_joint(policy, self.scenario)
        return bl.evaluate(policy, self.scenario.problem(self.placement))

    def splitting(self, policy: Policy) -> tuple[Policy, int]:
        """How the policy splits, as a policy of ``CoInference-v0``, and with how many layers placed."""
        if not self.joint:
            return policy, self.scenario.problem(self.placement).horizon
        chosen = bl.chosen_placement(policy, self.scenario)
        return bl.PlacedPolicy(policy, self.scenario, chosen), chosen
