"""Gradients against finite differences in float64, where plain autograd may get them wrong.

Whether it does is not tested: PyTorch may mend it. What 2.13.0 does: findings/.
"""

import pytest
import timm
import torch
from torch import nn
from torch.autograd.functional import jacobian
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from convscope.gradients import contiguous_gradients
from tests.reference.gradients import finite_differences

MAPS, ANSWERS = 4, 3
STATISTICS = torch.linspace(-1, 1, MAPS).double(), torch.linspace(0.5, 2, MAPS).double()


class Functional(nn.Module):
    """One of torch's own functions, with a weight and a bias."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight, self.bias = nn.Parameter(torch.ones(MAPS)), nn.Parameter(torch.zeros(MAPS))

    def forward(self, x):
        return self.function(x, self.weight, self.bias)


def tokens(maps):
    """(n, c, h, w) as (n, h·w, c)."""
    return maps.flatten(2).transpose(1, 2)


class Behind(nn.Module):
    """A head that is given the tokens as `(n, positions, channels)`."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, maps):
        return self.layers(tokens(maps)).square().mean(1)


class Product(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(MAPS, ANSWERS))

    def forward(self, tokens):
        return tokens @ self.weight


class Gram(nn.Module):
    """The products of all pairs of maps, as in style transfer."""

    def forward(self, maps):
        return torch.bmm(maps.flatten(2), tokens(maps))[:, :ANSWERS, 0]


