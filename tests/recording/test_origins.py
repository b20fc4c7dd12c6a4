"""A tensor that no recorded operation returned is a constant, or said to be of unknown origin."""

import gc
import threading

import numpy as np
import pytest
import torch
from torch import nn

from convscope.explanation.recording import record
from tests.recording.test_recording import Do


@pytest.fixture
def image():
    return torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))


class Sorted(torch.autograd.Function):
    """A function of someone's own that leaves torch."""

    @staticmethod
    def forward(_ctx, x):
        return torch.from_numpy(np.sort(x.numpy()))


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return x * 2


LIBRARY = torch.library.Library("convscope_tests", "DEF")
LIBRARY.define("twice(Tensor x) -> Tensor")
LIBRARY.impl("twice", lambda x: torch.from_numpy(x.numpy() * 2), "CPU")


def in_a_thread(_, x):
    found = []
    thread = threading.Thread(target=lambda: found.append(x * 2))
    thread.start()
    thread.join()
    return found[0]


def into_new_memory(_, x):
    y = torch.empty(1, 3, 4, 4)
    np.copyto(y.numpy(), x.numpy())
    return y


UNKNOWN = {
    "numpy": lambda _, x: torch.from_numpy(x.numpy() * 2),
    "as_tensor": lambda _, x: torch.as_tensor(x.numpy() * 2),
    "an array": lambda _, x: torch.tensor(np.asarray(x)),
    "a list": lambda _, x: torch.tensor(x.tolist()),
    "a list for a method": lambda _, x: x.new_tensor(x[0, 0].tolist()),
    "a number": lambda _, x: torch.tensor(x.sum().item()),
    "a number to fill with": lambda _, x: torch.full((4, 4), x.mean().item()),
    "a number computed from one": lambda _, x: torch.ones(4, 4) * (x.mean().item() * 2 + 1),
    "a number that fills a tensor": lambda _, x: torch.zeros(4, 4).fill_(x.mean().item() * 2),
    "a number among arguments": lambda _, x: torch.full((4, 4), 1.0) * float(x.sum()),
    "DLPack": lambda _, x: torch.from_dlpack(x),
    "vmap": lambda _, x: torch.vmap(lambda row: row.sum(0))(x),
    "a transform": lambda _, x: torch.func.grad(lambda y: (y**2).sum())(x),
    "another thread": in_a_thread,
    "memory that numpy fills": into_new_memory,
    "a function of one's own": lambda _, x: Sorted.apply(x),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_may_hold_the_image_is_never_a_constant(name, image):
    def forward(net, x):
        return UNKNOWN[name](net, x) + 1

    recording = record(Do(forward), image)
    last = recording[recording.output]
    assert last.operands
    with torch.no_grad():
        assert torch.equal(last.tensor, forward(None, image))
    at = tuple(0 for _ in last.shape)
    explanation = recording.explain(last.name, at)
    assert explanation.is_within_tolerance
    field = explanation.receptive_field
    assert (field.clipped, field.exact) == (((0, 4), (0, 4)), False)
    assert "at most" in str(field)


def test_an_unknown_origin_is_said_in_a_sentence(image):
    recording = record(Do(lambda _, x: torch.from_numpy(x.numpy() * 2) + 1), image)
    assert recording["constant_1"].kind == "constant of unknown origin"
    explanation = recording.explain("constant_1", (0, 1, 2))
    assert explanation.decomposition.kind == "unsupported"
    assert "may depend on the whole image" in explanation.formula
    trace = recording.trace_back(recording.output, (0, 1, 2))
    assert [node.kind for node in trace][-1] == "constant of unknown origin"
    assert not trace.pixels


ELSEWHERE = torch.ones(4)
KNOWN = {
    "a tensor of the module": lambda net, _: net.kept,
    "a tensor in a list of the module": lambda net, _: net.several[0],
    "a tensor from elsewhere": lambda *_: ELSEWHERE,
    "zeros": lambda *_: torch.zeros(4),
    "a range": lambda *_: torch.arange(4),
    "ones like": lambda _, x: torch.ones_like(x),
    "a list": lambda *_: torch.tensor([1.0, 2.0, 3.0, 4.0]),
    "an array": lambda *_: torch.from_numpy(np.ones(4, np.float32)),
    "a decision": lambda _, x: torch.tensor([2.0 if x.sum() > 0 else 3.0]),
    "a range behind a number": lambda _, x: torch.arange(4) if x.sum().item() else None,
    "one from elsewhere behind a number": lambda _, x: ELSEWHERE if x.sum().item() else None,
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_the_image_has_no_part_in_is_a_constant(name, image):
    def forward(net, x):
        return x * 2 + KNOWN[name](net, x)

    recording = record(Do(forward, kept=torch.ones(4), several=[torch.ones(4)]), image)
    assert not any("constant" in name for name in recording["add"].operands)
    field = recording.explain("add", (1, 2, 3)).receptive_field
    assert (field.box, field.exact) == (((2, 3), (3, 4)), True)


def test_functions_of_ones_own_are_followed(image):
    recording = record(Do(lambda _, x: Doubled.apply(x) + 1), image)
    assert recording.names == ("mul", "add")
    assert recording["add"].operands == ("mul",)
    recording = record(Do(lambda _, x: torch.ops.convscope_tests.twice(x) + 1), image)
    assert recording.names == ("convscope_tests::twice", "add")
    assert recording["convscope_tests::twice"].operands == ("image",)
    assert not recording.explain("add", (0, 0, 0)).receptive_field.exact


def test_what_numpy_writes_to_a_result_is_of_unknown_origin(image):
    def overwrite(_, x):
        y = x * 1
        y.numpy()[0, 0, 0, 0] = 7
        return y * 2

    recording = record(Do(overwrite), image)
    explanation = recording.explain("mul_2", (0, 0, 0))
    assert explanation.exact_value == explanation.model_value == 14
    assert not explanation.receptive_field.exact
    assert recording.explain("mul", (0, 0, 0)).is_within_tolerance


def test_a_look_at_memory_changes_nothing(image):
    def look(_, x):
        y = x * 1
        y.numpy()
        return y * 2

    assert record(Do(look), image).explain("mul_2", (0, 0, 0)).receptive_field.exact


@torch.library.custom_op("convscope_tests::double_it", mutates_args=("x",))
def double_it(x: torch.Tensor) -> None:
    x.mul_(2)


def test_what_an_operator_of_ones_own_writes_to_is_its_result(image):
    def write(n, x):
        y = n.conv(x)
        double_it(y)
        return y + 1

    recording = record(Do(write, conv=nn.Conv2d(3, 2, 1)), image)
    assert recording.explain("conv", (0, 0, 0)).is_within_tolerance
    explanation = recording.explain("add", (0, 0, 0))
    assert explanation.is_within_tolerance
    assert explanation.terms[0].location.source == "convscope_tests::double_it"
    assert not explanation.receptive_field.exact


def test_a_checkpointed_part_is_recorded_as_it_is(image):
    part = nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU())
    net = Do(
        lambda n, x: torch.utils.checkpoint.checkpoint(n.part, x, use_reentrant=False), part=part
    )
    assert record(net, image).names == ("part.0", "part.1")


def network():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    return nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), norm, nn.ReLU(), nn.Conv2d(3, 2, 1)).eval()


