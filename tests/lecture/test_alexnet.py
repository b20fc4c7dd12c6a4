"""AlexNet: the chain of maps, the parameters with one tower and with two, the slide's slips."""

import pytest

from convscope.arithmetic import Volume, convolution, dense, pooling

# layer, filters, kernel, stride, padding, groups of the two towers
CONVOLUTIONS = [
    ("conv1", 96, 11, 4, 0, 1),
    ("conv2", 256, 5, 1, 2, 2),
    ("conv3", 384, 3, 1, 1, 1),
    ("conv4", 384, 3, 1, 1, 2),
    ("conv5", 256, 3, 1, 1, 2),
]
POOLED = {"conv1", "conv2", "conv5"}


def alexnet(*, towers):
    """The costs of all layers by name, pools named after their convolution."""
    volume, costs = Volume(3, 227, 227), {}
    for name, filters, kernel, stride, padding, groups in CONVOLUTIONS:
        costs[name] = convolution(
            volume,
            filters,
            kernel,
            stride=stride,
            padding=padding,
            groups=groups if towers else 1,
        )
        volume = costs[name].output
        if name in POOLED:
            costs[f"pool{name[-1]}"] = pooling(volume, 3, stride=2)
            volume = costs[f"pool{name[-1]}"].output
    for name, units in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
        costs[name] = dense(volume, units)
        volume = costs[name].output
    return costs


def test_the_maps_shrink_as_on_the_slide():
    maps = [cost.output.height for cost in alexnet(towers=False).values()][:8]
    assert maps == [55, 27, 27, 13, 13, 13, 13, 6]


COUNTS = [
    (False, [34_944, 614_656, 885_120, 1_327_488, 884_992], 62_378_344, 1_135_256_096),
    (True, [34_944, 307_456, 885_120, 663_936, 442_624], 60_965_224, 724_406_816),
]


@pytest.mark.parametrize(("towers", "convolutions", "total", "multiply_adds"), COUNTS)
def test_parameters_and_multiply_adds(towers, convolutions, total, multiply_adds):
    costs = alexnet(towers=towers)
    assert [costs[name].parameters for name, *_ in CONVOLUTIONS] == convolutions
    assert [costs[name].parameters for name in ("fc6", "fc7", "fc8")] == [
        37_752_832, 16_781_312, 4_097_000,
    ]  # fmt: skip
    assert sum(cost.parameters for cost in costs.values()) == total
    assert sum(cost.multiply_adds for cost in costs.values()) == multiply_adds


def test_the_paper_rounds_its_units_to_650000():
    costs = alexnet(towers=True)
    units = sum(cost.output.units for name, cost in costs.items() if "pool" not in name)
    assert units == 659_272
