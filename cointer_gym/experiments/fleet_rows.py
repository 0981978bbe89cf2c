"""Devices as rows that override fields of a base scenario, many at a time.

Rows that override the same fields, and agree in all but numbers that enter the formulas in closed form, are stacked:
the scenario of the first one, with arrays of shape (devices, 1) in the place of those numbers, over which the formulas
of the model broadcast. The models of the tables check every row. Any other row is a scenario of its own.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError, create_model

from cointer_gym import baselines as bl
from cointer_gym.channels.fading import FadingLaw
from cointer_gym.channels.law import LAWS, ChannelLaw, find_law
from cointer_gym.channels.settings import HIGHEST_MEAN_DB, LOWEST_MEAN_DB
from cointer_gym.dnn import Dnn
from cointer_gym.experiments.fleet_files import Cell
from cointer_gym.faults import hint, tables
from cointer_gym.hardware import Device, Dvfs, EdgeServer
from cointer_gym.link import Link, LinkBudget
from cointer_gym.loading import read_value
from cointer_gym.problem import StageTerms
from cointer_gym.records import Amounts, Model
from cointer_gym.scenario import Scenario, Weights
from cointer_gym.units import BoolArray, FloatArray, IntArray, db_to_linear, linear_to_db

Record = TypeVar("Record", bound=Model)
Number = TypeVar("Number", np.float64, np.bool_)

_BLOCK = 1 << 19  # entries of an array; a few dozen arrays are alive at a time
_FEW = 256  # devices that are not worth a stack of their own
_TABLES: dict[str, type[Model]] = {
    "device": Device,
    "device.dvfs": Dvfs,
    "edge": EdgeServer,
    "link": Link,
    "weights": Weights,
    "channel.budget": LinkBudget,
}
"""Tables whose numbers are stacked, beside those of the channel law and ``tasks_per_update``."""

_TASKS = "tasks_per_update"
_UNDOTTED = (_TASKS, "dnn")
"""Columns without a dot that are fields: the others that a scenario has are tables and names."""


def _is_number(annotation: Any) -> bool:
    """Whether a field holds a number, or none."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(_is_number(part) for part in get_args(annotation))
    return annotation is float


def stacked_fields(base: Scenario) -> set[str]:
    """Fields whose numbers are stacked: of the tables, and of the channel laws that are known or that ``base`` has."""
    found = {f"{table}.{name}" for table, model in _TABLES.items() for name in _numbers_of(model)}
    for law in (*LAWS.values(), find_law(base.channel.law)):
        numbers = _numbers_of(law)
        found |= {f"channel.{name}" for name in (*numbers, *law.in_db) if law.in_db.get(name, name) in numbers}
    return found | {_TASKS}


def _numbers_of(model: type[Model]) -> set[str]:
    return {name for name, field in model.model_fields.items() if _is_number(field.annotation)}


# --- columns ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeviceColumns:
    """What the columns of a file are."""

    kept: tuple[str, ...]
    """Copied to the result: what tells the devices apart."""
    fields: tuple[str, ...]
    """Fields of the scenario."""

    @classmethod
    def of(cls, columns: Sequence[str], base: Scenario, kept: Sequence[str] = ()) -> "DeviceColumns":
        """Tell the columns apart: a dotted name, ``tasks_per_update`` and ``dnn`` are fields, any other one is kept.

        Args:
            columns: headings.
            base: the scenario whose fields are overridden.
            kept: columns to be kept, whatever their names are.

        Raises:
            ValueError: there is no such field, or a column that is to be kept has nearly the name of a field.
        """
        for name in kept:
            if name not in columns:
                raise ValueError(f"id = {name!r} must be one of the columns {', '.join(columns)}")
        fields = [name for name in columns if name not in kept and ("." in name or name in _UNDOTTED)]
        for name in fields:
            _check_field(name, base)
        for name in columns:
            if name not in (*kept, *fields, *Scenario.model_fields) and (meant := _meant(name, base)):
                raise ValueError(
                    f"column {name!r}: did you mean {meant}? A field has the name of its table before a dot; "
                    f"--id {name} keeps the column as it is"
                )
        return cls(tuple(name for name in columns if name not in fields), tuple(fields))


def _check_field(field: str, base: Scenario) -> None:
    table, _, name = field.rpartition(".")
    law = find_law(base.channel.law)  # registered or not; a law that rows choose tells itself what it takes
    known = tables(Scenario) | {"dnn": {*Dnn.model_fields, "profile"}}
    known["channel"] |= {*law.model_fields, *law.in_db}
    if not field.startswith("sources.") and name not in known.get(table, ()):
        raise ValueError(f"column {field!r}: unknown field{hint(table, name, Scenario)}")


