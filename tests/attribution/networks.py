"""Small networks with every way to write what attribution has to follow."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.attribution.subject import Subject
from convscope.attribution.target import Target
from convscope.card import Card

CLASSES = ("cat", "dog", "owl", "bee")


def card_for(channels: int, size: int, classes: tuple[str, ...] = CLASSES) -> Card:
    return Card(
        classes=classes,
        input_size=(size, size),
        in_channels=1 if channels == 1 else 3,
        resize_mode="stretch",
        mean=(0.0,) * (1 if channels == 1 else 3),
        std=(1.0,) * (1 if channels == 1 else 3),
    )


def subject_of(
    net: nn.Module, image: Tensor, *, index: int = 1, other: int | None = None
) -> Subject:
    card = card_for(image.shape[1], image.shape[2])
    return Subject(net.eval(), image, card, Target(index, other, card.classes))


def randomize(net: nn.Module, seed: int = 0) -> nn.Module:
    """Weights, biases and batch statistics that are nobody's defaults; float64."""
    generator = torch.Generator().manual_seed(seed)
    net = net.double().eval().requires_grad_(requires_grad=False)
    with torch.no_grad():
        for parameter in net.parameters():
            fan = max(1, parameter[0].numel()) if parameter.ndim > 1 else 4
            parameter.normal_(0, (2 / fan) ** 0.5, generator=generator)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.uniform_(-1, 2, generator=generator)
    return net


def image(channels: int = 3, size: int = 8, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, channels, size, size, generator=generator, dtype=torch.float64)


class Chain(nn.Sequential):
    """Convolution, ReLU, pooling, dense layers."""

    def __init__(self, *, bias: bool = True) -> None:
        super().__init__(
            nn.Conv2d(3, 5, 3, padding=1, bias=bias), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(5, 6, 3, bias=bias), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(6, 7, bias=bias), nn.ReLU(), nn.Linear(7, 4, bias=bias),
        )  # fmt: skip


class Residual(nn.Module):
    """Batch norm behind convolutions, a skip, functional and in-place ReLUs, global average."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, padding=1, groups=2), nn.BatchNorm2d(6)
        self.conv3, self.bn3 = nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(x)))
        x = torch.relu_(self.bn3(self.conv3(y)) + x)
        return self.fc(x.mean((2, 3)))


class Dense(nn.Module):
    """Batch norm before ReLU and convolution, and concatenations."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(3, 4, 3, padding=1)
        self.norm1, self.conv1 = nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(7)
        self.fc = nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv0(x)
        x = torch.cat([x, self.conv1(self.norm1(x).relu())], 1)
        return self.fc(F.adaptive_avg_pool2d(F.relu(self.norm2(x)), 1).flatten(1))


class Curved(nn.Module):
    """A curve, and a product of two results."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 5, 3), nn.Conv2d(3, 5, 3)
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.conv(x)) * torch.sigmoid(self.gate(x))
        return self.fc(x.mean((2, 3)))