class Sequence(nn.Module):
    """Positions first, as recurrent layers and transformers take them by default."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(MAPS, ANSWERS)

    def forward(self, maps):
        return self.linear(F.layer_norm(maps.flatten(2).permute(2, 0, 1), (MAPS,))).square().mean(0)


NORMS = {
    "batch norm": lambda: nn.BatchNorm2d(MAPS),
    "batch norm without weights": lambda: nn.BatchNorm2d(MAPS, affine=False),
    "instance norm": lambda: nn.InstanceNorm2d(MAPS, affine=True),
    "scripted": lambda: torch.jit.script(nn.BatchNorm2d(MAPS)),
    "functional": lambda: Functional(
        lambda x, weight, bias: F.batch_norm(x, *STATISTICS, weight, bias)
    ),
    "functional, in training": lambda: Functional(
        lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True)
    ),
    "native": lambda: Functional(
        lambda x, weight, bias: torch.native_batch_norm(
            x, weight, bias, *STATISTICS, training=False, momentum=0.1, eps=1e-5
        )[0]
    ),
    "of an exported program": lambda: Functional(
        lambda x, weight, bias: torch.ops.aten._native_batch_norm_legit.no_stats(
            x, weight, bias, training=True, momentum=0.1, eps=1e-5
        )[0]
    ),
    "functional instance norm": lambda: Functional(
        lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias)
    ),
}
HEADS = {
    "layer norm": lambda: Behind(nn.LayerNorm(MAPS), nn.Linear(MAPS, ANSWERS)),
    "product": lambda: Behind(Product()),
    "GELU": lambda: nn.Sequential(nn.GELU(), Behind(nn.LayerNorm(MAPS), nn.Linear(MAPS, ANSWERS))),
    "encoder": lambda: Behind(
        nn.TransformerEncoderLayer(MAPS, 2, 8, dropout=0.0, batch_first=True),
        nn.Linear(MAPS, ANSWERS),
    ),
    "gram": Gram,
    "sequence": Sequence,
    "convolution": lambda: nn.Sequential(
        nn.ReLU(), nn.Conv2d(MAPS, ANSWERS, 3), nn.Flatten(), nn.Linear(ANSWERS, ANSWERS)
    ),
}
PAIRS = [(norm, "layer norm") for norm in NORMS] + [
    (norm, head)
    for norm in ("batch norm", "instance norm")
    for head in HEADS
    if head != "layer norm"
]


def network(norm, head, *, train):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, MAPS, 3, stride=2, padding=1), NORMS[norm](), HEADS[head]())
    net = net.double().train(train)
    for weight in net.parameters():
        nn.init.normal_(weight)
    return net


def number(net, images):
    """One number that depends on every answer."""
    return net(images).sin().sum()


def images(count=1):
    return torch.randn(count, 2, 6, 6, dtype=torch.float64)


def assert_close(found, expected, tolerance=1e-6):
    largest = float(expected.abs().max())
    assert torch.allclose(found, expected, rtol=10 * tolerance, atol=tolerance * max(1, largest))


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize(("norm", "head"), PAIRS)
def test_the_gradients_of_one_image_are_finite_differences(norm, head, train):
    net, image = network(norm, head, train=train), images().requires_grad_()
    subjects = [image, *net.parameters()]
    found = torch.autograd.grad(
        contiguous_gradients(number(net, image)), subjects, allow_unused=True
    )
    for gradient, subject in zip(found, subjects, strict=True):
        expected = finite_differences(lambda _: number(net, image), subject.detach())
        assert subject is not image or expected.abs().max() > 0.1  # a constant would prove nothing
        assert_close(torch.zeros_like(subject) if gradient is None else gradient, expected)


@pytest.mark.parametrize("head", ["layer norm", "sequence"])
def test_the_gradients_of_instance_norm_are_right_for_two_images(head):
    """It is batch norm of one image with the channels of both."""
    net, pair = network("instance norm", head, train=True), images(2).requires_grad_()
    (found,) = torch.autograd.grad(contiguous_gradients(number(net, pair)), pair)
    assert_close(found, finite_differences(lambda x: number(net, x), pair.detach()))


@pytest.mark.parametrize("train", [False, True])
def test_the_gradient_of_one_volume_is_right(train):
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm3d(MAPS), Behind(nn.LayerNorm(MAPS), nn.Linear(MAPS, ANSWERS)))
    net, volume = net.double().train(train), torch.randn(1, MAPS, 2, 3, 2, dtype=torch.float64)
    given = volume.clone().requires_grad_()
    (found,) = torch.autograd.grad(contiguous_gradients(number(net, given)), given)
    assert_close(found, finite_differences(lambda x: number(net, x), volume))


@pytest.mark.parametrize("head", ["layer norm", "product"])
def test_gradients_inside_functions_that_take_them_are_right(head):
    net, image = network("batch norm", head, train=False), images()
    expected = finite_differences(lambda x: number(net, x), image.clone())

    def protected(x):
        return contiguous_gradients(number(net, x))

    assert_close(torch.func.grad(protected)(image), expected)
    assert_close(torch.func.vjp(protected, image)[1](torch.ones(()).double())[0], expected)
    assert_close(jacobian(protected, image), expected)
    assert_close(jacobian(protected, image, vectorize=True), expected)


def test_gradients_through_a_checkpoint_are_right():
    net, image = network("batch norm", "layer norm", train=False), images()
    given = image.clone().requires_grad_()
    maps = checkpoint(net[:2], given, use_reentrant=False)
    contiguous_gradients(net[2](maps).sin().sum()).backward()
    assert_close(given.grad, finite_differences(lambda x: number(net, x), image))


@pytest.mark.parametrize("head", ["layer norm", "product", "gram"])
@pytest.mark.parametrize("train", [False, True])
def test_second_derivatives_are_right(train, head):
    net, image = network("batch norm", head, train=train), images()
    direction = torch.randn_like(image)

    def slope(x, **more):
        """The derivative along the direction."""
        answer = contiguous_gradients(number(net, x))
        return (torch.autograd.grad(answer, x, **more)[0] * direction).sum()

    given = image.clone().requires_grad_()
    slope_there = contiguous_gradients(slope(given, create_graph=True))
    (found,) = torch.autograd.grad(slope_there, given)

    def slope_at(x):
        with torch.enable_grad():
            return slope(x.detach().requires_grad_())

    expected = finite_differences(slope_at, image)
    assert expected.abs().max() > 0.1
    assert_close(found, expected, 1e-5)


def test_of_two_images_and_without_a_graph_nothing_changes():
    net, pair = network("batch norm", "layer norm", train=True), images(2).requires_grad_()
    answer = number(net, pair)
    assert contiguous_gradients(answer) is answer
    (plain,) = torch.autograd.grad(number(net, pair), pair)
    assert torch.equal(torch.autograd.grad(answer, pair)[0], plain)
    number_alone = torch.ones(())
    assert contiguous_gradients(number_alone) is number_alone


def test_a_network_of_long_chains_is_no_deeper_than_the_stack():
    x = weight = torch.ones(1, requires_grad=True)
    for _ in range(5000):
        x = x * 1
    contiguous_gradients(x).backward()
    assert weight.grad == 1


@pytest.mark.parametrize("train", [False, True])
def test_the_gradient_through_a_network_of_timm_is_the_slope_along_any_direction(train):
    """Its patches are cut by convolutions with batch norm, whose maps are then read as tokens."""
    torch.manual_seed(0)
    net = timm.create_model("xcit_nano_12_p16_224", img_size=64, depth=1).double().train(train)
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(contiguous_gradients(number(net, image)), image)
    directions = torch.randn(3, *image.shape, dtype=torch.float64)

    def moved(steps):
        return number(net, image + (steps[:, None, None, None, None] * directions).sum(0))

    expected = finite_differences(moved, torch.zeros(3, dtype=torch.float64))
    assert expected.abs().max() > 0.01
    assert torch.allclose((gradient * directions).flatten(1).sum(1), expected, rtol=1e-4)