def _meant(column: str, base: Scenario) -> str:
    """The fields that a name without a dot is, or nearly is; nothing if there is none."""
    fields = sorted(stacked_fields(base) | {"channel.law", "dnn.profile"})
    near = difflib.get_close_matches(column, {field.rpartition(".")[2] for field in fields}, n=1, cutoff=0.85)
    return " or ".join(field for field in fields if field.rpartition(".")[2] in near)


# --- rows -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class DeviceStack:
    """Devices side by side; what stands behind the last stage of a shorter network is 0, or no placement that fits.

    Args:
        rows: indices of the devices in their chunk, shape (devices,).
        problems: theirs, in the same order.
        time, energy: terms in seconds and joules, shapes (devices, stages) and (devices, stages - 1).
        download: what a task bears of downloading the first M layers, shape (devices, stages) each.
        fits: whether the first M layers fit into the memory, shape (devices, stages).
    """

    rows: IntArray
    problems: bl.ProblemStack
    time: StageTerms
    energy: StageTerms
    download: Amounts[FloatArray]
    fits: BoolArray

    @classmethod
    def merged(cls, stacks: Sequence["DeviceStack"]) -> "DeviceStack":
        """One stack of the devices of several."""
        if len(stacks) == 1:
            return stacks[0]
        problems = [stack.problems for stack in stacks]
        stages = max(each.cost.airtime.shape[1] for each in problems)
        cost = _merged_terms([each.cost for each in problems], stages)
        return cls(
            rows=np.concatenate([stack.rows for stack in stacks]),
            problems=bl.ProblemStack(
                airtime_cost=cost.airtime,
                edge_cost=cost.edge,
                device_cost=cost.device,
                channel=[each.law(row) for each in problems for row in range(len(each))],
                completes=np.concatenate([each.completes for each in problems]),
                horizon=np.concatenate([each.horizon for each in problems]),
            ),
            time=_merged_terms([stack.time for stack in stacks], stages),
            energy=_merged_terms([stack.energy for stack in stacks], stages),
            download=Amounts(
                **{
                    name: _merged([stack.download.known()[name] for stack in stacks], stages)
                    for name in stacks[0].download.known()
                }
            ),
            fits=_merged([stack.fits for stack in stacks], stages),
        )


def _merged_terms(terms: Sequence[StageTerms], stages: int) -> StageTerms:
    return StageTerms(
        airtime=_merged([each.airtime for each in terms], stages),
        edge=_merged([each.edge for each in terms], stages),
        device=_merged([each.device for each in terms], stages - 1),
    )


