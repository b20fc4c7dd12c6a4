"""Multiply-adds: torch's own counter where that counts, and the arithmetic where it does not."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import convscope
from convscope.recording import operations
from convscope.summaries.counts import multiply_adds
from convscope.summaries.einsum import contraction_cost


class Apply(nn.Module):
    """A function of the image as tokens (1, 24, 8), and of layers and parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight, self.bias = nn.Parameter(torch.ones(8, 5)), nn.Parameter(torch.ones(24, 5))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.lstm = nn.LSTM(8, 3, num_layers=2, bidirectional=True, batch_first=True)
        self.projected = nn.LSTM(8, 4, proj_size=2, batch_first=True)
        self.gru = nn.GRU(8, 3, batch_first=True)
        self.rnn = nn.RNN(8, 3, nonlinearity="relu", batch_first=True)
        self.cells = nn.ModuleList([nn.LSTMCell(8, 3), nn.GRUCell(8, 3), nn.RNNCell(8, 3)])
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.bilinear = nn.Bilinear(8, 8, 5)

    def forward(self, x):
        return self.function(self, x.flatten(1, 2))


def heads(x):
    return x.view(1, 24, 2, 4).transpose(1, 2)


COUNTED_BY_TORCH = {
    "mm": lambda net, x: torch.mm(x[0], net.weight),
    "addmm": lambda net, x: torch.addmm(net.bias, x[0], net.weight),
    "addmm by keywords": lambda net, x: torch.addmm(input=net.bias, mat1=x[0], mat2=net.weight),
    "baddbmm": lambda net, x: torch.baddbmm(net.bias, x, net.weight[None]),
    "bmm": lambda net, x: torch.bmm(x, x.transpose(1, 2)),
    "matmul of a vector": lambda net, x: torch.matmul(x[0, :1].T, x[0, :1]),
    "matmul that broadcasts": lambda net, x: x.view(4, 6, 8) @ net.weight,
    "matmul of four axes": lambda net, x: heads(x) @ heads(x).transpose(2, 3),
    "inner": lambda net, x: torch.inner(x[0], x[0, :3]),
    "tensordot": lambda net, x: torch.tensordot(x.view(4, 6, 8), net.weight, dims=1),
    "attention": lambda net, x: net.attention(x, x[:, :6], x[:, :6])[0],
    "attention without a batch": lambda net, x: net.attention(x[0], x[0], x[0])[0],
    "scaled dot product": lambda net, x: F.scaled_dot_product_attention(*[heads(x)] * 3),
    "transformer": lambda net, x: net.encoder(x),
    "LSTM": lambda net, x: net.lstm(x)[0],
    "LSTM with a projection": lambda net, x: net.projected(x)[0],
    "GRU": lambda net, x: net.gru(x)[0],
    "RNN": lambda net, x: net.rnn(x)[0],
    "LSTM cell": lambda net, x: net.cells[0](x[0])[0],
    "GRU cell": lambda net, x: net.cells[1](x[0]),
    "RNN cell": lambda net, x: net.cells[2](x[0]),
    "einsum": lambda net, x: torch.einsum("bij,jk->bik", x, net.weight),
    "einsum of three": lambda net, x: torch.einsum("bij,jk,bil->kl", x, net.weight, x),
    "einsum of a list": lambda net, x: torch.einsum("bij, bkj", [x, x]),
    "einsum with an ellipsis": lambda net, x: torch.einsum(
        "...ij,...kj->...ik", heads(x), heads(x)
    ),
    "einsum that sums first": lambda net, x: torch.einsum("bij,jk->bi", x, net.weight),
    "einsum by lists of axes": lambda net, x: torch.einsum(
        x, [0, 1, 2], net.weight, [2, 3], [0, 3]
    ),
    "conv1d": lambda net, x: F.conv1d(x, torch.ones(6, 12, 3, device=x.device), groups=2),
    "conv2d without a batch": lambda net, x: F.conv2d(x, torch.ones(2, 1, 3, 3, device=x.device)),
    "conv3d": lambda net, x: F.conv3d(
        x.view(1, 2, 4, 3, 8), torch.ones(4, 2, 3, 1, 2, device=x.device), stride=2, padding=1
    ),
    "transposed in groups": lambda net, x: F.conv_transpose2d(
        x.view(1, 4, 6, 8), torch.ones(4, 3, 3, 3, device=x.device), groups=2, stride=2
    ),
}


