"""What experiments leave behind: typed, versioned records, kept as JSON.

Tables, reports, figures and claims are made from these records alone. A record carries the version of its shape; a file
of another version is refused, not guessed at.
"""

from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from pydantic import Field, JsonValue, ValidationError, model_validator

from cointer_gym.files import read_json, write_json
from cointer_gym.records import Model
from cointer_gym.units import linear_to_db

Number = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1 + 1e-9)]

PolicyKind = Literal["random", "rule", "agent", "bound"]


class Threshold(Model):
    """An SNR from which a policy offloads, or that it does so always or never."""

    when: Literal["always", "never", "above"]
    snr_db: float | None = None

    @model_validator(mode="after")
    def _number_only_above(self) -> Self:
        if (self.snr_db is None) == (self.when == "above"):
            raise ValueError(f"snr_db = {self.snr_db} does not go with when = {self.when!r}")
        return self

    @classmethod
    def of(cls, snr: float) -> Self:
        """The record of a linear threshold: 0 is always, inf never."""
        if snr <= 0:
            return cls(when="always")
        return cls(when="never") if np.isinf(snr) else cls(when="above", snr_db=float(linear_to_db(snr)))


class PolicyRow(Model):
    """One line of the benchmark: a policy, or the bound that no causal policy can pass.

    Args:
        policy: ``random``, the name of a rule or of an algorithm, or ``clairvoyant``.
        label: how it is shown.
        kind: what it is; the optimum is the rule ``optimal``.
        cost: exact expected ETC per task, mean over seeds.
        relative_gap: cost above the optimum as a share of it, mean over seeds.
        relative_gap_by_seed: one per seed; empty for the bound.
        time_s: expected seconds, mean over seeds; None for the bound.
        energy_j: expected joules, mean over seeds; None for the bound.
        split_probability: P(the network is split after layer n), mean over seeds; empty for the bound.
        placements: layers placed, by seed; empty where the placement is given or drawn.
    """

    policy: str
    label: str
    kind: PolicyKind
    cost: float
    relative_gap: float
    relative_gap_by_seed: tuple[float, ...] = ()
    time_s: float | None = None
    energy_j: float | None = None
    split_probability: tuple[Probability, ...] = ()
    placements: tuple[Number, ...] = ()

    @property
    def worst_relative_gap(self) -> float:
        """The gap of the worst seed."""
        return max(self.relative_gap_by_seed, default=self.relative_gap)


class CurvePoint(Model):
    """The exact gap after so many environment steps."""

    steps: Number
    relative_gap: float


class TrainingRow(Model):
    """One training of the benchmark.

    Args:
        algorithm: name of the algorithm.
        label: how it is shown.
        seed: of the training.
        placement: layers that the trained policy has on the device.
        seconds: how long it took.
        curve: the gap over the training; the last point is the trained policy's.
        switches: per stage 0..M-1 the thresholds at which the trained policy changes its mind, or that it never does.
    """

    algorithm: str
    label: str
    seed: int
    placement: Number
    seconds: float = Field(ge=0)
    curve: tuple[CurvePoint, ...] = Field(min_length=1)
    switches: tuple[tuple[Threshold, ...], ...]


