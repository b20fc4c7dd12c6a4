"""Weights of filters: as the network has them, with norms, twins, groups and colors."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import convscope
from convscope import filters
from convscope.card import Card
from convscope.errors import RequestError
from convscope.features.filters.drawn import color_picture, filters_sheet


def card(channels=3):
    return Card(
        classes=("a", "b"),
        input_size=(12, 12),
        in_channels=channels,
        resize_mode="stretch",
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )


def network(*layers, width):
    torch.manual_seed(0)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 2)).eval()


def test_filters_have_their_weights_norms_and_strongest_inputs():
    net = network(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), width=4)
    result = filters(net, card=card())
    assert [(layer.name, layer.number, layer.is_color) for layer in result.layers] == [
        ("0", 1, True), ("2", 2, False),
    ]  # fmt: skip
    for layer, module in zip(result.layers, (net[0], net[2]), strict=True):
        weight = module.weight.detach().double().numpy()
        assert layer.peak == pytest.approx(np.abs(weight).max())
        for one in layer.filters:
            own = weight[one.filter]
            assert np.array_equal(one.weights, own.astype(np.float32))
            assert one.norm == pytest.approx(np.linalg.norm(own))
            norms = [np.linalg.norm(channel) for channel in own]
            (first, norm), *_ = one.strongest_inputs(2)
            assert (first, norm) == (int(np.argmax(norms)), pytest.approx(max(norms)))


def test_a_duplicated_filter_is_a_twin_and_a_filter_of_zeros_is_told():
    net = network(nn.Conv2d(3, 6, 5), width=6)
    with torch.no_grad():
        net[0].weight[4] = 3 * net[0].weight[1]
        net[0].weight[2] = -net[0].weight[0]
        net[0].weight[5] = 0
    (layer,) = filters(net, card=card()).layers
    assert layer.twins == [(1, 4)]
    assert [one.twin for one in layer.filters] == [None, 4, None, None, 1, None]
    assert layer.filters[1].similarity == pytest.approx(1)
    assert layer.tiny == [5]
    assert layer.filters[5].similarity is None
    (section,) = filters_sheet(filters(net, card=card()), top=6).sections
    assert "Twins: 1 and 4." in section.text
    marked = {tile.title for tile in section.rows[0].tiles if tile.is_marked}
    assert marked == {"filter 1", "filter 4"}


def test_filters_of_groups_have_the_inputs_of_their_group_and_no_twin_in_another():
    net = network(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=2), width=4)
    with torch.no_grad():
        net[1].weight[2] = net[1].weight[0]
    layer = filters(net, card=card())["1"]
    assert (layer.groups, layer.inputs) == (2, 4)
    assert [one.first_input for one in layer.filters] == [0, 0, 2, 2]
    assert layer.twins == []


@pytest.mark.parametrize("groups", [1, 2])
def test_filters_of_a_transposed_convolution_are_those_of_its_outputs(groups):
    net = network(nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 6, 3, groups=groups), width=6)
    layer = filters(net, card=card())["1"]
    assert len(layer.filters) == 6
    for one in layer.filters:
        for index in range(len(one.weights)):
            image = torch.zeros(1, 4, 1, 1)
            image[0, one.first_input + index] = 1  # its answer to one pixel is the filter itself
            with torch.no_grad():
                answer = net[1](image)[0, one.filter] - net[1].bias[one.filter]
            assert torch.allclose(answer, torch.tensor(one.weights[index]), atol=1e-6)


def test_a_color_filter_is_gray_where_it_is_zero_and_the_scale_is_symmetric():
    weights = np.zeros((3, 2, 2), np.float32)
    weights[0, 0, 0], weights[1, 0, 1], weights[2, 1, 0] = 2, -2, 1
    picture = color_picture(weights, 2)
    assert picture[0, 0].tolist() == [255, 128, 128]
    assert picture[0, 1].tolist() == [128, 0, 128]
    assert picture[1, 0].tolist() == [128, 128, 191]
    assert picture[1, 1].tolist() == [128, 128, 128]


def test_weights_that_are_computed_are_refused_by_name_or_said_to_be_left_out():
    conv = parametrizations.weight_norm(nn.Conv2d(4, 4, 3))
    net = network(nn.Conv2d(3, 4, 3), conv, width=4)
    result = filters(net, card=card())
    assert [layer.name for layer in result.layers] == ["0"]
    assert "1: no filters with weights of their own" in result.notes[0]
    with pytest.raises(RequestError, match="1: no filters with weights of their own"):
        filters(net, card=card(), layers="1")
    with pytest.raises(RequestError, match="no layer 'conv9'"):
        filters(net, card=card(), layers="conv9")
    with pytest.raises(RequestError, match="4: no filters"):
        filters(net, card=card(), layers="4")


def test_the_command_draws_the_filters_of_a_run(command, tmp_path, digits_run):
    done = command("filters", digits_run, "-o", tmp_path / "f.html", "--top", "4")
    assert "conv1" in done.stdout
    page = (tmp_path / "f.html").read_text()
    assert page.count("<figure") == 4 + 4 * 6 + 4 * 8
    assert "The scale is symmetric" in page
    net, _ = convscope.load(digits_run)
    assert f"{float(net.conv1.weight.detach().abs().max()):.3g}" in page
