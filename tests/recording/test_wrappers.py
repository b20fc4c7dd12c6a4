"""Wrapped networks are recorded as what is inside, and nothing is compiled."""

import threading

import pytest
import torch
from torch import nn

from convscope.explanation.recording import record
from tests.recording.test_recording import Do
from tests.recording.test_state import all_of


@pytest.fixture
def image():
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()).eval()


def refuse(graph, inputs):
    del graph, inputs
    raise AssertionError("this would have been compiled")


def by_method():
    net = small()
    net.compile(backend=refuse)
    return net


def inside(net):
    return Do(lambda whole, x: whole.part(x) * 1, part=net)


WHOLE = {
    "torch.compile": lambda: torch.compile(small(), backend=refuse),
    "compile": by_method,
    "DataParallel": lambda: nn.DataParallel(small()),
    "both": lambda: torch.compile(nn.DataParallel(small()), backend=refuse),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`")
@pytest.mark.parametrize("wrap", WHOLE)
def test_a_wrapped_network_has_the_names_and_values_of_what_is_inside(wrap, image):
    plain, net = record(small(), image), WHOLE[wrap]()
    before = all_of(net)
    recording = record(net, image)
    assert all_of(net) == before
    assert recording.names == plain.names == ("0", "1", "2")
    assert torch.equal(recording["2"].tensor, plain["2"].tensor)
    explanation = recording.explain("0", (1, 2, 3))
    assert explanation.is_within_tolerance
    assert explanation.terms[0].weight_location.source == "0.weight"


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`")
@pytest.mark.parametrize("wrap", WHOLE)
def test_a_wrapped_part_has_the_names_and_values_of_what_is_inside(wrap, image):
    plain, net = record(inside(small()), image), inside(WHOLE[wrap]())
    before = all_of(net)
    recording = record(net, image)
    assert all_of(net) == before
    assert recording.names == plain.names == ("part.0", "part.1", "part.2", "mul")
    assert torch.equal(recording["mul"].tensor, plain["mul"].tensor)


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`")
def test_compiled_functions_run_as_they_were_written(image):
    double = torch.compile(lambda x: torch.relu(x) * 2, backend=refuse)
    recording = record(Do(lambda _, x: double(x) + 1), image)
    assert recording.names == ("relu", "mul", "add")
    recording = record(Do(lambda _, x: torch.compile(torch.relu, backend=refuse)(x)), image)
    assert recording.names == ("relu",)
    with pytest.raises(Exception, match="would have been compiled"):
        double(image)


def test_a_keyword_names_a_module_inside_a_wrapper(image):
    net = inside(nn.DataParallel(small()))
    recording = record(net, image, keep=["part.1"])
    assert recording["part.1"].tensor is not None


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`")
def test_recordings_in_several_threads_leave_the_compiler_as_it_was(image):
    before, first, second = torch.compile, threading.Event(), threading.Event()

    def begins(_, x):
        first.set()
        second.wait(10)  # so that it ends before the second one, which began after it
        return x + 1

    def goes_on(_, x):
        second.set()
        thread.join(10)
        return torch.compile(torch.relu, backend=refuse)(x)

    thread = threading.Thread(target=lambda: record(Do(begins), image))
    thread.start()
    first.wait(10)
    assert record(Do(goes_on), image).names == ("relu",)
    assert torch.compile is before
    with pytest.raises(Exception, match="would have been compiled"):
        torch.compile(lambda x: x * 3, backend=refuse)(image)
