"""The final policy of a Stable-Baselines3 learner, without pickle: its numbers as safetensors, and what they are of.

The numbers are the ``state_dict`` of the policy, which is what acts. Reading builds the model anew from the settings of
the training and lets nothing in but finite numbers with the names, shapes and types that it has.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, JsonValue

from cointer_gym.agents.curve import GapPoint
from cointer_gym.files import naming, replace_file
from cointer_gym.records import Model

_HEADER = "cointer_gym"


class Header(Model):
    """What the numbers are of.

    Args:
        version: of this format.
        run: fingerprint of the training.
        algorithm: id of the entry.
        learner: import path of its class.
        policy: import path of the policy's class.
        policy_keywords: of the policy's class, such as the widths of its hidden layers.
        observation_space: class, shape and type.
        action_space: class, shape and type, and how many actions there are.
        versions: of the packages it was made with.
        result: its exact score.
    """

    model_config = ConfigDict(allow_inf_nan=True, ser_json_inf_nan="strings")

    version: Literal[1] = 1
    run: str
    algorithm: str
    learner: str
    policy: str
    policy_keywords: dict[str, JsonValue]
    observation_space: dict[str, JsonValue]
    action_space: dict[str, JsonValue]
    versions: dict[str, str]
    result: GapPoint

    def differences(self, model: Any) -> list[str]:
        """Names of what a model has otherwise."""
        return [name for name, value in described(model).items() if getattr(self, name) != value]


def described(model: Any) -> dict[str, Any]:
    """The fields of a header that a Stable-Baselines3 model tells."""
    return {
        "policy": _path(type(model.policy)),
        "policy_keywords": {name: _plain(value) for name, value in model.policy_kwargs.items()},
        "observation_space": _space(model.observation_space),
        "action_space": _space(model.action_space),
    }


def write_weights(path: Path, model: Any, header: Header) -> None:
    """Write the policy of a model in one step."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().clone().contiguous() for name, tensor in model.policy.state_dict().items()}
    metadata = {_HEADER: header.model_dump_json()}
    replace_file(path, lambda draft: save_file(tensors, draft, metadata))


def read_header(path: Path, run: str) -> Header:
    """What the numbers of a file are of.

    Raises:
        ValueError: the file cannot be read, or was written by something else or for another training; names it.
    """
    with naming(path), _opened(path) as file:
        return _header(file, run)


def check_size(path: Path, net_arch: tuple[int, ...]) -> None:
    """Check that a file holds at least the numbers between the hidden layers, before anything is built.

    Raises:
        ValueError: it does not, or it cannot be read.
    """
    with naming(path), _opened(path) as file:
        held = sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (not a dict)
        needed = sum(one * other for one, other in pairwise(net_arch))
        if needed > held:
            raise ValueError(f"net_arch = {list(net_arch)} needs {needed:,} numbers, but it holds {held:,}")


def read_weights(path: Path, model: Any, run: str) -> None:
    """Put the numbers of a file into a model that was built like the one they are of.

    Raises:
        ValueError: as ``read_header``; or the model is another one; or a number is missing, one too many, of another
            type or shape, or not finite.
    """
    import torch

    with naming(path), _opened(path) as file:
        header = _header(file, run)
        if differing := header.differences(model):
            raise ValueError(f"its {', '.join(differing)} differ from what run.json gives")
        wanted, found = model.policy.state_dict(), set(file.keys())
        if found != set(wanted):
            raise ValueError(f"its numbers are called {sorted(found)}, and must be {sorted(wanted)}")
        tensors = {}
        for name, tensor in wanted.items():
            if (shape := file.get_slice(name).get_shape()) != list(tensor.shape):
                raise ValueError(f"{name} has shape {shape} and must have {list(tensor.shape)}")
            tensors[name] = file.get_tensor(name)
            if tensors[name].dtype != tensor.dtype:
                raise ValueError(f"{name} is {tensors[name].dtype} and must be {tensor.dtype}")
            if not bool(torch.isfinite(tensors[name]).all()):
                raise ValueError(f"{name} holds NaN or infinities")
        model.policy.load_state_dict(tensors, strict=True)
        model.num_timesteps = header.result.steps


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import safe_open

    if not path.is_file():
        raise ValueError("it is no file")
    with safe_open(path, framework="pt", device="cpu") as file:
        yield file


def _header(file: Any, run: str) -> Header:
    metadata = file.metadata() or {}
    if _HEADER not in metadata:
        raise ValueError("it was not written by this program")
    header = Header.model_validate_json(metadata[_HEADER], strict=False)
    if header.run != run:
        raise ValueError("it is of another training than the run.json beside it")
    return header


def _space(space: Any) -> dict[str, Any]:
    found = {"type": type(space).__name__, "shape": list(space.shape), "dtype": str(space.dtype)}
    return found | ({"n": int(space.n)} if hasattr(space, "n") else {})


def _plain(value: Any) -> Any:
    """The value as JSON; a class by its path, anything else in words."""
    if isinstance(value, type):
        return _path(value)
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return str(value)


def _path(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
