"""A second derivation of every layer in torch.

The torch models live on the meta device: shapes and parameters without memory, work counted by torch's own counter.
"""

import itertools
from typing import Any

import pytest

from cointer_gym.profiles import architectures
from cointer_gym.profiles.architectures import ARCHITECTURES, Architecture
from cointer_gym.profiles.operations import Cost

BY_NAME = {architecture.name: architecture for architecture in ARCHITECTURES}


def torch_alexnet(nn: Any) -> list[Any]:
    def conv(*sizes: int, **window: int) -> Any:
        return nn.Sequential(nn.Conv2d(*sizes, **window), nn.ReLU())

    return [
        conv(3, 64, 11, stride=4, padding=2),
        nn.MaxPool2d(3, 2),
        conv(64, 192, 5, padding=2),
        nn.MaxPool2d(3, 2),
        conv(192, 384, 3, padding=1),
        conv(384, 256, 3, padding=1),
        conv(256, 256, 3, padding=1),
        nn.MaxPool2d(3, 2),
        nn.Sequential(nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
        nn.Sequential(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, 1000),
    ]


def torch_vgg16(nn: Any) -> list[Any]:
    layers: list[Any] = []
    channels = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):  # 0 is a pool
        if width:
            layers.append(nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()))
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    first = nn.Sequential(nn.Flatten(), nn.Linear(7 * 7 * 512, 4096))
    return [*layers, first, nn.Linear(4096, 4096), nn.Linear(4096, 1000)]


def residual_module(nn: Any, body: Any, shortcut: Any) -> Any:
    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.body, self.shortcut = body, shortcut

        def forward(self, x: Any) -> Any:
            return self.body(x) + self.shortcut(x)

    return Residual()


def torch_resnet(nn: Any, blocks: list[tuple[int, int, int, int]], *, bottleneck: bool) -> list[Any]:
    """``blocks``: (input channels, width, output channels, stride) of each residual block."""

    def conv(channels: int, out: int, kernel: int, stride: int = 1) -> list[Any]:
        convolution = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        return [convolution, nn.BatchNorm2d(out), nn.ReLU()]  # where the ReLU sits changes no count

    layers = [nn.Sequential(*conv(3, 64, 7, 2)), nn.MaxPool2d(3, 2, padding=1)]
    for channels, width, out, stride in blocks:
        if bottleneck:
            body = [*conv(channels, width, 1), *conv(width, width, 3, stride), *conv(width, out, 1)]
        else:
            body = [*conv(channels, width, 3, stride), *conv(width, out, 3)]
        shortcut = nn.Identity() if channels == out else nn.Sequential(*conv(channels, out, 1, stride))
        layers.append(residual_module(nn, nn.Sequential(*body), shortcut))
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return [*layers, pool, nn.Linear(blocks[-1][2], 1000)]


def torch_resnet18(nn: Any) -> list[Any]:
    pairs = [(64, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]
    blocks = [(channels, out, out, 1 if channels == out else 2) for channels, out in pairs]
    return torch_resnet(nn, blocks, bottleneck=False)


def torch_resnet50(nn: Any) -> list[Any]:
    outputs = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    blocks = [
        (channels, out // 4, out, 2 if channels not in (64, out) else 1)
        for channels, out in itertools.pairwise([64, *outputs])
    ]
    return torch_resnet(nn, blocks, bottleneck=True)


def torch_mobilenetv2(nn: Any) -> list[Any]:
    def conv(channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Any]:
        convolution = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [convolution, nn.BatchNorm2d(out), nn.ReLU6()]

    layers = [nn.Sequential(*conv(3, 32, 3, 2))]
    outputs = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]
    for number, (channels, out) in enumerate(itertools.pairwise([32, *outputs]), start=1):
        stride = 2 if number in (2, 4, 7, 14) else 1
        hidden = channels if number == 1 else 6 * channels
        expand = [] if number == 1 else conv(channels, hidden, 1)
        body = nn.Sequential(*expand, *conv(hidden, hidden, 3, stride, hidden), *conv(hidden, out, 1)[:2])
        layers.append(residual_module(nn, body, nn.Identity()) if channels == out else body)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return [*layers, nn.Sequential(*conv(320, 1280, 1)), pool, nn.Linear(1280, 1000)]


def torch_encoders(nn: Any) -> list[Any]:
    return [
        nn.TransformerEncoderLayer(768, 12, 3072, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(12)
    ]


def torch_vit(nn: Any) -> list[Any]:
    import torch

    class PatchEmbedding(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Conv2d(3, 768, 16, stride=16)
            self.token = nn.Parameter(torch.zeros(1, 1, 768))
            self.position = nn.Parameter(torch.zeros(1, 14 * 14 + 1, 768))

        def forward(self, x: Any) -> Any:
            return torch.cat([self.token, self.map(x).flatten(2).transpose(1, 2)], dim=1) + self.position

    class Head(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.map = nn.LayerNorm(768), nn.Linear(768, 1000)

        def forward(self, x: Any) -> Any:
            return self.map(self.norm(x)[:, 0])

    return [PatchEmbedding(), *torch_encoders(nn), Head()]


def torch_fully_connected(nn: Any, sizes: list[int]) -> list[Any]:
    return [nn.Sequential(nn.Linear(inputs, outputs), nn.Sigmoid()) for inputs, outputs in itertools.pairwise(sizes)]


TORCH_MODELS = {
    "mlp": lambda nn: torch_fully_connected(nn, [4096] * 9),
    "autoencoder": lambda nn: torch_fully_connected(nn, [784, 1000, 500, 250, 30, 250, 500, 1000, 784]),
    "alexnet": torch_alexnet,
    "vgg16": torch_vgg16,
    "resnet18": torch_resnet18,
    "resnet50": torch_resnet50,
    "mobilenetv2": torch_mobilenetv2,
    "vit-b-16": torch_vit,
    "vit-b-16-blocks": torch_encoders,
}


def torch_costs(name: str, architecture: Architecture) -> list[Cost]:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    costs = []
    with torch.device("meta"):
        x = torch.empty(1, *architecture.input_shape)
        for module in TORCH_MODELS[name](torch.nn):
            with FlopCounterMode(display=False) as counter:
                x = module(x)
            parameters = sum(parameter.numel() for parameter in module.parameters())
            costs.append(Cost(tuple(x.shape[1:]), counter.get_total_flops() // 2, parameters))
    return costs


@pytest.mark.parametrize("name", BY_NAME)
def test_every_layer_agrees_with_torch(name: str) -> None:
    architecture = BY_NAME[name]
    assert list(architectures.layer_costs(architecture)) == torch_costs(name, architecture)
