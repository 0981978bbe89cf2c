"""The spec that Gymnasium gives an environment, with arguments as plain data, so that ``spec.to_json()`` works.

``gym.make`` notes the arguments before the environment has read them: a ``Scenario``, a ``Path`` or a NumPy number is
no JSON, and a dictionary is still the caller's. What stands in the spec is therefore what the environment made of them.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gymnasium.envs.registration import EnvSpec


def plain_spec(spec: EnvSpec | None, arguments: Mapping[str, Any]) -> EnvSpec | None:
    """The spec with the values of ``arguments``; names and paths of files stay, as strings.

    Args:
        spec: what Gymnasium noted.
        arguments: plain data, by the name of the constructor's argument.
    """
    if spec is None:
        return None
    kwargs = {
        name: str(value) if isinstance(value, str | Path) else arguments.get(name, value)
        for name, value in spec.kwargs.items()
    }
    return replace(spec, kwargs=kwargs)
