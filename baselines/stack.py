"""Many stopping problems as columns: a row per problem, padded where its network is shorter than the longest one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.baselines.blocks import Block, Group, blocks, groups_of_columns, groups_of_laws
from cointer_gym.channels import ChannelLaw, warn_if_lifted
from cointer_gym.channels.columns import LawColumns
from cointer_gym.problem import LARGEST_TERM, LEAST_AIRTIME, StageTerms, StoppingProblem
from cointer_gym.records import checked_integer
from cointer_gym.units import BoolArray, FloatArray, IntArray

_BLOCK = 2048  # problems at a time: their tables stay in the cache
_NUMBERS = 2**21  # of an array over the stages of a block, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class ProblemStack:
    """P stopping problems of up to S - 1 layers, each as ``StoppingProblem`` states one.

    What stands behind the last stage of a problem is ignored, whatever it is. Arrays are copied.

    Args:
        airtime_cost: A, shape (P, S), ETC per channel use per bit; 0, or from 1e-100 to 1e200.
        edge_cost: B, shape (P, S), ETC, from 0 to 1e200.
        device_cost: c, shape (P, S-1), ETC, from 0 to 1e200.
        channel: one law for all, a law per problem, or the parameters of fading laws as columns.
        completes: whether the result is ready at the last stage: shape (P,), or one for all.
        horizon: M, the layers placed on each device, from 0 to S-1, shape (P,), or one for all; S-1 unless given.

    Raises:
        ValueError: as for one problem; names the row and the field.
    """

    airtime_cost: ArrayLike
    edge_cost: ArrayLike
    device_cost: ArrayLike
    channel: ChannelLaw | Sequence[ChannelLaw] | LawColumns
    completes: Any
    horizon: Any = None

    def __post_init__(self) -> None:
        shape = np.shape(self.airtime_cost)
        if len(shape) != 2 or shape[1] < 1:
            raise ValueError(f"airtime_cost has shape {shape}, expected (problems, stages)")
        rows, stages = shape
        horizon = stages - 1 if self.horizon is None else self.horizon
        object.__setattr__(self, "horizon", _integers("horizon", horizon, rows, stages - 1))
        object.__setattr__(self, "completes", checked_flags("completes", self.completes, (rows,)))
        for name in ("airtime_cost", "edge_cost", "device_cost"):
            object.__setattr__(self, name, self._checked(name, getattr(self, name)))
        self._check_airtime()
        self._check_channel()
        self._check_last_stage()

    @classmethod
    def of(cls, problems: Sequence[StoppingProblem]) -> "ProblemStack":
        """The same problems as a stack.

        Raises:
            ValueError: there are none.
        """
        if not len(problems):
            raise ValueError("there are no problems to stack")
        horizon = np.array([problem.horizon for problem in problems])
        size = int(horizon.max()) + 1
        return cls(
            airtime_cost=_padded([problem.cost.airtime for problem in problems], size),
            edge_cost=_padded([problem.cost.edge for problem in problems], size),
            device_cost=_padded([problem.cost.device for problem in problems], size - 1),
            channel=[problem.channel for problem in problems],
            completes=[problem.completes for problem in problems],
            horizon=horizon,
        )

    def __len__(self) -> int:
        return int(self.cost.airtime.shape[0])

    def __getitem__(self, rows: slice | ArrayLike) -> "ProblemStack":
        """The stack of these rows: a slice, numbers of rows, or a mask."""
        chosen = np.arange(len(self))[rows if isinstance(rows, slice) else np.asarray(rows)]
        if chosen.ndim != 1:
            raise TypeError(f"stack[{rows!r}] must be rows; stack.problem({rows!r}) is a single problem")
        channel = self.channel
        if isinstance(channel, LawColumns):
            channel = channel.take(chosen)
        elif not isinstance(channel, ChannelLaw):
            channel = [channel[row] for row in chosen]
        names = ("airtime_cost", "edge_cost", "device_cost", "completes", "horizon")
        return replace(self, channel=channel, **{name: getattr(self, name)[chosen] for name in names})

    def problem(self, row: int) -> StoppingProblem:
        """One of the problems."""
        last = int(self.horizon[row])
        return StoppingProblem(
            airtime_cost=self.cost.airtime[row, : last + 1],
            edge_cost=self.cost.edge[row, : last + 1],
            device_cost=self.cost.device[row, :last],
            channel=self.law(row),
            completes=bool(self.completes[row]),
        )

    def law(self, row: int) -> ChannelLaw:
        """The law of the channel of one problem."""
        if isinstance(self.channel, LawColumns):
            return self.channel.row(row)
        return self.channel if isinstance(self.channel, ChannelLaw) else self.channel[row]

    def placed(self, placement: ArrayLike) -> "ProblemStack":
        """The same networks with fewer layers on the devices; the upload at the last stage is then forced.

        Args:
            placement: layers placed, from 0 to the horizon, shape (P,), or one number for all.

        Raises:
            ValueError: a placement out of range, or a forced upload of infinite mean cost.
        """
        chosen = _integers("placement", placement, len(self), self.horizon)
        return replace(self, horizon=chosen, completes=self.completes & (chosen == self.horizon))

    @cached_property
    def cost(self) -> StageTerms:
        """A, B and c as one record of arrays of shape (P, S), (P, S) and (P, S-1); 0 behind the last stage."""
        return StageTerms(
            airtime=np.asarray(self.airtime_cost), edge=np.asarray(self.edge_cost), device=np.asarray(self.device_cost)
        )

    def same_stages(self, terms: StageTerms) -> StageTerms:
        """Other terms of the same problems, checked as their costs are; 0 behind the last stage.

        Raises:
            ValueError: another shape, a bad entry, or an upload where there is none; names the row and the stage.
        """
        checked = StageTerms(
            airtime=self._checked("airtime", terms.airtime),
            edge=self._checked("edge", terms.edge),
            device=self._checked("device", terms.device),
        )
        self._check_completed(checked, "")
        return checked

    @cached_property
    def groups(self) -> list[Group]:
        """The rows by what their channels have in common."""
        if isinstance(self.channel, ChannelLaw):
            return [Group(np.arange(len(self)), self.channel)]
        if isinstance(self.channel, LawColumns):
            return list(groups_of_columns(self.channel, len(self)))
        return list(groups_of_laws(self.channel))

    def blocks(self, chunk: int | None = None, most: int = _BLOCK) -> Iterator[Block]:
        """The problems in blocks to be solved side by side: of ``chunk``, or of what the cache holds but ``most``.

        Raises:
            ValueError: ``chunk`` is no integer >= 1.
        """
        fit = max(1, min(most, _NUMBERS // self.cost.airtime.shape[1]))
        return blocks(
            self.groups, self.cost, self.horizon, fit if chunk is None else checked_integer("chunk", chunk, 1)
        )

    @cached_property
    def static_cost(self) -> FloatArray:
        """Expected ETC of always splitting at stage n, shape (P, S); NaN behind the last stage."""
        static = np.empty(self.cost.airtime.shape)
        for block in self.blocks():
            terms = block.cut(self.cost)
            spent = np.zeros(terms.airtime.shape)
            np.cumsum(terms.device, axis=0, out=spent[1:])
            block.store(static, spent + block.mean_upload(terms))
        return static

    def _checked(self, name: str, values: ArrayLike) -> FloatArray:
        """Costs of the stages, or of the layers, as arrays."""
        rows, stages = np.shape(self.airtime_cost)
        of_layers = int(name.startswith("device"))
        return checked_costs(name, values, (rows, stages - of_layers), self.horizon - of_layers)

    def _check_airtime(self) -> None:
        tiny = np.argwhere((self.cost.airtime > 0) & (self.cost.airtime < LEAST_AIRTIME))
        if tiny.size:
            row, stage = tiny[0]
            value = self.cost.airtime[row, stage]
            raise ValueError(f"airtime_cost[{row}, {stage}] = {value} must be 0 or at least {LEAST_AIRTIME:g}")

    def _check_channel(self) -> None:
        if isinstance(self.channel, ChannelLaw):
            return
        if isinstance(self.channel, LawColumns):
            size = self.channel.size
        else:
            laws = tuple(self.channel)
            for row, law in enumerate(laws):
                if not isinstance(law, ChannelLaw):
                    raise ValueError(f"channel[{row}] = {law!r} must be a ChannelLaw")
            object.__setattr__(self, "channel", laws)
            size = len(laws)
        if size not in (None, len(self)):
            raise ValueError(f"channel has {size} laws, expected {len(self)}")

    def _check_last_stage(self) -> None:
        empty = np.flatnonzero(self.completes & (self.horizon == 0))
        if empty.size:
            raise ValueError(f"completes[{empty[0]}] = True needs at least one layer, horizon[{empty[0]}] = 0")
        self._check_completed(self.cost, "_cost")
        forced = ~self.completes & (self.cost.airtime[np.arange(len(self)), self.horizon] > 0)
        for group in self.groups:
            if group.columns is None and "min_efficiency" not in group.law.model_fields_set:
                warn_if_lifted(group.law)
            endless = group.rows[forced[group.rows] & group.without_mean()]
            if endless.size:
                row = int(endless[0])
                raise ValueError(
                    f"min_efficiency[{row}] = {self.law(row).min_efficiency} makes the mean cost of the forced upload "
                    f"at stage {self.horizon[row]} infinite; give min_efficiency > 0, or place all layers"
                )

    def _check_completed(self, terms: StageTerms, kind: str) -> None:
        rows = np.arange(len(self))
        airtime, edge = terms.airtime[rows, self.horizon], terms.edge[rows, self.horizon]
        left = np.flatnonzero(self.completes & ((airtime > 0) | (edge > 0)))
        if left.size:
            row, last = left[0], self.horizon[left[0]]
            raise ValueError(
                f"completes[{row}] = True leaves no upload at the last stage: airtime{kind}[{row}, {last}] = "
                f"{airtime[row]}, edge{kind}[{row}, {last}] = {edge[row]} must be 0"
            )


def checked_costs(name: str, values: ArrayLike, shape: tuple[int, int], last: IntArray) -> FloatArray:
    """Costs of the stages of many problems as a read-only array, 0 behind the last stage of each; one row is for all.

    Raises:
        ValueError: another shape, or an entry that is negative, not finite or too large; names the row and the stage.
    """
    array = np.array(values, dtype=np.float64)
    if array.shape not in (shape, shape[1:]):
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    array = np.broadcast_to(array, shape)
    if (last < shape[1] - 1).any():
        array = np.where(np.arange(shape[1]) <= last[:, None], array, 0.0)
    bad = ~((array >= 0) & (array <= LARGEST_TERM))
    if bad.any():
        row, stage = np.argwhere(bad)[0]
        raise ValueError(f"{name}[{row}, {stage}] = {array[row, stage]} must be finite and from 0 to {LARGEST_TERM:g}")
    array.setflags(write=False)
    return array


def checked_flags(name: str, values: Any, shape: tuple[int, ...]) -> BoolArray:
    """Booleans of that shape; those of fewer axes hold for all rows.

    Raises:
        ValueError: no booleans, or another shape.
    """
    array = np.asarray(values)
    if array.dtype != np.bool_ or array.shape not in ((), shape, shape[1:]):
        raise ValueError(f"{name} has shape {array.shape} and type {array.dtype}, expected booleans of shape {shape}")
    return np.broadcast_to(array, shape)


def _integers(name: str, values: ArrayLike, size: int, most: int | IntArray) -> IntArray:
    array = np.asarray(values)
    if array.shape not in ((), (size,)) or array.dtype.kind not in "iu":
        raise ValueError(f"{name} has shape {array.shape} and type {array.dtype}, expected integers of shape ({size},)")
    array, limit = np.broadcast_to(array.astype(np.int64), (size,)), np.broadcast_to(most, (size,))
    bad = np.flatnonzero((array < 0) | (array > limit))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}] = {array[bad[0]]} must be from 0 to {limit[bad[0]]}")
    return array


def _padded(rows: Sequence[FloatArray], size: int) -> FloatArray:
    padded = np.zeros((len(rows), size))
    for row, values in zip(padded, rows, strict=True):
        row[: values.size] = values
    return padded
