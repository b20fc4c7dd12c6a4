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


class Attending(nn.Module):
    """A block of a transformer on patches; `held`: what decides is a constant for gradients.

    `how` is the way in which attention is written: of torch's module, its function, or products.
    """

    def __init__(self, how: str, *, held: bool = False) -> None:
        super().__init__()
        self.how, self.held = how, held
        self.patches = nn.Conv2d(3, 6, 4, stride=4)
        self.token, self.position = (
            nn.Parameter(torch.zeros(1, 1, 6)),
            nn.Parameter(torch.zeros(1, 5, 6)),
        )
        self.norm1, self.norm2 = nn.LayerNorm(6), nn.LayerNorm(6)
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.up, self.down, self.fc = nn.Linear(6, 9), nn.Linear(9, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        x = x + self._attend(self._norm(self.norm1, x))
        x = x + self.down(F.relu(self.up(self._norm(self.norm2, x))))
        return self.fc(x[:, 0])

    def _norm(self, norm: nn.LayerNorm, x: Tensor) -> Tensor:
        if not self.held:
            return norm(x)
        deviation = (x.var(-1, correction=0, keepdim=True) + norm.eps).sqrt().detach()
        return (x - x.mean(-1, keepdim=True)) / deviation * norm.weight + norm.bias

    def _attend(self, x: Tensor) -> Tensor:
        inner = self.attention
        if self.how == "module":
            return inner(x, x, x, need_weights=False)[0]
        mapped = F.linear(x, inner.in_proj_weight, inner.in_proj_bias)
        q, k, v = mapped.unflatten(-1, (3, 2, 3)).permute(2, 0, 3, 1, 4).unbind()
        if self.how == "function":
            found = F.scaled_dot_product_attention(q, k, v)
        else:
            weights = F.dropout((q @ k.mT / 3**0.5).softmax(-1), 0.5, training=self.training)
            found = (weights.detach() if self.held else weights) @ v
        return inner.out_proj(found.transpose(1, 2).flatten(2))


class Grouped(nn.Module):
    """The other normalizations by an image's own statistics; `held` as in Attending."""

    def __init__(self, *, held: bool = False) -> None:
        super().__init__()
        self.held = held
        self.conv1, self.norm1 = nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)
        self.conv2, self.norm2 = nn.Conv2d(4, 4, 3), nn.InstanceNorm2d(4, affine=True)
        self.norm3, self.fc = nn.RMSNorm(4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self._norm(self.norm1, self.conv1(x), 2))
        x = self._norm(self.norm2, F.relu(self.conv2(x)), 4)
        x = F.relu(x).mean((2, 3))
        if not self.held:
            return self.fc(self.norm3(x))
        eps = torch.finfo(x.dtype).eps
        root = (x.square().mean(-1, keepdim=True) + eps).sqrt().detach()
        return self.fc(x / root * self.norm3.weight)

    def _norm(self, norm: nn.GroupNorm | nn.InstanceNorm2d, x: Tensor, groups: int) -> Tensor:
        if not self.held:
            return norm(x)
        rows = x.reshape(len(x), groups, -1)
        deviation = (rows.var(-1, correction=0, keepdim=True) + norm.eps).sqrt().detach()
        rows = (rows - rows.mean(-1, keepdim=True)) / deviation
        return rows.reshape(x.shape) * norm.weight[:, None, None] + norm.bias[:, None, None]