SCRIPTS = {
    "scripted": lambda net, _: torch.jit.script(net),
    "traced": torch.jit.trace,
    "frozen": lambda net, _: torch.jit.freeze(torch.jit.script(net)),
}


@pytest.mark.filterwarnings("ignore")  # TorchScript is deprecated
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("build", SCRIPTS)
def test_the_operations_of_a_script_are_recorded(build, inside, image):
    net, script = network(), SCRIPTS[build](network(), image)
    if inside:
        net, script = (Do(lambda n, x: n.part(x * 2), part=part) for part in (net, script))
    plain, recording = record(net, image), record(script, image)
    torch.testing.assert_close(
        recording[recording.output].tensor, plain[plain.output].tensor, rtol=1e-5, atol=1e-6
    )
    assert recording[recording.output].kind == "conv2d"
    for name in recording.names:
        explanation = recording.explain(name, (1, 2, 3))
        assert explanation.is_within_tolerance, name
    last = recording.explain(recording.output, (1, 2, 3))
    field = plain.explain(plain.output, (1, 2, 3)).receptive_field
    assert last.receptive_field == field
    assert last.receptive_field.exact


@pytest.mark.filterwarnings("ignore")
def test_the_operations_of_a_scripted_function_are_recorded(image):
    @torch.jit.script
    def rectified(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return torch.relu(x * weight) + 1

    recording = record(Do(lambda _, x: rectified(x, x) * 2), image)
    assert recording.names == ("mul", "relu", "add", "mul_2")
    assert recording["mul_2"].operands == ("add",)
    assert recording.explain("mul_2", (0, 1, 2)).is_within_tolerance


def test_what_others_have_set_apart_is_known_and_stays_apart(image):
    """As a command does with all that it has imported."""
    before = torch.ones(3, 4, 4)
    gc.freeze()
    try:
        after = torch.ones(3, 4, 4)

        def forward(_, x):
            return x * before + after + torch.from_numpy(x.numpy() * 2)

        recording = record(Do(forward), image)
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
    assert recording["mul"].operands == ("image",)
    assert recording["add"].operands == ("mul",)
    assert len(recording["add_2"].operands) == 2  # what numpy made may depend on the image
