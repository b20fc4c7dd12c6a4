"""What layers cost, against every product written out, and against torch's own layers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convscope.arithmetic import Volume, convolution, dense, locally_connected, pooling
from convscope.errors import RequestError
from tests.reference.geometry import links


@given(
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 2),
    st.tuples(st.integers(3, 6), st.integers(3, 6)),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 2),
    st.booleans(),
)
def test_costs_are_those_of_every_product_written_out(
    groups, maps, filters, sides, kernel, stride, padding, bias
):
    input, filters = (groups * maps, *sides), groups * filters  # noqa: A001
    slid = dict(stride=stride, padding=padding, groups=groups)
    products = list(links(input, filters, kernel, **slid))
    units = {unit for unit, _ in products}
    shared = convolution(Volume(*input), filters, kernel, **slid, bias=bias)
    local = locally_connected(Volume(*input), filters, kernel, **slid, bias=bias)
    assert shared.output == local.output
    assert shared.output.units == len(units)
    assert shared.multiply_adds == local.multiply_adds == len(products)
    assert shared.connections == local.connections == len(products) + len(units) * bias
    assert shared.weights == len({(unit[0], tap) for unit, tap in products})
    assert shared.biases == len({unit[0] for unit in units}) * bias
    assert local.weights == len(set(products))
    assert local.biases == len(units) * bias
    assert local.parameters == local.connections


@pytest.mark.parametrize(
    "words",
    [
        dict(kernel_size=3),
        dict(kernel_size=(5, 3), stride=(2, 1), padding=(2, 0)),
        dict(kernel_size=(3, 2), dilation=(2, 3), groups=2),
        dict(kernel_size=3, padding="same", bias=False),
        dict(kernel_size=11, stride=4),
    ],
    ids=str,
)
def test_a_convolution_has_torchs_maps_and_parameters(words):
    with torch.device("meta"):
        layer = nn.Conv2d(4, 6, **words)
        maps = layer(torch.empty(1, 4, 21, 17))
    kernel = words.pop("kernel_size")
    cost = convolution(Volume(4, 21, 17), 6, kernel, **words)
    assert cost.output == Volume(*maps.shape[1:])
    assert cost.parameters == sum(weight.numel() for weight in layer.parameters())
    assert cost.weights == layer.weight.numel()
    assert cost.output_bytes == maps.numel() * maps.element_size()
    assert cost.parameter_bytes == 4 * cost.parameters


def test_padding_may_differ_on_all_four_sides():
    cost = convolution(Volume(1, 10, 10), 1, 3, padding=((1, 0), (2, 3)))
    assert cost.output == Volume(1, 9, 13)


def test_a_dense_layer_has_torchs_parameters():
    with torch.device("meta"):
        layer = nn.Linear(3 * 5 * 7, 11)
    cost = dense(Volume(3, 5, 7), 11)
    assert cost.parameters == cost.connections == sum(w.numel() for w in layer.parameters())
    assert cost.multiply_adds == layer.weight.numel()
    assert cost.output == Volume(11, 1, 1)
    assert dense(Volume(3, 5, 7), 11, bias=False).parameters == layer.weight.numel()


@pytest.mark.parametrize(
    "words",
    [
        dict(kernel_size=2),
        dict(kernel_size=3, stride=2, ceil_mode=True),
        dict(kernel_size=(3, 2), stride=(2, 1), padding=1),
    ],
    ids=str,
)
def test_pooling_has_torchs_maps_and_no_parameters(words):
    maps = nn.MaxPool2d(**words)(torch.empty(1, 4, 22, 17, device="meta"))
    kernel, ceil = words.pop("kernel_size"), words.pop("ceil_mode", False)
    cost = pooling(Volume(4, 22, 17), kernel, ceil_mode=ceil, **words)
    assert cost.output == Volume(*maps.shape[1:])
    assert cost.parameters == cost.multiply_adds == 0
    vertical, horizontal = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    assert cost.connections == maps.numel() * vertical * horizontal


def test_trainable_subsampling_weighs_the_sum_of_its_window_once():
    plain, learned = (
        pooling(Volume(6, 28, 28), 2, trainable=trainable) for trainable in (False, True)
    )
    units = 6 * 14 * 14
    assert plain.output == learned.output == Volume(6, 14, 14)
    assert (learned.weights, learned.biases) == (6, 6)
    assert (plain.multiply_adds, learned.multiply_adds) == (0, units)
    assert (plain.connections, learned.connections) == (4 * units, 5 * units)


def test_a_padding_that_torch_refuses_in_pooling_is_refused():
    with pytest.raises(RuntimeError, match="half"):
        nn.MaxPool2d(3, padding=2)(torch.zeros(1, 1, 9, 9))
    with pytest.raises(RequestError, match="more than half"):
        pooling(Volume(1, 9, 9), 3, padding=2)
    assert pooling(Volume(1, 9, 9), 2, padding=1).output == Volume(1, 5, 5)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: convolution(Volume(3, 8, 8), 4, 3, groups=2), "2 groups do not divide 3"),
        (lambda: convolution(Volume(4, 8, 8), 3, 3, groups=2), "2 groups do not divide 4"),
        (lambda: convolution(Volume(4, 8, 8), 0, 3), "number of filters is 0"),
        (lambda: convolution(Volume(4, 8, 8), 2, 3, groups=0), "number of groups is 0"),
        (lambda: convolution(Volume(4, 8, 8), 2, 3, links=9), "9 links .* 8 pairs"),
        (lambda: convolution(Volume(4, 8, 8), 2, 3, links=0), "0 links"),
        (lambda: convolution(Volume(4, 8, 4), 2, 5), "input of 4"),
        (lambda: Volume(3, 0, 8), "0x8x3"),
        (lambda: dense(Volume(3, 8, 8), 0), "1x1x0"),
    ],
)
def test_the_impossible_is_refused(ask, told):
    with pytest.raises(RequestError, match=told):
        ask()
