"""What is wrong with a scenario, in words: which field, what it holds, what is allowed, and what was probably meant."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cointer_gym.channels.law import LAWS
from cointer_gym.channels.settings import ChannelSettings

_MOST = 10  # faults told one by one
_LONGEST = 80  # characters of a value that are shown
_NEAR, _NEAR_ELSEWHERE = 0.75, 0.85  # so that downlink_bps is no guess for uplink_bps, nor tx_power_w for idle_power_w

# What is known by names that no table has.
_MEASURED = "; measured times and energies belong to [{}.measured]"
_EXPLAINED = {
    "device_s": _MEASURED.format("device"),
    "device_j": _MEASURED.format("device"),
    "edge_s": _MEASURED.format("edge"),
    "uplink_bps": "; the rate of the uplink follows from bandwidth_hz and the SNR of [channel]",
}


def describe(error: ValidationError, root: type[BaseModel]) -> str:
    """One phrase per fault, joined by semicolons: field, value and what is allowed.

    Args:
        error: what validating the content as ``root`` raised.
        root: the model whose fields, and those of the models inside it, a misspelt field may have meant.
    """
    faults = [fault for fault in error.errors(include_url=False) if not _follows_from_others(fault)]
    lines = [_describe(dict(fault), root) for fault in faults[:_MOST]]
    more = [f"and {len(faults) - _MOST} more"] if len(faults) > _MOST else []
    return "; ".join(lines + more)


def _follows_from_others(fault: Any) -> bool:
    """A list that has items, none of them sound, is not too short."""
    return bool(fault["type"] == "too_short" and fault["input"])


def _describe(fault: dict[str, Any], root: type[BaseModel]) -> str:
    field = ".".join(str(part) for part in fault["loc"])
    value = f" = {_shown(fault['input'])}" if isinstance(fault["input"], str | int | float) else ""
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        *table, name = (str(part) for part in fault["loc"] if not isinstance(part, int))
        message = f"unknown field{hint('.'.join(table), name, root)}"
    return f"{field}{value}: {message}" if field else message


def _shown(value: str | int | float) -> str:
    """A value as it was written, or what it is where it is too long to be read."""
    if isinstance(value, int) and abs(value) >= 10**_LONGEST:
        return f"a number of {int(value.bit_length() * 0.30103) + 1} digits"
    text = repr(value[: _LONGEST + 1] if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST + 2 else f"{text[:_LONGEST]}..."


def hint(table: str, unknown: str, root: type[BaseModel]) -> str:
    """What an unknown field of a table may have meant: one of the same table, or one that belongs elsewhere.

    Args:
        table: dotted name; empty is the top level.
        unknown: name of the field.
        root: the model of the whole.
    """
    if unknown in _EXPLAINED:
        return _EXPLAINED[unknown]
    fields = tables(root)
    if near := _nearest(unknown, fields.get(table, set()), _NEAR):
        return f", did you mean {near!r}?"
    owners = [_header(other) for other, names in fields.items() if unknown in names]
    if owners:
        return f"; {unknown!r} belongs to {' or '.join(owners)}"
    alike = [(near, other) for other, names in fields.items() if (near := _nearest(unknown, names, _NEAR_ELSEWHERE))]
    if len(alike) == 1:
        return f", did you mean {alike[0][0]!r} of {_header(alike[0][1])}?"
    return ""


def _nearest(unknown: str, names: set[str], cutoff: float) -> str | None:
    """The name that is spelt alike, or begins alike: ``clock`` for ``clock_hz``."""
    longer = [name for name in sorted(names) if name.startswith(f"{unknown}_")]
    return next(iter(longer or difflib.get_close_matches(unknown, sorted(names), n=1, cutoff=cutoff)), None)


def _header(table: str) -> str:
    return f"[{table}]" if table else "the top level"


def tables(root: type[BaseModel], name: str = "") -> dict[str, set[str]]:
    """Names of the fields of ``root`` and of every table inside it, by the dotted name of the table."""
    found = {name: set(root.model_fields)}
    if root is ChannelSettings:
        found[name] |= {field for law in LAWS.values() for field in (*law.model_fields, *law.in_db)}
    for field, info in root.model_fields.items():
        for inner in _models(info.annotation):
            found |= tables(inner, f"{name}.{field}".removeprefix("."))
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions, like ``Layer`` in ``tuple[Layer, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
