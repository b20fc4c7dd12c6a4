"""Activation maps: the recorded ones, ranked as plain formulas say."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

import convscope
from convscope import maps, record
from convscope.card import Card
from convscope.data.batch_sources import MemoryBatchSource
from convscope.errors import RequestError
from convscope.features.class_images import ClassImages
from convscope.features.layer_pass import LayerPass
from convscope.features.maps.api import spread_numbers
from convscope.features.maps.drawn import maps_sheet
from convscope.features.relevance import gradients_times_units
from convscope.features.sheets.layout import Picture, Text, lay_out, text_width
from convscope.features.sheets.output import to_html, to_png, to_svg
from convscope.features.sheets.sheet import Row, Section, Sheet, Tile
from convscope.runs.folder import Run

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)


class Residual(nn.Module):
    """Without biases and with ReLU, so that each output is the sum of gradient times units."""

    def __init__(self, *, functional):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, bias=False)
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.fc = nn.Linear(6, 4, bias=False)
        self.relu = nn.ReLU(inplace=True)
        self.functional = functional

    def forward(self, x):
        act = F.relu_ if self.functional else self.relu
        x = act(self.stem(x))
        out = self.conv2(act(self.conv1(x)))
        out += x
        return self.fc(act(out).mean((2, 3)))


@pytest.mark.parametrize("functional", [False, True])
def test_importance_adds_up_to_the_output_at_every_layer_of_a_homogeneous_network(functional):
    torch.manual_seed(0)
    net = Residual(functional=functional).eval()
    card = Card(classes=tuple("abcd"), input_size=(10, 10), in_channels=3, resize_mode="stretch",
                mean=(0.0,) * 3, std=(1.0,) * 3)  # fmt: skip
    layer_pass = LayerPass(net, card, ["stem", "conv2", "fc"])
    image = torch.rand(1, 3, 10, 10)
    with torch.no_grad():
        output = net(image)[0]
    for target in range(4):
        products = gradients_times_units(net, image, layer_pass.layers, target, 4)
        for product in products.values():
            assert float(product.sum()) == pytest.approx(float(output[target]), rel=1e-4)
    inner = LayerPass(net, card, ["conv1"]).layers  # which the identity goes past
    assert float(gradients_times_units(net, image, inner, 0, 4)["conv1"].sum()) != pytest.approx(
        float(output[0])
    )
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())


def test_maps_are_those_of_a_recording_in_the_order_of_their_scores(digits_run):
    net, card = convscope.load(digits_run)
    recording = record(net, IMAGE, card=card)
    result = maps(digits_run, IMAGE, top=5)
    assert [layer.name for layer in result.layers] == ["conv1", "conv2", "conv3"]
    assert [layer.number for layer in result.layers] == [1, 2, 3]
    for layer in result.layers:
        values = recording[layer.source].value.numpy()
        scores = [np.abs(values[c]).sum() / values[c].size for c in range(len(values))]
        order = sorted(range(len(values)), key=lambda c: -scores[c])[:5]
        assert [one.channel for one in layer.maps] == order
        for one in layer.maps:
            assert np.allclose(one.values, values[one.channel], atol=1e-6)
            assert one.score == pytest.approx(scores[one.channel], rel=1e-5)
            assert one.active == pytest.approx((values[one.channel] > 0).mean())
            assert one.largest == pytest.approx(values[one.channel].max(), rel=1e-5)
        assert layer.largest == pytest.approx(values.max(), rel=1e-5)
    assert result["conv1"].field == (5, 5)
    (before,) = maps(digits_run, IMAGE, layers="conv1", before_activation=True).layers
    activated = recording["tanh1"].value.numpy()[before.maps[0].channel]
    assert np.allclose(np.tanh(before.maps[0].values), activated, atol=1e-6)


def test_the_class_mean_is_that_of_training_images_of_the_class(digits_run):
    net, card = convscope.load(digits_run)
    images = ClassImages(Run.open(digits_run), card).of(4)
    source = MemoryBatchSource(torch.from_numpy(np.stack(images)))
    (batch,) = LayerPass(net, card, ["conv2"]).batches(source, np.arange(len(images)))
    mean = batch.units["conv2"].mean(0).numpy()
    own = record(net, IMAGE, card=card)["tanh2"].value.numpy()
    expected = np.sqrt(((own - mean) ** 2).mean((1, 2)))
    result = maps(
        digits_run, IMAGE, layers=["conv2"], rank="distance-from-mean", target="4", top=16
    )
    assert "12 training images of 4" in result.ranked_by
    for one in result["conv2"].maps:
        assert one.score == pytest.approx(expected[one.channel], rel=1e-4)
    assert [one.channel for one in result["conv2"].maps] == np.argsort(-expected).tolist()


def test_five_convolutions_of_any_depth():
    assert spread_numbers(10) == [1, 2, 4, 7, 10]
    for count in range(1, 200):
        numbers = spread_numbers(count)
        assert numbers == sorted(set(numbers))
        assert (numbers[0], numbers[-1], len(numbers)) == (1, count, min(count, 5))


def test_the_sheet_says_its_scale_and_is_written_in_three_kinds(tmp_path, digits_run):
    result = maps(digits_run, IMAGE, top=3)
    for kind in ("png", "svg", "html"):
        maps(digits_run, IMAGE, top=3, output=tmp_path / f"m.{kind}")
    sheet = maps_sheet(result)
    assert (tmp_path / "m.html").read_text() == to_html(sheet)
    assert (tmp_path / "m.svg").read_text() == to_svg(sheet)
    assert (tmp_path / "m.png").read_bytes() == to_png(sheet)
    scales = [section.scale for section in sheet.sections[1:]]
    for scale, layer in zip(scales, result.layers, strict=True):
        peak = max(abs(layer.smallest), abs(layer.largest))
        assert (scale.low, scale.high) == (f"{-peak:.3g}", f"{peak:.3g}")
        assert "of the layer" in scale.text
    own = maps_sheet(maps(digits_run, IMAGE, top=3, scale="map"))
    assert "each map" in own.sections[1].scale.text
    darkest = [tile.pixels.min() for tile in own.sections[1].rows[0].tiles]
    assert all(value <= 48 for value in darkest)  # each reaches an end of its own scale


def test_no_text_of_a_drawn_sheet_is_wider_than_its_place():
    name = "a/folder/with a long name/" * 3 + "photograph_00017.jpeg"
    tiles = tuple(
        Tile(np.zeros((n, 2 * n, 3), np.uint8), name, (name, "short")) for n in (1, 40, 300)
    )
    sheet = Sheet(
        "t" * 400, (name * 3,), (Section(name * 2, (Row(tiles, name, name * 9),)),), tile=90
    )
    drawing = lay_out(sheet)
    columns = sorted({item.x for item in drawing.items if isinstance(item, Picture)})
    assert columns == [24, 126, 228]
    for item in drawing.items:
        if isinstance(item, Text):
            is_caption = item.size == 12 and item.text != "short" and item.x > 24
            room = 90 if is_caption else drawing.width - 24 - item.x
            assert text_width(item.text, item.size) <= room, item
        else:
            assert max(item.image.size) <= 90
    image = Image.open(io.BytesIO(to_png(sheet)))
    assert image.size == (drawing.width, drawing.height)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"rank": "best"}, "`rank` is one of strongest"),
        ({"layers": ["fc1"]}, "fc1 is a vector of 84 units and has no maps"),
        ({"convolutions": [9]}, "3 convolutions"),
        ({"target": "ten", "rank": "importance"}, "no class 'ten'"),
        ({"output": "m.jpg"}, "must end in .png, .svg or .html"),
        ({"output": "none/m.png"}, "does not exist"),
    ],
)
def test_what_cannot_be_drawn_is_refused(words, message, digits_run):
    with pytest.raises(RequestError, match=message):
        maps(digits_run, IMAGE, **words)


def test_a_network_without_a_run_has_no_class_mean_and_a_file_that_is_no_image_is_named(tmp_path):
    with pytest.raises(RequestError, match="no training images"):
        maps("lenet5", IMAGE, rank="distance-from-mean")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(RequestError, match=r"text.png .*Give an image"):
        maps("lenet5", tmp_path / "text.png")


def test_the_command_writes_the_sheet(command, tmp_path, digits_run):
    Image.fromarray(IMAGE).save(tmp_path / "i.png")
    done = command(
        "maps", digits_run, tmp_path / "i.png", "--convolutions", "1,2,4,7,10", "-o",
        tmp_path / "m.svg", "--rank", "importance", "--target", "3",
    )  # fmt: skip
    assert "gradient times activation for 3" in done.stdout
    assert (tmp_path / "m.svg").read_text().startswith("<svg")
    assert "conv2" in done.stdout
