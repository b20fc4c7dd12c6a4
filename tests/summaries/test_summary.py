"""The lecture's table: its figures from outside, its columns that add up, its forms."""

import functools
import json
import re
import xml.etree.ElementTree as ET

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.comparison.networks import Comparison
from convscope.errors import RequestError
from convscope.zoo import ZOO
from tests.reference.families import each_network

# Multiply-adds of convolutional and dense layers at the native size, as papers and counters have
# them; where the network is torchvision's, its own table says the same.
MULTIPLY_ADDS = {
    "alexnet": 1_135_256_096,
    "alexnet_towers": 724_406_816,
    "alexnet_2014": 714_188_480,
    "vgg11": 7_609_090_048,
    "vgg11_lrn": 7_609_090_048,
    "vgg13": 11_308_466_176,
    "vgg16_c": 11_770_888_192,
    "vgg16": 15_470_264_320,
    "vgg19": 19_632_062_464,
    "resnet50": 4_089_184_256,
    "densenet121": 2_834_161_664,
    "resnet20_cifar": 40_551_040,
    "resnet32_cifar": 68_862_592,
    "resnet44_cifar": 97_174_144,
    "resnet56_cifar": 125_485_696,
    "resnet110_cifar": 252_887_680,
}
# The same in units of 10^9 with three places, from torchvision's table of its weights.
GIGA = {
    "resnet18": 1.814,
    "resnet34": 3.664,
    "resnet101": 7.801,
    "resnet152": 11.514,
    "googlenet_bn": 1.498,
    "resnext50_32x4d": 4.230,
    "resnext101_32x8d": 16.414,
    "resnext101_64x4d": 15.460,
    "wide_resnet50_2": 11.398,
    "wide_resnet101_2": 22.753,
    "densenet161": 7.728,
    "densenet169": 3.360,
    "densenet201": 4.291,
    "mobilenet_v2": 0.301,
    "mobilenet_v3_small": 0.057,
    "mobilenet_v3_large": 0.217,
    "efficientnet_b0": 0.386,
    "convnext_tiny": 4.456,
    "convnext_small": 8.684,
    "convnext_base": 15.355,
    "convnext_large": 34.361,
    "regnet_x_400mf": 0.414,
    "regnet_x_800mf": 0.8,
    "regnet_x_1_6gf": 1.603,
    "regnet_x_3_2gf": 3.177,
    "regnet_x_8gf": 7.995,
    "regnet_y_400mf": 0.402,
    "regnet_y_800mf": 0.834,
    "regnet_y_1_6gf": 1.612,
    "regnet_y_3_2gf": 3.176,
    "regnet_y_8gf": 8.473,
    "squeezenet1_0": 0.819,
    "squeezenet1_1": 0.349,
}


@functools.cache
def summary_of(name):
    """The summary of a network with its defaults; the large ones take a second each."""
    return convscope.summary(name)


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds_are_counted_as_elsewhere(name):
    assert summary_of(name).multiply_adds == MULTIPLY_ADDS[name]


@pytest.mark.parametrize("name", each_network(GIGA))
def test_multiply_adds_are_those_of_torchvisions_table(name):
    size = (224, 224)
    found = (
        summary_of(name)
        if ZOO[name].input_size == size
        else convscope.summary(name, input_size=size)
    )
    assert round(found.multiply_adds / 1e9, 3) == GIGA[name]


@pytest.mark.parametrize(
    ("name", "giga"), [("resnet50", 3.858), ("resnet101", 7.570), ("resnet152", 11.282)]
)
def test_multiply_adds_of_the_papers_strides(name, giga):
    net = convscope.create_model(name, stride_in_1x1=True)
    assert round(convscope.summary(net).multiply_adds / 1e9, 3) == giga


def test_the_lectures_table_of_lenet5():
    rows = {row.layer: row for row in convscope.summary("lenet5").rows}
    assert list(rows) == ["conv1", "pool1", "conv2", "pool2", "conv3", "fc1", "fc2"]
    conv = rows["conv1"]
    assert (conv.filters, conv.kernel, conv.stride, conv.padding) == (6, (5, 5), (1, 1), (0, 0))
    assert (conv.map, conv.activation, conv.parameters) == ((6, 28, 28), "Tanh", 156)
    assert (rows["pool1"].type, rows["pool1"].map) == ("AvgPool", (6, 14, 14))
    assert (rows["fc2"].filters, rows["fc2"].activation) == (10, None)


