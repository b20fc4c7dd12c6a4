"""The parts of a value: planted ones are found, and following every unit by hand gives the same."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope import record
from convscope.features.unit_layers import find_layers, record_blank
from convscope.levels.decomposition import Divider
from tests.features.patches import gray_card
from tests.reference.parts import divided


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.norm(self.conv(x)) + x)


def networks():
    torch.manual_seed(4)
    plain = nn.Sequential(
        *(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 4, 2), nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Conv2d(4, 2, 2)),
        *(nn.Flatten(), nn.Linear(2, 2)),
    )
    curved = nn.Sequential(
        *(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 2), nn.GELU()),
        *(nn.Conv2d(4, 2, 3), nn.SiLU(), nn.Flatten(), nn.Linear(18, 2)),
    )
    residual = nn.Sequential(
        *(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), Residual(), Residual()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
    )
    for net in (plain, curved, residual):
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2)
                nn.init.normal_(module.weight)
                nn.init.uniform_(module.bias, 0, 2)
    return {"plain": plain, "curved": curved, "residual": residual}


@pytest.mark.parametrize(
    ("which", "upper", "lower", "at"),
    [
        ("plain", "4", "0", "4"),
        ("plain", "7", "0", "7"),
        ("plain", "9", "0", "9"),
        ("curved", "5", "0", "5"),
        ("curved", "8", "0", "8"),
        ("residual", "2.conv", "0", "2.add"),
        ("residual", "3.conv", "0", "3.add"),
        ("residual", "6", "2.conv", "6"),
    ],
)
def test_parts_are_those_of_every_unit_followed_by_itself(which, upper, lower, at):
    net = networks()[which].double().eval()
    side = 6 if which == "residual" else 14
    image = torch.rand(1, side, side).double()
    recorded = record_blank(net, gray_card(image.shape[1:]))
    above, below = find_layers(recorded.operations, [upper, lower])
    position = above.shape[1] * above.shape[2] // 2 if len(above.shape) == 3 else 0
    found = Divider(net, recorded, above, below).divide(image[None], 1, [position])
    recording = record(net, image)
    unit = above.index(1, position)
    expected, constant = divided(recording, at, unit, below.source)
    assert np.count_nonzero(expected) > 1
    assert found.parts == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-12)
    assert found.bias == pytest.approx(constant, rel=1e-9, abs=1e-12)
    assert found.value == pytest.approx(float(recording[at].value[unit]), rel=1e-12)
    assert abs(found.rest) < 1e-12


def test_means_are_those_of_single_images_and_the_network_stays_as_it_was():
    net = networks()["residual"].double()
    images = torch.rand(3, 1, 6, 6).double()
    recorded = record_blank(net, gray_card((6, 6)))
    above, below = find_layers(recorded.operations, ["3.conv", "0"])
    divider = Divider(net, recorded, above, below)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    together = divider.divide(images, 0, [0, 5, 15])
    alone = [divider.divide(images[[n]], 0, [at]) for n, at in enumerate([0, 5, 15])]
    assert together.value == pytest.approx(np.mean([one.value for one in alone]))
    assert together.parts == pytest.approx(np.mean([one.parts for one in alone], 0).tolist())
    assert together.bias == pytest.approx(np.mean([one.bias for one in alone]))
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_gate_is_held_fixed():
    """x times a gate of one number a map: all of the product is made of x, nothing of the gate."""

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.gate = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 1)
            self.last = nn.Conv2d(3, 2, 4)

        def forward(self, x):
            x = self.first(x)
            return self.last(x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))).flatten(1)

    torch.manual_seed(0)
    net, image = Gated().double().eval(), torch.rand(1, 1, 6, 6).double()
    recorded = record_blank(net, gray_card((6, 6)))
    above, below = find_layers(recorded.operations, ["last", "first"])
    found = Divider(net, recorded, above, below).divide(image, 1, [0])
    with torch.no_grad():
        x = net.first(image)
        gate = torch.sigmoid(net.gate(x.mean((2, 3), keepdim=True)))
        expected = (net.last.weight[1] * (x * gate)[0]).sum((1, 2))
    assert found.parts == pytest.approx(expected.tolist())
    assert found.bias == pytest.approx(float(net.last.bias[1].detach()))
    assert abs(found.rest) < 1e-12


def test_what_has_no_rule_or_goes_around_is_the_rest():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Conv2d(1, 2, 3, bias=False), nn.Conv2d(1, 2, 3, bias=False)
            self.last = nn.Linear(32, 2, bias=False)

        def forward(self, x):
            return self.last((self.one(x) + self.other(x)).flatten(1))

    torch.manual_seed(0)
    net, image = Around().double().eval(), torch.rand(1, 1, 6, 6).double()
    recorded = record_blank(net, gray_card((6, 6)))
    above, below = find_layers(recorded.operations, ["last", "one"])
    found = Divider(net, recorded, above, below).divide(image, 0, [0])
    with torch.no_grad():
        around = float(net.last(net.other(image).flatten(1))[0, 0])
    assert found.rest == pytest.approx(around)
    assert abs(found.rest) > 0.01
