"""Following contributions down to the pixels, and why one class and not another."""

import json
import math
from html import unescape

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope import create_model
from convscope.errors import RequestError
from convscope.explanation.recording import record


@pytest.fixture(scope="module")
def lenet():
    torch.manual_seed(0)
    return record(create_model("lenet5").eval(), torch.randn(1, 32, 32))


@pytest.fixture(scope="module")
def linear():
    """A network without an activation: contributions multiply down to the gradient."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.AvgPool2d(2), nn.Flatten())
    net.append(nn.Linear(12, 2, bias=False))
    image = torch.randn(2, 6, 6)
    return net, image, record(net, image)


def test_a_trace_ends_at_a_pixel_and_follows_the_largest_contribution(lenet):
    tree = lenet.trace_back("fc2", (3,))
    nodes = list(tree)
    assert [node.location.source for node in nodes][-1] == "image"
    assert len(nodes) == 13  # twelve operations and the image
    for node in nodes[:-1]:
        (child,) = node.children
        one = lenet.explain(node.location.source, node.location.at)
        divisor = getattr(one.decomposition, "divisor", 1)
        largest = max(abs(term.product) for term in one.terms) / divisor
        if one.decomposition.kind == "sum":
            assert abs(child.contribution) == pytest.approx(largest, rel=1e-12)
    (pixel,) = tree.pixels
    assert pixel.value == lenet["image"].value[pixel.location.at].item()


def test_shown_and_hidden_terms_add_up_to_the_unit(lenet):
    for node in lenet.trace_back("fc2", (7,), depth=8, top=2):
        one = lenet.explain(node.location.source, node.location.at)
        if one.decomposition.kind == "sum" and node.children:
            shown = [child.contribution for child in node.children]
            assert len(shown) == min(2, len(one.terms))
            assert math.fsum([*shown, node.others[1], node.bias]) == pytest.approx(one.exact_value)
            assert node.others[0] == len(one.terms) - len(shown)


def test_along_a_linear_path_weights_multiply_to_the_gradient(linear):
    net, image, recording = linear
    x = image.clone().requires_grad_()
    net(x[None])[0, 1].backward()
    tree = recording.trace_back("3", (1,), top=100)
    total = torch.zeros_like(image)

    def walk(node, factor):
        if node.location.source == "image":
            total[node.location.at] += factor
        for child in node.children:
            walk(child, factor * child.weight)

    walk(tree, 1.0)
    assert torch.allclose(total, x.grad, atol=1e-6)


def test_depth_counts_operations_and_huge_trees_are_refused(lenet):
    assert len(list(lenet.trace_back("fc2", 0, depth=0))) == 1
    assert len(list(lenet.trace_back("fc2", 0, depth=1, top=5))) == 6
    with pytest.raises(RequestError, match="smaller depth or top"):
        lenet.trace_back("fc2", 0, top=50)
    with pytest.raises(RequestError, match="top must be 1"):
        lenet.trace_back("fc2", 0, top=0)


def test_the_printed_tree_includes_hidden_terms(lenet):
    tree = lenet.trace_back("fc2", 0, depth=1, top=2)
    text = str(tree)
    assert repr(tree) == text.rstrip()
    assert unescape(tree._repr_html_()).count("\n") == text.rstrip().count("\n")
    assert text.splitlines()[1] in unescape(tree._repr_html_())
    heading = str(lenet.explain("fc2", 0)).splitlines()[0]
    assert repr(lenet.explain("fc2", 0)) == f"<Explanation of {heading}>"
    first, *rest = text.splitlines()
    assert first.startswith("fc2[0] = ")
    assert [line[:2] for line in rest] == ["├─", "├─", "├─", "└─"]
    assert "82 more terms, sum" in rest[2]
    assert "bias" in rest[3]
    assert json.loads(json.dumps(lenet.trace_back("fc2", 0).to_dict(), allow_nan=False))


def test_the_difference_of_two_logits_is_one_sum_over_the_same_operands(lenet):
    one, two = lenet.explain("fc2", 3), lenet.explain("fc2", 5)
    difference = lenet.difference("fc2", 3, 5)
    exact = [t.product for t in one.terms] + [one.decomposition.bias]
    exact += [-t.product for t in two.terms] + [-two.decomposition.bias]
    assert difference.exact_value == pytest.approx(math.fsum(exact), rel=1e-14)
    assert difference.model_value == one.model_value - two.model_value
    assert difference.is_within_tolerance
    assert len(difference.terms) == 84
    for here, a, b in zip(difference.terms, one.terms, two.terms, strict=True):
        assert here.location == a.location == b.location
        assert here.weight == a.weight - b.weight
    assert str(difference).startswith("fc2[3] − fc2[5] = ")


def test_behind_a_softmax_it_is_the_difference_of_the_logits():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.Softmax(1))
    recording = record(net, torch.randn(1, 3, 3))
    probabilities = recording["2"].value.double()
    difference = recording.difference("2", 1, 2)
    assert difference.name == "1"
    ratio = math.log(probabilities[1] / probabilities[2])
    assert difference.exact_value == pytest.approx(ratio, abs=1e-6)


def test_the_difference_of_sums_over_other_operands_lists_both():
    """NiN's and SqueezeNet's logits are means of maps, one map for each class."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    recording = record(net, torch.randn(1, 4, 4))
    difference = recording.difference("2", 0, 2)
    maps = recording["0"].value.double()
    assert difference.exact_value == pytest.approx(
        (maps[0].mean() - maps[2].mean()).item(), rel=1e-12
    )
    assert len(difference.terms) == 32
    assert {term.location.at[0] for term in difference.terms} == {0, 2}


