"""The lecture's exercises in sizes and parameters, with shared weights, without, and dense."""

import pytest

from convscope.arithmetic import (
    Volume,
    convolution,
    dense,
    locally_connected,
    output_size,
    pooling,
    same_padding,
)

# input, filters, kernel, padding; output; parameters of a convolution, of a locally connected and
# of a dense layer with the same output; multiply-adds of the first two, and of the last
LAYERS = [
    ((3, 32, 32), 10, 3, 0, (10, 30, 30), 280, 252_000, 27_657_000, 243_000, 27_648_000),
    ((3, 32, 32), 6, 5, 0, (6, 28, 28), 456, 357_504, 14_455_392, 352_800, 14_450_688),
    (
        (3, 64, 64), 10, 5, 2, (10, 64, 64),
        760, 3_112_960, 503_357_440, 3_072_000, 503_316_480,
    ),
    (
        (3, 256, 256), 8, 5, 0, (8, 252, 252),
        608, 38_610_432, 99_883_663_488, 38_102_400, 99_883_155_456,
    ),
]  # fmt: skip


@pytest.mark.parametrize("row", LAYERS, ids=str)
def test_sharing_weights_is_what_makes_a_convolution_small(row):
    shape, filters, kernel, padding, output, *counts = row
    volume = Volume(*shape)
    shared = convolution(volume, filters, kernel, padding=padding)
    local = locally_connected(volume, filters, kernel, padding=padding)
    full = dense(volume, Volume(*output).units)
    assert shared.output == local.output == Volume(*output)
    assert shared.multiply_adds == local.multiply_adds
    assert counts == [
        shared.parameters,
        local.parameters,
        full.parameters,
        shared.multiply_adds,
        full.multiply_adds,
    ]


def test_ten_classes_on_a_32x32_color_image_take_30730_parameters():
    cost = dense(Volume(3, 32, 32), 10)
    assert (cost.parameters, cost.multiply_adds) == (30_730, 30_720)


def test_the_lectures_padding_keeps_seven_by_seven():
    assert output_size(7, 3, padding=1) == 7
    assert [same_padding(kernel) for kernel in (3, 5, 7)] == [(1, 1), (2, 2), (3, 3)]


def network(volume, layers):
    """Parameters of a chain of ("conv", filters, kernel, padding), ("pool", size), ("fc", units).

    Also the volume before the first dense layer.
    """
    total, maps = 0, volume
    for kind, *numbers in layers:
        match kind:
            case "conv":
                filters, kernel, padding = numbers
                cost = convolution(volume, filters, kernel, padding=padding)
            case "pool":
                cost = pooling(volume, numbers[0])
            case _:
                maps, cost = volume, dense(volume, numbers[0])
        total, volume = total + cost.parameters, cost.output
    return total, maps


def test_the_networks_that_run_in_browsers():
    """ConvNetJS' demos on MNIST (24x24 crops) and CIFAR-10, and CNN Explainer's Tiny VGG."""
    mnist = [("conv", 8, 5, 2), ("pool", 2), ("conv", 16, 5, 2), ("pool", 3), ("fc", 10)]
    assert network(Volume(1, 24, 24), mnist) == (5_994, Volume(16, 4, 4))
    widths = (16, 20, 20)
    cifar = [layer for width in widths for layer in (("conv", width, 5, 2), ("pool", 2))]
    assert network(Volume(3, 32, 32), [*cifar, ("fc", 10)]) == (22_466, Volume(20, 4, 4))
    stage = [("conv", 10, 3, 0), ("conv", 10, 3, 0), ("pool", 2)]
    tiny = [*stage, *stage, ("fc", 10)]
    assert network(Volume(3, 64, 64), tiny) == (19_920, Volume(10, 13, 13))
