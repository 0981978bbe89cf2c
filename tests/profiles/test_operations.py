"""Operations: work by hand, and shapes that do not fit."""

import pytest

from cointer_gym.profiles import operations
from support.profiles import profile_layer

# --- the committed data -----------------------------------------------------------------------------------------------


def test_convolution_and_attention_work_by_hand() -> None:
    # conv1 of AlexNet: 64 outputs x 3 inputs x 11 x 11 per pixel, 55 x 55 pixels
    assert profile_layer("alexnet", "conv1")["flops"] == 2 * 64 * 3 * 11 * 11 * 55 * 55
    # encoder: query, key, value and output maps 4 d^2, perceptron 2 * 4 d^2 a token; two products of n^2 d
    n, d = 197, 768
    assert profile_layer("vit-b-16", "encoder1")["flops"] == 2 * (12 * n * d * d + 2 * n * n * d)
    # MobileNetV2, 16 -> 96 -> 24 channels, 112 -> 56 pixels: the depthwise part has 9 weights a channel
    macs = 16 * 96 * 112**2 + 9 * 96 * 56**2 + 96 * 24 * 56**2
    assert profile_layer("mobilenetv2", "bottleneck2")["flops"] == 2 * macs


# --- the generator ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "shape", "message"),
    [
        (operations.conv(8, 3), (16,), r"\(16,\).*channels, height, width"),
        (operations.conv(8, 3, groups=3), (4, 8, 8), r"groups is 3; it must divide 4 input and 8 output channels"),
        (operations.conv(8, 7), (3, 4, 4), r"kernel 7 is larger than the padded input 4"),
        (operations.max_pool(3, 2), (3, 2, 2), r"kernel 3 is larger than the padded input 2"),
        (operations.residual(operations.conv(8, 3)), (8, 5, 5), r"\(8, 3, 3\) and \(8, 5, 5\)"),
        (operations.self_attention, (3, 4, 4), r"\(3, 4, 4\).*tokens, features"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    operation: operations.Operation, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        operation(shape)
