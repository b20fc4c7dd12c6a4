"""The weights shown are derivatives: autograd's, at the places shown and nowhere else."""

import itertools
import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.explanation.recording import record
from convscope.layers import (
    DropPath,
    DropPathSampler,
    FractalJoin,
    LocallyConnected2d,
    MinPool2d,
    SparseConnectionConv2d,
    Subsampling2d,
)

UNITS = 12


class Of(nn.Module):
    """A function of the image, with a parameter `w` where a shape is given."""

    def __init__(self, of, *shape):
        super().__init__()
        self.of, self.shape = of, shape
        if shape:
            self.w = nn.Parameter(torch.ones(shape))

    def forward(self, x):
        return self.of(x, self.w) if self.shape else self.of(x)


class Joined(nn.Module):
    """The mean of three columns that are one image."""

    def __init__(self):
        super().__init__()
        self.join = FractalJoin((1, 2, 3), DropPathSampler(3))

    def forward(self, x):
        return self.join([x, x, x])


LINEAR = [
    lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
    lambda: nn.Conv2d(4, 4, (3, 2), padding=(2, 1), dilation=(2, 1), groups=4, bias=False),
    lambda: nn.Conv2d(4, 2, (1, 3), padding="same"),
    lambda: nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=1, groups=2),
    lambda: nn.ConvTranspose2d(4, 3, 2, stride=(1, 3), dilation=2),
    lambda: LocallyConnected2d(4, 2, (5, 6), (2, 3), stride=2, padding=1, groups=2),
    lambda: SparseConnectionConv2d(4, [(0, 1), (3,), (1, 2, 3)], 3, padding=1),
    lambda: Subsampling2d(4, (2, 3)),
    lambda: nn.Linear(6, 3),
    lambda: Of(lambda x, w: x @ w, 6, 2),
    lambda: Of(lambda x, w: w @ x, 4, 2, 5),
    lambda: nn.AvgPool2d(3, 2, 1),
    lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    lambda: nn.AvgPool2d(2, divisor_override=3),
    lambda: nn.AdaptiveAvgPool2d((3, 4)),
    lambda: Of(lambda x: x.mean((1, 3))),
    lambda: Of(lambda x: x.sum(2, keepdim=True)),
    lambda: nn.BatchNorm2d(4).eval(),
    lambda: nn.BatchNorm2d(4, affine=False).eval(),
    lambda: Of(lambda x, w: x + w, 4, 1, 1),
    lambda: Of(lambda x: x + x),
    lambda: Of(lambda x: 1 - x),
    lambda: Of(lambda x, w: torch.sub(w, x, alpha=3), 5, 1),
    lambda: Of(lambda x, w: w * x, 4, 1, 6),
    lambda: Of(lambda x: x * 0.75),
    lambda: Of(lambda x: x / 3),
    lambda: Of(lambda x: -x),
    lambda: nn.Dropout(0.5).eval(),
    lambda: DropPath(0.25).eval(),
    lambda: Joined().eval(),
    lambda: nn.Upsample((7, 8), mode="bilinear"),
    lambda: nn.Upsample((7, 4), mode="bicubic", align_corners=True),
    lambda: nn.Upsample(scale_factor=2),
    lambda: Of(lambda x, w: torch.einsum("nchw,oc->nohw", x, w), 3, 4),
    lambda: nn.Fold((6, 7), (2, 2)),
    # one of the operands, to the bit
    lambda: nn.MaxPool2d(3, 2, 1),
    lambda: nn.AdaptiveMaxPool2d((2, 4)),
    lambda: MinPool2d(2, stride=1, dilation=2),
    lambda: Of(lambda x: x.amax((1, 2))),
    lambda: Of(torch.maximum, 1),
    lambda: Of(lambda x, w: torch.where(x > w, x, w), 5, 6),
    # and what moves
    nn.Flatten,
    lambda: Of(lambda x: x[:, [2, 0], ::2]),
    lambda: Of(lambda x: x.permute(0, 3, 1, 2)),
    lambda: Of(lambda x, w: torch.cat([w, x], 1), 1, 2, 5, 6),
    lambda: Of(lambda x: F.pad(x, (1, 2, 3, 0), mode="reflect")),
    lambda: Of(lambda x: F.pad(x, (1, 2), value=3.0)),
    lambda: Of(lambda x: x.roll((1, 2), (1, 3))),
    lambda: nn.PixelShuffle(2),
    lambda: nn.Unfold(2, padding=1),
    lambda: Of(lambda x: x.masked_fill(x.detach() > 1, 0.0)),
]


