"""The DNN catalogue, computed from architecture definitions.

``python -m cointer_gym.profiles.architectures`` writes ``data/dnns/<name>.json``; with ``--check`` it
writes nothing and exits 1 if a file there differs.

A layer ends where a single tensor crosses to the next one, so no layer ends inside a residual block. Activations are
fused into the layer before them. Dropout is the identity at inference and is left out.
What counts as work and as a parameter: :mod:`cointer_gym.profiles.operations`.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cointer_gym.files import write_text
from cointer_gym.profiles.operations import (
    Cost,
    Operation,
    Shape,
    conv,
    conv_norm,
    encoder_block,
    first_token,
    flatten,
    global_average_pool,
    inverted_residual,
    layer_norm,
    linear,
    max_pool,
    residual_block,
    sequential,
    token_embedding,
)

__all__ = ["ARCHITECTURES", "DATA", "Architecture", "layer_costs", "main", "to_json"]

DATA = Path(__file__).parents[1] / "data" / "dnns"

Layers = tuple[tuple[str, Operation], ...]
CLASSES = 1000
_COMMAND = "python -m cointer_gym.profiles.architectures"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A DNN as a chain of named layers; ``source`` cites its definition."""

    name: str
    description: str
    source: str
    layers: Layers
    input_shape: Shape = (3, 224, 224)


def _fully_connected(widths: Sequence[int], names: Sequence[str]) -> Layers:
    return tuple((name, linear(width)) for name, width in zip(names, widths, strict=True))


def _large_classifier() -> Layers:
    """The three fully connected layers of AlexNet and VGG."""
    return (("fc6", sequential(flatten, linear(4096))), ("fc7", linear(4096)), ("fc8", linear(CLASSES)))


def _alexnet() -> Layers:
    return (
        ("conv1", conv(64, 11, stride=4, padding=2)),
        ("pool1", max_pool(3, 2)),
        ("conv2", conv(192, 5, padding=2)),
        ("pool2", max_pool(3, 2)),
        ("conv3", conv(384, 3, padding=1)),
        ("conv4", conv(256, 3, padding=1)),
        ("conv5", conv(256, 3, padding=1)),
        ("pool5", max_pool(3, 2)),
        *_large_classifier(),
    )


def _vgg16() -> Layers:
    layers: list[tuple[str, Operation]] = []
    for group, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
        layers += [(f"conv{group}_{index}", conv(width, 3, padding=1)) for index in range(1, depth + 1)]
        layers.append((f"pool{group}", max_pool(2, 2)))
    return (*layers, *_large_classifier())


def _resnet(depths: Sequence[int], block: Callable[[int], Sequence[tuple[int, int]]]) -> Layers:
    """``block`` gives the (channels, kernel) convolutions of a block from the width of its group."""
    layers = [("conv1", conv_norm(64, 7, 2)), ("maxpool", max_pool(3, 2, padding=1))]
    for group, depth in enumerate(depths, start=2):
        convolutions = block(64 * 2 ** (group - 2))
        for index in range(1, depth + 1):
            stride = 2 if index == 1 and group > 2 else 1
            layers.append((f"conv{group}_{index}", residual_block(convolutions, stride)))
    return (*layers, ("avgpool", global_average_pool), ("fc", linear(CLASSES)))


def _mobilenet_v2() -> Layers:
    # (expansion, channels, repeats, stride of the first), table 2 of the paper
    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    blocks = [
        inverted_residual(expansion, channels, stride if index == 0 else 1)
        for expansion, channels, repeats, stride in table
        for index in range(repeats)
    ]
    return (
        ("conv_stem", conv_norm(32, 3, 2)),
        *((f"bottleneck{index}", block) for index, block in enumerate(blocks, start=1)),
        ("conv_head", conv_norm(1280, 1)),
        ("avgpool", global_average_pool),
        ("fc", linear(CLASSES)),
    )


def _encoder(depth: int, hidden: int) -> Layers:
    return tuple((f"encoder{index}", encoder_block(hidden)) for index in range(1, depth + 1))


def _vit(patch: int, features: int, depth: int, hidden: int) -> Layers:
    # All tokens enter the head, as in the definition, although only the class token leaves it.
    return (
        ("patch_embedding", sequential(conv(features, patch, stride=patch), token_embedding)),
        *_encoder(depth, hidden),
        ("head", sequential(layer_norm, first_token, linear(CLASSES))),
    )


