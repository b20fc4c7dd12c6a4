"""Planted truths: every method finds exactly what was put there."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope.attribution.api import attribute_opened
from convscope.attribution.methods import METHOD_NAMES, METHODS, MethodOptions
from convscope.attribution.subject import Subject
from convscope.attribution.target import Target
from convscope.models import OpenedModel
from tests.attribution.networks import card_for

SIZE = 16
LOCAL = [name for name in METHOD_NAMES if name != "deconvolution"]
"""Methods whose maps depend on where units were active; deconvolution asks max pooling alone."""


@pytest.fixture(scope="module")
def shortcut():
    """A network that learned, in a second, two classes that differ by a mark in a corner alone."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 2),
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(120):
        x, labels = _images(64)
        loss = nn.functional.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, labels = _images(200)
    assert (net(x).argmax(1) == labels).float().mean() > 0.98
    return net.eval()


def _images(count):
    """Noise; those of class 1 have a bright mark of 3x3 pixels in the upper right corner."""
    x = torch.rand(count, 1, SIZE, SIZE) * 0.5
    labels = torch.arange(count) % 2
    x[labels == 1, :, 1:4, SIZE - 4 : SIZE - 1] = 1
    return x, labels


@pytest.mark.parametrize("name", LOCAL)
def test_a_shortcut_in_a_corner_is_found_by_every_method(shortcut, name):
    torch.manual_seed(5)
    opened = OpenedModel("net", shortcut, card_for(1, SIZE, ("plain", "marked")))
    x, _ = _images(2)
    (found,) = attribute_opened(
        opened, x[1], methods=[name], target="marked", random_orders=5, random_weights=False
    )
    values = np.maximum(found[name].map, 0)
    inside = values[:6, SIZE - 6 :].sum() / values.sum()
    assert inside > 0.5  # of 14% of the area
    test = found[name].faithfulness
    assert test.deletion.area < test.deletion.interval[0]
    assert test.insertion.area > test.insertion.interval[1]
    assert test.deletion.at(0.2) < 0.5 < test.deletion.values[0]


def test_why_marked_and_not_plain_is_the_mark(shortcut):
    opened = OpenedModel("net", shortcut, card_for(1, SIZE, ("plain", "marked")))
    x, _ = _images(2)
    (found,) = attribute_opened(
        opened, x[1], methods=["hires-cam", "gradient-x-input"], target=1, instead_of=0,
        random_orders=0, random_weights=False,
    )  # fmt: skip
    logits = shortcut(x[1:]).detach()[0]
    for each in found.maps.values():
        assert each.shares.is_exact
        assert each.shares.score == pytest.approx(float(logits[1] - logits[0]), rel=1e-5)
        assert abs(each.shares.rest) < 1e-4
        total = each.map.sum()
        assert each.map[:6, SIZE - 6 :].sum() > 0.5 * abs(total)


@pytest.mark.parametrize("name", LOCAL)
def test_a_filter_tied_to_a_patch_is_found_at_that_patch(name):
    """One filter is the patch itself, and the class is the largest place where it fits."""
    torch.manual_seed(3)
    patch = torch.randn(1, 3, 3)
    layer = nn.Conv2d(1, 1, 3, padding=1)
    layer.weight.data, layer.bias.data = patch[None], torch.tensor([-5.0])
    fc = nn.Linear(1, 2)
    fc.weight.data, fc.bias.data = torch.tensor([[0.0], [1.0]]), torch.zeros(2)
    net = nn.Sequential(layer, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), fc)
    x = torch.zeros(1, 1, SIZE, SIZE)
    x[0, :, 9:12, 3:6] = patch
    subject = Subject(net, x, card_for(1, SIZE, ("no", "yes")), Target(1, None, ("no", "yes")))
    options = MethodOptions(window=3, stride=1)
    values = METHODS[name].compute(subject, options).values
    assert values.shape == (SIZE, SIZE)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert 9 <= row < 12
    assert 3 <= column < 6
    assert np.maximum(values, 0)[7:14, 1:8].sum() == pytest.approx(
        np.maximum(values, 0).sum(), rel=1e-4
    )


def test_deconvolution_goes_where_max_pooling_was_largest():
    """Zeiler & Fergus's switches: the only part of it that depends on the image's places."""
    layer = nn.Conv2d(1, 1, 3, padding=1)
    layer.weight.data.fill_(1)
    layer.bias.data.zero_()
    fc = nn.Linear(1, 2)
    fc.weight.data, fc.bias.data = torch.tensor([[0.0], [1.0]]), torch.zeros(2)
    net = nn.Sequential(layer, nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), fc)
    x = torch.zeros(1, 1, SIZE, SIZE)
    x[0, 0, 10, 4] = 1
    x[0, 0, 10:12, 4:6] = 1
    subject = Subject(net, x, card_for(1, SIZE, ("no", "yes")), Target(1, None, ("no", "yes")))
    values = METHODS["deconvolution"].compute(subject, MethodOptions()).values
    rows, columns = np.nonzero(values)
    assert (rows.min(), rows.max()) == (9, 11)
    assert (columns.min(), columns.max()) == (3, 5)
