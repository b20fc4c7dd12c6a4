"""Batch norm is folded into the layer before it, and filters that make no difference go: the same
function, which PyTorch computes with the network as it was.
"""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card
from convscope.cli import main
from convscope.conversion import network_graph as exporting
from convscope.conversion.batch_norm import check_folded, fold_batch_norm
from convscope.conversion.network_graph import exportable, network_graph
from convscope.conversion.redundant_filters import fold_filters
from convscope.engines import open_engine
from convscope.errors import WorkError
from tests.repetition import first_fast, sample_fast

pytest.importorskip("onnxruntime")

CARD = Card(
    classes=("a", "b", "c"), input_size=(8, 10), in_channels=3, resize_mode="crop",
    mean=(0.5,) * 3, std=(0.25,) * 3,
)  # fmt: skip


def randomized(net):
    """Statistics and scales of batch norm that are no identity."""
    torch.manual_seed(0)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
                if module.affine:
                    module.weight.normal_()
                    module.bias.normal_()
    return exportable(net)


def graph_of(net):
    return network_graph(net, (3, 8, 10), 3)


def check_answers(net, model, batch=2):
    onnx.checker.check_model(model, full_check=True)
    images = torch.randn(batch, 3, 8, 10)
    with torch.inference_mode():
        expected = net(images).numpy()
    found = open_engine("onnxruntime", model.SerializeToString(), threads=1)(images.numpy())
    assert np.abs(expected).max() > 1e-3
    assert found == pytest.approx(expected, abs=2e-5 * max(1.0, float(np.abs(expected).max())))


def kinds(model):
    return [node.op_type for node in model.graph.node]


def head(channels):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3)


BEHIND = {
    "convolution": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *head(4)),
    "no affine": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, affine=False), *head(4)
    ),
    "depthwise": lambda: nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.BatchNorm2d(6), *head(6)),
    "transposed": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ConvTranspose2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), *head(6)
    ),
    "weight norm": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4), *head(4)
    ),
    "dense": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(240, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)
    ),
    "two in a row": lambda: nn.Sequential(
        nn.Flatten(),
        nn.Linear(240, 4, bias=False),
        nn.BatchNorm1d(4),
        nn.BatchNorm1d(4),
        nn.ReLU(),
        nn.Linear(4, 3),
    ),
    "dense without bias": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(240, 4, bias=False), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)
    ),
}


@pytest.mark.parametrize("name", sample_fast(3, BEHIND))
def test_batch_norm_behind_a_layer_is_folded(name):
    net = randomized(BEHIND[name]())
    model = graph_of(net)
    check_folded(model)
    assert "BatchNormalization" not in kinds(model)
    check_answers(net, model)


@pytest.mark.parametrize("name", first_fast(1, ["convolution", "transposed", "dense without bias"]))
def test_our_own_folding_does_without_the_exporters(name):
    """A batch norm is put behind each layer by hand: twice the scale, and a shift, of channels."""
    net = randomized(BEHIND[name]())
    model = graph_of(net)
    graph = model.graph
    layer = next(node for node in graph.node if node.op_type in {"ConvTranspose", "Conv", "Gemm"})
    layer = next((one for one in graph.node if one.op_type == "ConvTranspose"), layer)
    count = {"convolution": 4, "transposed": 6, "dense without bias": 4}[name]
    rng = np.random.default_rng(0)
    values = [*rng.normal(size=(3, count)), rng.uniform(0.5, 2, count)]
    names = [f"norm.{number}" for number in range(4)]
    for each, array in zip(names, values, strict=True):
        graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), each))
    whole, layer.output[0] = layer.output[0], "before"
    norm = onnx.helper.make_node(
        "BatchNormalization", ["before", *names], [whole], name="norm", epsilon=1e-3
    )
    graph.node.insert(list(graph.node).index(layer) + 1, norm)
    with pytest.raises(WorkError, match="batch norm norm was not folded into"):
        check_folded(model)
    images = np.random.default_rng(1).normal(size=(2, 3, 8, 10)).astype(np.float32)
    expected = open_engine("onnxruntime", model.SerializeToString(), threads=1)(images)
    fold_batch_norm(model)
    check_folded(model)
    assert "BatchNormalization" not in kinds(model)
    found = open_engine("onnxruntime", model.SerializeToString(), threads=1)(images)
    assert found == pytest.approx(expected, abs=1e-5)


class Twice(nn.Module):
    """What the convolution returns is read behind batch norm, and without it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.head = nn.Sequential(*head(4))

    def forward(self, x):
        x = self.conv(x)
        return self.head(torch.relu(self.bn(x)) + x)


def test_batch_norm_stays_where_what_is_before_it_is_read_elsewhere():
    net = randomized(Twice())
    model = graph_of(net)
    assert kinds(model).count("BatchNormalization") == 1
    check_folded(model)
    check_answers(net, model)


def test_a_batch_norm_that_is_left_stops_the_export(tmp_path, monkeypatch):
    """The exporter's folding, and ours, are switched off: nothing is written."""
    original = torch.onnx.export

    def export(*args, **settings):
        return original(*args, **settings, optimize=False)

    monkeypatch.setattr(torch.onnx, "export", export)
    monkeypatch.setattr(exporting, "fold_batch_norm", lambda model: None)
    net = randomized(BEHIND["convolution"]())
    net.card = CARD
    with pytest.raises(WorkError, match="was not folded into 0 before it"):
        convscope.export(net, tmp_path / "out", engine="onnxruntime")
    assert [*tmp_path.iterdir()] == []