def _merged(arrays: Sequence[NDArray[Number]], width: int) -> NDArray[Number]:
    """Rows of several arrays, filled up with 0."""
    merged = np.zeros((sum(len(array) for array in arrays), width), dtype=arrays[0].dtype)
    start = 0
    for array in arrays:
        merged[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return merged


class DeviceRows:
    """The rows of a chunk.

    Args:
        base: the scenario whose fields they override.
        fields: cells by the name of the field; an empty one, or None, keeps what the base has, ``none`` takes the field
            away.
        count: number of rows.
        placement: layers on the device; None for all.
        faults: what is known to be wrong with rows, by their index. ``stacks`` adds what else is.
    """

    def __init__(
        self,
        base: Scenario,
        fields: Mapping[str, Sequence[Cell]],
        count: int,
        placement: int | None = None,
        faults: Mapping[int, str] | None = None,
    ) -> None:
        self.base, self.fields, self.count, self.placement = base, fields, count, placement
        self.faults = dict(faults or {})
        stacked = stacked_fields(base)
        self._columns = {name: _Column.of(cells, name in stacked) for name, cells in fields.items()}

    def stacks(self) -> Iterator[DeviceStack]:
        """All rows that are scenarios, in stacks of bounded size."""
        waiting: list[DeviceStack] = []
        for stack in self._stacks():
            if stack.rows.size >= _FEW:
                yield stack
                continue
            waiting.append(stack)
            if sum(each.rows.size for each in waiting) >= _FEW:
                yield DeviceStack.merged(waiting)
                waiting = []
        if waiting:
            yield DeviceStack.merged(waiting)

    def _stacks(self) -> Iterator[DeviceStack]:
        """Stacks of rows that are alike."""
        for rows in self._alike():
            while rows.size:
                scenario = self._checked(int(rows[0]))
                if scenario is None:
                    rows = rows[1:]
                    continue
                size = max(1, _BLOCK // (scenario.layers + 1))
                yield from self._block(rows[:size], scenario)
                rows = rows[size:]

    def scenario(self, row: int) -> Scenario:
        """The scenario of one row.

        Raises:
            ValueError: it is none; tells field, value and what is allowed.
        """
        given = {name: cells[row] for name, cells in self.fields.items() if not _is_empty(cells[row])}
        try:
            return self.base.replace(**{name: _value(name, cell) for name, cell in given.items()})
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"scenario {self.base.name}: ")) from None

    def _alike(self) -> Iterator[IntArray]:
        """Indices of sound rows that override the same fields, and agree in all that is not stacked."""
        sound = np.delete(np.arange(self.count), list(self.faults))
        key = np.zeros(sound.size, dtype=np.int64)
        for column in self._columns.values():
            kind = column.kind[sound]
            _, key = np.unique(key * (1 + kind.max(initial=0)) + kind, return_inverse=True)
        order = np.argsort(key, kind="stable")
        yield from np.split(sound[order], np.flatnonzero(np.diff(key[order])) + 1)

    def _block(self, rows: IntArray, scenario: Scenario) -> Iterator[DeviceStack]:
        """Rows that are alike, of which the first one has been checked, as a stack; those refused by themselves."""
        columns = self._columns.items()
        numbers = {name: column.numbers[rows] for name, column in columns if column.kind[rows[0]] == _NUMBER}
        sound = _sound(scenario, numbers, rows.size)
        try:
            stack = self._stack(rows[sound], scenario, {name: values[sound] for name, values in numbers.items()})
        except ValueError:  # of a row that is found below
            sound[:] = False
        else:
            yield stack
        for row in rows[~sound]:
            alone = self._checked(int(row))
            if alone is not None:
                yield self._stack(np.array([row]), alone, {})

    def _stack(self, rows: IntArray, scenario: Scenario, numbers: Mapping[str, FloatArray]) -> DeviceStack:
        """A stack of rows with these numbers.

        Raises:
            ValueError: the problem of a row is refused.
        """
        stacked = _with(scenario, numbers)
        horizon = scenario.layers if self.placement is None else self.placement
        terms = stacked.terms(horizon).map(lambda each: _of_all_terms(each, rows.size))
        law, (fields, _) = scenario.channel_law, _law_fields(scenario, stacked, numbers)
        problems = bl.ProblemStack(
            airtime_cost=terms.cost.airtime,
            edge_cost=terms.cost.edge,
            device_cost=terms.cost.device,
            channel=_channels(law, fields),
            completes=horizon == scenario.layers,
        )
        download = stacked.download.map(lambda amount: _of_all(amount[..., : horizon + 1], rows.size))
        fits = _of_all(stacked.fits[..., : horizon + 1], rows.size)
        return DeviceStack(rows, problems, terms.known()["time_s"], terms.known()["energy_j"], download, fits)

    def _checked(self, row: int) -> Scenario | None:
        """The scenario of a row; if it is none, or poses no problem, None, and the fault is noted."""
        try:
            scenario = self.scenario(row)
            scenario.problem(self.placement)
        except ValueError as error:
            self.faults[row] = str(error)
            return None
        return scenario


# --- cells ------------------------------------------------------------------------------------------------------------

_NUMBER, _EMPTY, _FIRST_OTHER = 0, 1, 2


@dataclass(frozen=True, eq=False)
class _Column:
    """The cells of a field.

    Args:
        kind: a number that is stacked, an empty cell, or one code per other content; one per row.
        numbers: NaN where there is none.
    """

    kind: IntArray
    numbers: FloatArray

    @classmethod
    def of(cls, cells: Sequence[Cell], stacked: bool) -> "_Column":
        if stacked and set(map(type, cells)) <= {str, float, int}:
            try:
                numbers = np.fromiter(map(float, cells), np.float64, len(cells))
            except (ValueError, OverflowError):  # an empty cell, a text
                pass
            else:
                return cls(np.full(len(cells), _NUMBER), numbers)
        codes: dict[str, int] = {}
        kind, numbers = np.empty(len(cells), dtype=np.int64), np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            number = _number(cell) if stacked else None
            if _is_empty(cell):
                kind[row] = _EMPTY
            elif number is not None:
                kind[row], numbers[row] = _NUMBER, number
            else:
                kind[row] = codes.setdefault(repr(cell), len(codes) + _FIRST_OTHER)
        return cls(kind, numbers)


def _is_empty(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _number(cell: Cell) -> float | None:
    """A number, however it is held; None for anything else."""
    if not isinstance(cell, str | int | float) or isinstance(cell, bool):
        return None
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return None


def _value(field: str, cell: Cell) -> Any:
    """What a cell stands for, as in ``--set``."""
    try:
        return read_value(cell.strip()) if isinstance(cell, str) else cell
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


# --- stacks -----------------------------------------------------------------------------------------------------------


def _of_all(values: NDArray[Number], devices: int) -> NDArray[Number]:
    """Values of every device, shape (devices, stages), from those that may be the same for all."""
    return np.broadcast_to(values, (devices, values.shape[-1]))


def _of_all_terms(terms: StageTerms, devices: int) -> StageTerms:
    return StageTerms(
        airtime=_of_all(terms.airtime, devices),
        edge=_of_all(terms.edge, devices),
        device=_of_all(terms.device, devices),
    )


def _fields(record: Model) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).model_fields}