def counted(net):
    """Half the floating point operations that torch counts, where attention is its two products."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.to("meta").eval()(torch.ones(1, 3, 8, 8, device="meta"))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("name", COUNTED_BY_TORCH)
def test_multiply_adds_are_half_of_what_torch_counts(name):
    net = Apply(COUNTED_BY_TORCH[name])
    found = convscope.summary(net, input_size=(8, 8))
    assert found.is_counted
    assert found.multiply_adds == counted(net) > 0


COUNTED_BY_HAND = {
    "tensordot of all axes": (
        lambda net, x: torch.tensordot(x, x[0], dims=([1, 2], [0, 1])),
        24 * 8,
    ),
    "mv": (lambda net, x: torch.mv(x[0], x[0, 0]), 24 * 8),
    "matmul with a vector": (lambda net, x: x @ x[0, 0], 24 * 8),
    "dot": (lambda net, x: torch.dot(x[0, 0], x[0, 0]), 8),
    "addmv": (lambda net, x: torch.addmv(x[0, :, 0], x[0], x[0, 0]), 24 * 8),
    "addbmm": (
        lambda net, x: torch.addbmm(net.bias[:6], x.view(4, 6, 8), net.weight.expand(4, 8, 5)),
        4 * 6 * 8 * 5,
    ),
    "bilinear": (lambda net, x: net.bilinear(x, x), 24 * 5 * 8 * 8),
    "unfold": (lambda net, x: F.unfold(x[None], 3), 0),
    "pooling": (lambda net, x: F.avg_pool1d(x, 2), 0),
    "product without a sum": (lambda net, x: torch.einsum("bi,j->bij", x[0], x[0, 0]), 0),
}


@pytest.mark.parametrize("name", COUNTED_BY_HAND)
def test_multiply_adds_that_torch_leaves_out_are_counted(name):
    function, expected = COUNTED_BY_HAND[name]
    net = Apply(function)
    found = convscope.summary(net, input_size=(8, 8))
    assert found.is_counted
    assert found.multiply_adds == expected
    assert counted(net) == 0


class OfComplexNumbers(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, dtype=torch.complex64)
        self.dense = nn.Linear(6, 2, dtype=torch.complex64)

    def forward(self, x):
        return self.dense(self.conv(x)).abs()


def test_a_product_of_complex_numbers_counts_as_four():
    conv, dense, _ = convscope.summary(OfComplexNumbers(), input_size=8).rows
    assert conv.multiply_adds == 4 * (36 * 4 * 3 * 9)
    assert dense.multiply_adds == 4 * (4 * 6 * 6 * 2)


UNKNOWN = {
    "rfft2": lambda net, x: torch.fft.rfft2(x).abs() @ net.weight[:5],
    "qr": lambda net, x: torch.linalg.qr(x @ net.weight)[0],
    "cdist": lambda net, x: torch.cdist(x, x @ net.weight @ net.weight.T),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_the_total_is_at_least_what_could_be_counted(name):
    found = convscope.summary(Apply(UNKNOWN[name]), input_size=8)
    row = next(row for row in found.rows if row.layer == name)
    assert not row.is_counted
    assert found.multiply_adds > 0
    assert f"at least {found.multiply_adds:,}" in str(found)
    assert f"not counted: {name}" in str(found)
    assert found.to_dict()["is_counted"] is False
    (whole,) = found.collapse(0).rows
    assert (whole.is_counted, whole.multiply_adds) == (False, found.multiply_adds)


def test_functions_without_products_leave_the_total_exact():
    net = Apply(lambda net, x: torch.view_as_real(torch.complex(x, x)).any(0))
    assert convscope.summary(net, input_size=8).cost == "0"


def test_arguments_that_are_not_as_expected_leave_the_count_open():
    (done,) = operations(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 5, 5))
    assert multiply_adds(done) == 9 * 4 * 27
    vars(done)["argument_shapes"] = {}
    assert multiply_adds(done) is None


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("ij,jk->ik", [(3, 5), (5, 7)], 3 * 5 * 7),
        ("ij,jk", [(3, 5), (5, 7)], 3 * 5 * 7),
        ("ij,kl->i", [(3, 5), (2, 7)], 0),
        ("ij,jk->ik", [(3, 1), (5, 7)], 0),
        ("iij,jk->ik", [(3, 3, 5), (5, 7)], 3 * 5 * 7),
        ("i...,i...->...", [(4, 2, 3), (4, 3)], 4 * 2 * 3),
        ("...ij,...jk", [(2, 3, 5), (2, 5, 7)], 2 * 3 * 5 * 7),
        ("...,...", [(4, 3), (4, 3)], 0),
        ("bi,bi->bi", [(4, 2), (4, 2)], 0),
        ("ij->j", [(4, 2)], 0),
        ("ij,jk,kl,lm->im", [(2, 3), (3, 5), (5, 7), (7, 11)], 2 * 3 * 5 + 2 * 5 * 7 + 2 * 7 * 11),
    ],
)
def test_an_einsum_costs_what_its_pairs_cost(equation, shapes, expected):
    with FlopCounterMode(display=False) as counter:
        torch.einsum(equation, *[torch.ones(shape) for shape in shapes])
    assert contraction_cost(equation, shapes) == expected == counter.get_total_flops() // 2


def test_an_einsum_without_a_result_but_a_number_is_counted_as_its_products():
    assert contraction_cost("ii,i->", [(5, 5), (5,)]) == 5


def test_an_einsum_is_counted_by_the_path_of_opt_einsum_where_torch_takes_that(monkeypatch):
    class Optimizer:
        enabled, strategy = True, "auto"

        @staticmethod
        def is_available():
            return True

        @classmethod
        def get_opt_einsum(cls):
            return cls

        @staticmethod
        def contract_path(_equation, *_shapes, shapes, optimize):
            assert (shapes, optimize) == (True, "auto")
            return [(1, 2), (0, 1)], "report"

    monkeypatch.setattr(torch.backends, "opt_einsum", Optimizer)
    found = contraction_cost("ij,jk,kl->il", [(30, 5), (5, 7), (7, 2)])
    assert found == 5 * 7 * 2 + 30 * 5 * 2
