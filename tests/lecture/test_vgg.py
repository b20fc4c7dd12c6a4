"""VGG's five configurations: parameters and multiply-adds at 224x224, counted layer by layer."""

import pytest

from convscope.arithmetic import Volume, convolution, dense, pooling

# Kernel sizes of each stage's convolutions: Table 1 of the paper.
CONFIGS = {
    "A": "3 3 33 33 33",
    "B": "33 33 33 33 33",
    "C": "33 33 331 331 331",
    "D": "33 33 333 333 333",
    "E": "33 33 3333 3333 3333",
}
COUNTS = [
    ("A", 132_863_336, 7_609_090_048),
    ("B", 133_047_848, 11_308_466_176),
    ("C", 133_638_952, 11_770_888_192),
    ("D", 138_357_544, 15_470_264_320),
    ("E", 143_667_240, 19_632_062_464),
]


@pytest.mark.parametrize(("config", "parameters", "multiply_adds"), COUNTS)
def test_parameters_and_multiply_adds(config, parameters, multiply_adds):
    volume, costs = Volume(3, 224, 224), []
    for filters, kernels in zip((64, 128, 256, 512, 512), CONFIGS[config].split(), strict=True):
        for kernel in map(int, kernels):
            costs.append(convolution(volume, filters, kernel, padding="same"))
            volume = costs[-1].output
        volume = pooling(volume, 2).output
    assert volume == Volume(512, 7, 7)
    for units in (4096, 4096, 1000):
        costs.append(dense(volume, units))
        volume = costs[-1].output
    assert sum(cost.parameters for cost in costs) == parameters
    assert sum(cost.multiply_adds for cost in costs) == multiply_adds
