"""Pooling by the minimum and LeNet-5's trainable subsampling, against loops and the lecture."""

import pytest
import torch
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.layers import MinPool2d, Subsampling2d
from tests.reference import layers as reference

LECTURE_IMAGE = torch.tensor(
    [
        [5.0, 1, 7, 7, 8, 1],
        [7, 2, 5, 7, 8, 1],
        [5, 3, 5, 4, 4, 2],
        [4, 4, 3, 3, 2, 1],
        [3, 3, 4, 7, 8, 1],
        [5, 7, 8, 2, 3, 1],
    ]
)


def test_the_lectures_image_is_pooled_by_its_minima():
    pooled = MinPool2d(2, stride=2)(LECTURE_IMAGE[None, None])
    assert pooled[0, 0].tolist() == [[1, 5, 1], [3, 3, 1], [3, 2, 1]]


SETTINGS = [
    dict(kernel_size=2),
    dict(kernel_size=(3, 2), stride=(2, 1), padding=1),
    dict(kernel_size=3, stride=2, padding=(1, 0), dilation=(1, 2)),
    dict(kernel_size=3, stride=2, ceil_mode=True),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_unit_is_the_smallest_under_its_window(setting):
    rng = torch.manual_seed(0)
    layer, x = MinPool2d(**setting), torch.rand(2, 3, 8, 8, generator=rng) + 1
    y = layer(x)
    expected = reference.minimum(
        x, y, layer.kernel_size, stride=layer.stride, padding=layer.padding, dilation=layer.dilation
    )
    assert torch.equal(y, expected)
    assert y.shape == F.max_pool2d(x, **setting).shape


def test_the_gradient_of_a_minimum_goes_to_the_smallest_unit():
    x = torch.tensor([[[[3.0, 1], [2, 4]]]], requires_grad=True)
    MinPool2d(2)(x).backward(torch.tensor([[[[5.0]]]]))
    assert x.grad.flatten().tolist() == [0, 5, 0, 0]
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(MinPool2d(3, stride=2, padding=1), x)


@pytest.mark.parametrize("kernel", [2, (3, 2)])
def test_subsampling_adds_then_scales_then_shifts(kernel):
    torch.manual_seed(0)
    layer = Subsampling2d(3, kernel).double()
    torch.nn.init.normal_(layer.coefficient)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64, requires_grad=True)
    expected = reference.subsampling(x, layer.coefficient, layer.bias, layer.kernel_size)
    torch.testing.assert_close(layer(x), expected)
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


def test_fresh_subsampling_is_average_pooling():
    x = torch.randn(2, 6, 28, 28)
    torch.testing.assert_close(Subsampling2d(6)(x), F.avg_pool2d(x, 2))


@pytest.mark.parametrize(("channels", "parameters"), [(6, 12), (16, 32)])
def test_parameters_are_those_of_s2_and_s4(channels, parameters):
    assert sum(weight.numel() for weight in Subsampling2d(channels).parameters()) == parameters


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: MinPool2d(0), "kernel_size is 0"),
        (lambda: MinPool2d(2, stride=0), "stride is 0"),
        (lambda: MinPool2d(2, dilation=0), "dilation is 0"),
        (lambda: MinPool2d(3, padding=2), "at most half"),
        (lambda: Subsampling2d(0), "channels is 0"),
        (lambda: Subsampling2d(3, 0), "kernel_size is 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(ask, told):
    with pytest.raises(RequestError, match=told):
        ask()


def test_the_layers_print_what_they_are():
    assert repr(Subsampling2d(6)) == "Subsampling2d(6, kernel_size=(2, 2))"
    assert repr(MinPool2d(3, stride=2)).startswith("MinPool2d(kernel_size=(3, 3), stride=(2, 2), ")