def two_layers(between, *, second=None):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), *between, second or nn.Conv2d(6, 5, 3), nn.ReLU(), *head(5)
    )


def spoil(layer, *, zero=(), copy=(), bias=0.5):
    """Filters without weights, and copies of the first one."""
    with torch.no_grad():
        for number in zero:
            layer.weight[number] = 0
            layer.bias[number] = bias
        for number in copy:
            layer.weight[number], layer.bias[number] = layer.weight[0], layer.bias[0]


def folded(net):
    net = exportable(net)
    model = graph_of(net)
    counts, changed = fold_filters(model)
    check_answers(net, model)
    return counts, changed, model


@pytest.mark.parametrize(
    ("between", "count"),
    [
        ([nn.ReLU()], 3),
        ([nn.LeakyReLU(0.1), nn.MaxPool2d(2)], 3),
        ([nn.Sigmoid(), nn.AvgPool2d(2)], 3),
        ([nn.Hardswish(), nn.MaxPool2d(3, 2, 1)], 3),
        ([nn.ELU(), nn.AvgPool2d(3, 1, 1)], 2),  # padded by 0: what is constant is so no longer
        ([nn.ReLU(), nn.BatchNorm2d(6)], 3),
        ([nn.SiLU()], 0),  # a product of two branches
        ([nn.LocalResponseNorm(3)], 0),  # reads neighbors
    ],
)
def test_constant_filters_and_copies_are_taken_out(between, count):
    net = two_layers(between)
    spoil(net[0], zero=[2], copy=[1, 4])
    counts, _, model = folded(net)
    assert counts == ({"0": count} if count else {})
    (first, *_) = [node for node in model.graph.node if node.op_type == "Conv"]
    shapes = {one.name: list(one.dims) for one in model.graph.initializer}
    assert shapes[first.input[1]][0] == 6 - count


def test_a_constant_other_than_0_stays_before_a_padded_convolution():
    second = nn.Conv2d(6, 5, 3, padding=1)
    net = two_layers([nn.ReLU()], second=second)
    spoil(net[0], zero=[2])
    assert folded(net)[0] == {}
    spoil(net[0], zero=[2], bias=-1.0)  # ReLU makes it 0
    assert folded(net)[0] == {"0": 1}


def test_a_filter_that_never_rises_above_0_is_dead_behind_relu():
    net = two_layers([nn.ReLU()])
    with torch.no_grad():
        net[2].weight[1], net[2].bias[1] = -net[2].weight[1].abs(), -0.1
        net[0].weight[1], net[0].bias[1] = -net[0].weight[1].abs(), -0.1  # images go below 0
    assert folded(net)[0] == {"2": 1}


def test_units_of_dense_layers_are_filters_too_and_flattening_is_followed():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 3 * 4, 7),
        nn.ReLU(), nn.Linear(7, 3),
    )  # fmt: skip
    spoil(net[0], zero=[3], copy=[2])
    spoil(net[4], zero=[5], copy=[6])
    assert folded(net)[0] == {"0": 2, "4": 2}


def test_what_becomes_redundant_by_folding_goes_too():
    """The second layer sees only what is constant, and the third then sees constants alone."""
    net = nn.Sequential(
        nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Conv2d(3, 4, 1), *head(4)
    )
    with torch.no_grad():
        net[0].weight.zero_()
        net[2].weight.abs_()
        net[2].bias.fill_(1.0)
    counts, _, _ = folded(net)
    assert counts["0"] == 1
    assert all(count > 0 for count in counts.values())


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Sequential(*head(8))

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        y = self.conv3(torch.relu(self.conv2(x)))
        return self.head(torch.cat([torch.relu(x + y), y], 1))


def test_filters_stay_before_sums_and_concatenations():
    net = Residual()
    for layer in (net.conv1, net.conv2, net.conv3):
        spoil(layer, zero=[0], copy=[], bias=-1.0)
        spoil(layer, copy=[2])
    counts, changed, _ = folded(net)
    assert counts == {"conv2": 2}
    assert "conv2" in changed
    assert "conv1" not in changed


def test_a_network_without_redundant_filters_is_unchanged():
    net = exportable(two_layers([nn.ReLU()]))
    model = graph_of(net)
    before = {one.name: one.raw_data for one in model.graph.initializer}
    assert fold_filters(model) == ({}, frozenset())
    assert {one.name: one.raw_data for one in model.graph.initializer} == before


def test_the_command_counts_them(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine.py").write_text(
        "import torch\nfrom torch import nn\ntorch.manual_seed(0)\n"
        "net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.Flatten(),\n"
        "                    nn.Linear(4 * 8 * 8, 3))\n"
        "with torch.no_grad():\n    net[0].weight[1] = net[0].weight[0]\n"
        "    net[0].bias[1] = net[0].bias[0]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = ["export", "mine:net", "-o", "out", "--fold-filters", "--input-size", "12"]
    with pytest.raises(SystemExit) as ended:
        main([*words, "--class-names", "a,b,c", "--engine", "onnxruntime"])
    assert ended.value.code == 0
    assert "constant ones and exact copies: 1 (0 1)." in capsys.readouterr().out
