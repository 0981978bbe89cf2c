"""Layer profiles of deep neural networks: what each layer costs to run and how large the feature behind it is."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from cointer_gym.files import read_json
from cointer_gym.records import (
    LARGEST_COUNT,
    Count,
    Label,
    Model,
    Name,
    NonNegative,
    Positive,
    Remark,
    find_file,
    read_only,
)
from cointer_gym.units import FloatArray

MAX_LAYERS = 2_000
_INPUT = "input"
_CATALOGUE = Path(__file__).parent / "data" / "dnns"

Size = Annotated[int, Field(gt=0, le=LARGEST_COUNT)]


class Layer(Model):
    """One layer, ending at a cut point where a single tensor crosses.

    Args:
        name: label in tables and pictures; no other layer of the network has it, nor is it ``input``.
        output_elements: number of elements of the feature behind the layer.
        flops: work in FLOP (one multiply-accumulate is 2); may be left out where the computers have measured times.
        parameters: number of parameters, which the device downloads with the layer.
    """

    name: Label
    output_elements: Size
    flops: NonNegative | None = None
    parameters: Count = 0


class Dnn(Model):
    """A chain of layers with the numerical precision of its features.

    In a scenario file either ``profile`` names a built-in network or a JSON file with these fields, or the fields
    stand there themselves; fields next to ``profile`` override those of the profile.

    Args:
        name: short name.
        input_elements: number of elements of the raw input.
        layers: the layers in order, 1 to 2 000 of them.
        feature_bits_per_element: precision of intermediate features, bits.
        input_bits_per_element: precision of the raw input, bits.
        parameter_bits_per_element: precision of downloaded parameters, bits.
    """

    name: Name
    description: Remark = ""
    source: Remark = "assumed"
    input_elements: Size
    layers: Annotated[tuple[Layer, ...], Field(min_length=1, max_length=MAX_LAYERS)]
    feature_bits_per_element: Positive = 32.0
    input_bits_per_element: Positive = 8.0
    parameter_bits_per_element: Positive = 32.0

    @model_validator(mode="before")
    @classmethod
    def _from_profile(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"profile": data}
        if isinstance(data, dict) and "profile" in data:
            if "layers" in data:
                raise ValueError("give either profile or layers, not both")
            return read_profile(data["profile"]) | {key: value for key, value in data.items() if key != "profile"}
        return data

    @field_validator("layers", mode="before")
    @classmethod
    def _countable(cls, layers: Any) -> Any:
        """Counted before they are read one by one: time and memory of what follows grow with their square."""
        if isinstance(layers, list | tuple) and not 1 <= len(layers) <= MAX_LAYERS:
            raise ValueError(
                f"has {len(layers)} layers, allowed are 1 to {MAX_LAYERS}, so that placements are solved and "
                "policies scored in about a minute; blocks of layers may count as one"
            )
        return layers

    @field_validator("layers")
    @classmethod
    def _names_differ(cls, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        seen = {_INPUT: -1}
        for index, layer in enumerate(layers):
            other = seen.setdefault(layer.name, index)
            if other != index:
                where = f"layers.{other}" if other >= 0 else "the input"
                raise ValueError(f"layers.{index}.name = {layer.name!r} is the name of {where}, too; names must differ")
        return layers

    @classmethod
    def load(cls, profile: str | Path) -> "Dnn":
        """Read a built-in network by name (see ``list_dnns``) or a JSON file by path.

        Raises:
            ValueError: unknown name, unreadable file, or a field out of range.
        """
        return cls.model_validate({"profile": profile})

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
        return (_INPUT, *(layer.name for layer in self.layers))


def list_dnns() -> list[str]:
    """Names of the built-in networks, sorted."""
    return sorted(path.stem for path in _CATALOGUE.glob("*.json"))


def read_profile(profile: str | Path) -> dict[str, Any]:
    """The content of a profile, built-in by name or a JSON file by path.

    Raises:
        ValueError: there is none, or the file cannot be read or holds no JSON object.
    """
    content = read_json(find_file("profile", profile, _CATALOGUE, "built-in networks"))
    if not isinstance(content, dict):
        raise ValueError(f"profile {str(profile)!r} must hold a JSON object, got {type(content).__name__}")
    return content
