"""Pruned networks in a table: what is built, and what is refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from convscope.card import Card
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.runs.network import build_network, save_model_source
from convscope.zoo import create_model, default_input

LAYERS = '''
input = "3x16x16"
layers = """
layer   filters size stride padding activation
conv1         8    3      1       1 .
bn1           .    .      .       . relu
pool1         .    2      2       . .
fc      classes    .      .       . .
"""
[pruned]
'''


def _write(folder: Path, text: str) -> str:
    path = folder / "pruned.toml"
    path.write_text(text)
    return str(path)


def test_a_layer_table_may_be_narrower_than_its_layers(tmp_path: Path) -> None:
    text = LAYERS + (
        "conv1 = {out_channels = 5}\nbn1 = {num_features = 5}\nfc = {in_features = 320}\n"
    )
    net = create_model(_write(tmp_path, text), num_classes=4)
    shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    assert shapes["conv1.weight"] == (5, 3, 3, 3)
    assert shapes["conv1.bias"] == shapes["bn1.weight"] == shapes["bn1.running_var"] == (5,)
    assert shapes["fc.weight"] == (4, 5 * 8 * 8)
    assert net(torch.zeros(2, 3, 16, 16)).shape == (2, 4)


def test_a_network_of_the_zoo_may_be_narrower(tmp_path: Path) -> None:
    text = (
        'model = "resnet20_cifar"\n[pruned]\n"conv2_1.conv1" = {out_channels = 7}\n'
        '"conv2_1.bn1" = {num_features = 7}\n"conv2_1.conv2" = {in_channels = 7}\n'
    )
    path = _write(tmp_path, text)
    net = create_model(path, num_classes=3)
    whole = create_model("resnet20_cifar", num_classes=3)
    fewer = sum(p.numel() for p in whole.parameters()) - sum(p.numel() for p in net.parameters())
    assert fewer == 9 * (9 * 16 + 2 + 9 * 16)
    assert default_input(path) == (3, (32, 32))
    assert net(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    assert vars(net)["creation"].model == path


def test_a_run_keeps_the_table_of_its_pruned_network(tmp_path: Path) -> None:
    text = 'model = "lenet5"\n[pruned]\nconv1 = {out_channels = 2}\nconv2 = {in_channels = 2}\n'
    path = _write(tmp_path, text)
    run = Run(tmp_path)
    save_model_source(run, path)
    card = Card(
        classes=("a", "b"), input_size=(32, 32), in_channels=1, resize_mode="pad",
        mean=(0.0,), std=(1.0,),
    )  # fmt: skip
    net = build_network(str(tmp_path / "network.toml"), card)
    assert net.get_parameter("conv1.weight").shape[0] == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("conv9 = {out_channels = 2}", "[pruned] names 'conv9'"),
        ("conv1 = {stride = 2}", "sets `stride` of conv1, a Conv2d"),
        ("conv1 = {out_channels = 9}", "a number from 1 to 8"),
        ("conv1 = {out_channels = 0}", "a number from 1 to 8"),
        ("conv1 = {out_channels = true}", "a number from 1 to 8"),
        ("conv1 = {groups = 1, in_channels = 3.0}", "a number from 1 to 3"),
        ("bn1_relu = {out_channels = 1}", "of it one cannot be set"),
        ("conv1 = 5", "[pruned] has a line for each layer"),
    ],
)
def test_what_is_no_narrower_layer_is_refused(tmp_path: Path, lines: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        create_model(_write(tmp_path, LAYERS + lines + "\n"), num_classes=4)
    assert message in str(caught.value)
    assert "pruned.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model = "mynet:Net"\n[pruned]\n', "a table runs no code"),
        ('model = "other.toml"\n[pruned]\n', "a table runs no code"),
        ('model = "resnet18"\n', "goes with a table [pruned] alone"),
        ('model = "resnet18"\ninput = "3x8x8"\n[pruned]\n', "goes with a table [pruned] alone"),
        ('model = "resnet81"\n[pruned]\n', "no network named 'resnet81'"),
    ],
)
def test_a_network_that_is_not_plain_data_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(RequestError) as caught:
        create_model(_write(tmp_path, text), num_classes=4)
    assert message in str(caught.value)


def test_the_padding_of_a_shortcut_shrinks_on_either_side(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        'model = "resnet20_cifar"\n[pruned]\n'
        '"conv3_1.shortcut.pad" = {padding = [0, 0, 0, 0, 0, 17]}\n',
    )
    with pytest.raises(RequestError, match="as many numbers from 0"):
        create_model(path, num_classes=2)
    Path(path).write_text(Path(path).read_text().replace("17", "3"))
    net = create_model(path, num_classes=2)
    pad = net.get_submodule("conv3_1.shortcut.pad")
    assert isinstance(pad, nn.ZeroPad3d)
    assert pad(torch.ones(1, 16, 4, 4)).shape[1] == 19
