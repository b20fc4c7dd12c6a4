"""Networks of the zoo that repeat the graph of another one of their family, in another size.

What is asked of every network of the zoo is asked of these in the slow tests.
"""

import pytest

OTHER_SIZES = frozenset(
    (
        *("vgg11_lrn_bn", "vgg13", "vgg13_bn", "vgg16_c", "vgg16_c_bn", "vgg16", "vgg16_bn"),
        *("vgg19", "vgg19_bn", "resnet34", "resnet101", "resnet152", "resnet32_cifar"),
        *("resnet44_cifar", "resnet56_cifar", "resnet110_cifar", "resnet1202_cifar"),
        *("wrn28_10", "wrn40_4", "wide_resnet50_2", "wide_resnet101_2", "resnext101_32x8d"),
        *("resnext101_64x4d", "resnext29_8x64d", "resnext29_16x64d", "densenet161"),
        *("densenet169", "densenet201", "densenet100_12", "densenet100_12_bc"),
        *("densenet190_40_bc", "fractalnet40", "squeezenet1_0"),
        *("mobilenet_v2", "mobilenet_v3_large"),
        *(f"efficientnet_b{size}" for size in range(1, 8)),
        *("convnext_small", "convnext_base", "convnext_large"),
        *(f"regnet_x_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf")),
        *(f"regnet_y_{size}" for size in ("800mf", "1_6gf", "3_2gf")),
        *("regnet_x_8gf", "regnet_y_8gf"),
    )
)


def each_network(names, *, slow=frozenset()):
    """Parameters for a test of every network in `names`; of those in `slow` in the slow tests."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name in OTHER_SIZES | slow else [])
        for name in names
    ]