class BenchmarkResults(Model):
    """Every policy on one scenario, scored exactly, and how the learned ones came to be.

    Args:
        version: of this shape.
        env_id: environment.
        task: ``splitting`` or ``placement``.
        scenario: its name.
        placement: layers on the device under the optimum, M.
        layers: of the network, L.
        stage_names: ``input`` and the layers; 0..M where the placement is given, 0..L where it is learned.
        optimal_threshold: of the stages 0..M-1.
        snr_quantiles_db: 0.1 % and 99.9 % of all SNRs are below.
        reach_probability: P(stage n is reached) under the optimum, n = 0..M.
        policies: the table, in its order.
        trainings: by algorithm and seed.
        settings: by algorithm, as plain data.
        versions: of the packages that results depend on.
        python: version of the interpreter.
    """

    version: Literal[1] = 1
    env_id: str
    task: str
    scenario: str
    placement: Number
    layers: Number
    stage_names: tuple[str, ...]
    optimal_threshold: tuple[Threshold, ...]
    snr_quantiles_db: tuple[float, float]
    reach_probability: tuple[Probability, ...]
    policies: tuple[PolicyRow, ...]
    trainings: tuple[TrainingRow, ...]
    settings: dict[str, dict[str, JsonValue]]
    versions: dict[str, str]
    python: str

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """What tables and figures index by stage has the stages."""
        lengths: dict[str, tuple[int, Container[int]]] = {
            "placement": (self.placement, range(self.layers + 1)),
            "stage_names": (len(self.stage_names), {self.placement + 1, self.layers + 1}),
            "optimal_threshold": (len(self.optimal_threshold), {self.placement}),
            "reach_probability": (len(self.reach_probability), {self.placement + 1}),
        }
        for index, row in enumerate(self.policies):
            splits = len(row.split_probability)
            lengths[f"policies.{index}.split_probability"] = splits, range(len(self.stage_names) + 1)
        for index, training in enumerate(self.trainings):
            lengths[f"trainings.{index}.switches"] = len(training.switches), {training.placement}
            lengths[f"trainings.{index}.placement"] = training.placement, range(len(self.stage_names))
            self.policy(training.algorithm)
        for field, (found, allowed) in lengths.items():
            if found not in allowed:
                raise ValueError(f"{field} does not fit placement = {self.placement} of layers = {self.layers}")
        return self

    def policy(self, name: str) -> PolicyRow:
        """The line of one policy.

        Raises:
            ValueError: there is none of that name.
        """
        for row in self.policies:
            if row.policy == name:
                return row
        raise ValueError(f"policy = {name!r} must be one of {', '.join(row.policy for row in self.policies)}")

    def algorithms(self) -> tuple[str, ...]:
        """Names of the algorithms that were trained, in the order of their trainings."""
        return tuple(dict.fromkeys(training.algorithm for training in self.trainings))

    def trainings_of(self, algorithm: str) -> tuple[TrainingRow, ...]:
        """The trainings of one algorithm, by seed."""
        return tuple(training for training in self.trainings if training.algorithm == algorithm)


class PlacedCost(Model):
    """A number of layers and what a task costs with it, ETC."""

    placement: int
    cost: float


class LookAheadAnswer(PlacedCost):
    """What the look-ahead rule would place.

    Args:
        excess: cost above the joint optimum, as a share of it.
        excess_with_optimal_splitting: the same with optimal splitting on that placement.
    """

    excess: float
    excess_with_optimal_splitting: float


class StaticAnswer(Model):
    """The best static split: layers that it downloads and always runs, and its cost above the joint optimum."""

    placement: int
    excess: float


class PlacementAnswer(Model):
    """How many layers to put on the device, and how far other rules are from the joint optimum; ETC per task.

    Arrays run over the placements 0..L. None stands where the layers do not fit into the memory of the device, or where
    a forced upload has infinite mean cost.

    Args:
        version: of this shape.
        scenario: its name.
        rule: how tasks are split, name of a rule.
        layers: of the network, L.
        largest_placement: what fits into the memory of the device.
        tasks_per_update: K.
        mean_snr_db: of the uplink.
        stage_names: ``input`` and the layers.
        placement: the cheapest one under ``rule``.
        cost: its total.
        within_1_percent: placements whose total is at most 1 % above.
        inference_cost: under ``rule``.
        download_cost: per task.
        marginal_value: what one more layer saves per inference, (L,).
        total: inference and download by name of the rule.
        joint_optimum: optimal splitting on the placement best for it.
        look_ahead: the look-ahead rule on the placement best for it.
        static: no decision online.
        closed_form: of equal layers.
        no_closed_form_because: why there is none.
    """

    version: Literal[1] = 1
    scenario: str
    rule: str
    layers: int
    largest_placement: int
    tasks_per_update: float
    mean_snr_db: float
    stage_names: tuple[str, ...]
    placement: int
    cost: float
    within_1_percent: tuple[int, ...]
    inference_cost: tuple[float | None, ...]
    download_cost: tuple[float | None, ...]
    marginal_value: tuple[float | None, ...]
    total: dict[str, tuple[float | None, ...]]
    joint_optimum: PlacedCost
    look_ahead: LookAheadAnswer
    static: StaticAnswer
    closed_form: PlacedCost | None = None
    no_closed_form_because: str | None = None


Record = TypeVar("Record", bound=Model)


def save(path: Path, record: Model) -> None:
    """Write a record as JSON, atomically."""
    write_json(path, record.model_dump(mode="json"))


def load(path: Path, kind: type[Record]) -> Record:
    """Read a record that ``save`` wrote.

    Args:
        path: of the file.
        kind: of the record.

    Raises:
        ValueError: the file is missing or no JSON, of another version, or damaged; names the file and the field.
    """
    content = read_json(path)
    wanted = kind.model_fields["version"].default
    found = content.get("version") if isinstance(content, dict) else None
    if isinstance(found, bool) or found != wanted:
        raise ValueError(f"cannot read {path}: version = {found!r}, but this package reads version {wanted}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"cannot read {path}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, as ``field: what``."""
    first: Any = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}" if field else str(first["msg"])
