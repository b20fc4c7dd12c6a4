"""The narrow networks that benchmarks train, by name, and the multiply-adds of a step of them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from convscope.zoo import create_model


class Residual(nn.Module):
    """ResNet's basic block without batch norm; where the size changes, the skip is a 1x1 filter."""

    def __init__(self, before: int, maps: int, stride: int = 1) -> None:
        super().__init__()
        self.a = nn.Conv2d(before, maps, 3, stride, 1)
        self.b = nn.Conv2d(maps, maps, 3, 1, 1)
        changes = stride > 1 or before != maps
        self.skip = nn.Conv2d(before, maps, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.b(torch.relu(self.a(x))) + self.skip(x))


def cifar3() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1024, 10),
    )  # fmt: skip


def chain(*stages: int) -> nn.Sequential:
    """ResNet-20's convolutions and skips, without batch norm: three blocks for each stage."""
    layers: list[nn.Module] = [nn.Conv2d(3, stages[0], 3, padding=1), nn.ReLU()]
    before = stages[0]
    for maps in stages:
        layers.append(Residual(before, maps, 1 if maps == stages[0] else 2))
        layers += [Residual(maps, maps) for _ in range(2)]
        before = maps
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


Shape = tuple[int, int, int]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "lenet5": (lambda: create_model("lenet5"), (1, 32, 32)),
    "tinyvgg": (lambda: create_model("tinyvgg"), (3, 32, 32)),
    "cifar3": (cifar3, (3, 32, 32)),
    "resnet20_cifar": (lambda: create_model("resnet20_cifar"), (3, 32, 32)),
    "chain20": (lambda: chain(16, 32, 64), (3, 32, 32)),
    "stage16": (lambda: chain(16), (3, 32, 32)),
    "stage32": (lambda: chain(32), (3, 16, 16)),
    "stage64": (lambda: chain(64), (3, 8, 8)),
}


def multiply_adds(net: nn.Module, shape: Shape) -> int:
    """Of a step on one image: forward, for the weights, and for inputs that are no images.

    Those of convolutions and dense layers, which the network calls in its forward pass.
    """
    image, counts = torch.zeros(1, *shape), list[int]()

    def count(layer: nn.Module, given: tuple[Tensor], made: Tensor) -> None:
        weight = layer.get_parameter("weight")
        positions = made.numel() // len(weight)
        counts.append(weight.numel() * positions * (2 if given[0] is image else 3))

    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    was_training = net.training
    try:
        with torch.inference_mode():
            net.eval()(image)
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return sum(counts)
