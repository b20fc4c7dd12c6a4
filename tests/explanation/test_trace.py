"""Following contributions down to the pixels, and why one class and not another."""

import json
import math

import pytest
import torch
from torch import nn

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
    text = str(lenet.trace_back("fc2", 0, depth=1, top=2))
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
