"""What is held computes as in evaluation and has no gradient; what is let go trains."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.training.callbacks.freeze import LayerFreezing
from convscope.training.config import TrainConfig
from convscope.training.optimizer import Optimizer
from convscope.zoo import create_model


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(4)

    def forward(self, x):
        return x + self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))


def small() -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 4, 3),
            bn1=nn.BatchNorm2d(4),
            drop=nn.Dropout(0.5),
            block2=Block(),
            block3=Block(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(4, 5),
        )
    )


def free(net: nn.Module) -> set[str]:
    """The layers of which a weight is trained."""
    trained = (name for name, weight in net.named_parameters() if weight.requires_grad)
    return {name.rpartition(".")[0] for name in trained}


def training(net: nn.Module) -> set[str]:
    """The layers without children that are in training mode."""
    leaves = ((name, layer) for name, layer in net.named_modules() if not any(layer.children()))
    return {name for name, layer in leaves if layer.training}


BLOCKS = [f"block{n}.{layer}" for n in (2, 3) for layer in ("conv1", "bn1", "conv2", "bn2")]
ORDER = ["conv1", "bn1", "drop", *BLOCKS, "pool", "flatten", "fc"]
WEIGHTED = [name for name in ORDER if name not in ("drop", "pool", "flatten")]


@pytest.mark.parametrize(
    ("last", "first_free"),
    [
        (None, "conv1"),
        ("conv1", "bn1"),
        ("drop", "block2.conv1"),
        ("block2", "block3.conv1"),
        ("block2.bn1", "block2.conv2"),
        ("block3.conv2", "block3.bn2"),
        ("flatten", "fc"),
        ("body", "fc"),
        ("backbone", "fc"),
    ],
)
def test_all_up_to_the_layer_is_held_and_nothing_else(last, first_free):
    net = small()
    LayerFreezing(net, last).apply(epoch=0)
    behind = set(ORDER[ORDER.index(first_free) :])
    assert training(net) == behind
    assert free(net) == behind & set(WEIGHTED)


def test_a_layer_that_is_called_body_is_that_layer():
    net = nn.Sequential(OrderedDict(body=nn.Linear(2, 2), neck=nn.Linear(2, 2), fc=nn.Linear(2, 2)))
    LayerFreezing(net, "body").apply(epoch=0)
    assert free(net) == {"neck", "fc"}


def test_the_head_of_a_nested_network_is_its_last_layer_alone():
    net = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
            classifier=nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2)),
        )
    )
    LayerFreezing(net, "body").apply(epoch=0)
    assert free(net) == {"classifier.2"}
    assert training(net) == {"classifier.2"}


def test_no_graph_is_recorded_through_what_is_held():
    net = small()
    LayerFreezing(net, "block2").apply(epoch=0)
    seen = {}
    for name, layer in net.named_children():
        layer.register_forward_hook(lambda _l, _x, y, name=name: seen.update({name: y}))
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    assert {name for name, maps in seen.items() if not maps.requires_grad} == {
        "conv1", "bn1", "drop", "block2",
    }  # fmt: skip
    assert all(w.grad is None for w in net.get_submodule("block2").parameters())


def test_training_leaves_every_bit_of_what_is_held():
    net = small()
    frozen = LayerFreezing(net, "block2.bn1")
    optimizer = Optimizer(net, TrainConfig())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for _ in range(3):
        frozen.apply(epoch=0)
        optimizer.zero_grad()
        net(torch.randn(4, 3, 8, 8)).square().sum().backward()
        optimizer.step(0.1)
    held = set(ORDER[: ORDER.index("block2.conv2")])
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]) == (name.rpartition(".")[0] in held), name


STAGES = [  # epoch, the last layer that is held
    (0, "pool"), (1, "pool"), (2, "block2"), (3, "block2"), (4, "bn1"), (5, "bn1"), (6, "conv1"),
    (8, None), (100, None),
]  # fmt: skip


@pytest.mark.parametrize(("epoch", "last"), STAGES)
def test_stages_are_let_go_from_the_head_down(epoch, last):
    net, expected = small(), small()
    LayerFreezing(net, "pool", every=2).apply(epoch)
    LayerFreezing(expected, last).apply(epoch=0)
    assert (free(net), training(net)) == (free(expected), training(expected))


def test_a_block_that_is_held_in_part_is_let_go_as_a_whole():
    net = small()
    frozen = LayerFreezing(net, "block3.conv1", every=1)
    frozen.apply(0)
    assert free(net) == {"block3.bn1", "block3.conv2", "block3.bn2", "fc"}
    frozen.apply(1)
    assert free(net) == set(BLOCKS[4:]) | {"fc"}
    frozen.apply(0)
    assert free(net) == {"block3.bn1", "block3.conv2", "block3.bn2", "fc"}


def test_a_weight_that_its_maker_fixed_stays_fixed():
    net = small()
    net.get_submodule("conv1").requires_grad_(requires_grad=False)
    frozen = LayerFreezing(net, "bn1", every=1)
    frozen.apply(5)
    assert "conv1" not in free(net)
    assert "bn1" in free(net)


def test_a_name_that_begins_as_the_last_does_is_another():
    layers = {name: nn.Linear(2, 2) for name in ("fc1", "fc10", "fc2")}
    net = nn.Sequential(OrderedDict(layers))
    LayerFreezing(net, "fc1").apply(epoch=0)
    assert free(net) == {"fc10", "fc2"}


def test_what_is_not_held_trains_whatever_mode_it_was_in():
    net = small().eval()
    LayerFreezing(net, "bn1").apply(epoch=0)
    assert training(net) == set(ORDER[2:])


def test_the_order_is_that_of_a_zoo_network():
    net = create_model("resnet20_cifar")
    LayerFreezing(net, "conv3_3").apply(epoch=0)
    blocks = {name.partition(".")[0] for name in free(net)}
    assert blocks == {"conv4_1", "conv4_2", "conv4_3", "fc"}


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("blok2", "Did you mean 'block2'.* Its layers are conv1, bn1, drop, block2, block3, pool"),
        ("block2.conv3", "Did you mean 'block2.conv"),
        ("", "no layer of the network: ''"),
        ("fc", "nothing to train"),
    ],
)
def test_a_layer_that_cannot_be_meant_is_told(last, told):
    with pytest.raises(RequestError, match=told):
        LayerFreezing(small(), last)