def test_the_difference_of_units_that_are_no_sums_has_two_terms():
    recording = record(nn.Sequential(nn.Tanh()), torch.tensor([[[0.5, -2.0]]]))
    difference = recording.difference("0", (0, 0, 0), (0, 0, 1))
    assert [term.product for term in difference.terms] == [
        recording["0"].value[0, 0, 0].item(),
        -recording["0"].value[0, 0, 1].item(),
    ]


class Ended(nn.Module):
    """A network in which what does not depend on the image contributes most."""

    def __init__(self, of, **tensors):
        super().__init__()
        self.of, self.conv = of, nn.Conv2d(3, 4, 3)
        for name, tensor in tensors.items():
            if name.startswith("buffer"):
                self.register_buffer(name, tensor)
            elif name.startswith("plain"):
                setattr(self, name, tensor)
            else:
                self.register_parameter(name, nn.Parameter(tensor))

    def forward(self, x):
        return self.of(self, self.conv(x))


def first_of_tokens(net, x):
    tokens = x.flatten(2).transpose(1, 2)
    return torch.cat((net.cls.expand(len(x), -1, -1), tokens), 1)[:, 0]


LARGE = 50 + torch.arange(144.0).reshape(1, 4, 6, 6)
ENDS = {
    "a learned position": (lambda net, x: x + net.pos, {"pos": LARGE}, (1, 2, 3), "pos[0,1,2,3]"),
    "a position for all channels": (
        lambda net, x: x + net.pos,
        {"pos": LARGE[0, :1]},
        (1, 2, 3),
        "pos[0,2,3]",
    ),
    "a class token": (first_of_tokens, {"cls": LARGE[:, :1, 0, :4]}, (2,), "cls[0,0,2]"),
    "a maximum": (
        lambda net, x: torch.maximum(x, net.bound),
        {"bound": LARGE[0, :, :1, :1]},
        (3, 0, 5),
        "bound[3,0,0]",
    ),
    "reshaped": (
        lambda net, x: x + net.pos.reshape(4, 36).t().reshape(1, 6, 6, 4).permute(0, 3, 1, 2),
        {"pos": LARGE},
        (1, 2, 3),
        "pos[0,1,2,3]",
    ),
    "scaled": (lambda net, x: x + 2 * net.pos, {"pos": LARGE}, (0, 1, 1), "pos[0,0,1,1]"),
    "a layer scale": (
        lambda net, x: torch.addcmul(net.shift, x, net.gamma),
        {"gamma": torch.full((4, 1, 1), 1e-6), "shift": LARGE[0, :, :1, :1]},
        (2, 0, 0),
        "shift[2,0,0]",
    ),
    "a buffer": (lambda net, x: x + net.buffer, {"buffer": LARGE[0]}, (0, 1, 1), "buffer[0,1,1]"),
    "a tensor": (lambda net, x: x + net.plain, {"plain": LARGE}, (3, 1, 1), "constant_1[3,1,1]"),
    "an operation of the same name": (
        lambda net, x: x.mean((2, 3)) + net.mean,
        {"mean": LARGE[0, :, 0, 0]},
        (1,),
        "mean[1]",
    ),
}
KINDS = {"a buffer": "buffer", "a tensor": "constant"}


