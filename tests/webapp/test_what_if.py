"""What if: what follows from other weights, pixels and settings; and the contact sheet."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.explanation.loading import preprocess
from convscope.features.colors import colorize
from convscope.interventions.edits import parse_edit
from convscope.webapp.inspect.contact_sheet import contact_sheet
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.inspect.what_if import PixelBlock, Setting, Supposition, settings_of, what_if


@pytest.fixture(scope="module")
def lenet():
    torch.manual_seed(0)
    store = ModelStore()
    model = store.open("lenet5")
    y, x = np.mgrid[:32, :32]
    image = store.add(model, "waves", ((7 * y + x * y) % 256).astype(np.uint8)[..., None])
    return model, image


def suppose(lenet, spot=None, **asked):
    return what_if(*lenet, Supposition(**asked), spot)


def by_row(found):
    return {row["row"]: row for row in found["rows"]}


def through(net, x, **changed):
    """LeNet-5 written out again, with the parameters that are other."""
    p = {**dict(net.named_parameters()), **changed}
    with torch.no_grad():
        c1 = torch.tanh(F.conv2d(x, p["conv1.weight"], p["conv1.bias"]))
        s2 = F.avg_pool2d(c1, 2)
        c3 = torch.tanh(F.conv2d(s2, p["conv2.weight"], p["conv2.bias"]))
        s4 = F.avg_pool2d(c3, 2)
        c5 = torch.tanh(F.conv2d(s4, p["conv3.weight"], p["conv3.bias"])).flatten(1)
        f6 = torch.tanh(F.linear(c5, p["fc1.weight"], p["fc1.bias"]))
        scores = F.linear(f6, p["fc2.weight"], p["fc2.bias"])
    return {"conv1": c1[0], "pool1": s2[0], "conv2": c3[0], "pool2": s4[0], "conv3": c5[0],
            "fc1": f6[0], "fc2": scores[0], "softmax": scores[0].double().softmax(0)}  # fmt: skip


def test_another_weight_changes_what_the_network_written_out_again_changes(lenet):
    model, image = lenet
    kept = model.net.conv2.weight.detach().clone()
    other = kept.clone()
    other[5, 2, 1, 3] = 4.0
    x = preprocess(image.pixels, model.card)
    before, after = through(model.net, x), through(model.net, x, **{"conv2.weight": other})
    found = suppose(lenet, weights=[parse_edit("conv2.weight[5,2,1,3]=4")])
    rows = by_row(found)
    assert list(rows) == ["conv2", "pool2", "conv3", "fc1", "fc2", "softmax"]
    for name, row in rows.items():
        difference = (after[name] - before[name]).abs()
        assert row["changed"] == int((difference > 0).sum())
        assert row["largest"] == pytest.approx(difference.max().item(), rel=1e-4)
    assert rows["conv2"]["map"] == 5  # the one that changes
    for told in found["classes"]:
        k = told["index"]
        assert told["before"] == pytest.approx(before["softmax"][k].item(), abs=1e-6)
        assert told["after"] == pytest.approx(after["softmax"][k].item(), abs=1e-6)
    assert model.net.conv2.weight.equal(kept)  # the network is as it was


def test_another_pixel_changes_no_more_than_what_sees_it(lenet):
    model, image = lenet
    value = 255 - int(image.pixels[9, 12, 0])
    found = by_row(suppose(lenet, pixels=[PixelBlock(9, 12, 1, 1, (value,))]))
    assert found["conv1"]["changed"] <= 6 * 25
    pixels = image.pixels.copy()
    pixels[9, 12] = value
    before = through(model.net, preprocess(image.pixels, model.card))["conv1"]
    after = through(model.net, preprocess(pixels, model.card))["conv1"]
    assert found["conv1"]["changed"] == int((after != before).sum())
    assert "image" not in found


def test_the_map_of_another_stride_is_torchs_and_the_layer_that_it_does_not_fit_is_named(lenet):
    model, image = lenet
    found = suppose(lenet, ("conv1", 3), settings=[Setting("conv1", "stride", 2)])
    rows = by_row(found)
    assert rows["conv1"]["shape"] == [6, 14, 14]
    assert rows["conv1"]["was"] == [6, 28, 28]
    x = preprocess(image.pixels, model.card)
    with torch.no_grad():
        whole = torch.tanh(F.conv2d(x, model.net.conv1.weight, model.net.conv1.bias, stride=2))[0]
    drawn = rows["conv1"]["after"]
    levels = np.frombuffer(base64.b64decode(drawn["data"]), np.int8).reshape(14, 14)
    peak = max(whole[3].abs().max(), image.recording["tanh1"].value[3].abs().max()).item()
    assert np.allclose(levels / 127 * peak, whole[3].numpy(), atol=peak / 100)
    assert list(rows) == ["conv1", "pool1", "conv2", "pool2"]
    assert found["failure"] == "conv3 gets a volume that is smaller than its window."
    assert found["classes"] is None
    assert model.net.conv1.stride == (1, 1)


def test_a_dense_layer_says_how_many_inputs_it_was_learned_for():
    torch.manual_seed(1)
    store = ModelStore()
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3))
    model = store.open(net, input_size=8)
    image = store.add(model, "dark", np.full((8, 8, 1), 9, np.uint8))
    found = what_if(model, image, Supposition(settings=[Setting("1", "stride", 1)]), None)
    assert found["failure"] == "3 was learned for 18 inputs and gets 50."
    assert [*settings_of(model, model.row("1"))] == ["kernel", "stride", "padding", "dilation"]
    assert settings_of(model, model.row("3")) == {}


def test_settings_are_shown_as_the_layer_has_them():
    store = ModelStore()
    net = nn.Sequential(nn.Conv2d(1, 2, 3, stride=1, dilation=2, padding="same"), nn.Flatten())
    model = store.open(net, input_size=8)
    store.add(model, "dark", np.full((8, 8, 1), 9, np.uint8))
    assert settings_of(model, model.row("0")) == {"stride": 1, "dilation": 2}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"settings": [Setting("conv2", "kernel", 3)]}, "keeps its size"),
        ({"settings": [Setting("fc1", "stride", 2)]}, "cannot be set"),
        ({"settings": [Setting("conv2", "stride", 0)]}, "1 or more"),
        ({"settings": [Setting("conv9", "stride", 2)]}, "conv9"),
        ({"weights": [parse_edit("conv9.weight[0]=1")]}, "no weights"),
        ({"weights": [parse_edit("conv1.weight[6]=1")]}, "out of range"),
        ({"pixels": [PixelBlock(32, 0, 1, 1, (0,))]}, "32 rows"),
        ({"pixels": [PixelBlock(0, 0, 1, 1, (0, 0, 0))]}, "1 bytes"),
    ],
)
def test_what_does_not_exist_or_cannot_be_set_is_refused(lenet, asked, message):
    with pytest.raises(RequestError, match=message):
        suppose(lenet, **asked)


def test_the_sheet_shows_the_strongest_maps_of_the_convolutions_that_there_are(lenet):
    model, image = lenet
    recording, rows = image.recording, model.rows
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
