"""No weight sharing: against the slow loop, the tied convolution, the lecture's counts."""

import pytest
import torch
from torch import nn

from convscope.arithmetic import Volume, locally_connected
from convscope.errors import RequestError
from convscope.layers import LocallyConnected2d
from tests.reference import layers as reference

SETTINGS = [
    dict(kernel_size=3),
    dict(kernel_size=3, bias=False),
    dict(kernel_size=(2, 3), stride=(2, 1), padding=(0, 1)),
    dict(kernel_size=3, stride=2, padding=1, dilation=(1, 2), groups=2),
    dict(kernel_size=1, groups=4),
    dict(kernel_size=(7, 6)),
]


def build(setting, channels=4, filters=8, size=(7, 6)):
    torch.manual_seed(0)
    return LocallyConnected2d(channels, filters, size, **setting).double()


def images(n=2, channels=4, size=(7, 6)):
    return torch.randn(n, channels, *size, dtype=torch.float64)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_unit_is_the_sum_that_the_slow_loop_finds(setting):
    layer, x = build(setting), images()
    y = layer(x)
    expected = reference.locally_connected(
        x,
        layer.weight,
        layer.bias,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    torch.testing.assert_close(y, expected)
    assert y.shape[2:] == layer.output_size
    assert y.is_contiguous()


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_tied_to_a_convolution_it_gives_its_outputs_and_adds_up_to_its_gradients(setting):
    torch.manual_seed(0)
    convolution = nn.Conv2d(4, 8, **setting).double()
    layer = LocallyConnected2d.from_convolution(convolution, (7, 6))
    ours = images().requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    y, expected = layer(ours), convolution(theirs)
    torch.testing.assert_close(y, expected)
    pull = torch.randn_like(y)
    y.backward(pull)
    expected.backward(pull)
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(layer.weight.grad.sum((0, 1)), convolution.weight.grad)
    if convolution.bias is not None:
        torch.testing.assert_close(layer.bias.grad.sum((0, 1)), convolution.bias.grad)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_gradients_are_those_of_finite_differences(setting):
    layer, x = build(setting), images().requires_grad_()
    inputs = (x, *layer.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), inputs, fast_mode=True)


def test_second_gradients_too():
    layer = build(dict(kernel_size=2, stride=2, padding=1), channels=1, filters=2, size=(3, 3))
    x = images(n=2, channels=1, size=(3, 3)).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


# The lecture's layers, were their weights not shared: input, filters, kernel, padding, parameters.
COUNTS = [
    ((3, 32, 32), 10, 3, 0, 252_000),
    ((3, 32, 32), 6, 5, 0, 357_504),
    ((3, 64, 64), 10, 5, 2, 3_112_960),
    ((3, 256, 256), 8, 5, 0, 38_610_432),
]


@pytest.mark.parametrize(("volume", "filters", "kernel", "padding", "parameters"), COUNTS)
def test_parameters_are_those_of_the_lectures_layers(volume, filters, kernel, padding, parameters):
    channels, *size = volume
    with torch.device("meta"):
        layer = LocallyConnected2d(channels, filters, tuple(size), kernel, padding=padding)
        y = layer(torch.empty(1, *volume))
    assert sum(weight.numel() for weight in layer.parameters()) == parameters
    cost = locally_connected(Volume(*volume), filters, kernel, padding=padding)
    assert (cost.output.channels, cost.output.height, cost.output.width) == y.shape[1:]


@pytest.mark.parametrize("n", [0, 1])
def test_any_batch_and_any_memory_layout_is_taken(n):
    layer, x = build(SETTINGS[3]), images(n)
    y = layer(x)
    assert y.shape == (n, 8, *layer.output_size)
    assert torch.equal(layer(x.to(memory_format=torch.channels_last)), y)
    y.sum().backward()
    assert layer.weight.grad.shape == layer.weight.shape


def test_half_precision_by_autocast_reaches_the_weights():
    layer = build(SETTINGS[0]).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(images().float())
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


def test_a_fresh_layer_is_uniform_in_the_bound_of_a_convolution():
    torch.manual_seed(0)
    layer = LocallyConnected2d(4, 8, (20, 20), 3, groups=2)
    bound = (2 * 3 * 3) ** -0.5
    for parameter in layer.parameters():
        assert parameter.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert parameter.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


@pytest.mark.parametrize(
    ("padding", "kernel", "pads"), [("same", (3, 5), (1, 4)), ("valid", 3, (0, 0))]
)
def test_named_padding_of_a_convolution_is_read(padding, kernel, pads):
    convolution = nn.Conv2d(1, 2, kernel, padding=padding, dilation=(1, 2)).eval()
    layer = LocallyConnected2d.from_convolution(convolution, (7, 6))
    assert (layer.padding, layer.training) == (pads, False)
    x = torch.randn(2, 1, 7, 6)
    torch.testing.assert_close(layer(x), convolution(x))


def test_untying_draws_no_random_number_and_leaves_the_convolution_alone():
    convolution = nn.Conv2d(1, 2, 3)
    before, state = convolution.weight.clone(), torch.get_rng_state()
    layer = LocallyConnected2d.from_convolution(convolution, (5, 5))
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        layer.weight.zero_()
    assert torch.equal(convolution.weight, before)


WRONG = [
    (lambda: LocallyConnected2d(3, 4, (5, 5), 3, groups=2), "3 input and 4 output channels"),
    (lambda: LocallyConnected2d(4, 3, (5, 5), 3, groups=2), "4 input and 3 output channels"),
    (lambda: LocallyConnected2d(4, 4, (5, 5), 3, groups=0), "0 groups do not divide 4 input and 4"),
    (lambda: LocallyConnected2d(3, 4, (2, 5), 3), "kernel of 3 does not fit an input of 2"),
    (lambda: LocallyConnected2d(3, 4, (5, 5), 3, stride=(1, 0)), "stride is"),
    (lambda: LocallyConnected2d(3, 4, (5, 5), 3, padding=-1), "padding is -1"),
    (lambda: untied(padding_mode="reflect", padding=1), "'reflect'"),
    (lambda: untied(kernel_size=2, padding="same"), "even kernel"),
    (lambda: LocallyConnected2d(3, 4, (5, 5), 3)(torch.zeros(1, 3, 5, 6)), r"\(n, 3, 5, 5\)"),
    (lambda: LocallyConnected2d(3, 4, (5, 5), 3)(torch.zeros(3, 5, 5)), r"\(3, 5, 5\)"),
]


def untied(*, kernel_size=3, padding=0, padding_mode="zeros"):
    convolution = nn.Conv2d(1, 1, kernel_size, padding=padding, padding_mode=padding_mode)
    return LocallyConnected2d.from_convolution(convolution, (5, 5))


@pytest.mark.parametrize(("ask", "told"), WRONG)
def test_what_cannot_be_meant_is_refused_with_its_numbers(ask, told):
    with pytest.raises(RequestError, match=told):
        ask()


def test_the_layer_prints_what_it_is():
    printed = repr(LocallyConnected2d(3, 4, (5, 5), 3, stride=2))
    assert (
        "LocallyConnected2d(3, 4, input_size=(5, 5), kernel_size=(3, 3), stride=(2, 2)" in printed
    )
