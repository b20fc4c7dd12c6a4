"""One pass with the units of layers, against a recording of each image by itself."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope import create_model, record
from convscope.card import Card
from convscope.data.batch_sources import MemoryBatchSource
from convscope.data.normalize import normalize
from convscope.errors import NetworkError, RequestError
from convscope.features.layer_pass import LayerPass
from convscope.features.unit_layers import convolutions, find_layers, record_blank


def make_card(size=(16, 16), channels=3, classes=2):
    return Card(
        classes=tuple(map(str, range(classes))),
        input_size=size,
        in_channels=channels,
        resize_mode="stretch",
        mean=(0.4,) * channels,
        std=(0.3,) * channels,
    )


class Block(nn.Module):
    """A residual block as torchvision's: one ReLU module that is called twice, in place."""

    def __init__(self, width, *, functional=False):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.functional = functional

    def forward(self, x):
        act = F.relu if self.functional else self.relu
        out = self.bn2(self.conv2(act(self.bn1(self.conv1(x)))))
        out += x
        return act(out)


class PreActivation(Block):
    def forward(self, x):
        out = self.conv1(F.relu(self.bn1(x)))
        return x + self.conv2(F.relu(self.bn2(out)))


class Swish(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1)

    def forward(self, x):
        x = self.conv(x)
        return x * torch.sigmoid(x)


class Gated(nn.Module):
    """Squeeze-and-excitation in a residual block."""

    def __init__(self, width):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)

    def forward(self, x):
        out = self.conv(x)
        return F.relu(x + out * torch.sigmoid(self.gate(out.mean((2, 3), keepdim=True))))


def network(*blocks, width=6):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, width, 3), *blocks, nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(4 * width, 5), nn.Dropout(), nn.Tanh(), nn.Linear(5, 2),
    )  # fmt: skip
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return net.eval()


def sources(net, card=None):
    card = card or make_card()
    return {layer.name: layer.source for layer in find_layers(record_blank(net, card).operations)}


def pixels(count, size=(16, 16), channels=3):
    return torch.randint(
        0,
        256,
        (count, *size, channels),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(1),
    )


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (Block(6), {"1.conv1": "1.relu", "1.conv2": "1.relu_2", "0": "0"}),
        (Block(6, functional=True), {"1.conv1": "1.relu", "1.conv2": "1.relu_2", "0": "0"}),
        (PreActivation(6), {"1.conv1": "1.relu_2", "1.conv2": "1.conv2", "0": "0"}),
        (Swish(6), {"1.conv": "1.mul", "0": "0"}),
        (Gated(6), {"1.conv": "1.relu", "1.gate": "1.sigmoid"}),
        (nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), {"0": "1.1"}),
        (nn.Sequential(nn.LocalResponseNorm(2), nn.Conv2d(6, 6, 1)), {"0": "1.0", "1.1": "1.1"}),
    ],
)
def test_units_are_read_after_the_activation_and_after_the_addition(block, expected):
    found = sources(network(block))
    assert {name: found[name] for name in expected} == expected
    names = list(found)
    assert found[names[-2]].endswith("6")  # the hidden dense layer: through dropout to tanh
    assert found[names[-1]] == names[-1]


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("before_activation", [False, True])
def test_units_of_every_image_are_those_of_its_own_recording(functional, before_activation):
    net = network(Block(6, functional=functional), nn.ReLU(inplace=True))
    card, images = make_card(), pixels(7)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    layer_pass = LayerPass(net, card, before_activation=before_activation, batch_size=3)
    order = np.array([5, 0, 1, 6, 2, 4, 3])
    batches = list(layer_pass.batches(MemoryBatchSource(images), order))
    assert [len(batch.indices) for batch in batches] == [3, 3, 1]
    assert np.concatenate([batch.indices for batch in batches]).tolist() == order.tolist()
    for layer in layer_pass.layers:
        units = torch.cat([batch.units[layer.name] for batch in batches])
        for row, index in enumerate(order):
            image = normalize(images[index][None], card, channels_last=False)
            own = record(net, image)[layer.source].tensor[0]
            assert torch.allclose(units[row], own, rtol=1e-4, atol=1e-5), layer
    logits = torch.cat([batch.logits for batch in batches])
    with torch.no_grad():
        expected = net(normalize(images[order], card, channels_last=False))
    assert torch.allclose(logits, expected, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
    has_followed = layer_pass._captures._calls is None
    assert has_followed == (functional and not before_activation)


def test_modules_give_their_last_operation_and_layers_any_result_with_units():
    net = network(Block(6), nn.MaxPool2d(2))
    layer_pass = LayerPass(net, make_card(), ["1", "1.add", "2", "4"])
    assert [layer.source for layer in layer_pass.layers] == ["1.relu_2", "1.add", "2", "4"]
    (batch,) = layer_pass.batches(MemoryBatchSource(pixels(2)), np.arange(2))
    with torch.no_grad():
        x = net[0](normalize(pixels(2), make_card(), channels_last=False))
        block = net[1]
        added = block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x))))) + x
    assert torch.allclose(batch.units["1.add"], added, atol=1e-5)
    assert torch.allclose(batch.units["1"], added.relu(), atol=1e-5)
    assert batch.units["4"].shape == (2, 24)