def _channels(law: ChannelLaw, fields: Mapping[str, FloatArray]) -> ChannelLaw | list[ChannelLaw] | bl.LawColumns:
    """The laws of all devices, which differ from ``law`` in some fields."""
    if not fields:
        return law
    if isinstance(law, FadingLaw) and _numbers_of(type(law)) == type(law).model_fields.keys():
        return bl.LawColumns(type(law), **_fields(law) | dict(fields))
    return [type(law).model_validate(record) for record in _records(law, fields)]


def _by_table(numbers: Mapping[str, FloatArray]) -> dict[str, dict[str, FloatArray]]:
    """Columns by the dotted name of their table and the name of the field in it."""
    found: dict[str, dict[str, FloatArray]] = {}
    for field, values in numbers.items():
        table, _, name = field.rpartition(".")
        found.setdefault(table, {})[name] = values
    return found


def _with(record: Record, numbers: Mapping[str, FloatArray]) -> Record:
    """A copy with arrays, shape (devices, 1), at dotted fields, unchecked; those of a channel law have no place."""
    fields, inside = _fields(record), dict[str, dict[str, FloatArray]]()
    for field, values in numbers.items():
        head, _, rest = field.partition(".")
        if rest:
            inside.setdefault(head, {})[rest] = values
        elif head in fields:
            fields[head] = values[:, None]
    for head, values_inside in inside.items():
        fields[head] = _with(fields[head], values_inside)
    return type(record).model_construct(**fields)


def _sound(scenario: Scenario, numbers: Mapping[str, FloatArray], devices: int) -> BoolArray:
    """Which devices the models of their tables, law included, accept, shape (devices,)."""
    sound = np.ones(devices, dtype=np.bool_)
    for table, columns in _by_table(numbers).items():
        if table == "weights":  # not both are 0
            sound &= _accepted(_column_of(Weights), _records(scenario.weights, columns))
        elif table != "channel":
            for name, values in columns.items():
                sound &= _accepted(_column_of(_TABLES.get(table, Scenario), name), values.tolist())
    with np.errstate(all="ignore"):  # in rows that are refused
        fields, mean_db = _law_fields(scenario, _with(scenario, numbers), numbers)
    law = scenario.channel_law
    if fields.keys() == {"mean_snr"}:
        sound &= _accepted(_column_of(type(law), "mean_snr"), fields["mean_snr"].tolist())
    elif fields:  # the limits of the rate are in order
        sound &= _accepted(_column_of(type(law)), _records(law, fields))
    return sound if mean_db is None else sound & (mean_db >= LOWEST_MEAN_DB) & (mean_db <= HIGHEST_MEAN_DB)


def _accepted(column: type[Model], values: list[Any]) -> BoolArray:
    """Which values a column may have, shape (values,)."""
    accepted = np.ones(len(values), dtype=np.bool_)
    try:
        column.model_validate({"values": values})
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        accepted[[int(fault["loc"][1]) for fault in faults]] = False
    return accepted


@lru_cache
def _column_of(model: type[Model], field: str | None = None) -> type[Model]:
    """The model of a column of records, or of one of their fields, as they check it themselves."""
    kind: Any = model
    if field is not None:
        info = model.model_fields[field]
        kind = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return create_model("Column", __base__=Model, values=(list[kind], ...))


def _records(record: Model, columns: Mapping[str, FloatArray]) -> list[dict[str, Any]]:
    """The content of a record with the numbers of each device."""
    fields = _fields(record)
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [fields | dict(zip(columns, each, strict=True)) for each in values]


def _law_fields(
    scenario: Scenario, stacked: Scenario, numbers: Mapping[str, FloatArray]
) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """The fields in which the laws of the devices differ, and their mean SNR in dB if it is one of them."""
    in_db, fields = type(scenario.channel_law).in_db, {}
    for name, values in _by_table(numbers).get("channel", {}).items():
        fields[in_db.get(name, name)] = db_to_linear(values) if name in in_db else values
    mean_db = linear_to_db(fields["mean_snr"]) if "mean_snr" in fields else None
    budget = stacked.channel.budget
    if budget is not None and np.ndim(budgeted := budget.mean_snr_db(stacked.link)):
        mean_db = budgeted[:, 0]
        fields["mean_snr"] = db_to_linear(mean_db)
    return fields, mean_db
