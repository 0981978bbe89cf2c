"""Operations of a DNN that infer shapes and count work and parameters; :mod:`architectures` is written in them.

An operation maps an input shape, ``(channels, height, width)`` or ``(tokens, features)`` or ``(features,)``, to a
:class:`Cost`; operations compose with :func:`sequential` and :func:`residual`. Shapes are those of one sample.

Counting convention, that of the published figures:

- work: multiply-accumulates (MAC) of convolutions, linear layers and the two attention products; 1 MAC = 2 FLOP.
  Biases, normalisation, activations, softmax, pooling and residual additions count as zero;
- parameters: all trained weights, biases included; of a batch norm its weight and bias, not its running statistics.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = [
    "Cost",
    "Operation",
    "Shape",
    "batch_norm",
    "conv",
    "conv_norm",
    "encoder_block",
    "first_token",
    "flatten",
    "global_average_pool",
    "inverted_residual",
    "layer_norm",
    "linear",
    "max_pool",
    "residual",
    "residual_block",
    "self_attention",
    "sequential",
    "token_embedding",
]

Shape = tuple[int, ...]


class Cost(NamedTuple):
    """What an operation makes and takes: ``output`` shape, multiply-accumulates, parameter count."""

    output: Shape
    macs: int = 0
    parameters: int = 0


Operation = Callable[[Shape], Cost]


def _expect(shape: Shape, *axes: str) -> Shape:
    if len(shape) != len(axes):
        raise ValueError(f"shape is {shape}; this operation takes ({', '.join(axes)})")
    return shape


def _window(size: int, kernel: int, stride: int, padding: int) -> int:
    """Length of a spatial axis after a sliding window; a last window that does not fit is dropped."""
    if size + 2 * padding < kernel:
        raise ValueError(f"kernel {kernel} is larger than the padded input {size + 2 * padding}")
    return (size + 2 * padding - kernel) // stride + 1


def sequential(*operations: Operation) -> Operation:
    """Apply the operations one after the other."""

    def apply(shape: Shape) -> Cost:
        macs = parameters = 0
        for operation in operations:
            cost = operation(shape)
            shape, macs, parameters = cost.output, macs + cost.macs, parameters + cost.parameters
        return Cost(shape, macs, parameters)

    return apply


def residual(body: Operation, shortcut: Operation = Cost) -> Operation:
    """Add the outputs of two branches; the default shortcut is the identity."""

    def apply(shape: Shape) -> Cost:
        main, side = body(shape), shortcut(shape)
        if main.output != side.output:
            raise ValueError(f"residual branches have different shapes: {main.output} and {side.output}")
        return Cost(main.output, main.macs + side.macs, main.parameters + side.parameters)

    return apply


def conv(out: int, kernel: int, stride: int = 1, padding: int = 0, *, groups: int = 1, bias: bool = True) -> Operation:
    """2-D convolution to ``out`` channels with a square kernel."""

    def apply(shape: Shape) -> Cost:
        channels, height, width = _expect(shape, "channels", "height", "width")
        if channels % groups or out % groups:
            raise ValueError(f"groups is {groups}; it must divide {channels} input and {out} output channels")
        weights = out * (channels // groups) * kernel**2
        rows, columns = (_window(size, kernel, stride, padding) for size in (height, width))
        return Cost((out, rows, columns), weights * rows * columns, weights + out * bias)

    return apply


def linear(out: int) -> Operation:
    """Fully connected layer with bias on the last axis, the same for every token."""

    def apply(shape: Shape) -> Cost:
        *tokens, features = shape
        return Cost((*tokens, out), math.prod(tokens) * features * out, (features + 1) * out)

    return apply


def max_pool(kernel: int, stride: int, padding: int = 0) -> Operation:
    """Pooling with a square window."""

    def apply(shape: Shape) -> Cost:
        channels, height, width = _expect(shape, "channels", "height", "width")
        return Cost((channels, *(_window(size, kernel, stride, padding) for size in (height, width))))

    return apply


def global_average_pool(shape: Shape) -> Cost:
    """Mean over height and width: one number per channel."""
    return Cost(_expect(shape, "channels", "height", "width")[:1])


def flatten(shape: Shape) -> Cost:
    """All axes into one."""
    return Cost((math.prod(shape),))


def batch_norm(shape: Shape) -> Cost:
    """Scale and shift per channel (the first axis)."""
    return Cost(shape, parameters=2 * shape[0])


def layer_norm(shape: Shape) -> Cost:
    """Scale and shift per feature (the last axis)."""
    return Cost(shape, parameters=2 * shape[-1])


def conv_norm(out: int, kernel: int, stride: int = 1, *, groups: int = 1) -> Operation:
    """Convolution without bias, padded to keep the size at stride 1, then batch norm."""
    return sequential(conv(out, kernel, stride, kernel // 2, groups=groups, bias=False), batch_norm)


def residual_block(widths: Sequence[tuple[int, int]], stride: int) -> Operation:
    """ResNet block of (channels, kernel) convolutions; the first 3x3 strides; 1x1 shortcut where the shape changes."""
    strided = next(index for index, (_, kernel) in enumerate(widths) if kernel == 3)
    body = [conv_norm(out, kernel, stride if index == strided else 1) for index, (out, kernel) in enumerate(widths)]
    out = widths[-1][0]

    def apply(shape: Shape) -> Cost:
        same = stride == 1 and shape[0] == out
        return residual(sequential(*body), Cost if same else conv_norm(out, 1, stride))(shape)

    return apply


def inverted_residual(expansion: int, out: int, stride: int) -> Operation:
    """MobileNetV2 block: 1x1 expansion (none for factor 1), 3x3 depthwise, 1x1 projection; identity where it fits."""

    def apply(shape: Shape) -> Cost:
        channels = shape[0]
        hidden = expansion * channels
        expand = [conv_norm(hidden, 1)] if expansion != 1 else []
        body = sequential(*expand, conv_norm(hidden, 3, stride, groups=hidden), conv_norm(out, 1))
        return residual(body)(shape) if stride == 1 and channels == out else body(shape)

    return apply


def token_embedding(shape: Shape) -> Cost:
    """(channels, height, width) to one token per pixel, led by a class token, with learned position embeddings."""
    channels, height, width = _expect(shape, "channels", "height", "width")
    output = (height * width + 1, channels)
    return Cost(output, parameters=channels + math.prod(output))


def first_token(shape: Shape) -> Cost:
    """Keep the class token only."""
    return Cost(_expect(shape, "tokens", "features")[1:])


def self_attention(shape: Shape) -> Cost:
    """Query, key and value maps, the products Q K^T and (softmax) V, output map; any number of heads costs the same."""
    tokens, features = _expect(shape, "tokens", "features")
    maps = sequential(linear(3 * features), lambda _: Cost(shape), linear(features))(shape)
    return Cost(shape, maps.macs + 2 * tokens**2 * features, maps.parameters)


def encoder_block(hidden: int) -> Operation:
    """Pre-norm transformer encoder block: self-attention, then a two-layer perceptron, each with a residual."""

    def apply(shape: Shape) -> Cost:
        perceptron = sequential(layer_norm, linear(hidden), linear(shape[-1]))
        return sequential(residual(sequential(layer_norm, self_attention)), residual(perceptron))(shape)

    return apply
