"""The exact number of parameters of every network of the zoo, from outside.

Where a paper rounds, the count stands here in full, since a wrong filter hides inside a rounding.
"""

import pytest
import torch

from convscope.zoo import ZOO, create_model

COUNTS = {
    "lenet5": 61_706,  # the lecture's table
    "lenet5_1998": 60_000,  # the paper, section II.B: 60,000 trainable
    "tinyvgg": 280 + 5 * 910 + 1_610,  # 3·9·10 + 10, then 5 · (10·9·10 + 10), then 160·10 + 10
    "alexnet": 62_378_344,  # the lecture's 62.3 million
    "alexnet_towers": 60_965_224,  # the paper's 60 million
    "alexnet_2014": 61_100_840,  # torchvision
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg11_lrn": 132_863_336,
    "vgg11_lrn_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16_c": 133_638_952,
    "vgg16_c_bn": 133_638_952 + 2 * (2 * 64 + 2 * 128 + 3 * 256 + 6 * 512),
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
    "nin_cifar": 966_986,
    "nin_cifar_zca": 966_986,
    "nin_imagenet": 7_595_176,  # Caffe's model zoo
    "googlenet": 13_378_280,  # 6,998,552 and two auxiliary heads
    "googlenet_bn": 6_624_904,  # torchvision
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnet20_cifar": 269_722,
    "resnet32_cifar": 464_154,
    "resnet44_cifar": 658_586,
    "resnet56_cifar": 853_018,
    "resnet110_cifar": 1_727_962,
    "resnet1202_cifar": 19_421_274,
    "resnet110_stochastic_depth": 1_727_962,
    "wrn16_8": 10_961_370,
    "wrn28_10": 36_479_194,
    "wrn40_4": 8_949_210,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "resnext29_8x64d": 34_426_698,
    "resnext29_16x64d": 68_155_210,
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "densenet40_12": 1_019_722,
    "densenet100_12": 6_979_642,
    "densenet100_12_bc": 769_162,
    "densenet190_40_bc": 25_624_430,
    "fractalnet20": 33_724_618,
    "fractalnet40": 4_778_820,  # table 3, for CIFAR-100
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
    "mobilenet_v2": 3_504_872,  # torchvision, and so on
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_v3_large": 5_483_032,
    "efficientnet_b0": 5_288_548,
    "efficientnet_b1": 7_794_184,
    "efficientnet_b2": 9_109_994,
    "efficientnet_b3": 12_233_232,
    "efficientnet_b4": 19_341_616,
    "efficientnet_b5": 30_389_784,
    "efficientnet_b6": 43_040_704,
    "efficientnet_b7": 66_347_960,
    "convnext_tiny": 28_589_128,
    "convnext_small": 50_223_688,
    "convnext_base": 88_591_464,
    "convnext_large": 197_767_336,
    "regnet_x_400mf": 5_495_976,
    "regnet_x_800mf": 7_259_656,
    "regnet_x_1_6gf": 9_190_136,
    "regnet_x_3_2gf": 15_296_552,
    "regnet_x_8gf": 39_572_648,
    "regnet_y_400mf": 4_344_144,
    "regnet_y_800mf": 6_432_512,
    "regnet_y_1_6gf": 11_202_430,
    "regnet_y_3_2gf": 19_436_338,
    "regnet_y_8gf": 39_381_472,
    "deepface": 118_923_774,  # the sizes of its figure 2, whose caption rounds up to 120 million
    "yolo_classifier": 22_403_136 + 1_025_000,  # by hand, in zoo/yolo.py
}


@pytest.mark.parametrize("name", ZOO)
def test_parameters_are_counted_as_elsewhere(name):
    with torch.device("meta"):
        net = create_model(name)
    assert sum(weight.numel() for weight in net.parameters()) == COUNTS[name]


def test_nothing_is_counted_that_is_not_there():
    assert set(COUNTS) == set(ZOO)
