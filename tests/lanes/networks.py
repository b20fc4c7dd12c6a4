"""Networks that the engine must train, and what PyTorch makes of the same batch in float64."""

import copy
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.lanes.engine import Engine
from convscope.lanes.images import Images
from convscope.layers import LocallyConnected2d, MinPool2d, ScaledTanh
from tests.repetition import first_fast

CLASSES = 10


class Residual(nn.Module):
    """Skips with and without an activation behind them, groups, a stride, a volume used thrice."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 6, 3, padding=1)
        self.b = nn.Conv2d(6, 6, 3, padding=1, groups=2)
        self.c = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.d = nn.Conv2d(6, 8, 1, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.a(x))
        y = self.c(torch.relu(self.b(x)))
        x = torch.relu(x + y)
        x = x + torch.tanh(x)
        x = self.d(x)
        return self.fc(torch.flatten(self.pool(x), 1))


class Normalized(nn.Module):
    """Skips of all kinds around batch norm: as it is, projected, padded with maps of zeros, before
    an activation, two norms of one volume, a norm of a norm, and one in front of the first filter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm2d(3, affine=False)
        self.a, self.bn_a = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.b, self.bn_b = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6, momentum=0.3)
        self.c, self.bn_c = nn.Conv2d(6, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8, eps=1e-3)
        self.skip, self.bn_skip = nn.Conv2d(6, 8, 1, 2, bias=False), nn.BatchNorm2d(8)
        self.pool, self.pad = nn.AvgPool2d(1, 2, ceil_mode=True), nn.ZeroPad3d((0, 0, 0, 0, 1, 1))
        self.pre, self.bn_one, self.bn_two = nn.BatchNorm2d(8), nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.d = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.end, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn_a(self.a(self.first(x))))
        x = torch.relu(self.bn_b(self.b(x)) + x)
        y = self.bn_c(self.c(x)) + self.bn_skip(self.skip(x))
        x = torch.relu(y + self.pad(self.pool(x)))
        x = x + self.d(torch.tanh(self.pre(x)))
        x = self.bn_one(x) + torch.sigmoid(self.bn_two(x))
        return self.fc(torch.flatten(self.end(x), 1))


def _flat(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(CLASSES))


NETWORKS = {
    "residual": lambda: (Residual(), (3, 9, 11)),
    "strides and odd sides": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 7, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(7, 9, 3, stride=2, padding=1), nn.Tanh(), nn.Conv2d(9, 11, 1), nn.ReLU(),
            nn.Conv2d(11, 5, 3, padding=1, stride=3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(13),
            nn.Tanh(), nn.Linear(13, CLASSES),
        ),
        (3, 29, 29),
    ),
    "dilation and rectangles": lambda: (
        _flat(
            nn.Conv2d(2, 4, 3, dilation=2, padding=2), nn.LeakyReLU(0.1),
            nn.Conv2d(4, 6, (3, 2), dilation=(2, 3), stride=(2, 3), padding=(1, 2)), nn.ELU(),
            nn.Conv2d(6, 4, 3, padding=1, stride=4), nn.Sigmoid(),
        ),
        (2, 15, 17),
    ),
    "pools": lambda: (
        _flat(
            nn.Conv2d(2, 4, 3), nn.ReLU6(), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
            nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.AvgPool2d(3, 2, padding=1),
            MinPool2d(2, stride=1), nn.AvgPool2d(2, 1, padding=1, count_include_pad=False),
            ScaledTanh(),
        ),
        (2, 13, 14),
    ),
    "locally connected": lambda: (
        _flat(
            nn.Conv2d(2, 4, 3), nn.Tanh(),
            LocallyConnected2d(4, 6, (6, 7), 3, stride=2, padding=1, groups=2), nn.ReLU(),
        ),
        (2, 8, 9),
    ),
    "locally connected first, without bias": lambda: (
        _flat(LocallyConnected2d(2, 3, (6, 7), 3, bias=False), nn.ReLU()), (2, 6, 7),
    ),
    "stride beyond the kernel": lambda: (
        _flat(
            nn.Conv2d(2, 4, 2), nn.ReLU(), nn.Conv2d(4, 5, 1, stride=3), nn.ReLU(),
            nn.Conv2d(5, 4, 3, padding=2),
        ),
        (2, 8, 9),
    ),
    "dense alone": lambda: (
        nn.Sequential(
            nn.Flatten(), nn.Linear(100, 37), nn.ReLU(), nn.Linear(37, 19), nn.Tanh(),
            nn.Linear(19, CLASSES),
        ),
        (1, 10, 10),
    ),
    "padded, then dense": lambda: (
        _flat(
            nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()
        ),
        (1, 5, 5),
    ),
    "batch norm and skips": lambda: (Normalized(), (3, 9, 11)),
    "batch norm of vectors": lambda: (
        nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(36, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, CLASSES),
            nn.BatchNorm1d(CLASSES),
        ),
        (2, 8, 9),
    ),
    "global pooling": lambda: (
        _flat(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.AvgPool2d(20)), (1, 20, 20),
    ),
}  # fmt: skip
_KINDS = ("residual", "pools", "locally connected", "batch norm and skips")
FEW = first_fast(len(_KINDS), [*_KINDS, *(name for name in NETWORKS if name not in _KINDS)])
"""Parameters of a test of every network, the fast ones with a layer of each kind."""


def network(name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """The network of that name with weights from a fixed beginning, and its images' shape."""
    torch.manual_seed(3)
    net, shape = NETWORKS[name]()
    net(torch.rand(2, *shape))
    return net, shape


class Batch(NamedTuple):
    """Bytes (n, h, w, c) and classes; what `Engine.step` and torch are given of them."""

    pixels: Tensor
    labels: Tensor

    @property
    def images(self) -> Tensor:
        """(n, c, h, w) in float64: byte / 128 - 1."""
        return (self.pixels.double() / 128 - 1).permute(0, 3, 1, 2)

    @property
    def given(self) -> Images:
        """The bytes as the engine takes them."""
        n, _, _, channels = self.pixels.shape
        first = self.pixels[0].numel() * np.arange(n, dtype=np.int64)
        return Images(self.pixels, first, np.full(n, channels, np.int64))

    @property
    def scales(self) -> NDArray[np.float32]:
        """What makes a byte a value, for each channel."""
        return np.array([[1 / 128, -1]] * self.pixels.shape[3], np.float32)

    def step(self, engine: Engine, **how: object) -> tuple[float, int]:
        return engine.step(self.given, self.labels.numpy(), **{"scales": self.scales, **how})


def batch(shape: tuple[int, int, int], count: int, *, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    c, h, w = shape
    pixels = torch.randint(0, 256, (count, h, w, c), dtype=torch.uint8, generator=generator)
    return Batch(pixels, torch.randint(0, CLASSES, (count,), generator=generator))


def exact(net: nn.Module, given: Batch, **how: object) -> tuple[float, dict[str, Tensor]]:
    """The loss and the gradients by autograd in float64."""
    twin = copy.deepcopy(net).double()
    loss = F.cross_entropy(twin(given.images), given.labels, **how)
    loss.backward()
    return loss.item(), {name: weight.grad for name, weight in twin.named_parameters()}


def distance(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """The relative L2 distance of all gradients together."""
    one = torch.cat([found[name].double().reshape(-1) for name in wanted])
    two = torch.cat([grad.reshape(-1) for grad in wanted.values()])
    return float((one - two).norm() / two.norm())
