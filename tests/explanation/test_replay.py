"""Replayed recordings: the network itself and autograd by hand are the oracles."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import convscope
from convscope.errors import RequestError
from convscope.interventions.edits import parse_edit

SIZES = {"lenet5": 1, "resnet20_cifar": 3, "densenet40_12": 3, "mobilenet_v3_small": 3}


@pytest.mark.parametrize("name", SIZES)
def test_another_image_gives_what_the_network_gives(name: str) -> None:
    torch.manual_seed(0)
    net = convscope.create_model(name, num_classes=4, input_size=(32, 32)).eval()
    first, second = torch.randn(2, 1, SIZES[name], 32, 32)
    replayed = convscope.record(net, first).replay({"image": second})
    recorded = convscope.record(net, second)
    for operation in recorded.names:
        assert torch.equal(replayed[operation].tensor, recorded[operation].tensor)
    assert replayed.explain(recorded.output, 2).is_within_tolerance


class Block(nn.Module):
    """A skip, a ReLU in place, and a write to a part of a tensor."""

    def __init__(self, *, drops: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.fc = nn.Linear(4, 3)
        self.drops = drops

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv(x), inplace=True)
        y = F.dropout(y, 0.5, training=self.drops) + y
        return self.fc(y.mean((2, 3)))


def test_a_replay_with_a_changed_map_is_the_intervention() -> None:
    torch.manual_seed(0)
    net, image = Block().eval(), torch.randn(2, 6, 6)
    recording = convscope.record(net, image)
    changed = recording["relu"].tensor.clone()
    changed[:, 1] = 0
    replayed = recording.replay({"relu": changed})
    intervened = convscope.intervene(net, image, set=str(parse_edit("relu[1]=0"))).after
    assert torch.equal(replayed["fc"].value, intervened["fc"].value)
    assert torch.equal(replayed["conv"].value, recording["conv"].value)
    assert not torch.equal(replayed["fc"].value, recording["fc"].value)


def test_gradients_are_those_of_autograd() -> None:
    torch.manual_seed(0)
    net, image = Block().eval(), torch.randn(1, 2, 6, 6)
    found = convscope.record(net, image).gradients("fc", 2)
    leaf = image.clone().requires_grad_()
    conv = net.conv(leaf)
    relu = F.relu(conv)
    output = net.fc((relu + relu).mean((2, 3)))
    expected = torch.autograd.grad(output[0, 2], [leaf, conv, relu])
    for name, gradient in zip(("image", "conv", "relu"), expected, strict=True):
        assert torch.allclose(found[name], gradient, atol=1e-7)
    assert torch.equal(found["fc"], torch.tensor([[0.0, 0.0, 1.0]]))
    assert all(parameter.grad is None for parameter in net.parameters())


def test_what_cannot_be_computed_again_is_refused() -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 2, 6, 6)
    recording = convscope.record(Block(drops=True), image)
    with pytest.raises(RequestError, match="dropout"):
        recording.replay({"image": image + 1})
    state = torch.get_rng_state()
    with pytest.raises(RequestError, match="dropout"):
        recording.gradients("fc", 0)
    assert torch.equal(state, torch.get_rng_state())
    plain = convscope.record(Block(), image)
    with pytest.raises(RequestError, match="no result 'conv9'"):
        plain.replay({"conv9": image})
    with pytest.raises(RequestError, match=r"has the shape \(1, 4, 6, 6\)"):
        plain.replay({"conv": torch.zeros(4, 6, 6)})
