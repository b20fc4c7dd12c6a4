"""Operations of a forward pass: names, operands, arguments; and no trace left behind."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import MinPool2d
from convscope.recording import IMAGE, Shape, operations


class Block(nn.Module):
    """A skip, functional calls, an in-place one, and a module that is called twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        y = F.relu(self.norm(self.conv(x)))
        y = F.relu_(self.conv(y) + x)
        y += 1
        return torch.cat([y, x], dim=1)


def named(net, *shape):
    return {done.name: done for done in operations(net, torch.zeros(shape))}


def test_names_are_paths_and_for_functions_the_caller_and_the_kind():
    done = named(nn.Sequential(nn.Conv2d(3, 4, 1), Block()), 1, 3, 6, 6)
    assert list(done) == [
        "0",
        "1.conv",
        "1.norm",
        "1.relu",
        "1.conv_2",
        "1.add",
        "1.relu_2",
        "1.add_2",
        "1.cat",
    ]
    assert done["0"].operands == (IMAGE,)
    assert done["1.add"].operands == ("1.conv_2", "0")
    assert done["1.add_2"].operands == ("1.relu_2",)  # what was added in place is a new operation
    assert done["1.cat"].operands == ("1.add_2", "0")
    assert [done[name].kind for name in ("1.relu_2", "1.add_2")] == ["relu", "add"]


def test_arguments_have_torchs_names_and_tensors_are_shapes():
    conv = named(nn.Conv2d(3, 4, 3, stride=2), 1, 3, 7, 7)["conv2d"]
    assert conv.argument_shapes["weight"] == Shape((4, 3, 3, 3))
    assert conv.argument_shapes["stride"] == (2, 2)
    assert conv.parameters == ("weight", "bias")
    assert conv.shape == (1, 4, 3, 3)
    viewed = named(nn.Unflatten(1, (3, 2)), 1, 6)["unflatten"]
    assert viewed.shape == (1, 3, 2)


def test_a_leaf_module_names_its_last_operation():
    class Norm(nn.LayerNorm):
        def forward(self, x):
            return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    done = named(nn.Sequential(nn.Identity(), Norm(3)), 1, 3, 4, 4)
    assert list(done) == ["1.permute", "1.layer_norm", "1"]
    assert done["1.permute"].argument_shapes["dims"] == (0, 2, 3, 1)


def test_a_layer_of_convscopes_is_one_operation():
    done = named(nn.Sequential(MinPool2d(2)), 1, 1, 4, 4)
    assert [(one.name, one.kind) for one in done.values()] == [("0", "MinPool2d")]
    assert isinstance(done["0"].layer, MinPool2d)


def test_operations_that_do_not_depend_on_the_image_are_left_out():
    class Scaled(nn.Module):
        def forward(self, x):
            return x * torch.arange(3).view(3, 1, 1).float()

    assert list(named(nn.Sequential(Scaled()), 1, 3, 2, 2)) == ["0"]


def test_shapes_alone_are_enough():
    with torch.device("meta"):
        net = nn.Conv2d(3, 64, 3)
        done = operations(net, torch.zeros(1, 3, 4096, 4096))
    assert done[0].shape == (1, 64, 4094, 4094)


@pytest.mark.parametrize("fails", [False, True])
def test_no_trace_is_left(fails):
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), nn.Conv2d(3, 3, 9 if fails else 3))
    before = {name: value.clone() for name, value in net.eval().state_dict().items()}
    state = torch.get_rng_state()
    image = torch.zeros(1, 3, 5, 5)
    if fails:
        with pytest.raises(RuntimeError):
            operations(net, image)
    else:
        operations(net, image)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
