"""YOLO: the paper's layers, counts by hand, and what its outputs mean."""

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.layers import LocallyConnected2d
from convscope.zoo import ZOO, create_model, list_models
from convscope.zoo.box_head import with_box_head
from convscope.zoo.entries import DETECTORS
from convscope.zoo.yolo import TABLE, yolo, yolo_small

COUNTS = {  # by hand in the docstring of zoo/yolo.py
    "yolo": 60_155_968 + 205_524_992 + 6_022_590,
    "yolo_fast": 25_168_800 + 12_845_312 + 1_052_672 + 6_022_590,
    "yolo_released": 60_155_968
    + 12_544 * (1024 * 9 + 1)
    + 12_544 * 1715
    + 1715
    # batch norm has two numbers for a filter where a convolution has one
    + (64 + 192 + 128 + 256 + 256 + 512 + 4 * 768 + 512 + 1024 + 2 * 1536 + 4 * 1024),
    "yolo_small": 144 + 4_608 + 18_432 + 73_728 + 147_456 + 2 * 368 + 3_870,
}


@pytest.mark.parametrize("name", DETECTORS)
def test_parameters_are_those_of_the_count_by_hand(name):
    with torch.device("meta"):
        net = create_model(name)
    assert sum(weight.numel() for weight in net.parameters()) == COUNTS[name]


@pytest.mark.parametrize(
    ("name", "convolutions", "dense", "outputs"),
    [
        ("yolo", 24, 2, 7 * 7 * 30),
        ("yolo_fast", 9, 3, 7 * 7 * 30),
        ("yolo_released", 24, 1, 1715),
    ],
)
def test_the_layers_are_as_many_as_in_the_paper(name, convolutions, dense, outputs):
    with torch.device("meta"):
        net = create_model(name).eval()
        assert net(torch.zeros(1, 3, 448, 448)).shape == (1, outputs)
    kinds = [type(layer) for layer in net]
    assert kinds.count(nn.Conv2d) == convolutions
    assert kinds.count(nn.Linear) == dense
    assert net.box_coding.num_outputs == outputs
    assert net.box_coding.grid == (7, 7)


def test_the_release_differs_as_declared():
    with torch.device("meta"):
        net = create_model("yolo_released")
    kinds = [type(layer) for layer in net]
    assert (kinds.count(nn.BatchNorm2d), kinds.count(LocallyConnected2d)) == (24, 1)
    assert net.box_coding.num_boxes == 3
    assert all(layer.bias is None for layer in net if isinstance(layer, nn.Conv2d))


def test_maps_have_the_sizes_of_figure_3():
    sizes = {}
    with torch.device("meta"):
        net = create_model("yolo").eval()
        for name, layer in net.named_children():
            layer.register_forward_hook(
                lambda _m, _x, y, name=name: sizes.update({name: y.shape[1:]})
            )
        net(torch.zeros(1, 3, 448, 448))
    figure = [("pool1", 112, 64), ("pool2", 56, 192), ("pool6", 28, 512), ("pool16", 14, 1024),
              ("conv22", 7, 1024), ("conv24", 7, 1024)]  # fmt: skip
    for name, side, channels in figure:
        assert tuple(sizes[name]) == (channels, side, side)
    assert tuple(sizes["fc1"]) == (4096,)


def test_the_first_20_convolutions_are_those_of_the_classifier():
    with torch.device("meta"):
        found, classifier = create_model("yolo"), create_model("yolo_classifier")
    theirs = {name: value.shape for name, value in classifier.state_dict().items()}
    ours = {name: value.shape for name, value in found.state_dict().items()}
    body = {name: shape for name, shape in theirs.items() if name.startswith("conv")}
    assert len(body) == 40
    assert body.items() <= ours.items()


@pytest.mark.parametrize("name", DETECTORS)
def test_the_smallest_size_works_and_one_less_does_not(name):
    entry = DETECTORS[name]
    least = entry.min_size
    with torch.device("meta"):
        net = create_model(name, input_size=least, num_classes=3).eval()
        shape = net(torch.zeros(2, entry.in_channels, least, least)).shape
    assert shape == (2, net.box_coding.num_outputs)
    with pytest.raises(RequestError, match=f"{least}x{least} or more"):
        create_model(name, input_size=least - 1)


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (128, 128)])
def test_the_small_network_has_a_cell_for_8x8_pixels_and_numbers_for_each_anchor(size):
    anchors = [(0.5, 0.25), (0.1, 0.1), (1.0, 1.0)]
    net = yolo_small(num_classes=4, in_channels=3, input_size=size, anchors=anchors).eval()
    assert net.box_coding.grid == (size[0] // 8, size[1] // 8)
    assert net.box_coding.anchors == tuple(anchors)
    assert net(torch.zeros(1, 3, *size)).shape == (1, 3 * 9 * size[0] * size[1] // 64)


def test_detectors_are_listed_and_no_classification_network_is_one():
    assert set(DETECTORS) <= set(list_models("yolo*"))
    assert not DETECTORS.keys() & ZOO.keys()
    assert "fast" in TABLE.split()


@pytest.mark.parametrize("name", ["yolo_small", "yolo"])
def test_summary_works(name):
    said = str(convscope.summary(name))
    assert f"{COUNTS[name]:,}" in said


@pytest.mark.parametrize("name", ["resnet20_cifar", "lenet5", "tinyvgg", "vgg11"])
def test_a_head_is_put_on_the_last_maps_of_a_classification_network(name):
    torch.manual_seed(0)
    entry = ZOO[name]
    with torch.device("meta") if name == "vgg11" else torch.device("cpu"):
        net = create_model(name, num_classes=5, input_size=(64, 64))
    if name == "vgg11":
        net = net.to_empty(device="cpu")
    found = with_box_head(
        net, num_classes=5, in_channels=entry.in_channels, input_size=(64, 64), anchors=[(0.5, 0.5)]
    )
    rows, columns = found.box_coding.grid
    assert rows == columns > 1
    outputs = found.eval()(torch.zeros(2, entry.in_channels, 64, 64))
    assert outputs.shape == (2, 10 * rows * columns)
    theirs = net.state_dict()
    for key, value in found.state_dict().items():
        if not key.startswith("boxes."):
            assert value.data_ptr() == theirs[key].data_ptr()


def test_a_network_without_a_sequence_or_without_maps_is_refused():
    with torch.device("meta"):
        net = create_model("googlenet")
    with pytest.raises(RequestError, match="sequence of layers"):
        with_box_head(net, num_classes=5, in_channels=3, input_size=(224, 224))
    with pytest.raises(RequestError, match="larger `input_size`"):
        with_box_head(
            nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
            num_classes=3, in_channels=1, input_size=(8, 8),
        )  # fmt: skip


def test_weights_are_drawn_for_the_slope_of_the_rectifier():
    torch.manual_seed(0)
    net = yolo("fast", input_size=(64, 64))
    std = net.get_parameter("conv7.weight").std().item()
    assert std == pytest.approx((2 / (1.01 * 512 * 9)) ** 0.5, rel=0.01)
    assert net.get_parameter("fc3.weight").std().item() == pytest.approx(0.01, rel=0.02)