ARCHITECTURES: tuple[Architecture, ...] = (
    Architecture(
        name="mlp",
        description="Equal-neuron multilayer perceptron: 8 hidden layers of 4096 neurons on 4096 inputs",
        source="equal-neuron structure as in Yan, Bi, Zhang 2022, arXiv:2105.13618; depth and width assumed",
        layers=_fully_connected([4096] * 8, [f"hidden{index}" for index in range(1, 9)]),
        input_shape=(4096,),
    ),
    Architecture(
        name="autoencoder",
        description="Deep autoencoder 784-1000-500-250-30-250-500-1000-784 for 28x28 images (MNIST)",
        source="Hinton, Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks, Science 313",
        layers=_fully_connected(
            (1000, 500, 250, 30, 250, 500, 1000, 784),
            [f"{side}{index}" for side in ("encoder", "decoder") for index in range(1, 5)],
        ),
        input_shape=(28 * 28,),
    ),
    Architecture(
        name="alexnet",
        description="AlexNet, 224x224 images, 1000 classes; the one-column variant of torchvision",
        source="Krizhevsky 2014 ('one weird trick'), arXiv:1404.5997; channels as in torchvision.models.alexnet",
        layers=_alexnet(),
    ),
    Architecture(
        name="vgg16",
        description="VGG-16 (configuration D, no batch norm), 224x224 images, 1000 classes",
        source="Simonyan, Zisserman 2015, arXiv:1409.1556",
        layers=_vgg16(),
    ),
    Architecture(
        name="resnet18",
        description="ResNet-18, 224x224 images, 1000 classes; cut between residual blocks",
        source="He et al. 2016, Deep Residual Learning for Image Recognition, arXiv:1512.03385",
        layers=_resnet((2, 2, 2, 2), lambda width: ((width, 3), (width, 3))),
    ),
    Architecture(
        name="resnet50",
        description="ResNet-50 v1.5 (3x3 strided), 224x224 images, 1000 classes; cut between residual blocks",
        source="He et al. 2016, Deep Residual Learning, arXiv:1512.03385; stride as in torchvision.models.resnet50",
        layers=_resnet((3, 4, 6, 3), lambda width: ((width, 1), (width, 3), (4 * width, 1))),
    ),
    Architecture(
        name="mobilenetv2",
        description="MobileNetV2 1.0, 224x224 images, 1000 classes; cut between inverted residual blocks",
        source="Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv:1801.04381",
        layers=_mobilenet_v2(),
    ),
    Architecture(
        name="vit-b-16",
        description="Vision transformer ViT-B/16, 224x224 images, 1000 classes; cut between encoder blocks",
        source="Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, arXiv:2010.11929",
        layers=_vit(patch=16, features=768, depth=12, hidden=3072),
    ),
    Architecture(
        name="vit-b-16-blocks",
        description="The 12 encoder blocks of ViT-B/16 on its 197 embedded tokens: equal layers, no embedding, no head",
        source="Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, arXiv:2010.11929",
        layers=_encoder(depth=12, hidden=3072),
        input_shape=(197, 768),
    ),
)


# --- catalogue files --------------------------------------------------------------------------------------------------


def layer_costs(architecture: Architecture) -> tuple[Cost, ...]:
    """Output shape, multiply-accumulates and parameters of each layer."""
    shape, costs = architecture.input_shape, []
    for _, operation in architecture.layers:
        costs.append(operation(shape))
        shape = costs[-1].output
    return tuple(costs)


def to_json(architecture: Architecture) -> str:
    """The catalogue file of an architecture, one layer a line."""
    head = {
        "name": architecture.name,
        "description": architecture.description,
        "source": f"{architecture.source}; generated by {_COMMAND}",
        "input_elements": math.prod(architecture.input_shape),
    }
    costs = zip(architecture.layers, layer_costs(architecture), strict=True)
    layers = [
        {"name": name, "flops": 2 * cost.macs, "parameters": cost.parameters, "output_elements": math.prod(cost.output)}
        for (name, _), cost in costs
    ]
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = ",\n".join(f"    {json.dumps(layer)}" for layer in layers)
    return "\n".join(["{", *lines, '  "layers": [', rows, "  ]", "}", ""])


def main(argv: Sequence[str] | None = None, directory: Path = DATA) -> int:
    """Write the catalogue files, or compare them (``--check``); returns the exit status."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description="Write the DNN catalogue.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is missing or differs")
    check = parser.parse_args(argv).check
    status = 0
    for architecture in ARCHITECTURES:
        path, content = directory / f"{architecture.name}.json", to_json(architecture)
        if path.is_file() and path.read_bytes() == content.encode():
            continue
        if check:
            print(f"{path} is not what {_COMMAND} writes", file=sys.stderr)
            status = 1
        else:
            write_text(path, content)
    return status


if __name__ == "__main__":
    sys.exit(main())
