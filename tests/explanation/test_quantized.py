"""Quantized networks as a whole: static on every engine, dynamic, and in training for it."""

import copy
import itertools
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.ao.nn import quantized as nnq
from torch.ao.quantization import quantize_fx
from torch.nn import functional as F

from convscope.explanation.recording import record
from convscope.receptive import receptive_fields
from convscope.recording import operations
from convscope.summaries import api
from tests.explanation.cases.case import image_of, units_of

pytestmark = pytest.mark.filterwarnings("ignore")  # all of it is to move to another package
ENGINES = [name for name in torch.backends.quantized.supported_engines if name != "none"]
IMAGE = image_of((3, 8, 8))
SEVEN_BITS = quantization.MinMaxObserver.with_args(
    dtype=torch.qint8, qscheme=torch.per_tensor_symmetric, quant_min=-64, quant_max=63
)
"""Weights whose sums of two products fit 16 bits, which oneDNN has on CPUs without VNNI: with eight
bits, it returns other integers there than the formula (PyTorch 2.13.0, AVX2)."""


class Convolutional(nn.Module):
    """Two convolutions, a skip, a join, pooling and a dense layer, to be quantized."""

    def __init__(self):
        super().__init__()
        self.quant = quantization.QuantStub()
        self.conv, self.norm, self.relu = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
        )
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.both = nnq.FloatFunctional()
        self.pool, self.mean = nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(16, 5)
        self.dequant = quantization.DeQuantStub()

    def forward(self, x):
        x = self.relu(self.norm(self.conv(self.quant(x))))
        y = self.conv2(x)
        x = self.both.cat([self.both.add(x, y), y], 1)[:, 2:6]
        return self.dequant(self.fc(self.mean(self.pool(x)).flatten(1)))


@pytest.fixture(params=ENGINES)
def engine(request):
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = request.param
    yield request.param
    torch.backends.quantized.engine = before


def quantized_on(engine):
    torch.manual_seed(0)
    net = quantization.fuse_modules(Convolutional().eval(), [["conv", "norm", "relu"]])
    net.qconfig = quantization.QConfig(
        activation=quantization.get_default_qconfig(engine).activation, weight=SEVEN_BITS
    )
    prepared = quantization.prepare(net)
    prepared(IMAGE)
    return quantization.convert(prepared)


def assert_explained(recording, *, unknown=()):
    """Every unit, by what it claims: bit for bit, or to far less than a step of its grid."""
    wide = []
    for name in recording.names:
        for at in units_of(recording[name].shape):
            explanation = recording.explain(name, at)
            if explanation.decomposition.kind == "unsupported":
                assert explanation.kind in unknown, explanation.formula
                continue
            assert explanation.is_within_tolerance, str(explanation)
            size = max(abs(explanation.exact_value), 1.0)
            wide.append(explanation.rounding_bound > 1e-3 * size)
            assert str(explanation)
    assert np.mean(wide) < 0.05


def test_a_quantized_network_is_explained_on_every_engine(engine):
    net = quantized_on(engine)
    recording = record(net, IMAGE)
    assert {"quant", "conv", "conv2", "quantized::add", "quantized::cat", "fc"} <= set(
        recording.names
    )
    torch.testing.assert_close(recording[recording.output].tensor, net(IMAGE))
    assert_explained(recording)


def test_the_integer_sum_is_that_of_the_integers(engine):
    net = quantized_on(engine)
    recording = record(net, IMAGE)
    x = torch.quantize_per_tensor(
        IMAGE, float(net.quant.scale), int(net.quant.zero_point), torch.quint8
    )
    weight = net.conv.weight()
    integers = F.conv2d(
        (x.int_repr().double() - x.q_zero_point()), weight.int_repr().double(), padding=1
    )
    for at in units_of(recording["conv"].shape):
        lines = {
            line.label: line.value for line in recording.explain("conv", at).decomposition.lines
        }
        assert lines["Σ"] == integers[0][at].item()


def test_a_unit_of_a_quantized_network_is_traced_back_to_a_pixel(engine):
    recording = record(quantized_on(engine), IMAGE)
    trace = recording.trace_back("fc", (2,), top=2)
    assert {"conv", "quant", "image"} <= {node.location.source for node in trace}


def test_quantized_layers_see_what_layers_of_floats_see(engine):
    net = quantized_on(engine)
    mine, theirs = (
        receptive_fields(operations(one, IMAGE), tuple(IMAGE.shape))
        for one in (net, Convolutional().eval())
    )
    for name, other in (("conv", "relu"), ("conv2", "conv2"), ("pool", "pool"), ("fc", "fc")):
        assert mine[name].exact
        for at in itertools.islice(units_of(net_shape(net, name)), 12):
            assert mine[name].box(at) == theirs[other].box(at)


def net_shape(net, name):
    return record(net, IMAGE)[name].shape


def test_a_summary_counts_quantized_layers(engine):
    counted, floats = (
        api.summary(net, in_channels=3, input_size=(8, 8)).multiply_adds
        for net in (quantized_on(engine), Convolutional().eval())
    )
    assert counted == floats == 8 * 8 * 4 * 27 + 8 * 8 * 4 * 18 + 16 * 5


def test_a_network_quantized_by_its_graph_is_explained():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
    mapping = quantization.get_default_qconfig_mapping("x86")
    prepared = quantize_fx.prepare_fx(net, mapping, (IMAGE,))
    prepared(IMAGE)
    assert_explained(record(quantize_fx.convert_fx(prepared), IMAGE))