def seeded(build):
    torch.manual_seed(0)
    net = build().double()
    with torch.no_grad():
        for name, tensor in (*net.named_parameters(), *net.named_buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(-1, 1)
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.5)
    columns = isinstance(net, nn.Fold)
    image = torch.randn((1, 1, 4, 30) if columns else (1, 4, 5, 6), dtype=torch.float64)
    return nn.Sequential(nn.Flatten(0, 1), net) if columns else net, image


def sample_units(shape):
    places = list(itertools.product(*map(range, shape)))
    return random.Random(0).sample(places, min(UNITS, len(places)))


def shown_weights(decomposition, like, source):
    """What stands beside the numbers of a tensor, which may be the values or the weights."""
    weights = torch.zeros_like(like)
    chosen = (
        [decomposition.terms[decomposition.winner]]
        if hasattr(decomposition, "winner")
        else decomposition.terms
    )
    for term in chosen:
        if term.location is not None and term.location.source == source:
            weights[term.location.at] += term.weight / getattr(decomposition, "divisor", 1.0)
        if term.weight_location is not None and term.weight_location.source == source:
            weights[term.weight_location.at] += term.value
    return weights


@pytest.mark.parametrize("place", range(len(LINEAR)), ids=lambda n: f"{seeded(LINEAR[n])[0]}"[:60])
def test_the_weight_of_every_operand_is_its_derivative_and_others_have_none(place):
    net, image = seeded(LINEAR[place])
    recording = record(net, image)
    found = recording[recording.output]
    last = recording["image" if "image" in found.operands else found.operands[0]]
    operand = last.tensor.detach().clone().requires_grad_()
    y = (net if last.name == "image" else net[-1])(operand)
    for at in sample_units(found.shape):
        explanation = recording.explain(found.name, at)
        whole = (*(0,) * (y.ndim - len(at)), *at)
        (expected,) = torch.autograd.grad(y[whole], operand, retain_graph=True)
        shown = shown_weights(explanation.decomposition, expected[0], last.name)
        torch.testing.assert_close(shown, expected[0], rtol=1e-12, atol=1e-13)


WEIGHTED = [build for build in LINEAR[:10] if not isinstance(build(), Of)]


@pytest.mark.parametrize("place", range(len(WEIGHTED)), ids=lambda n: f"{WEIGHTED[n]()}"[:60])
def test_the_derivative_by_a_weight_is_its_value(place):
    net, image = seeded(WEIGHTED[place])
    recording = record(net, image)
    found, y = recording[recording.output], net(image)
    for at in sample_units(found.shape):
        decomposition = recording.explain(found.name, at).decomposition
        expected = dict(
            zip(
                dict(net.named_parameters()),
                torch.autograd.grad(y[(0, *at)], list(net.parameters()), retain_graph=True),
                strict=True,
            )
        )
        shown = {name: torch.zeros_like(gradient) for name, gradient in expected.items()}
        for term in decomposition.terms:
            shown[term.weight_location.source][term.weight_location.at] += term.value
        if decomposition.bias_location is not None:
            shown[decomposition.bias_location.source][decomposition.bias_location.at] += 1
        torch.testing.assert_close(shown, expected, rtol=1e-12, atol=1e-13)


class Small(nn.Module):
    """A residual block of operations that are linear where the image stands."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4).eval()
        self.pool = nn.MaxPool2d(2)
        self.shortcut = nn.Conv2d(2, 4, 1, stride=2)
        self.dense = nn.Linear(8, 3)

    def forward(self, x):
        y = self.pool(self.norm(self.conv(x))) + self.shortcut(x)
        y = torch.cat([y[:, 2:], -y[:, :2]], 1)
        return self.dense(F.avg_pool2d(y, (2, 1)).flatten(1))


def test_weights_along_all_paths_add_up_to_the_gradient():
    net, _ = seeded(Small)
    image = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    recording = record(net, image)
    known = {}

    def gradient(name, at):
        if name == "image":
            one = torch.zeros_like(image[0])
            one[at] = 1
            return one
        if (name, at) not in known:
            decomposition = recording.explain(name, at).decomposition
            chosen = (
                [decomposition.terms[decomposition.winner]]
                if hasattr(decomposition, "winner")
                else decomposition.terms
            )
            known[name, at] = sum(
                term.weight / getattr(decomposition, "divisor", 1.0) * gradient(*term.location)
                for term in chosen
                if term.location is not None
            )
        return known[name, at]

    seen = image.clone().requires_grad_()
    y = net(seen)
    for k in range(3):
        (expected,) = torch.autograd.grad(y[0, k], seen, retain_graph=True)
        torch.testing.assert_close(gradient(recording.output, (k,)), expected[0])
