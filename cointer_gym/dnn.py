"""Layer profiles of deep neural networks: what each layer costs to run and how large the feature behind it is."""

import json
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from cointer_gym.records import Model, read_only
from cointer_gym.units import FloatArray

_CATALOGUE = resources.files("cointer_gym") / "data" / "dnns"

NonNegative = Annotated[float, Field(ge=0)]


class Layer(Model):
    """One layer, ending at a cut point where a single tensor crosses.

    Args:
        name: label in tables and pictures.
        output_elements: number of elements of the feature behind the layer.
        flops: work in FLOP (one multiply-accumulate is 2); may be left out where the computers have measured times.
        parameters: number of parameters, which the device downloads with the layer.
    """

    name: str
    output_elements: int = Field(gt=0)
    flops: NonNegative | None = None
    parameters: int = Field(default=0, ge=0)


class Dnn(Model):
    """A chain of layers with the numerical precision of its features.

    In a scenario file either ``profile`` names a built-in network or a JSON file with these fields, or the fields
    stand there themselves; fields next to ``profile`` override those of the profile.

    Args:
        name: short name.
        input_elements: number of elements of the raw input.
        layers: the layers in order, at least one.
        feature_bits_per_element: precision of intermediate features, bits.
        input_bits_per_element: precision of the raw input, bits.
        parameter_bits_per_element: precision of downloaded parameters, bits.
    """

    name: str
    description: str = ""
    source: str = "assumed"
    input_elements: int = Field(gt=0)
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]
    feature_bits_per_element: float = Field(default=32.0, gt=0)
    input_bits_per_element: float = Field(default=8.0, gt=0)
    parameter_bits_per_element: float = Field(default=32.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _from_profile(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"profile": data}
        if isinstance(data, dict) and "profile" in data:
            if "layers" in data:
                raise ValueError("give either profile or layers, not both")
            return _read_profile(str(data["profile"])) | {key: value for key, value in data.items() if key != "profile"}
        return data

    @classmethod
    def load(cls, profile: str) -> "Dnn":
        """Read a built-in network by name (see ``list_dnns``) or a JSON file by path.

        Raises:
            ValueError: unknown name, unreadable file, or a field out of range.
        """
        return cls.model_validate(profile)

    @cached_property
    def output_bits(self) -> FloatArray:
        """Feature sizes D_0..D_L, shape (L+1,), bits; index 0 is the raw input."""
        features = [layer.output_elements * self.feature_bits_per_element for layer in self.layers]
        return read_only(np.array([self.input_elements * self.input_bits_per_element, *features]))

    @cached_property
    def parameter_bits(self) -> FloatArray:
        """Parameter sizes P_1..P_L, shape (L,), bits."""
        return read_only(np.array([layer.parameters * self.parameter_bits_per_element for layer in self.layers]))

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Names of the features 0..L: ``input`` and then one per layer."""
        return ("input", *(layer.name for layer in self.layers))


def list_dnns() -> list[str]:
    """Names of the built-in networks, sorted."""
    return sorted(entry.name.removesuffix(".json") for entry in _CATALOGUE.iterdir() if entry.name.endswith(".json"))


def _read_profile(profile: str) -> dict[str, Any]:
    path = _CATALOGUE / f"{profile}.json" if profile in list_dnns() else Path(profile)
    if not path.is_file():
        raise ValueError(
            f"profile = {profile!r} is neither a file nor one of the built-in networks {', '.join(list_dnns())}"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"profile {profile!r} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"profile {profile!r} must hold a JSON object, got {type(content).__name__}")
    return content
