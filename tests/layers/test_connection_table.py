"""The sparse convolution against a loop over its links, and C3 of LeNet-5 against the paper."""

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.layers import SparseConnectionConv2d
from tests.reference import layers as reference

TABLE = [(0, 2), (1,), (2, 1, 0), (0, 1)]
C3 = [[(o + i) % 6 for i in range(3)] for o in range(6)]  # the paper's Table I, column by column
C3 += [[(o + i) % 6 for i in range(4)] for o in range(6)]
C3 += [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [*range(6)]]

SETTINGS = [dict(kernel_size=3), dict(kernel_size=(2, 3), stride=(2, 1), padding=(0, 1))]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_every_link_has_the_kernel_of_its_place_in_the_table(setting):
    torch.manual_seed(0)
    layer = SparseConnectionConv2d(3, TABLE, **setting).double()
    x = torch.randn(2, 3, 6, 5, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        expected = reference.table_convolution(
            x, TABLE, layer.weight, layer.bias, stride=layer.stride, padding=layer.padding
        )
        torch.testing.assert_close(layer(x), expected)
    assert torch.autograd.gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))


def test_c3_has_the_papers_parameters_and_no_more():
    layer = SparseConnectionConv2d(6, C3, 5)
    assert layer.weight.shape == (60, 5, 5)
    assert sum(weight.numel() for weight in layer.parameters()) == 1_516
    seen = torch.bincount(layer.links[1])
    assert seen.tolist() == [10] * 6
    assert layer(torch.zeros(1, 6, 14, 14)).shape == (1, 16, 10, 10)


def test_a_full_table_is_a_convolution():
    layer = SparseConnectionConv2d(3, [range(3)] * 4, 3, bias=False)
    convolution = nn.Conv2d(3, 4, 3, bias=False)
    convolution.load_state_dict({"weight": layer.dense_weight()})
    x = torch.randn(2, 3, 6, 6)
    assert torch.equal(layer(x), convolution(x))
    assert layer.bias is None


def test_fresh_parameters_are_uniform_in_the_bound_of_their_own_map():
    torch.manual_seed(0)
    layer = SparseConnectionConv2d(64, [range(4), range(64)], 11)
    for links, fan_in in ((layer.weight[:4], 4 * 121), (layer.weight[4:], 64 * 121)):
        assert links.abs().max().item() == pytest.approx(fan_in**-0.5, rel=0.02)
        assert links.std().item() == pytest.approx((3 * fan_in) ** -0.5, rel=0.1)
        assert links.mean().item() == pytest.approx(0, abs=0.1 * fan_in**-0.5)
    biases = torch.stack(
        [SparseConnectionConv2d(64, [range(4), range(64)], 11).bias for _ in range(200)]
    )
    assert biases.abs().amax(0).tolist() == pytest.approx([1 / 22, 1 / 88], rel=0.1)


def test_it_is_built_without_memory_and_filled_from_its_state():
    ready = SparseConnectionConv2d(3, TABLE, 3)
    with torch.device("meta"):
        layer = SparseConnectionConv2d(3, TABLE, 3)
    layer.to_empty(device="cpu").load_state_dict(ready.state_dict())
    x = torch.randn(1, 3, 5, 5)
    assert torch.equal(layer(x), ready(x))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ([], "no rows"),
        ([(0,), ()], "Row 1 of the table is empty"),
        ([(0, 1, 0)], "lists a map twice"),
        ([(0, 3)], "input maps are 0 to 2"),
        ([(-1,)], "input maps are 0 to 2"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table, told):
    with pytest.raises(RequestError, match=told):
        SparseConnectionConv2d(3, table, 3)


def test_the_layer_prints_what_it_is():
    printed = "6, 16, links=60, kernel_size=(5, 5), stride=(1, 1), padding=(0, 0), bias=True"
    assert repr(SparseConnectionConv2d(6, C3, 5)) == f"SparseConnectionConv2d({printed})"