def test_a_result_is_listed_once_without_names_and_convolutions_can_be_counted():
    net = create_model("resnet18", num_classes=4).eval()
    card = make_card((64, 64), classes=4)
    layers = find_layers(record_blank(net, card).operations)
    assert len({layer.source for layer in layers}) == len(layers) == 18
    assert sum(len(layer.also) for layer in layers) == 3  # the projections
    assert len(convolutions(layers)) == 17
    assert layers[-1].type == "dense"
    assert layers[-1].shape == (4,)


def test_tokens_have_their_channels_first():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.mlp, self.head = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 9), nn.Linear(9, 2)

        def forward(self, x):
            tokens = self.conv(x).flatten(2).transpose(1, 2)
            return self.head(F.gelu(self.mlp(tokens)).mean(1))

    net = Tokens().eval()
    layer_pass = LayerPass(net, make_card())
    assert {layer.name: layer.shape for layer in layer_pass.layers} == {
        "conv": (4, 4, 4), "mlp": (9, 16, 1), "head": (2,),
    }  # fmt: skip
    (batch,) = layer_pass.batches(MemoryBatchSource(pixels(3)), np.arange(3))
    images = normalize(pixels(3), make_card(), channels_last=False)
    with torch.no_grad():
        expected = F.gelu(net.mlp(net.conv(images).flatten(2).transpose(1, 2)))
    assert torch.allclose(batch.units["mlp"][..., 0], expected.transpose(1, 2), atol=1e-6)


def test_what_cannot_be_read_is_named():
    net = network(Block(6))
    with pytest.raises(RequestError, match=r"no layer 'conv1'.*Did you mean '1.conv1'"):
        LayerPass(net, make_card(), ["conv1"])

    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 2, 1), nn.Linear(2, 2)

        def forward(self, x):
            x = self.conv(x)
            x = torch.tanh(x) if x.mean() > 0.1 else F.relu(x)
            return self.fc(x.mean((2, 3)))

    fork = Fork().eval()
    nn.init.ones_(fork.conv.weight)
    nn.init.zeros_(fork.conv.bias)
    layer_pass = LayerPass(fork, make_card(), ["conv", "relu"])
    white = MemoryBatchSource(torch.full((2, 16, 16, 3), 255, dtype=torch.uint8))
    with pytest.raises(NetworkError, match="different paths"):
        list(layer_pass.batches(white, np.arange(2)))
    assert not any(module._forward_hooks for module in fork.modules())


def test_an_interrupted_pass_leaves_no_hooks_and_progress_counts_images():
    net, counts = network(Block(6)), []
    layer_pass = LayerPass(net, make_card(), batch_size=2)
    batches = layer_pass.batches(
        MemoryBatchSource(pixels(5)), np.arange(5), on_progress=lambda *n: counts.append(n)
    )
    next(batches)
    next(batches)
    batches.close()
    assert counts == [(2, 5)]
    assert not any(module._forward_hooks for module in net.modules())
    list(
        layer_pass.batches(
            MemoryBatchSource(pixels(5)), np.arange(5), on_progress=lambda *n: counts.append(n)
        )
    )
    assert counts[1:] == [(2, 5), (4, 5), (5, 5)]
