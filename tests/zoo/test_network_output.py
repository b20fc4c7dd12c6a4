"""Networks that end in softmax or sigmoid are noticed at the trial, and no others."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.zoo import create_model
from convscope.zoo.check import network_output


class Ends(nn.Module):
    """A small convolutional network whose output is `end` of its logits."""

    def __init__(self, end, classes=2):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, classes)
        self.end = end

    def forward(self, x):
        return self.end(self.fc(self.norm(self.conv(x)).relu().mean((2, 3))))


class SoftmaxInEval(Ends):
    def forward(self, x):
        logits = super().forward(x)
        return logits if self.training else logits.softmax(1)


def output_of(net, size=(16, 16), channels=3, **task):
    return network_output(net, in_channels=channels, input_size=size, **task)


@pytest.mark.parametrize("classes", [2, 10, 1000])
@pytest.mark.parametrize(
    "end",
    [
        nn.Softmax(1),
        lambda x: F.softmax(x, 1),
        lambda x: x.exp() / x.exp().sum(1, keepdim=True),
        lambda x: x.log_softmax(1).exp(),
    ],
    ids=["module", "function", "by hand", "exponential of log_softmax"],
)
def test_softmax_gives_probabilities(end, classes):
    assert output_of(Ends(end, classes)) == "probabilities"


@pytest.mark.parametrize(
    "end",
    [nn.Identity(), nn.LogSoftmax(1), nn.Sigmoid(), nn.ReLU(), nn.Softplus(), torch.zeros_like],
    ids=["identity", "log_softmax", "sigmoid", "relu", "softplus", "zeros"],
)
def test_whatever_does_not_add_up_to_one_is_logits(end):
    torch.manual_seed(0)
    assert output_of(Ends(end)) == "logits"


@pytest.mark.parametrize("labels", [2, 14])
@pytest.mark.parametrize(
    "end",
    [nn.Sigmoid(), torch.sigmoid, lambda x: 1 / (1 + (-x).exp()), lambda x: x.tanh() / 2 + 0.5],
    ids=["module", "function", "by hand", "tanh"],
)
def test_sigmoid_gives_the_probabilities_of_several_labels(end, labels):
    assert output_of(Ends(end, labels), task="multi-label") == "probabilities"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("end", [nn.Identity(), nn.LogSigmoid(), nn.Tanh()])
def test_no_logits_of_several_labels_are_probabilities_by_chance(end, seed):
    torch.manual_seed(seed)
    net = Ends(end)
    nn.init.constant_(net.fc.weight, 1e-4)
    nn.init.constant_(net.fc.bias, 0.1)  # so every output is 0.1 at first
    assert output_of(net, task="multi-label") == "logits"


def test_softmax_in_eval_mode_alone_is_softmax():
    assert output_of(SoftmaxInEval(nn.Identity()).train()) == "probabilities"


@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [
        *[("lenet5", 1, (32, 32)), ("lenet5_1998", 1, (32, 32)), ("tinyvgg", 3, (64, 64))],
        *[("resnet20_cifar", 3, (32, 32)), ("squeezenet1_1", 3, (64, 64))],
        *[("nin_cifar", 3, (32, 32)), ("googlenet", 3, (79, 79))],
    ],
)
def test_no_network_of_the_zoo_is_taken_to_return_probabilities(name, channels, size):
    torch.manual_seed(0)
    classes = 10 if name == "lenet5_1998" else 2
    net = create_model(name, num_classes=classes, in_channels=channels)
    assert output_of(net, size, channels) == "logits"


def test_the_trial_leaves_no_trace():
    net = Ends(nn.Sigmoid()).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    output_of(net, task="multi-label")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in net.modules())


@pytest.mark.parametrize("net", [nn.Conv2d(4, 2, 3), nn.Flatten(0), nn.Conv2d(3, 2, 3)])
def test_a_network_that_cannot_be_tried_is_taken_to_return_logits(net):
    assert output_of(net) == "logits"
