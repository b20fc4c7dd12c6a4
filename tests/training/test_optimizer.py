"""Our steps against torch.optim's, bit for bit."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convscope.training.config import TrainConfig
from convscope.training.loss import class_weights
from convscope.training.optimizer import Optimizer, head_of
from convscope.zoo import create_model


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(
    ("settings", "peer"),
    [
        (
            TrainConfig(),
            lambda w: torch.optim.SGD(w, 0.1, momentum=0.9, weight_decay=5e-4, fused=True),
        ),
        (
            TrainConfig(momentum=0.0, weight_decay=0.0),
            lambda w: torch.optim.SGD(w, 0.1, fused=True),
        ),
        (
            TrainConfig(nesterov=True),
            lambda w: torch.optim.SGD(
                w, 0.1, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
            ),
        ),
        (
            TrainConfig(optimizer="rmsprop"),
            lambda w: torch.optim.RMSprop(
                w, 0.1, momentum=0.9, weight_decay=5e-4, alpha=0.9, eps=0.0316
            ),
        ),
        (
            TrainConfig(optimizer="adamw", weight_decay=0.01),
            lambda w: torch.optim.AdamW(w, 0.1, weight_decay=0.01, fused=True),
        ),
    ],
    ids=["sgd", "plain", "nesterov", "rmsprop", "adamw"],
)
def test_twenty_steps_are_those_of_pytorch(settings, peer, channels_last):
    torch.manual_seed(0)
    ours, theirs = (
        create_model("tinyvgg", input_size=(16, 16)),
        create_model("tinyvgg", input_size=(16, 16)),
    )
    theirs.load_state_dict(ours.state_dict())
    if channels_last:
        for net in (ours, theirs):
            net.to(memory_format=torch.channels_last)
    ours.get_parameter("conv2_1.bias").requires_grad_(requires_grad=False)
    theirs.get_parameter("conv2_1.bias").requires_grad_(requires_grad=False)
    optimizer, reference = Optimizer(ours, settings), peer(theirs.parameters())
    images, labels = torch.randn(8, 3, 16, 16), torch.arange(8)
    for step in range(20):
        rate = 0.01 / (1 + step)
        optimizer.zero_grad()
        F.cross_entropy(ours(images), labels).backward()
        optimizer.step(rate)
        reference.param_groups[0]["lr"] = rate
        reference.zero_grad()
        F.cross_entropy(theirs(images), labels).backward()
        reference.step()
    for name, weight in ours.named_parameters():
        assert torch.equal(weight, theirs.get_parameter(name)), name


def test_a_weight_without_a_gradient_stays_as_it_is():
    net = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])
    before = net[1].weight.clone()
    optimizer = Optimizer(net, TrainConfig())
    net[0](torch.ones(1, 2)).sum().backward()
    optimizer.step(0.1)
    assert torch.equal(net[1].weight, before)
    assert not torch.equal(net[0].bias, torch.zeros(2))


@pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop"])
def test_the_body_moves_by_its_share_exactly_and_the_head_by_all(name):
    moved = {}
    for share in (1.0, 0.25):
        torch.manual_seed(0)
        net = create_model("tinyvgg", input_size=(16, 16))
        optimizer = Optimizer(
            net, TrainConfig(backbone_lr_scale=share, optimizer=name, weight_decay=0.0)
        )
        F.cross_entropy(net(torch.randn(8, 3, 16, 16)), torch.arange(8)).backward()
        for weight in net.parameters():
            weight.data.zero_()  # so that what is added to it is not rounded
        optimizer.step(2**-4)
        moved[share] = dict(net.named_parameters())
    for layer, weight in moved[1.0].items():
        assert weight.abs().max() > 0
        share = 1.0 if layer.startswith("fc.") else 0.25
        assert torch.equal(moved[0.25][layer], share * weight), layer


def test_a_share_of_one_is_one_group():
    assert list(Optimizer(create_model("tinyvgg"), TrainConfig()).groups) == [1.0]
    assert list(Optimizer(create_model("tinyvgg"), TrainConfig(backbone_lr_scale=0.5)).groups) == [
        0.5,
        1.0,
    ]


@pytest.mark.parametrize(
    ("name", "head"),
    [("lenet5", "fc2"), ("squeezenet1_1", "conv10"), ("googlenet", "fc"), ("resnet18", "fc")],
)
def test_the_head_is_the_last_layer_with_weights(name, head):
    with torch.device("meta"):
        assert head_of(create_model(name)) == head


def test_balanced_weights_make_classes_count_the_same():
    weights = class_weights(np.array([90, 9, 1]), 100, "single-label", torch.device("cpu"))
    assert (weights * torch.tensor([90.0, 9.0, 1.0])).tolist() == pytest.approx([100 / 3] * 3)
