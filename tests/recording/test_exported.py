"""Exported programs run aten's operators: they are explained as torch's functions are."""

import math

import pytest
import torch
from torch import nn

from convscope.explanation.recording import record
from convscope.explanation.rules import RULES
from convscope.recording import KINDS
from tests.explanation.cases.case import image_of, units_of
from tests.recording.examples import EXAMPLES, NOT_EXPORTABLE

EXPORTABLE = [example for example in EXAMPLES if example.kind not in NOT_EXPORTABLE]
FIRST = {example.kind: example for example in reversed(EXPORTABLE)}
FAST = [*FIRST.values()][::8]  # to export a network takes a third of a second
MARKED = [
    pytest.param(example, id=str(example), marks=() if example in FAST else pytest.mark.slow)
    for example in EXPORTABLE
]
EMPTY = {"empty", "empty_like", "new_empty"}  # whatever was in memory
QUIET = pytest.mark.filterwarnings("ignore")  # warnings of torch.export's own


def test_every_kind_of_the_table_has_an_example():
    assert {example.kind for example in EXAMPLES} == set(KINDS)
    assert set(NOT_EXPORTABLE) <= set(KINDS)


def exported(net, image):
    """A network as an exported program, and the same in the operators of the core."""
    with torch.no_grad():
        program = torch.export.export(net, (image,))
        return program.module(), program.run_decompositions().module()


def image_for(example):
    return image_of((*(1,) * (3 - len(example.image)), *example.image))


@QUIET
@pytest.mark.parametrize("example", MARKED)
def test_an_exported_example_is_explained_as_it_is(example):
    net, image = example.network(), image_for(example)
    functional = record(net, image)
    program, decomposed = exported(net, image)
    assert_same(functional, record(program, image), example)
    assert_same(functional, record(decomposed, image), example)


def assert_same(functional, other, example):
    """Values agree; every unit is within its bound; a kind that is the same gives the same."""
    mine, theirs = functional[functional.output], other[other.output]
    assert mine.kind == example.kind
    assert mine.shape == theirs.shape
    if example.kind not in EMPTY:
        torch.testing.assert_close(mine.tensor, theirs.tensor, equal_nan=True)
    for name in other.names:
        for at in units_of(other[name].shape)[:3]:
            assert_within_bound(other.explain(name, at))
    for at in units_of(mine.shape)[:8]:
        one, two = functional.explain(mine.name, at), other.explain(theirs.name, at)
        if mine.kind == theirs.kind and torch.equal(mine.tensor, theirs.tensor):
            assert one.decomposition.kind == two.decomposition.kind, two.formula
            assert one.exact_value == two.exact_value or math.isnan(one.exact_value)
        assert_same_field(functional, other, at)


def assert_within_bound(explanation):
    if explanation.decomposition.kind != "unsupported":
        assert explanation.is_within_tolerance, explanation.name
    elif explanation.kind in RULES:
        assert "no rule for these arguments" in explanation.formula


def field_of(recording, unit, at):
    at = at[:-1] if unit.is_complex else at  # without the part
    return recording.fields.of(unit.name, (0,) * (len(unit.tensor.shape) - len(at)) + at)


def assert_same_field(functional, other, at):
    """The same field of the same kind; where the kinds differ, none that is smaller."""
    one, two = (field_of(run, run[run.output], at) for run in (functional, other))
    if functional[functional.output].kind == other[other.output].kind:
        if one is None or two is None or (one.exact and two.exact):
            assert one == two
    elif one is not None and one.exact:
        assert two is not None, "it has a field"
        for outer, inner in zip(two.clipped, one.clipped, strict=True):
            assert inner is None or (outer[0] <= inner[0] and inner[1] <= outer[1])


class Minus(nn.Module):
    def forward(self, x):
        return torch.rsub(x, 2.0, alpha=0.5)


@QUIET
@pytest.mark.parametrize("form", [0, 1])
def test_arguments_of_operators_are_those_of_the_functions(form):
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), Minus()).eval()
    with torch.no_grad():
        for tensor in (*net.parameters(), net[1].running_mean, net[1].running_var):
            tensor.uniform_(0.5, 2)
    image = image_of((3, 6, 6))
    recording = record(exported(net, image)[form], image)
    (norm,) = (op for op in recording.operations if op.kind == "batch_norm")
    names = {
        name: norm.arguments[name].name
        for name in ("weight", "bias", "running_mean", "running_var")
    }
    assert names == {name: f"1.{name}" for name in names}
    for at in units_of(recording[recording.output].shape):
        assert recording.explain(recording.output, at).is_within_tolerance
        assert recording.explain(norm.name, at).is_within_tolerance


class Block(nn.Module):
    """A convolution that is called twice, activations in place, and functions."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.conv(self.relu(self.norm(self.conv(x))))
        y += x
        return self.relu(y).flatten(1)


@QUIET
def test_an_exported_network_has_the_names_of_the_original():
    net = nn.Sequential(Block(), nn.Linear(48, 2)).eval()
    image = image_of((3, 4, 4))
    names = record(net, image).names
    assert names[:3] == ("0.conv", "0.norm", "0.relu")
    program, decomposed = exported(net, image)
    assert record(program, image).names == names
    inner = nn.Sequential(program, nn.ReLU())
    assert record(inner, image).names == (*(f"0.{name}" for name in names), "1")
    layers = {"0.conv", "0.norm", "0.relu", "0.conv_2", "0.add", "0.relu_2", "1"}
    assert layers <= set(record(decomposed, image).names)
