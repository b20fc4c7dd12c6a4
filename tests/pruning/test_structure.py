"""What belongs to a filter, and what is left of a network without it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.forward import main_tensor
from convscope.inference import inference_mode
from convscope.pruning.structure import Structure
from convscope.pruning.surgery import silence, without_groups
from convscope.zoo import create_model


def _random_norms(net: nn.Module) -> None:
    """Running statistics and weights under which channels are told apart."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    for parameter in net.parameters():
        if float(parameter.detach().abs().max()) < 1e-5:  # ConvNeXt's layer scale
            nn.init.ones_(parameter)


def _logits(net: nn.Module, images: Tensor) -> Tensor:
    with inference_mode(net):
        output = main_tensor(net(images), 10)
    assert output is not None
    return output


NETWORKS = {
    "lenet5": (1, 32, 32),
    "resnet20_cifar": (3, 16, 16),
    "densenet40_12": (3, 8, 8),
    "mobilenet_v3_small": (3, 32, 32),
    "googlenet_bn": (3, 32, 32),
    "convnext_tiny": (3, 32, 32),
}
SLOW = {"fractalnet20": (3, 32, 32), "resnext29_8x64d": (3, 8, 8), "vgg11_bn": (3, 32, 32)}


@pytest.mark.parametrize(
    "name", [*NETWORKS, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_removed_groups_are_those_that_nothing_reads(name: str) -> None:
    """A narrower network computes what the wide one does if nothing reads some of its maps."""
    torch.manual_seed(0)
    image = (NETWORKS | SLOW)[name]
    net = create_model(name, num_classes=10, in_channels=image[0], input_size=image[1:])
    _random_norms(net)
    structure = Structure.of(net, image)
    rng = np.random.default_rng(0)
    removed = {
        int(n) for n in rng.choice(structure.groups, len(structure.groups) // 4, replace=False)
    }
    pruned, widths = without_groups(net, structure, removed)
    images = torch.randn(2, *image)
    expected = _logits(silence(net, structure, removed), images)
    scale = float(expected.abs().max())
    assert torch.allclose(_logits(pruned, images), expected, atol=1e-5 * scale, rtol=0)
    changed = float((_logits(net, images) - expected).abs().max())
    assert changed > 1e-4 * scale
    assert widths
    after = Structure.of(pruned, image).multiply_adds()
    assert structure.multiply_adds(removed) == pytest.approx(after, rel=1e-6)
    assert after < structure.multiply_adds()


def test_the_saving_of_a_group_is_what_the_network_costs_less_without_it() -> None:
    net = create_model("resnet20_cifar", num_classes=10)
    structure = Structure.of(net, (3, 32, 32))
    gone = set(structure.groups[20:30])
    savings = structure.savings(gone)
    for group in structure.groups[:20:5]:
        less = structure.multiply_adds(gone) - structure.multiply_adds(gone | {group})
        parts = len(structure.layers_of(group))  # a product of two axes counts their overlap once
        assert savings[group] == pytest.approx(less, rel=0.1 if parts > 1 else 1e-3)


def test_a_sum_ties_the_filters_of_both_its_operands() -> None:
    structure = Structure.of(create_model("resnet20_cifar", num_classes=10), (3, 32, 32))
    group = structure.group_of("conv1", 3)
    expected = {"conv1", *(f"conv{n}_{m}.conv2" for n in (2, 3, 4) for m in (1, 2, 3))}
    assert structure.layers_of(group) == {name: [3] for name in expected}
    inside = structure.group_of("conv2_2.conv1", 5)
    assert structure.layers_of(inside) == {"conv2_2.conv1": [5]}
    filled = structure.group_of("conv4_2.conv2", 40)  # the shortcut has zeros there
    assert set(structure.layers_of(filled)) == {"conv4_1.conv2", "conv4_2.conv2", "conv4_3.conv2"}


class Halves(nn.Module):
    """Splits its maps in two by a number in the code, as ShuffleNet does."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.second = nn.Conv2d(4, 6, 3)
        self.fc = nn.Linear(10 * 8 * 8, 5)
        self.scale = nn.Parameter(torch.ones(1, 6, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        a, b = torch.relu(self.first(x)).chunk(2, dim=1)
        b = F.relu(self.second(b)) * self.scale
        return self.fc(torch.cat([a[:, :, 1:-1, 1:-1], b], 1).view(-1, 640))


def test_what_cannot_be_followed_is_kept_and_named() -> None:
    structure = Structure.of(Halves(), (3, 12, 12))
    assert structure.groups == ()
    reasons = set(structure.pinned.values())
    assert {"chunk (chunk) needs them all", "mul (mul) needs them all"} <= reasons


class Twice(nn.Module):
    """One convolution that runs twice, one after a sum with its own result."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.conv = nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, 4)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = self.conv(x)
        return self.fc(self.conv(F.relu(x)).mean((2, 3)))


def test_a_layer_that_runs_twice_ties_what_it_reads_to_what_it_makes() -> None:
    torch.manual_seed(0)
    net = Twice()
    structure = Structure.of(net, (3, 8, 8))
    assert len(structure.groups) == 6
    assert structure.unseen == ("unused",)
    removed = {structure.group_of("stem", 2)}
    assert structure.layers_of(*removed) == {"stem": [2], "conv": [2]}
    pruned, _ = without_groups(net, structure, removed)
    images = torch.randn(3, 3, 8, 8)
    with inference_mode(net):
        assert torch.allclose(pruned(images), silence(net, structure, removed)(images), atol=1e-6)
