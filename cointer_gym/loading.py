"""Scenarios as plain data: reading their files, overriding dotted fields, and saying in words what is wrong."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cointer_gym.channels.law import LAWS

_CATALOGUE = resources.files("cointer_gym") / "data" / "scenarios"

# Measured times are of a network on a computer, not of the network: where those given with a layer belong.
_MEASURED = {"device_s": "[device.measured]", "device_j": "[device.measured]", "edge_s": "[edge.measured]"}


def list_scenarios() -> list[str]:
    """Names of the built-in scenarios, sorted."""
    return sorted(entry.name.removesuffix(".toml") for entry in _CATALOGUE.iterdir() if entry.name.endswith(".toml"))


def read_toml(scenario: str) -> dict[str, Any]:
    """The content of a scenario file; a profile given by its path is relative to the file, not to the caller.

    Args:
        scenario: built-in name (see ``list_scenarios``) or path to a ``.toml`` file.

    Raises:
        ValueError: there is no such scenario, or its file is malformed.
    """
    path = _CATALOGUE / f"{scenario}.toml" if scenario in list_scenarios() else Path(scenario)
    if not path.is_file():
        raise ValueError(
            f"scenario = {scenario!r} is neither a file nor one of the built-in scenarios {', '.join(list_scenarios())}"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"scenario {scenario}: not valid TOML: {error}") from error
    profile = content["dnn"].get("profile") if isinstance(content.get("dnn"), dict) else None
    if isinstance(path, Path) and isinstance(profile, str) and (path.parent / profile).is_file():
        content["dnn"]["profile"] = str(path.parent / profile)
    return content


# --- overriding -------------------------------------------------------------------------------------------------------


def override(content: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a scenario's content with dotted fields set, in order.

    What a new value makes obsolete goes: the note in ``sources`` on where the old one came from, the link budget behind
    a mean SNR, a parameter of the channel given in dB if it is now given as a ratio (and the other way round), and the
    measured times of a network that is replaced.

    Raises:
        ValueError: a field lies inside something that has no fields.
    """
    if {"dnn", "dnn.profile", "dnn.layers"} & overrides.keys():
        content = _without(_without(content, "device", "measured"), "edge", "measured")
    for field, value in overrides.items():
        content = _put(content, field.split("."), value)
        if field in ("channel.mean_snr_db", "channel.mean_snr"):
            content = _put(content, ["channel", "budget"], None)
        table, _, name = field.partition(".")
        if table == "channel" and name in (spelling := _other_spelling()):
            content = _without(content, table, spelling[name])
        if field != "sources":
            content = _without_notes(content, field)
    return content


def _put(content: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    head, *rest = keys
    if not rest:
        return {**content, head: value}
    inner = content.get(head) or {}
    if not isinstance(inner, dict):
        raise ValueError(f"field {head!r} has no field {'.'.join(rest)!r} to override")
    return {**content, head: _put(inner, rest, value)}


def _other_spelling() -> dict[str, str]:
    """Names of channel parameters given in dB, and of the same ones given as a ratio."""
    pairs = [pair for law in LAWS.values() for pair in law.in_db.items()]
    return dict(pairs) | {linear: in_db for in_db, linear in pairs}


def _without(content: dict[str, Any], table: str, name: str) -> dict[str, Any]:
    """Without one key of a table, if it is there, and without the notes on it."""
    settings = content.get(table)
    if not isinstance(settings, dict) or name not in settings:
        return content
    kept = {key: value for key, value in settings.items() if key != name}
    return _without_notes({**content, table: kept}, f"{table}.{name}")


def _without_notes(content: dict[str, Any], field: str) -> dict[str, Any]:
    """Without the notes on where the field, or a field inside it, came from."""
    sources = content.get("sources")
    if not isinstance(sources, dict):
        return content
    kept = {name: text for name, text in sources.items() if not f"{name}.".startswith(f"{field}.")}
    return {**content, "sources": kept}


# --- faults in words --------------------------------------------------------------------------------------------------


def describe(error: ValidationError, root: type[BaseModel]) -> str:
    """One line per fault, joined by semicolons: field, value and what is allowed.

    Args:
        error: what validating the content as ``root`` raised.
        root: the model whose fields, and those of the models inside it, a misspelt field may have meant.
    """
    lines = []
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"])
        given = fault["input"]
        value = f" = {given!r}" if isinstance(given, str | int | float) else ""
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = f"unknown field{_hint(str(fault['loc'][-1]), root)}"
        lines.append(f"{field}{value}: {message}" if field else message)
    return "; ".join(lines)


def _hint(unknown: str, root: type[BaseModel]) -> str:
    if unknown in _MEASURED:
        return f"; measured times and energies belong to {_MEASURED[unknown]}"
    near = difflib.get_close_matches(unknown, field_names(root), n=1)
    return f", did you mean {near[0]!r}?" if near else ""


def field_names(root: type[BaseModel]) -> set[str]:
    """Names of all fields of ``root`` and of the models inside it, and of the channel laws."""
    names = {name for law in LAWS.values() for name in law.in_db}
    known: set[type[BaseModel]] = set()
    pending = [root, *LAWS.values()]
    while pending:
        model = pending.pop()
        if model not in known:
            known.add(model)
            names.update(model.model_fields)
            pending += [inner for field in model.model_fields.values() for inner in _models(field.annotation)]
    return names


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions, like ``Layer`` in ``tuple[Layer, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