def test_a_dynamically_quantized_network_is_explained_but_for_its_lstm():
    class Dynamic(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(8, 6, batch_first=True), nn.Linear(8, 5)

        def forward(self, x):
            return self.fc(x[:, 0]) + self.rnn(x[:, 1])[0].sum()

    net = quantization.quantize_dynamic(Dynamic().eval(), {nn.LSTM, nn.Linear}, dtype=torch.qint8)
    recording = record(net, IMAGE)
    assert_explained(recording, unknown={"quantized_lstm"})
    assert recording.explain("rnn", (0, 0)).formula.startswith("quantized_lstm: convscope has no")


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_network_in_training_for_quantization_is_explained(mode):
    net = Convolutional().train()
    net.qconfig = quantization.get_default_qat_qconfig("x86")
    net = quantization.prepare_qat(net)
    net(IMAGE)
    getattr(net, mode)()
    before = copy.deepcopy(net.state_dict())
    recording = record(net, IMAGE)
    assert_explained(recording, unknown={"inplace_update"})  # what an observer wrote, read again
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_fake_quantization_that_is_off_changes_nothing():
    net = nn.Sequential(quantization.FakeQuantize.with_args(quant_min=0, quant_max=255)())
    net[0].disable_fake_quant()
    recording = record(net, IMAGE)
    assert torch.equal(recording[recording.output].tensor, IMAGE) or not recording.names


def test_a_number_halfway_between_two_may_go_either_way():
    class Halves(nn.Module):
        def forward(self, x):
            return torch.quantize_per_tensor(x, 0.5, 3, torch.quint8)

    recording = record(nn.Sequential(Halves()), torch.tensor([[[0.25, 0.75, 1.25, 0.3]]]))
    assert [recording.explain("0", (0, 0, n)).rounding_bound >= 0.5 for n in range(4)] == [
        True,
        True,
        True,
        False,
    ]
    assert all(recording.explain("0", (0, 0, n)).is_within_tolerance for n in range(4))


def in_place(x):
    y = torch.quantize_per_tensor(x, 0.1, 20, torch.quint8)
    return nn.ReLU(inplace=True)(y).dequantize()


def in_place_by_an_operator(x):
    y = torch.quantize_per_tensor(x, 0.1, 20, torch.quint8)
    return nnq.ReLU6(inplace=True)(y).dequantize()


def through_a_view(x):
    y = torch.quantize_per_tensor(x, 0.1, 20, torch.quint8)
    y[:, 0].relu_()
    return y.dequantize()


@pytest.mark.parametrize("function", [in_place, in_place_by_an_operator, through_a_view])
def test_quantized_numbers_are_kept_as_they_were_before_they_are_overwritten(function):
    class Overwriting(nn.Module):
        def forward(self, x):
            return function(x)

    recording = record(Overwriting(), IMAGE)
    before = torch.quantize_per_tensor(IMAGE, 0.1, 20, torch.quint8).dequantize()
    assert torch.equal(recording["quantize_per_tensor"].tensor, before)
    assert_explained(recording)


class Packed(torch.Tensor):
    """Weights that are kept as integers, as libraries that quantize by tensor types do it."""

    @staticmethod
    def __new__(cls, data, scale):
        return torch.Tensor._make_wrapper_subclass(cls, data.shape, dtype=torch.float32)

    def __init__(self, data, scale):
        self.inner, self.scale = data, scale

    def dequantize(self):
        return self.inner.float() * self.scale

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return cls(args[0].inner, args[0].scale)
        opened = [arg.dequantize() if isinstance(arg, cls) else arg for arg in args]
        return func(*opened, **(kwargs or {}))


class Silent(Packed):
    """The same, but without a method that tells the numbers."""

    def dequantize(self):
        raise NotImplementedError

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        opened = [arg.inner * arg.scale if isinstance(arg, cls) else arg for arg in args]
        return args[0] if "detach" in str(func) else func(*opened, **(kwargs or {}))


def dense_of(kind):
    net = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    integers = torch.randint(-100, 100, (4, 8), generator=torch.manual_seed(0), dtype=torch.int8)
    net[0].weight = nn.Parameter(kind(integers, 0.01), requires_grad=False)
    return net


def test_weights_of_a_type_that_tells_its_numbers_are_explained():
    recording = record(dense_of(Packed), IMAGE)
    assert_explained(recording)
    assert recording.explain("0", (1, 2, 3)).terms.weights.tolist() == pytest.approx(
        (recording._forward_pass.state["0.weight"].inner[3] * 0.01).tolist()
    )


def test_weights_of_a_type_that_does_not_are_refused_in_a_sentence():
    recording = record(dense_of(Silent), IMAGE)
    explanation = recording.explain("0", (1, 2, 3))
    assert explanation.formula == ("linear: tensors of the type Silent do not tell their numbers")
    assert recording.trace_back("1", (1, 2, 3)).kind == "relu"


def test_a_bias_that_requires_gradients_is_explained_without_a_warning(engine):
    del engine
    net = nn.Sequential(quantization.QuantStub(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    net.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
    prepared = quantization.prepare(net)
    prepared(IMAGE)
    recording = record(quantization.convert(prepared), IMAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in recording.names:
            explanation = recording.explain(name, (1, 2, 3))
            assert explanation.is_within_tolerance, str(explanation)
            assert explanation.receptive_field.exact
