"""The hierarchy: a planted one is found, the page links it, and the figures add up."""

import json
import re
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from convscope import hierarchy, probes
from convscope.errors import RequestError
from convscope.features.unit_layers import record_blank
from convscope.levels.choice import choose_levels, cut_points
from convscope.levels.result import Parts
from convscope.levels.selection import choose_filters
from convscope.weights import create_model
from tests.features.patches import gray_card, noise

VERTICAL = np.repeat([[-1.0, 0, 1]], 3, 0)
EDGES = (VERTICAL, VERTICAL.T, -VERTICAL, -VERTICAL.T, np.full((3, 3), 1 / 9), np.zeros((3, 3)))


def corner_network():
    """Six filters of edges; a corner is one of the first and two of the fourth, minus one half."""
    net = nn.Sequential(
        OrderedDict(
            edges=nn.Conv2d(1, 6, 3, bias=False),
            relu1=nn.ReLU(inplace=True),
            pool1=nn.MaxPool2d(2),
            corners=nn.Conv2d(6, 3, 1),
            relu2=nn.ReLU(inplace=True),
            pool2=nn.AdaptiveMaxPool2d(1),
            flat=nn.Flatten(),
            scores=nn.Linear(3, 2, bias=False),
        )
    )
    with torch.no_grad():
        net.edges.weight.copy_(torch.tensor(np.stack(EDGES))[:, None])
        net.corners.weight.zero_()
        net.corners.bias.copy_(torch.tensor([-0.5, 0.0, 0.25]))
        net.corners.weight[0, [0, 3]] = torch.tensor([1.0, 2.0])[:, None, None]
        net.corners.weight[1, 4] = 1.0
        net.scores.weight.copy_(torch.tensor([[3.0, 0, 0], [0, 1, 0]]))
    return net.eval()


def corner_images():
    """Bright rectangles: their lower left corner is bright to the right of dark, and above it."""
    images = noise(12, low=0, high=20)
    for n, image in enumerate(images):
        image[4 + n : 9 + n, 10 : 16 + n % 3] = 200 + 3 * n
    return images, np.arange(12) % 2


@pytest.fixture(scope="module")
def found():
    return hierarchy(corner_network(), corner_images(), card=gray_card(), synthesis=False)


def test_a_filter_made_of_two_edges_is_said_to_be_made_of_exactly_these(found):
    assert [level.name for level in found.levels] == ["edges", "corners", "scores"]
    corner = found["corners"][0]
    parts = corner.parts
    assert parts.strongest(6) == [3, 0]
    images, _ = corner_images()
    net = corner_network()
    values = []
    for patch in corner.found.patches[:5]:
        fed = torch.tensor(images[patch.index, ..., 0] / 255, dtype=torch.float32)[None, None]
        with torch.no_grad():
            pooled = net.pool1(torch.relu(net.edges(fed)))[0, :, patch.row, patch.column]
        values.append([float(pooled[0]), 2 * float(pooled[3])])
    one, two = np.mean(values, 0)
    assert one > 0.1
    assert (parts.added[0], parts.added[3]) == pytest.approx((one, two), rel=1e-5)
    assert parts.bias == pytest.approx(-0.5)
    assert parts.value == pytest.approx(one + two - 0.5, rel=1e-5)
    assert parts.shares[3] == pytest.approx(two / (one + two - 0.5), rel=1e-5)
    assert sum(parts.shares) + parts.share(parts.bias) == pytest.approx(1, rel=1e-5)


def test_classes_are_made_of_corners_and_dead_filters_are_not_shown(found):
    assert found["scores"][0].parts.strongest(3) == [0]
    assert found["scores"][0].parts.shares[0] == pytest.approx(1, rel=1e-5)
    assert found["scores"][1].parts.strongest(3) == [1]
    assert 5 not in {one.number for one in found["edges"].filters}
    assert 2 not in {one.number for one in found["corners"].filters}  # one value everywhere


def test_every_value_is_the_sum_of_its_parts(found):
    for level in found.levels[1:]:
        for one in level.filters:
            total = sum(one.parts.added) + one.parts.bias + one.parts.rest
            assert total == pytest.approx(one.parts.value)
            assert abs(one.parts.rest) < 1e-5 * one.parts.value
            assert one.parts.value == pytest.approx(
                np.mean([patch.value for patch in one.found.patches[:5]]), rel=1e-5
            )


def test_half_of_the_amounts_is_counted_by_the_largest():
    def half(*added):
        return Parts("conv1", 1, 1.0, added, 0.0, 0.0).half

    assert half(0.0, 8.0, 0.0) == 1
    assert half(1.0, -1.0, 1.0, -1.0) == 2
    assert half(-5.0, 1.0, 1.0, 1.0) == 1
    assert half(*[1.0] * 9) == 5
    assert half(0.0, 0.0) == 0


