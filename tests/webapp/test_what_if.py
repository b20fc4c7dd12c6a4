"""What if: maps with other settings; and the contact sheet."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from convscope import create_model, record
from convscope.errors import RequestError
from convscope.features.colors import colorize
from convscope.webapp.inspect.contact_sheet import contact_sheet
from convscope.webapp.inspect.graph import graph_rows
from convscope.webapp.inspect.what_if import what_if
from convscope.zoo import ZOO


def looked(name):
    torch.manual_seed(0)
    net = create_model(name).eval()
    recording = record(net, torch.randn(ZOO[name].in_channels, *ZOO[name].input_size))
    rows = graph_rows(recording, {})
    return net, recording, rows, {row.name: row for row in rows}


@pytest.fixture(scope="module")
def lenet():
    return looked("lenet5")


@pytest.mark.parametrize(
    "settings", [{}, {"stride": 2}, {"padding": 3}, {"dilation": 2, "padding": 1}]
)
def test_a_map_with_other_settings_is_torchs(lenet, settings):
    net, recording, _, rows = lenet
    layer = net.get_submodule("conv2")
    found = what_if(recording, rows["conv2"], 5, **settings)
    with torch.no_grad():
        whole = F.conv2d(recording["pool1"].tensor, layer.weight, layer.bias, **settings)
    assert np.allclose(found.map, whole[0, 5].numpy(), atol=1e-6)
    height, width = whole.shape[2:]
    assert f"{height}x{width}" in found.description
    assert ("would be" in found.description) == bool(settings)


def test_the_groups_of_a_filter_are_its_own():
    net, recording, _, rows = looked("alexnet_towers")
    own = recording["conv2"].value[200]
    found = what_if(recording, rows["conv2"], 200)
    assert np.allclose(found.map, own.numpy(), atol=1e-5)
    assert net.get_submodule("conv2").groups == 2


@pytest.mark.parametrize("settings", [{"kernel": 3}, {"kernel": 2, "stride": 1}])
def test_a_pooling_may_have_another_window(lenet, settings):
    _, recording, _, rows = lenet
    found = what_if(recording, rows["pool1"], 2, **settings)
    whole = F.avg_pool2d(
        recording["tanh1"].tensor, settings["kernel"], stride=settings.get("stride", 2)
    )
    assert np.allclose(found.map, whole[0, 2].numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "place", "settings", "message"),
    [
        ("conv2", 5, {"kernel": 3}, "learned"),
        ("conv2", 5, {"dilation": 9}, "does not fit"),
        ("conv2", 99, {}, "0 to 15"),
        ("conv2", 0, {"stride": 0}, "1 or more"),
        ("pool1", 0, {"dilation": 2}, "no dilation"),
        ("fc1", 0, {"stride": 2}, "not a convolution"),
    ],
)
def test_a_setting_that_does_not_fit_is_refused(lenet, name, place, settings, message):
    _, recording, _, rows = lenet
    with pytest.raises(RequestError, match=message):
        what_if(recording, rows[name], place, **settings)


def test_the_sheet_shows_the_strongest_maps_of_the_convolutions_that_there_are(lenet):
    _, recording, rows, _ = lenet
    pixels = np.zeros((32, 32, 1), np.uint8)
    sheet = np.asarray(Image.open(io.BytesIO(contact_sheet(recording, rows, pixels))))
    for name, factor in (("conv1", 4), ("conv2", 12)):  # conv3 is a vector
        row = next(row for row in rows if row.name == name)
        volume = recording[row.out].value.numpy()
        strongest = volume[np.abs(volume).mean((1, 2)).argmax()]
        drawn = colorize(strongest / np.abs(volume).max()).repeat(factor, 0).repeat(factor, 1)
        height, width = drawn.shape[:2]
        found = [
            y for y in range(len(sheet) - height)
            if (sheet[y : y + height, 24 : 24 + width] == drawn).all()
        ]  # fmt: skip
        assert len(found) == 1, name
    with pytest.raises(RequestError, match="none of the requested convolutions"):
        contact_sheet(recording, rows, pixels, convolutions=[9])


def test_colors_are_white_at_zero_orange_below_and_blue_above():
    found = colorize(np.array([[-1.0, 0.0, 1.0, np.nan]], np.float32))[0].tolist()
    assert found == [[107, 47, 4], [255, 255, 255], [7, 48, 94], [255, 255, 255]]
