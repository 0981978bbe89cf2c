"""Scenarios as plain data: reading their files, and overriding dotted fields."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from cointer_gym.channels.law import LAWS, ChannelLaw, find_law
from cointer_gym.dnn import Dnn, read_profile
from cointer_gym.faults import hint, tables
from cointer_gym.files import read_text
from cointer_gym.records import find_file

_CATALOGUE = Path(__file__).parent / "data" / "scenarios"
_DEEPEST = 5  # names in a dotted field

# Fields that say the same in another way: setting one, or a field inside it, takes the others away.
_INSTEAD = {
    "channel.mean_snr_db": ["channel.budget"],
    "channel.mean_snr": ["channel.budget"],
    "channel.budget": ["channel.mean_snr_db", "channel.mean_snr"],
    "device.dvfs": ["device.flops_per_s", "device.compute_power_w"],
    "device.flops_per_s": ["device.dvfs"],
    "device.compute_power_w": ["device.dvfs"],
}
_NETWORK = ("dnn", "dnn.profile", "dnn.layers")  # the network itself; what was measured is of the old one
_FIRST = (*_NETWORK, "channel.law")  # set before their neighbours, which depend on them


def list_scenarios() -> list[str]:
    """Names of the built-in scenarios, sorted."""
    return sorted(path.stem for path in _CATALOGUE.glob("*.toml"))


def read_toml(scenario: str | Path) -> dict[str, Any]:
    """The content of a scenario file; a profile given by its path is relative to the file, not to the caller.

    Args:
        scenario: built-in name (see ``list_scenarios``) or path to a ``.toml`` file.

    Raises:
        ValueError: there is no such scenario, or its file cannot be read or is malformed; names the file.
    """
    path = find_file("scenario", scenario, _CATALOGUE, "built-in scenarios")
    text = read_text(path)
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"scenario {scenario}: nested too deeply") from None
    except ValueError as error:  # malformed, or a number of thousands of digits
        raise ValueError(f"scenario {scenario}: not valid TOML: {error}") from error
    dnn = _table("dnn", content.get("dnn"))
    profile = dnn.get("profile") if isinstance(dnn, dict) else None
    if isinstance(profile, str) and (path.parent / profile).is_file():
        content["dnn"] = dnn | {"profile": str(path.parent / profile)}
    return content


def read_value(text: str) -> Any:
    """The value that a text stands for: in TOML, or a number that TOML spells otherwise, like ``.5``, else the text.

    No text, or ``none``, is None.

    Raises:
        ValueError: the value is nested too deeply.
    """
    if text in ("", "none"):
        return None
    try:
        parsed = tomllib.loads(f"value = {text}")
    except RecursionError:
        raise ValueError("the value is nested too deeply") from None
    except ValueError:  # no TOML, or a number of thousands of digits
        return float(text) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE) else text
    return parsed["value"] if len(parsed) == 1 else text


def override(content: dict[str, Any], overrides: Mapping[str, Any], root: type[BaseModel]) -> dict[str, Any]:
    """A copy of a scenario's content with dotted fields set; None takes a field away, so that its default holds.

    Whole tables are set before their fields, the profile of a network and the law of a channel before their neighbours.
    What a new value makes obsolete goes, unless it is set here, too: the note in ``sources`` on where the old value
    came from; the same quantity given in another way (a link budget beside a mean SNR, a parameter in dB beside its
    ratio, DVFS beside speed and power); of a network whose ``profile`` is replaced everything but the precision, and
    its measured times; of a channel whose ``law`` is replaced the fields that the new law does not take, and those
    that hold the default of the old one.

    Args:
        content: of a scenario file, or what a scenario dumps.
        overrides: dotted names and values.
        root: the model of a scenario.

    Raises:
        ValueError: a field lies inside something that has no fields, or one to be taken away does not exist.
    """
    content = {name: _table(name, value) for name, value in content.items()}
    for field in sorted(overrides, key=_rank):
        if overrides[field] is None:
            content = _unset(content, field, root)
        else:
            kept = [name for name, value in overrides.items() if value is not None]
            content = _set(content, field, overrides[field], kept)
    return content


def _rank(field: str) -> tuple[bool, int, bool]:
    """Tables before their fields, notes last: they are on what is set here."""
    return field.partition(".")[0] == "sources", field.count("."), field not in _FIRST


def _set(content: dict[str, Any], field: str, value: Any, kept: Iterable[str]) -> dict[str, Any]:
    """With a field set, and without what that makes obsolete, but for the fields in ``kept``."""
    if field == "dnn.layers" and "dnn.profile" not in kept:
        content = _with_profile_read(content)
    for other in _obsolete(content, field, value):
        if not any(_lies_in(name, other) or _lies_in(other, name) for name in kept):
            content = _without_notes(_without(content, other.split(".")), other)
    return _without_notes(_put(content, _keys(field), _table(field, value)), field)


def _table(name: str, value: Any) -> Any:
    """A model, or the name of a network, as the table that it stands for; what is NumPy's as plain numbers."""
    if isinstance(value, ChannelLaw):
        return {"law": value.reference(), **value.model_dump(exclude_none=True, exclude_unset=True)}
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return {"profile": value} if name == "dnn" and isinstance(value, str) else _plain(value)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _keys(field: str) -> list[str]:
    keys = field.split(".", 1) if field.startswith("sources.") else field.split(".")  # the keys of sources have dots
    if len(keys) > _DEEPEST:
        raise ValueError(
            f"{'.'.join(keys[:_DEEPEST])}...: {len(keys)} names in one field, at most {_DEEPEST} are allowed"
        )
    return keys