def test_the_page_links_each_filter_with_its_parts_and_needs_nothing_else(tmp_path, found):
    page, data = tmp_path / "page.html", tmp_path / "page.json"
    for output in (page, data):
        hierarchy(
            corner_network(), corner_images(), card=gray_card(), synthesis=False, output=output
        )
    text = page.read_text()
    links = set(re.findall(r'href="#([^"]*)"', text))
    assert {"f1-0", "f0-3", "f0-0"} <= links <= set(re.findall(r' id="([^"]*)"', text))
    corner = text.split('id="f1-0"')[1].split('id="f1-1"')[0]
    assert corner.index("#f0-3") < corner.index("#f0-0")
    assert "#f0-4" not in corner
    assert re.findall(r"(?:src|url)=?[\"(](?!data:)", text) == []
    assert "<script" not in text
    assert not list(tmp_path.glob("*.partial"))
    written = json.loads(data.read_text())
    assert written["levels"] == json.loads(json.dumps(found.to_dict()["levels"]))
    parts = written["levels"][1]["filters"][0]["parts"]["filters"]
    assert [own["filter"] for own in parts] == [3, 0]


def test_pictures_are_computed_where_weights_are_none():
    result = hierarchy(corner_network(), corner_images(), card=gray_card(), steps=2, filters=2)
    for level in result.levels:
        is_lowest = level.name == "edges"
        assert all((one.weights is not None) == is_lowest for one in level.filters)
        assert any(one.synthesis is not None for one in level.filters) != is_lowest
    assert len(result["edges"].filters) == 2


def test_cut_points_are_what_everything_goes_through():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.one, self.two = (nn.Conv2d(n, 2, 1) for n in (1, 2, 2))
            self.last = nn.Conv2d(4, 2, 1)

        def forward(self, x):
            x = self.stem(x)
            x = torch.cat([self.one(x), self.two(x)], 1)
            return (self.last(x) + x[:, :2]).mean((2, 3))

    recorded = record_blank(Branches(), gray_card((4, 4)))
    cuts = cut_points(recorded.operations, recorded.output)
    assert [recorded.operations[n].name for n in sorted(cuts)] == ["stem", "cat", "add", "mean"]
    assert [layer.name for layer in choose_levels(recorded)] == ["stem", "cat", "mean"]


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("lenet5", ["conv1", "conv2", "conv3", "fc2"]),
        ("resnet20_cifar", ["conv1", "conv2_3.conv2", "conv3_3.conv2", "conv4_3.conv2", "fc"]),
    ],
)
def test_levels_of_networks(name, levels):
    net = create_model(name, num_classes=10)
    channels = next(net.parameters()).shape[1]
    card = replace(
        gray_card((32, 32), tuple("abcdefghij")),
        in_channels=channels,
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )
    assert [layer.name for layer in choose_levels(record_blank(net, card))] == levels


def test_filters_are_chosen_so_that_each_above_is_linked(found):
    def parts(*added):
        return Parts("edges", 1, 10.0, (*added, 0.0), 10.0 - sum(added), 0.0)

    layer = found["edges"].layer
    above = [parts(5, 4, 0, 0, 0), parts(5, 4, 0, 0, 0), parts(0, 0, 0, 1, 0.5)]
    assert choose_filters(layer, above, 1) == [0]
    assert choose_filters(layer, above, 2) == [0, 3]
    assert choose_filters(layer, above, 3) == [0, 1, 3]
    assert 5 not in choose_filters(layer, above, 6)


def test_requests_that_cannot_be_met_say_what_can(tmp_path):
    net, data, card = corner_network(), corner_images(), gray_card()
    with pytest.raises(RequestError, match="no class 'c'"):
        hierarchy(net, data, card=card, classes=["c"])
    with pytest.raises(RequestError, match="no layer 'edge'"):
        hierarchy(net, data, card=card, layers=["edge"])
    with pytest.raises(RequestError, match=r"ends in \.html or \.json"):
        hierarchy(net, data, card=card, output=tmp_path / "page.png")
    with pytest.raises(RequestError, match="`filters` must be at least 1"):
        hierarchy(net, data, card=card, filters=0)
    found = hierarchy(net, data, card=card, classes=["b"], synthesis=False, layers="corners")
    assert [level.name for level in found.levels] == ["corners", "scores"]
    assert found.notes[-1].startswith("Without linear probes: ")
    assert found.levels[0].probes == ()
    assert [one.name for one in found.levels[-1].filters] == ["b"]
    with pytest.raises(RequestError, match="Shown are 1"):
        found["scores"][0]


def test_the_command_writes_the_page_and_prints_the_parts(digits_run, tmp_path, command):
    page = tmp_path / "page.html"
    done = command("hierarchy", digits_run, "--no-synthesis", "--filters", "3", "-o", page)
    assert "conv1" in done.stdout
    assert re.search(r"\d+ [+-]\d+%, \d+ [+-]\d+%", done.stdout)
    expected = probes(digits_run, layers=["conv1"]).layers[0]
    assert f"{expected.accuracy:.1%} of {expected.num_images:,} images" in page.read_text()
    assert page.read_text().count('class="card"') > 10