@pytest.mark.parametrize("name", ENDS)
def test_a_trace_ends_at_the_parameter_that_contributes_most(name):
    of, tensors, at, expected = ENDS[name]
    torch.manual_seed(0)
    recording = record(Ended(of, **tensors), torch.randn(3, 8, 8))
    tree = recording.trace_back(recording.output, at)
    end = list(tree)[-1]
    assert str(end.location) == expected
    assert end.kind == KINDS.get(name, "parameter")
    assert end.children == ()
    assert tree.pixels == []
    assert end.value == recording[end.location.source].value[end.location.at].item()
    (line,) = [one for one in str(tree).splitlines() if f"{expected} = " in one]
    assert line.endswith(f"   {end.kind}")
    assert json.loads(json.dumps(tree.to_dict(), allow_nan=False))["children"]


def test_a_tree_holds_parameters_beside_pixels():
    torch.manual_seed(0)
    net = Ended(lambda net, x: x + net.pos, pos=torch.randn(1, 4, 6, 6))
    recording = record(net, torch.randn(3, 8, 8))
    nodes = list(recording.trace_back("add", (1, 2, 3), top=2))
    assert {node.kind for node in nodes if not node.children} == {"parameter", "image"}


def test_parameters_are_looked_up_by_name_with_all_their_axes():
    net = Ended(lambda net, x: x + net.pos, pos=LARGE)
    recording = record(net, torch.randn(3, 8, 8))
    assert "pos" in recording
    assert recording["pos"].kind == "parameter"
    assert recording["pos"].shape == (1, 4, 6, 6)
    assert recording["conv.weight"].value.equal(net.conv.weight)
    explanation = recording.explain("pos", (0, 1, 2, 3))
    assert explanation.exact_value == explanation.model_value == LARGE[0, 1, 2, 3]
    assert explanation.receptive_field is None
    assert "a parameter of the network" in str(explanation)
    difference = recording.difference("pos", (0, 1, 2, 3), (0, 0, 0, 0))
    assert difference.exact_value == LARGE[0, 1, 2, 3] - LARGE[0, 0, 0, 0]
    with pytest.raises(RequestError, match="pos has the shape 1x4x6x6"):
        recording.explain("pos", (1, 2, 3))


def test_a_constant_of_unknown_origin_says_so():
    def through_numpy(_net, x):
        return x + torch.from_numpy(x.numpy() * 100)

    recording = record(Ended(through_numpy), torch.randn(3, 8, 8))
    end = list(recording.trace_back(recording.output, (1, 2, 3)))[-1]
    assert end.kind == "constant of unknown origin"
    assert "of unknown origin" in str(recording.explain(end.location.source, end.location.at))


def test_a_trace_passes_through_a_division_by_zero():
    net = nn.Hardtanh()
    net.forward = lambda x: torch.nan_to_num(x / 0.0)
    tree = record(net, torch.ones(1, 2, 2)).trace_back("nan_to_num", (0, 0, 0))
    assert [node.contribution for node in tree][1:] == [math.inf, math.inf]


def test_explain_takes_a_unit_as_text_as_an_index_and_as_a_pair():
    net, image = create_model("lenet5").eval(), torch.rand(1, 32, 32)

    def explained(**unit):
        return convscope.explain(net, image, **unit).location

    assert explained(at=7) == explained(at=np.int64(7)) == explained(at=("fc2", 7)) == ("fc2", (7,))
    assert explained(at=("conv2", (3, 4, 5))) == explained(at="conv2[3,4,5]")
    for contrast in (3, "3", "fc2[3]", ("fc2", [3])):
        text = str(convscope.explain(net, image, at=8, contrast=contrast))
        assert text.startswith("fc2[8] − fc2[3] = ")
    with pytest.raises(RequestError, match=r"`at` must be text such as .* not 0\.5"):
        explained(at=0.5)
    with pytest.raises(RequestError, match="`contrast` must be text"):
        explained(contrast=net)


def test_explain_traces_back_as_the_command_line_does():
    torch.manual_seed(0)
    net, image = create_model("lenet5").eval(), torch.rand(1, 32, 32)
    trace = convscope.explain(net, image, at="conv2[3,4,5]", trace_back=True, top=2)
    assert str(trace) == str(record(net, image).trace_back("conv2", (3, 4, 5), top=2))
    with pytest.raises(RequestError, match="`trace_back` follows one unit"):
        convscope.explain(net, image, trace_back=True, contrast="3")
