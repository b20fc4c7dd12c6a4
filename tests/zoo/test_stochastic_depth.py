"""Stochastic depth against its paper: equations 2, 4 and 5, and section 4."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import DropPath
from convscope.zoo.residual import Residual
from convscope.zoo.resnet import resnet_cifar
from convscope.zoo.stochastic_depth import stochastic_depth


def test_the_probability_of_survival_falls_along_a_line_to_one_half():
    with torch.device("meta"):
        net = stochastic_depth(110)
    rates = [layer.drop_prob for layer in net.modules() if isinstance(layer, DropPath)]
    assert rates == pytest.approx([block / 54 * 0.5 for block in range(1, 55)])
    assert rates[-1] == 0.5


def test_every_block_leaves_out_its_branch_before_the_sum():
    torch.manual_seed(0)
    net = stochastic_depth(8, last=1e-9).train()
    block = net.get_submodule("conv4_1")
    maps = torch.randn(2, 32, 6, 6)
    assert torch.equal(block(maps), F.relu(block.get_submodule("shortcut")(maps)))


def test_at_the_test_a_branch_is_weighed_by_its_survival():
    torch.manual_seed(0)
    net, plain = stochastic_depth(8).eval(), resnet_cifar(8, shortcut="average").eval()
    plain.load_state_dict(net.state_dict())
    maps = torch.randn(2, 16, 6, 6)
    weighed, whole = (each.get_submodule("conv3_1") for each in (net, plain))
    shortcut = whole.get_submodule("shortcut")(maps)
    for block in (weighed, whole):
        block.register_module("relu", nn.Identity())
    branch = whole(maps) - shortcut
    torch.testing.assert_close(weighed(maps) - shortcut, (1 - 2 / 3 * 0.5) * branch)


def test_where_the_maps_change_the_shortcut_is_the_mean_of_2x2_units_and_zeros():
    shortcut = stochastic_depth(8).get_submodule("conv3_1.shortcut")
    maps = torch.randn(2, 16, 6, 8)
    mean = (maps[..., ::2, ::2] + maps[..., 1::2, ::2]) / 4
    mean = mean + (maps[..., ::2, 1::2] + maps[..., 1::2, 1::2]) / 4
    torch.testing.assert_close(shortcut(maps)[:, :16], mean)
    assert not shortcut(maps)[:, 16:].any()


def test_blocks_have_a_drop_path_and_nothing_else_has():
    with torch.device("meta"):
        net = stochastic_depth(20)
    blocks = [name for name, layer in net.named_children() if isinstance(layer, Residual)]
    drops = [name for name, layer in net.named_modules() if isinstance(layer, DropPath)]
    assert drops == [f"{block}.drop_path" for block in blocks]
