"""How a network is run for its summary: on the meta device where it can be, and left as it was."""

import contextlib
import warnings
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.ao import quantization

import convscope
from convscope.errors import ConvscopeError, RequestError


class Forward(nn.Module):
    """A convolution, and a function of the network and of its result."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(3, 4, 3)
        self.calls = []

    def forward(self, x):
        return self.function(self, self.conv(x))


def branch(_net, x):
    return x * 2 if x.mean() > -9 else x


def items(net, x):
    net.calls.append(x.mean().item())
    return x.relu()


NEEDS_VALUES = {
    "a branch": branch,
    "item": items,
    "numpy": lambda net, x: x + float(x.detach().numpy().sum()),
    "nonzero": lambda net, x: x.flatten()[torch.nonzero(x.flatten() > 0).flatten()],
    "a mask": lambda net, x: x[x > 0],
    "a buffer of the forward's": lambda net, x: x + torch.ones(6, 6, device="cpu"),
    "a list": lambda net, x: x * len(x[0, 0, 0].tolist()),
}


@pytest.mark.parametrize("name", NEEDS_VALUES)
def test_a_network_that_needs_values_runs_on_the_cpu_and_the_note_says_why(name):
    net = Forward(NEEDS_VALUES[name]).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    found = convscope.summary(net, 8)
    assert found.rows[0].map == (4, 6, 6)
    assert found.note.startswith(
        "Forward ran for real on the CPU: it cannot run on the meta device"
    )
    assert found.note in str(found)
    assert found.to_dict()["note"] == found.note
    assert net.training
    assert net.conv.training
    assert net.calls == []
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_a_network_that_runs_on_the_meta_device_has_no_note():
    assert convscope.summary(Forward(lambda net, x: x.relu()), 8).note == ""


def test_a_network_that_fails_everywhere_is_refused_with_its_own_reason():
    def fail(_net, _x):
        raise ValueError("the moon is full")

    with pytest.raises(
        RequestError, match=r"image of 8x8x3: it failed in its forward .* \(the moon is"
    ):
        convscope.summary(Forward(fail), 8)


def test_a_network_on_the_meta_device_is_refused_with_the_reason_of_that_device():
    with torch.device("meta"):
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(7, 2))
    assert convscope.summary(net[0], 8).parameters == 112
    with pytest.raises(RequestError, match=r"an image of 8x8x3 \(a and b must have same reduction"):
        convscope.summary(net, 8)


def test_lazy_layers_take_their_shapes_in_a_copy():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    found = convscope.summary(net, 8)
    assert found.input == (3, 8, 8)
    assert [row.parameters for row in found.rows] == [4 * 28, 2 * 145]
    assert (
        found.note == "The lazy layers of Sequential took their shapes from an image of this size."
    )
    assert isinstance(net[0], nn.LazyConv2d)
    assert isinstance(net[3], nn.LazyLinear)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_image_has_the_type_of_the_network(dtype):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(dtype)
    assert convscope.summary(net, 8).note == ""
    assert convscope.summary(net, input_data=torch.zeros(3, 8, 8)).note == ""
    real = Forward(branch).to(dtype)
    assert convscope.summary(real, 8).rows[0].parameters == 112


def test_a_complex_network_takes_complex_or_real_images():
    conv = nn.Conv2d(3, 4, 3, dtype=torch.complex64)
    assert convscope.summary(conv, 8).multiply_adds == 4 * 36 * 4 * 27
    spectrum = nn.Sequential(Spectrum(), conv)
    assert convscope.summary(spectrum, 8).rows[-1].multiply_adds > 0


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x)


@dataclass
class Output:
    logits: torch.Tensor


@pytest.mark.parametrize(
    "result",
    [
        lambda net, x: {"out": x.relu(), "others": [x]},
        lambda net, x: (x.relu(), x),
        lambda net, x: Output(x.relu()),
        lambda net, x: None,
    ],
)
def test_what_a_network_returns_does_not_matter(result):
    assert convscope.summary(Forward(result), 8).rows[0].parameters == 112


class TwoInputs(nn.Module):
    def forward(self, image, mask, *, scale, bias=None):
        return image * mask


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (TwoInputs(), r"The forward of TwoInputs takes 3 inputs \(image, mask, scale\)"),
        (nn.MultiheadAttention(8, 2), r"takes 3 inputs \(query, key, value\)"),
        (nn.ModuleList([nn.Conv2d(3, 4, 3)]), "ModuleList has no forward"),
        (nn.Conv2d, r"Conv2d is a class, not a network. Give an instance: Conv2d\(...\)"),
        (3, "not of type int"),
        (lambda x: x, "not of type function"),
    ],
)
def test_what_takes_no_image_alone_is_refused_in_a_sentence(model, message):
    with pytest.raises(RequestError, match=message):
        convscope.summary(model)


def test_a_network_that_cannot_be_copied_runs_itself_and_is_left_as_it_was():
    class Locked(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.norm = nn.BatchNorm2d(4)

        def __deepcopy__(self, memo):
            raise TypeError("cannot pickle 'lock' object")

        def forward(self, x):
            return self.norm(self.conv(x))

    net = Locked().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = convscope.summary(net, 8)
    assert found.parameters == 112 + 8
    assert "cannot pickle 'lock' object" in found.note
    assert net.norm.training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_tensors_that_are_neither_parameters_nor_buffers_move_along():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.offsets = {"one": [torch.ones(6), nn.Parameter(torch.ones(6))]}

        def forward(self, x):
            one, two = self.offsets["one"]
            return self.conv(x) + one * two

    net = Plain()
    assert convscope.summary(net, 8).note == ""
    assert not any(value.is_meta for value in net.offsets["one"])


def test_the_names_are_those_of_the_network_inside_a_wrapper():
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    inside = convscope.summary(net, 8)
    assert convscope.summary(nn.DataParallel(net), 8) == inside
    assert convscope.summary(torch.compile(net, backend="eager"), 8) == inside
    assert inside.name == "Sequential"


def test_scripted_and_quantized_networks_are_summarized_or_refused_in_a_sentence():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = nn.Sequential(
            quantization.QuantStub(), nn.Conv2d(3, 4, 3), quantization.DeQuantStub()
        )
        net.qconfig = quantization.get_default_qconfig("fbgemm")
        prepared = quantization.prepare(net.eval())
        prepared(torch.ones(1, 3, 8, 8))
        converted = quantization.convert(prepared)
        scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    assert convscope.summary(converted, 8).multiply_adds == 36 * 4 * 27
    with contextlib.suppress(ConvscopeError):
        assert convscope.summary(scripted, 8).parameters == 112


def test_wrapped_layers_have_the_parameters_of_what_is_inside():
    conv = torch.compile(nn.Conv2d(3, 4, 3), backend="eager")
    net = nn.Sequential(conv, nn.DataParallel(nn.Conv2d(4, 2, 1)), nn.ReLU())
    rows = convscope.summary(net, 8).rows
    assert [(row.layer, row.parameters) for row in rows] == [("0", 112), ("1", 10)]