def _put(content: dict[str, Any], keys: list[str], value: Any) -> dict[str, Any]:
    head, *rest = keys
    if not rest:
        return {**content, head: value}
    inner = content.get(head) or {}
    if not isinstance(inner, dict):
        raise ValueError(f"field {head!r} has no field {'.'.join(rest)!r} to override")
    return {**content, head: _put(inner, rest, value)}


def _unset(content: dict[str, Any], field: str, root: type[BaseModel]) -> Any:
    table, _, name = field.rpartition(".")
    known = tables(root)
    if not field.startswith("sources.") and name not in known.get(table, ()):
        raise ValueError(f"{field}: unknown field{hint(table, name, root)}")
    kept = _without(content, _keys(field))
    return content if kept == content else _without_notes(kept, field)


# --- what goes --------------------------------------------------------------------------------------------------------


def _obsolete(content: dict[str, Any], field: str, value: Any) -> list[str]:
    """Dotted names of what a new value of a field makes obsolete."""
    gone = [other for name, others in _INSTEAD.items() if _lies_in(field, name) for other in others]
    gone += ["device.measured", "edge.measured"] if field in _NETWORK else []
    table, _, name = field.partition(".")
    present = content.get(table)
    names = set(present) if isinstance(present, dict) else set()
    if field == "dnn.profile":
        names = {each for each in {*names, *Dnn.model_fields} if not each.endswith("_per_element")}
    elif field == "channel.law":
        names -= _taken_by(value, otherwise=names) - _assumed(present)
    else:
        names = {_other_spelling()[name]} if table == "channel" and name in _other_spelling() else set()
    return gone + sorted(f"{table}.{each}" for each in names - {name})


def _taken_by(law: Any, *, otherwise: set[str]) -> set[str]:
    """What the table of a law may hold; ``otherwise`` where there is no such law, which validation will say."""
    try:
        found = find_law(str(law))
    except ValueError:
        return otherwise
    budget = {"budget"} if "mean_snr" in found.model_fields else set()
    return {"law", *found.model_fields, *found.in_db} | budget


def _assumed(channel: Any) -> set[str]:
    """Fields that hold the default of the law in force: records write it down, nobody meant it for another law."""
    law = LAWS.get(str(channel.get("law", "rayleigh"))) if isinstance(channel, dict) else None
    fields = {} if law is None else law.model_fields
    return {name for name in fields if name in channel and channel[name] == fields[name].default}


def _other_spelling() -> dict[str, str]:
    """Names of channel parameters given in dB, and of the same ones given as a ratio."""
    pairs = [pair for law in LAWS.values() for pair in law.in_db.items()]
    return dict(pairs) | {linear: in_db for in_db, linear in pairs}


def _with_profile_read(content: dict[str, Any]) -> dict[str, Any]:
    """With the content of the network's profile in the place of its name, so that its layers can be replaced."""
    dnn = content.get("dnn")
    if not isinstance(dnn, dict) or "profile" not in dnn:
        return content
    beside = {name: value for name, value in dnn.items() if name != "profile"}
    return {**content, "dnn": read_profile(dnn["profile"]) | beside}


def _lies_in(field: str, table: str) -> bool:
    """Whether a field is a table, or lies inside it."""
    return f"{field}.".startswith(f"{table}.")


def _without(content: Any, keys: list[str]) -> Any:
    """Without the field at ``keys``, if it is there."""
    head, *rest = keys
    if not isinstance(content, dict) or head not in content:
        return content
    if rest:
        return {**content, head: _without(content[head], rest)}
    return {name: value for name, value in content.items() if name != head}


def _without_notes(content: dict[str, Any], field: str) -> dict[str, Any]:
    """Without the notes on where the field, or a field inside it, came from."""
    sources = content.get("sources")
    if not isinstance(sources, dict):
        return content
    return {**content, "sources": {name: text for name, text in sources.items() if not _lies_in(name, field)}}
