"""What tasks share, and all that callers need to know of one without asking which it is.

A task is what an episode plays and what a policy is trained for and scored on. Its rules are tables
(``cointer_gym.dynamics``), which the scalar and the vector environment read alike.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from cointer_gym import baselines as bl
from cointer_gym.channels import ChannelLaw
from cointer_gym.dynamics import Charge, Moves
from cointer_gym.observation import Layout, Observation
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Amounts
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray, IntArray, linear_to_db

if TYPE_CHECKING:
    from cointer_gym.envs.vector import TaskVectorEnv

ScenarioLike = str | Path | dict[str, Any] | Scenario
"""Built-in name, path to a ``.toml`` file, plain dictionary, or the scenario itself."""

TASKS: dict[str, type["Task"]] = {}
"""Every kind of task by name; a subclass of ``Task`` that has a name enters itself."""

_LOWEST_SNR_DB = -300.0  # an SNR of 0 in ``info``, which must stay finite


def snr_db(snr: FloatArray) -> FloatArray:
    """The SNR in dB as ``info`` has it, elementwise; at least -300 dB."""
    return np.asarray(np.maximum(linear_to_db(snr), _LOWEST_SNR_DB))


@dataclass(frozen=True, eq=False)
class Task(ABC):
    """An environment id with its arguments: the rules of an episode, and the exact score of a policy that plays it.

    Args:
        scenario: the scenario.
        placement: layers on the device; None is all of them, or the policy's choice.
        given_scale: ETC per unit of reward; None is the expected ETC of the best fixed split.

    Raises:
        ValueError: an argument that is no number or out of range, or a placement where it is to be learned.
    """

    env_id: ClassVar[str]
    """Id under which Gymnasium makes the environment."""
    name: ClassVar[str]
    """Name of the kind of task."""

    scenario: Scenario
    placement: int | None = None
    given_scale: float | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "name" in vars(cls):
            TASKS[cls.name] = cls

    def __post_init__(self) -> None:
        _ = self.problem, self.reward_scale  # what is wrong with the arguments shows at once
        if (
            type(self.problem.channel).snr_range is not ChannelLaw.snr_range
        ):  # a law's own; the general one hides nothing
            _warn_if_blind(self.problem)

    @property
    @abstractmethod
    def problem(self) -> StoppingProblem:
        """The stopping problem with the most layers that the task may place."""

    @cached_property
    def reward_scale(self) -> float:
        """ETC that counts as a reward of -1."""
        scale = self._best_fixed_cost if self.given_scale is None else _checked_number(self.given_scale)
        if not (np.isfinite(scale) and scale > 0):
            origin = "the best static split costs" if self.given_scale is None else "reward_scale ="
            raise ValueError(f"{origin} {scale}; reward_scale must be finite and > 0")
        return scale

    @property
    @abstractmethod
    def _best_fixed_cost(self) -> float:
        """Expected ETC of the best fixed split."""

    @property
    def compared_with(self) -> float | None:
        """What a picture compares the cost so far with, where it holds the download; None where it does not."""
        return None

    # --- rules --------------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """What an observation holds, slot by slot."""

    @property
    def observation_space(self) -> spaces.Space[Observation]:
        """Space of one task's observation."""
        return cast("spaces.Space[Observation]", self.layout.space())

    @property
    @abstractmethod
    def action_space(self) -> spaces.Discrete:
        """Space of one task's action."""

    @cached_property
    @abstractmethod
    def moves(self) -> Moves:
        """What every action does in every state, as tables."""

    @cached_property
    def rewards(self) -> Charge:
        """The reward of every row of ``moves``: minus its cost. The only place where cost becomes reward."""
        return self.moves.charges.cost.scaled(-1.0 / self.reward_scale)

    @property
    @abstractmethod
    def first_placement(self) -> int:
        """Layers on the device when a task begins; -1 where that is still to be chosen."""

    @abstractmethod
    def observe(self, stage: NDArray[np.integer], placement: IntArray, snr: FloatArray) -> Observation:
        """Observations of a batch of tasks of any shape at linear ``snr``."""

    def info(
        self, state: IntArray, placement: IntArray, snr: FloatArray, amounts: Amounts[FloatArray]
    ) -> dict[str, Any]:
        """Arrays of ``info``: where the task is, SNR in dB, action mask, and the amounts of the last decision."""
        return {
            "stage": self.moves.stage.take(state).astype(np.int64),
            "placement": np.array(placement),  # a copy: callers keep infos
            "snr_db": snr_db(snr),
            "action_mask": self.moves.masks.take(state, axis=0),
            **amounts.known(),
        }

    # --- what callers ask ---------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def label(self) -> str:
        """Name for directories."""

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the stages with the most layers that the task may place."""
        return self.problem.stage_names

    @property
    @abstractmethod
    def placements(self) -> Sequence[int]:
        """Layers on the device that a policy of this task may end up with."""

    @abstractmethod
    def vector_env(
        self, num_envs: int, autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP
    ) -> "TaskVectorEnv":
        """The native vector environment of this task."""

    @abstractmethod
    def score(self, policy: bl.Policy) -> bl.Score | bl.JointScore:
        """The exact score of a policy of this environment; see ``evaluate`` and ``evaluate_joint``."""

    @abstractmethod
    def splitting(self, policy: bl.Policy) -> tuple[bl.Policy, int]:
        """How the policy splits, as a policy of ``CoInference-v0``, and with how many layers placed."""

    @abstractmethod
    def optimal_splitting(self) -> bl.Solution:
        """How the optimum of this task splits; its horizon is what the optimum places."""

    @abstractmethod
    def with_download(self, score: bl.Score, placement: int) -> bl.Score | bl.JointScore:
        """The score in this task of placing so many layers and splitting with ``score``."""

    # --- plain data ---------------------------------------------------------------------------------------------------

    def record(self) -> dict[str, Any]:
        """The task as plain data, for JSON; ``reward_scale`` only where one was given."""
        record = {
            "env_id": self.env_id,
            "scenario": self.scenario.model_dump(mode="json", exclude_none=True),
            "placement": None if self.placement is None else int(self.placement),
        }
        return record if self.given_scale is None else record | {"reward_scale": self.reward_scale}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> "Task":
        """The task that ``record`` described; entries that are not the task's are ignored.

        Raises:
            ValueError: an unknown environment, or arguments that do not fit it.
        """
        by_id = {kind.env_id: kind for kind in TASKS.values()}
        if (env_id := record["env_id"]) not in by_id:
            raise ValueError(f"env_id = {env_id!r} must be one of {', '.join(sorted(by_id))}")
        scenario = Scenario.load(record["scenario"])
        return by_id[env_id](scenario, record.get("placement"), record.get("reward_scale"))

    def on(self, scenario: ScenarioLike) -> "Task":
        """The same task on another scenario."""
        return type(self)(Scenario.load(scenario), self.placement, self.given_scale)


def make_task(
    name: str, scenario: ScenarioLike, placement: int | None = None, reward_scale: float | None = None
) -> Task:
    """The task called ``name``.

    Args:
        name: ``splitting`` or ``placement``.
        scenario: built-in name, path to a ``.toml`` file, plain dictionary, or the scenario itself.
        placement: layers on the device; None is all of them, or the policy's choice.
        reward_scale: ETC per unit of reward; None is the expected ETC of the best fixed split.

    Raises:
        ValueError: there is no task of that name, or the arguments do not fit it.
    """
    if name not in TASKS:
        raise ValueError(f"task = {name!r} must be one of {', '.join(sorted(TASKS))}")
    return TASKS[name](Scenario.load(scenario), placement, reward_scale)


def _checked_number(scale: Any) -> float:
    if isinstance(scale, bool) or not isinstance(scale, Real):
        raise ValueError(f"reward_scale = {scale!r} must be a number; it must be finite and > 0")
    return float(scale)


def _warn_if_blind(problem: StoppingProblem) -> None:
    """Say so where the optimum tells SNRs apart that look alike in the observation."""
    try:
        bl.backward_induction(problem).policy()
    except ValueError as error:
        warnings.warn(f"observations cannot support the optimum: {error}", stacklevel=2)