class Odd(nn.Module):
    """A shared layer, a parameter on its own, one that is never used, functions, two inputs."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding="same", bias=False)
        self.act = nn.PReLU()
        self.scale = nn.Parameter(torch.ones(3, 1, 1))
        self.spare = nn.Linear(5, 5)

    def forward(self, x):
        y = self.act(self.conv(x))
        y = self.conv(F.dropout(y, training=self.training)) * self.scale
        return F.avg_pool2d(y + x, 2).flatten(1)


def test_any_module_is_summarized_and_every_parameter_counts_once():
    found = convscope.summary(Odd(), input_size=(8, 8))
    rows = [(row.layer, row.type, row.activation, row.parameters) for row in found.rows]
    assert rows == [
        ("conv", "Conv", "PReLU", 81 + 1),
        ("conv_2", "Conv", None, 0),
        ("mul", "mul", None, 3),
        ("add", "add", None, 0),
        ("avg_pool2d", "AvgPool", None, 0),
        ("spare", "not run", None, 30),
    ]
    assert found.parameters == sum(weight.numel() for weight in Odd().parameters())
    assert found.units == 4 * 3 * 8 * 8 + 3 * 4 * 4
    assert found.rows[0].padding == "same"
    assert found.rows[3].inputs == ("mul", "image")


def test_an_activation_has_its_own_row_if_its_operand_is_read_elsewhere():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            y = self.conv(x)
            return torch.relu(y) + y

    assert [row.layer for row in convscope.summary(Both()).rows] == ["conv", "relu", "add"]


def test_a_second_result_that_nothing_reads_has_no_row():
    pool = nn.MaxPool2d(2, return_indices=True)
    assert [row.type for row in convscope.summary(pool, input_size=(8, 8)).rows] == ["MaxPool"]


def test_the_network_is_left_as_it_was_and_nothing_is_computed():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout())
    net[1].eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    convscope.summary(net)
    assert [layer.training for layer in net] == [True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(weight.is_meta for weight in net.parameters())


def test_a_collapsed_block_adds_up_every_layer_in_it():
    conv, point = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 1)
    net = nn.Sequential(nn.Sequential(conv, point), nn.Sequential(nn.Flatten(), nn.Linear(180, 7)))
    block, dense = convscope.summary(net, input_size=(8, 8)).collapse(1).rows
    assert (block.type, block.map, block.receptive_field) == ("2 layers", (5, 6, 6), (3, 3))
    assert block.parameters == (3 * 9 + 1) * 4 + (4 + 1) * 5
    assert block.multiply_adds == 36 * (4 * 3 * 9 + 5 * 4)
    assert block.units == 36 * (4 + 5)
    assert (dense.layer, dense.type, dense.multiply_adds) == ("1", "Linear", 7 * 180)


def test_collapsing_keeps_the_sums():
    whole = convscope.summary("resnet18")
    blocks = whole.collapse(1)
    assert [row.layer for row in blocks.rows][:5] == ["conv1", "bn1", "pool1", "conv2_1", "conv2_2"]
    for total in ("parameters", "multiply_adds", "units"):
        assert getattr(blocks, total) == getattr(whole, total)
    block = blocks.rows[3]
    assert (block.map, block.inputs) == ((64, 56, 56), ("pool1",))


def test_a_run_is_summarized_with_its_own_classes_and_size(digits_run):
    found = convscope.summary(str(digits_run))
    assert (found.name, found.input) == ("lenet5", (1, 32, 32))
    assert found.parameters == 61_706
    assert convscope.summary(digits_run) == found


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("lenett5", {}, "Did you mean 'lenet5'"),
        ("lenet5", {"input_size": (20, 20)}, "32x32 or more"),
        (nn.Conv2d(3, 4, 9), {"input_size": (5, 5)}, "Conv2d cannot take an image of 5x5x3"),
        (nn.Linear(3, 4), {"in_channels": 2}, "`input_size` and `in_channels`"),
    ],
)
def test_what_cannot_be_summarized_is_an_error(model, options, message):
    with pytest.raises(RequestError, match=message):
        convscope.summary(model, **options)


def test_two_networks_side_by_side():
    compared = Comparison(convscope.summary("vgg11"), convscope.summary("vgg16_c"))
    marks = {(one or two).layer: mark for mark, one, two in compared.pairs}
    assert marks["conv1_1"] == marks["fc3"] == "="
    assert marks["conv1_2"] == ">"
    added = ["conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"]
    assert [layer for layer, mark in marks.items() if mark == ">"] == added
    turned = Comparison(compared.second, compared.first)
    assert [mark for mark, *_ in turned.pairs].count("<") == len(added)
    other = Comparison(convscope.summary("vgg11"), convscope.summary("vgg11", num_classes=10))
    assert [one.layer for mark, one, _ in other.pairs if mark == "!"] == ["fc3"]
    assert "1 different (!)" in str(other)


def test_markup_has_the_cells_of_the_text():
    table = convscope.summary("lenet5").table
    assert "| conv1 | Conv | 6 | 5 | 1 | 0 | 28x28x6 | Tanh | 156 |" in table.to_markdown()
    assert r"conv1 & Conv & 6 & 5 & 1 & 0 & 28x28x6 & Tanh & 156" in table.to_latex()
    page = ET.fromstring(table.to_html())  # noqa: S314 -- our own
    assert [cell.text for cell in page.find("tbody/tr")][:3] == ["conv1", "Conv", "6"]
    assert len(page.findall("tbody/tr")) == 7
    assert convscope.summary("lenet5")._repr_html_() == table.to_html()


def test_names_of_the_users_are_escaped():
    net = nn.Sequential()
    net.add_module("a_b&<i>", nn.Conv2d(3, 1, 1))
    table = convscope.summary(net).table
    assert "a_b&amp;&lt;i&gt;" in table.to_html()
    assert r"a\_b\&$<$i$>$" in table.to_latex()


def test_a_narrow_terminal_loses_columns_and_not_numbers():
    table = convscope.summary("vgg16").table
    text = table.to_text(width=80)
    assert max(len(line) for line in text.splitlines()[2:-2]) <= 80
    assert "102,764,544" in text
    assert "Left out to fit: type, multiply-adds" in text
    assert "Left out" not in table.to_text()


def test_the_drawing_is_to_scale():
    picture = ET.fromstring(convscope.summary("vgg16").to_svg())  # noqa: S314 -- our own
    groups = picture.findall("{*}g")
    assert len(groups) == 1 + 18 + 3  # the image, 13 convolutions and 5 poolings, 3 dense layers
    tall, thick = {}, {}
    for group in groups:
        name = group.find("{*}text").text
        width, height = re.search(r"h([\d.]+)v([\d.]+)", group.find("{*}path").get("d")).groups()
        thick[name], tall[name] = float(width), float(height)
    assert tall["conv1_1"] == pytest.approx(2 * tall["conv2_1"], abs=0.2)
    assert tall["conv1_1"] == pytest.approx(8 * tall["conv4_1"], abs=0.5)
    assert thick["conv4_1"] == pytest.approx(4 * thick["conv2_1"], abs=0.3)
    assert tall["fc1"] == pytest.approx(4.096 * tall["fc3"], rel=0.01)


def test_every_form_shows_networks_of_one_and_three_axes():
    one = nn.Sequential(
        nn.Conv1d(2, 4, 3, stride=2), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(12, 5)
    )
    three = nn.Sequential(nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 1)), nn.AvgPool3d(2))
    line, space = convscope.summary(one, 15), convscope.summary(three, (6, 8, 10))
    assert (line.title, space.title) == ("Sequential on 15x2", "Sequential on 6x8x10x2")
    assert "| 0 | Conv | 4 | 3 | 2 | 0 | 7x4 |  | 28 | 168 | 3 |" in line.table.to_markdown()
    row = "0 & Conv & 4 & 1x3x3 & 1 & 0x1x1 & 6x8x10x4 &  & 76 & 34,560 & 1x3x3"
    assert row in space.table.to_latex()
    assert "<td" in space._repr_html_()
    assert "3x4x5x4" in space._repr_html_()
    picture = ET.fromstring(line.to_svg())  # noqa: S314 -- our own
    heights = [
        float(re.search(r"v([\d.]+)", group.find("{*}path").get("d")).group(1))
        for group in picture.findall("{*}g")[:3]
    ]
    assert heights == pytest.approx([180, 180 * 7 / 15, 180 * 3 / 15], abs=0.1)
    with pytest.raises(RequestError, match="3 axes of space, and a drawing has room for 2"):
        space.to_svg()


def test_units_are_counted_where_the_batch_axis_holds_windows():
    class Windows(nn.Module):
        def forward(self, x):
            return x.unfold(2, 4, 4).permute(2, 0, 1, 4, 3).flatten(0, 1) * 2

    *_, row = convscope.summary(Windows(), (3, 8, 8)).rows
    assert (row.map, row.units) == ((2, 3, 4, 8), 192)


def test_the_drawing_shows_skip_connections():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.three = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))

        def forward(self, x):
            y = self.one(x)
            return y + self.three(self.two(y))

    picture = convscope.summary(Skip()).to_svg()
    assert picture.count('class="skip"') == 1
    assert 'class="skip"' not in convscope.summary("lenet5").to_svg()


def test_json_has_the_same_numbers():
    found = convscope.summary("lenet5")
    data = json.loads(json.dumps(found.to_dict()))
    assert sum(row["parameters"] for row in data["rows"]) == data["parameters"] == 61_706
    assert data["rows"][0]["receptive_field"] == [5, 5]


def test_deep_networks_are_summarized_without_their_weights(monkeypatch):
    """A weight in memory would have to be drawn; on the meta device nothing is."""

    def refuse(*_):
        raise AssertionError("a weight was made")

    monkeypatch.setattr(torch.Tensor, "normal_", refuse)
    for name in ("vgg19", "resnet152"):
        assert name in ZOO
        with torch.device("meta"):
            assert all(weight.is_meta for weight in convscope.create_model(name).parameters())
        monkeypatch.undo()
