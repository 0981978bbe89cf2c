"""What tasks share, and all that callers need to know of one without asking which it is.

A task is what an episode plays and what a policy is trained for and scored on. Its rules work on batches of any shape,
so that the scalar and the vector environment are shells around the same arrays.
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
from numpy.typing import ArrayLike, NDArray

from cointer_gym import baselines as bl
from cointer_gym.channels import ChannelLaw
from cointer_gym.dynamics import incurred, transition, upload_is_forced
from cointer_gym.envs.state import Outcome, State
from cointer_gym.observation import Layout, Observation
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Amounts
from cointer_gym.scenario import Scenario
from cointer_gym.units import BoolArray, FloatArray, linear_to_db

if TYPE_CHECKING:
    from cointer_gym.envs.vector import TaskVectorEnv

ScenarioLike = str | Path | dict[str, Any] | Scenario
"""Built-in name, path to a ``.toml`` file, plain dictionary, or the scenario itself."""

TASKS: dict[str, type["Task"]] = {}
"""Every kind of task by name; a subclass of ``Task`` that has a name enters itself."""

_LOWEST_SNR_DB = -300.0  # an SNR of 0 in ``info``, which must stay finite


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

    @abstractmethod
    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Tasks about to begin."""

    @abstractmethod
    def observe(self, state: State, snr: FloatArray) -> Observation:
        """Observations of a batch of tasks at linear ``snr``."""

    @abstractmethod
    def step(self, state: State, snr: ArrayLike, action: ArrayLike) -> Outcome:
        """Apply one decision per task."""

    @abstractmethod
    def action_mask(self, state: State) -> NDArray[np.int8]:
        """1 for every action that has an effect of its own, shape (..., actions)."""

    def info(self, state: State, snr: ArrayLike, amounts: Amounts[FloatArray] | None = None) -> dict[str, Any]:
        """Arrays of ``info``: where the task is, SNR in dB, action mask, and the amounts of the last decision."""
        if amounts is None:
            amounts = self.problem.terms.map(lambda _: np.zeros(state.stage.shape))
        snr_db = np.maximum(linear_to_db(snr), _LOWEST_SNR_DB)
        where = {name: np.array(value) for name, value in state._asdict().items()}  # copies: callers keep infos
        return {**where, "snr_db": snr_db, "action_mask": self.action_mask(state), **amounts.known()}

    def _split(self, state: State, snr: ArrayLike, action: ArrayLike) -> Outcome:
        """The splitting phase: continue or offload; after the last placed layer any action offloads."""
        move = transition(self.problem, state.stage, snr, action, state.placement)
        amounts = self.problem.terms.map(lambda terms: incurred(terms, state.stage, move))
        return self._outcome(State(move.stage, state.placement), amounts, move.terminated, move.offloaded)

    def _split_mask(self, state: State) -> NDArray[np.int8]:
        """Continue unless the upload is forced, and offload; shape (..., 2)."""
        free = ~upload_is_forced(self.problem, state.stage, state.placement)
        return np.stack([free, np.ones_like(free)], axis=-1).astype(np.int8)

    def _outcome(
        self, after: State, amounts: Amounts[FloatArray], terminated: BoolArray, offloaded: BoolArray
    ) -> Outcome:
        """The only place where cost becomes reward."""
        reward = 0.0 - amounts.cost / self.reward_scale  # not -0.0 where nothing was spent
        return Outcome(after, reward, terminated, offloaded, amounts)

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
