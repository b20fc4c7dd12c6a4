"""Whatever writes to a tensor is seen, and nothing of a pass outlives its recording."""

import gc

import pytest
import torch
from torch import nn, overrides
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from convscope.explanation.recording import record
from convscope.recording.mutations import may_write
from tests.recording.test_recording import Do


class Counting(torch.Tensor):
    """A tensor whose class counts, in memory of the network, which functions it runs."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is torch.add:
            args[1].count.add_(1)
        return super().__torch_function__(func, types, args, kwargs)


class Nothing(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


@pytest.fixture
def image():
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_what_the_class_of_a_tensor_writes_is_put_back(image):
    count = torch.zeros(1)
    ones = torch.ones(1, 3, 8, 8).as_subclass(Counting)
    ones.count = count
    net = Do(lambda net, x: torch.add(x, ones), count=nn.Buffer(count))
    with torch.no_grad():
        net(image)
    assert net.count == 1
    record(net, image)
    assert net.count == 1


def test_what_is_written_beneath_a_mode_of_the_network_is_put_back(image):
    def forward(net, x):
        with Nothing():
            return torch.add(x, net.count.add_(1))

    net = Do(forward, count=nn.Buffer(torch.zeros(1)))
    assert record(net, image).names == ("add", "add_2")
    assert net.count == 0


@pytest.mark.filterwarnings("ignore")
def test_every_function_that_says_in_its_name_that_it_writes_is_watched():
    functions = [f for found in overrides.get_overridable_functions().values() for f in found]
    named = {overrides.resolve_name(f): f for f in functions}
    writing = [f for name, f in named.items() if name.endswith("_") and not name.endswith("__")]
    assert len(writing) > 100
    assert all(may_write(f, (), {}) for f in writing)
    assert not any(may_write(f, (), {}) for f in (torch.conv2d, torch.cat, torch.Tensor.add))
    assert may_write(torch.add, (), {"out": torch.zeros(1)})


def test_tensors_are_freed_with_their_recording(image):
    net = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(inplace=True), nn.Conv2d(3, 3, 3))
    gc.collect()
    gc.disable()
    try:
        recording = record(net, image)
        storages = [
            StorageWeakRef(recording[name].tensor.untyped_storage())
            for name in ("image", *recording.names)
        ]
        assert not any(storage.expired() for storage in storages)
        del recording
        assert all(storage.expired() for storage in storages)
    finally:
        gc.enable()
