"""The notation of tables: what they print is what their networks have, and nothing else is read."""

import re
import sys
from functools import partial

import pytest

from convscope.zoo.densenet import CIFAR as DENSENET_CIFAR
from convscope.zoo.densenet import TABLE as DENSENET
from convscope.zoo.densenet import densenet, densenet_cifar
from convscope.zoo.resnet import CIFAR as RESNET_CIFAR
from convscope.zoo.resnet import TABLE as RESNET
from convscope.zoo.resnet import resnet, resnet_cifar
from convscope.zoo.resnext import CIFAR as RESNEXT_CIFAR
from convscope.zoo.resnext import TABLE as RESNEXT
from convscope.zoo.resnext import resnext
from convscope.zoo.stage_table import Row, read_rows
from convscope.zoo.wide_resnet import CIFAR as WIDE_CIFAR
from convscope.zoo.wide_resnet import TABLE as WIDE
from convscope.zoo.wide_resnet import wide_resnet, wide_resnet_cifar
from tests.reference.network import on_meta, volumes

SMALL = """
    layer    output  one      two
    conv1    8x8        3x3, 4
    conv2_x  4x4     .        1x1, 2
                     3x3, 4   3x3, 4, C=2
                     x2       xn
    pool     1x1       average pool
"""


def test_rows_are_read_by_column():
    assert read_rows(SMALL, "one") == [
        Row("conv1", ["3x3, 4"]),
        Row("conv2_x", ["3x3, 4"], "2"),
        Row("pool", ["average pool"]),
    ]
    assert read_rows(SMALL, "two")[1] == Row("conv2_x", ["1x1, 2", "3x3, 4, C=2"], "n")


@pytest.mark.parametrize(
    ("table", "column", "build"),
    [
        (RESNET, "18-layer", partial(resnet, 18)),
        (RESNET, "50-layer", partial(resnet, 50)),
        (RESNET_CIFAR, "6n+2", partial(resnet_cifar, 8)),
        (WIDE, "50-2", partial(wide_resnet, "50-2")),
        (WIDE_CIFAR, "6n+4", partial(wide_resnet_cifar, 10, 2)),
        (RESNEXT, "50 (32x4d)", partial(resnext, "50 (32x4d)", num_classes=1000)),
        (RESNEXT_CIFAR, "29 (8x64d)", partial(resnext, "29 (8x64d)", num_classes=10)),
        (DENSENET, "121 (k=32)", partial(densenet, "121 (k=32)")),
        (DENSENET_CIFAR, "plain", partial(densenet_cifar, 10, 4)),
        (DENSENET_CIFAR, "BC", partial(densenet_cifar, 10, 4, bottleneck=True)),
    ],
)
def test_the_sizes_in_a_table_are_those_of_its_layers(table, column, build):
    side = 224 if "112x112" in table else 32
    seen = volumes(*on_meta(build, (side, side)))
    sizes = dict(re.findall(r"^ *(\w+) +(\d+x\d+) ", table, re.MULTILINE))
    assert list(sizes) == [row.name for row in read_rows(table, column)]
    for name, size in sizes.items():
        if name != "fc":
            _, height, width = seen[name if name in seen else name.replace("_x", "_1")]
            assert f"{height}x{width}" == size


@pytest.mark.parametrize(
    "cell", ["3x3, many", "3x5, 64", "5x5 min pool, stride 2", "fc", "3x3, 64 stride 2"]
)
@pytest.mark.parametrize("builder", [resnet_cifar, densenet_cifar])
def test_a_cell_that_no_layer_can_be_made_of_is_refused(cell, builder, monkeypatch):
    table = f"layer  output  6n+2  plain\nconv1  32x32  {cell}"
    monkeypatch.setattr(sys.modules[builder.__module__], "CIFAR", table)
    with pytest.raises(ValueError, match=re.escape(repr(cell))):
        partial(builder, 10, 4)() if builder is densenet_cifar else builder(8)


def test_a_transition_that_cannot_be_made_is_refused(monkeypatch):
    table = DENSENET_CIFAR.replace("theta=1 ", "half    ")
    monkeypatch.setattr(sys.modules[densenet.__module__], "CIFAR", table)
    with pytest.raises(ValueError, match="'half'"):
        densenet_cifar(10, 4)
