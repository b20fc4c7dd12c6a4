"""Whatever a network changes of itself while it runs, a recording puts it back."""

import collections
import ctypes

import pytest
import torch
from torch import nn
from torch.ao import quantization
from torch.ao.quantization import quantize_fx

from convscope.errors import NetworkError
from convscope.explanation.recording import record
from tests.recording.test_recording import Do


@pytest.fixture
def image():
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def holder(change):
    """A network that holds tensors in many ways and changes something when it runs."""

    def forward(net, x):
        change(net, x)
        return net.conv(x)

    torch.manual_seed(0)
    net = Do(forward, conv=nn.Conv2d(3, 3, 3, padding=1))
    net.register_buffer("seen", torch.zeros(3))
    net.register_buffer("absent", None)
    net.cache, net.count = torch.zeros(3), 0
    net.listed, net.recent = [torch.zeros(2)], collections.deque(maxlen=3)
    net.keyed = {"first": torch.ones(2), "more": [torch.ones(1)]}
    net.conv.weight.grad = torch.ones_like(net.conv.weight)
    return net


class Doubling(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight):
        weight.mul_(2)
        ctx.mark_dirty(weight)
        return weight


def backward(net, x):
    with torch.enable_grad():
        net.conv(x).sum().backward()


CHANGES = {
    "an attribute": lambda net, x: setattr(net, "cache", x),
    "an attribute, in place": lambda net, x: net.cache.add_(1),
    "a new attribute": lambda net, x: setattr(net, "fresh", x),
    "an attribute deleted": lambda net, x: delattr(net, "cache"),
    "a counter": lambda net, x: setattr(net, "count", net.count + 1),
    "a list": lambda net, x: net.listed.append(x),
    "an item of a list": lambda net, x: net.listed.__setitem__(0, x),
    "an item of a list, in place": lambda net, x: net.listed[0].add_(1),
    "a dict": lambda net, x: net.keyed.update(first=x, last=x),
    "a list in a dict": lambda net, x: net.keyed["more"].append(x),
    "a tensor in a list in a dict": lambda net, x: net.keyed["more"][0].mul_(3),
    "a deque": lambda net, x: net.recent.append(x),
    "data, in place": lambda net, x: net.conv.weight.data.mul_(2),
    "data": lambda net, x: setattr(net.conv.weight, "data", torch.zeros(3, 3, 3, 3)),
    "a larger buffer": lambda net, x: net.seen.resize_(7).fill_(1),
    "a smaller buffer": lambda net, x: net.seen.resize_(1).fill_(9),
    "another memory": lambda net, x: net.seen.set_(torch.ones(5)),
    "another shape": lambda net, x: net.seen.unsqueeze_(0),
    "a function of autograd": lambda net, x: Doubling.apply(net.conv.weight),
    "a buffer assigned": lambda net, x: setattr(net, "seen", net.seen + 1),
    "an absent buffer": lambda net, x: setattr(net, "absent", x),
    "a parameter": lambda net, x: setattr(net.conv, "bias", nn.Parameter(torch.zeros(3))),
    "a module": lambda net, x: setattr(net, "late", nn.Linear(2, 2)),
    "a module replaced": lambda net, x: setattr(net, "conv", nn.Conv2d(3, 3, 1)),
    "the mode": lambda net, x: net.train(not net.training),
    "numpy": lambda net, x: net.seen.numpy().__iadd__(1),
    "memory": lambda net, x: ctypes.memset(net.seen.data_ptr(), 1, 4),
    "out": lambda net, x: torch.add(net.seen, 1, out=net.seen),
    "several at once": lambda net, x: torch._foreach_add_([net.seen, net.cache], 1),
    "statistics": lambda net, x: torch.native_batch_norm(
        x, None, None, net.seen, net.cache, training=True, momentum=0.1, eps=1e-5
    ),
    "gradients": backward,
    "precision": lambda net, x: net.conv.half().float(),
    "what has gradients": lambda net, x: net.conv.weight.requires_grad_(requires_grad=False),
    "hooks": lambda net, x: net.conv.register_forward_hook(lambda *_: None),
}


def shown(value):
    """A value and the object, so that two states can be compared."""
    if isinstance(value, torch.Tensor):
        described = tuple(value.shape), value.stride(), value.dtype, value.requires_grad
        gradient = shown(value.grad) if value.is_leaf else None
        return id(value), described, value._version, value.detach().tolist(), gradient
    if isinstance(value, dict):
        return [(key, shown(item)) for key, item in value.items()]
    if isinstance(value, list | tuple | collections.deque):
        return [shown(item) for item in value]
    return id(value)


def all_of(net):
    return {path: shown(vars(module)) for path, module in net.named_modules()}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_network_changes_of_itself_is_put_back(change, image):
    net = holder(CHANGES[change]).eval()
    before = all_of(net)
    recording = record(net, image)
    assert all_of(net) == before
    explanation = recording.explain(recording.output, (0, 1, 1))
    assert explanation.is_within_tolerance


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_put_back_where_the_network_fails(change, image):
    def fail(net, x):
        CHANGES[change](net, x)
        raise ValueError("a failure of its own")

    net = holder(fail).eval()
    before = all_of(net)
    with pytest.raises(NetworkError, match="ValueError: a failure of its own"):
        record(net, image)
    assert all_of(net) == before


def test_the_changes_are_changes(image):
    for name, change in CHANGES.items():
        net = holder(change).eval()
        before = all_of(net)
        with torch.no_grad():
            net(image)
        assert all_of(net) != before, name


def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3))


def observed(backend, *, aware):
    net = small().train(aware)
    get = quantization.get_default_qat_qconfig if aware else quantization.get_default_qconfig
    net.qconfig = get(backend)
    return (quantization.prepare_qat if aware else quantization.prepare)(net)


def observed_graph(backend, *, aware):
    net, image = small().train(aware), torch.zeros(1, 3, 8, 8)
    if aware:
        mapping = quantization.get_default_qat_qconfig_mapping(backend)
        return quantize_fx.prepare_qat_fx(net, mapping, image)
    mapping = quantization.get_default_qconfig_mapping(backend)
    return quantize_fx.prepare_fx(net, mapping, image)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("build", [observed, observed_graph])
def test_observers_and_fake_quantization_are_left_as_they_were(build, aware, training, image):
    net = build("fbgemm", aware=aware).train(training)
    before = all_of(net)
    recording = record(net, image)
    assert all_of(net) == before
    for name in recording.names:
        explanation = recording.explain(name, tuple(0 for _ in recording[name].shape))
        assert explanation.is_within_tolerance or explanation.decomposition.kind == "unsupported"
