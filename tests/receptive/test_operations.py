"""Receptive fields through every kind of operation, against the gradient of positive weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.gradients import contiguous_gradients
from convscope.layers import LocallyConnected2d
from convscope.receptive import receptive_fields
from convscope.recording import operations


class Do(nn.Module):
    """Call a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *x):
        return self.function(*x)


class Branches(nn.Module):
    """Two branches and how they meet."""

    def __init__(self, one, two, meet):
        super().__init__()
        self.one, self.two, self.meet = one, two, meet

    def forward(self, x):
        return self.meet(self.one(x), self.two(x))


class Gated(nn.Module):
    """Squeeze and excitation: channels scaled by what the whole image says."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return x * self.fc(F.adaptive_avg_pool2d(x, 1))


class GatedByNeighbors(nn.Module):
    """The gate of a channel looks at the means of the channels beside it."""

    def __init__(self):
        super().__init__()
        self.conv, self.slide = nn.Conv2d(2, 4, 3), nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        gate = self.slide(x.mean((2, 3)).view(1, 1, -1)).view(1, -1, 1, 1)
        return x * gate.expand_as(x)


CONV = nn.Conv2d(2, 2, 3, padding=1)
NETWORKS = {
    "conv": nn.Conv2d(2, 3, (3, 5), stride=(2, 1), padding=(1, 0)),
    "dilated": nn.Conv2d(2, 3, 3, dilation=(2, 3), padding="same"),
    "even kernel, same": nn.Sequential(nn.Conv2d(2, 2, 4, padding="same"), nn.Conv2d(2, 2, 2)),
    "grouped": nn.Conv2d(2, 4, 3, groups=2),
    "pooled": nn.AvgPool2d((2, 3), stride=(2, 1), padding=(1, 1)),
    "ceil": nn.Sequential(nn.AvgPool2d(3, 2, ceil_mode=True), nn.Conv2d(2, 2, 2)),
    "adaptive": nn.AdaptiveAvgPool2d((3, 4)),
    "adaptive, even": nn.AdaptiveAvgPool2d((11, 1)),
    "global": nn.Sequential(CONV, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)),
    "mean": nn.Sequential(CONV, Do(lambda x: x.mean((2, 3)))),
    "mean of rows": Do(lambda x: x.mean(3, keepdim=True)),
    "transposed": nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1, output_padding=1),
    "upsampled": nn.Sequential(nn.AvgPool2d((11, 3)), nn.Upsample(scale_factor=2), CONV),
    "skip": Branches(nn.Sequential(CONV, CONV), nn.Identity(), Do(torch.add)),
    "strided skip": Branches(
        nn.Conv2d(2, 2, 3, stride=2, padding=1), Do(lambda x: x[:, :, ::2, ::2]), Do(torch.add)
    ),
    "concatenated": Branches(
        nn.Conv2d(2, 2, 5, padding=2), CONV, Do(lambda a, b: torch.cat([a, b], 1))
    ),
    "gated": Gated(),
    "gated by neighbors": GatedByNeighbors(),
    "convolution of means": nn.Sequential(
        CONV, Do(lambda x: x.mean((2, 3)).view(1, -1, 1, 1)), nn.Conv2d(2, 3, 1)
    ),
    "cropped": Do(lambda x: x[..., 2:-1, 3]),
    "negative": Do(lambda x: x[:, :, -4:, -2]),
    "padded": nn.Sequential(nn.ZeroPad2d((1, 2, 3, 0)), nn.Conv2d(2, 2, 3)),
    "channels padded": Do(lambda x: F.pad(x, (0, 0, 0, 0, 1, 1))),
    "flat": nn.Sequential(nn.AvgPool2d(3), nn.Flatten()),
    "flat, by view": nn.Sequential(nn.AvgPool2d(3), Do(lambda x: x.view(x.shape[0], -1))),
    "shuffled": nn.Sequential(
        nn.Conv2d(2, 4, 3),
        Do(lambda x: x.view(1, 2, 2, *x.shape[2:]).transpose(1, 2).reshape(x.shape)),
    ),
    "channels last": nn.Sequential(
        CONV, Do(lambda x: x.permute(0, 2, 3, 1)), nn.Linear(2, 3), nn.LayerNorm(3)
    ),
    "turned": nn.Sequential(Do(lambda x: x.transpose(2, 3)), nn.Conv2d(2, 2, (3, 1))),
    "chunks": nn.Sequential(nn.Conv2d(2, 4, 3), Do(lambda x: x.chunk(2, dim=1)[1])),
    "group norm": nn.Sequential(nn.Conv2d(2, 2, 3), nn.GroupNorm(1, 2)),
    "spatial softmax": nn.Sequential(nn.Conv2d(2, 2, 3), nn.Softmax(dim=3)),
    "local": LocallyConnected2d(2, 3, (11, 12), 3, stride=2, padding=1),
}
SHAPE = (1, 2, 11, 12)


def seen_by_gradient(net, at):
    """(first, end) along each axis of the pixels on which units of the output depend."""
    image = torch.rand(SHAPE, dtype=torch.float64, requires_grad=True)
    contiguous_gradients(net(image)[(0, *at)].sum()).backward()
    touched = image.grad[0].abs().amax(0) > 0
    places = [touched.any(1 - axis).nonzero().flatten() for axis in (0, 1)]
    return tuple((int(p[0]), int(p[-1]) + 1) if len(p) else None for p in places)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", NETWORKS)
def test_every_unit_sees_what_its_gradient_touches(name):
    net = NETWORKS[name].double().eval()
    torch.manual_seed(0)
    for weight in net.parameters():
        nn.init.uniform_(weight, 0.5, 1.5)
    shape = net(torch.zeros(SHAPE, dtype=torch.float64)).shape[1:]
    done = operations(net, torch.zeros(SHAPE, dtype=torch.float64))
    seen = receptive_fields(done, SHAPE)[done[-1].name]
    assert seen.exact
    for at in torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, len(shape)).tolist():
        box, touched = seen.box(at), seen_by_gradient(net, at)
        assert (None if None in box else box) == (None if None in touched else touched), at


def test_an_unknown_operation_may_depend_on_everything():
    net = nn.Sequential(CONV, Do(lambda x: torch.linalg.qr(x)[0]), nn.ReLU())
    done = operations(net.float(), torch.zeros(SHAPE))
    seen = receptive_fields(done, SHAPE)
    assert [seen[one.name].exact for one in done] == [True, False, False, False]  # qr gives two
    assert seen[done[-1].name].box((0, 0, 0)) == ((0, 11), (0, 12))


def test_a_result_without_units_has_no_pixels_and_no_effect_where_it_is_joined():
    net = Do(lambda x: torch.cat([x[:, :, 4:4], F.relu(x[:, :, :0]), x], 2))
    done = operations(net, torch.zeros(SHAPE))
    seen = receptive_fields(done, SHAPE)
    assert [fields.shape[2] for fields in seen.values()] == [11, 0, 0, 0, 11]
    assert seen["cat"].exact
    assert seen["cat"].box((1, 3, 4)) == ((3, 4), (4, 5))
