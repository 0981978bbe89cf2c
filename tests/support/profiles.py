"""The committed files of the DNN catalogue."""

import json
from typing import Any

from cointer_gym.profiles import architectures


def read_profile(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((architectures.DATA / f"{name}.json").read_text(encoding="utf-8"))
    return data


def profile_layer(name: str, layer_name: str) -> dict[str, Any]:
    (match,) = [row for row in read_profile(name)["layers"] if row["name"] == layer_name]
    return dict(match)
