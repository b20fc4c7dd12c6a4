"""Time a training step of `LocallyConnected2d` beside the two ways in which one would write it.

    python benchmarks/locally_connected.py --rounds 10

The contenders, forward and backward over the same images and filters, in turn, in rotating order:

    ours              one copy of the patches, batched matrix products
    unfold + einsum   `F.unfold`, then `torch.einsum` over patches and filters
    loop              one matrix product for each output position

A round steps each contender `--steps` times and takes the mean; the first step of each is not
counted, and all must agree before anything is timed.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rounds import machine, rotated, spread
from torch import Tensor
from torch.nn import functional as F

from convscope.layers import LocallyConnected2d

Contender = Callable[[LocallyConnected2d, Tensor], Tensor]


@dataclass(frozen=True)
class Shape:
    """A layer, by name: input channels, side of the images, filters, kernel size, stride."""

    name: str
    channels: int
    side: int
    filters: int
    kernel: int
    stride: int


SHAPES = [
    Shape("the lecture's: ten 3x3 on 32x32x3", 3, 32, 10, 3, 1),
    Shape("DeepFace's L6: sixteen 5x5 on 25x25x16", 16, 25, 16, 5, 1),
    Shape("DeepFace's L5: sixteen 7x7, stride 2, on 55x55x16", 16, 55, 16, 7, 2),
]


def ours(layer: LocallyConnected2d, images: Tensor) -> Tensor:
    return layer(images)


def unfold_einsum(layer: LocallyConnected2d, images: Tensor) -> Tensor:
    patches = F.unfold(images, layer.kernel_size, stride=layer.stride)
    filters = layer.weight.flatten(0, 1).flatten(2)
    units = torch.einsum("nkp,pok->nop", patches, filters)
    return units.unflatten(2, layer.output_size) + layer.bias.permute(2, 0, 1)


def loop(layer: LocallyConnected2d, images: Tensor) -> Tensor:
    (tall, wide), (down, right) = layer.kernel_size, layer.stride
    filters = layer.weight.flatten(3).flatten(0, 1).unbind()
    biases = layer.bias.flatten(0, 1).unbind()
    units: list[Tensor] = []
    for position, (weight, bias) in enumerate(zip(filters, biases, strict=True)):
        row, col = divmod(position, layer.output_size[1])
        patch = images[:, :, row * down : row * down + tall, col * right : col * right + wide]
        units.append(F.linear(patch.flatten(1), weight, bias))
    return torch.stack(units, 2).unflatten(2, layer.output_size)


CONTENDERS: dict[str, Contender] = {"ours": ours, "unfold + einsum": unfold_einsum, "loop": loop}


def step(contender: Contender, layer: LocallyConnected2d, images: Tensor) -> list[Tensor]:
    """Outputs, and the gradients of images, weights and biases."""
    y = contender(layer, images)
    leaves = (images, layer.weight, layer.bias)
    return [y, *torch.autograd.grad(y, leaves, torch.ones_like(y))]


def timed(contender: Contender, layer: LocallyConnected2d, images: Tensor, steps: int) -> float:
    """Milliseconds of a step."""
    began = time.perf_counter()
    for _ in range(steps):
        step(contender, layer, images)
    return 1000 * (time.perf_counter() - began) / steps


def measure(shape: Shape, *, batch: int, rounds: int, steps: int) -> None:
    layer = LocallyConnected2d(
        shape.channels, shape.filters, (shape.side, shape.side), shape.kernel, stride=shape.stride
    )
    images = torch.randn(batch, shape.channels, shape.side, shape.side, requires_grad=True)
    found = {name: step(contender, layer, images) for name, contender in CONTENDERS.items()}
    for other in found.values():
        torch.testing.assert_close(other, found["ours"], rtol=1e-3, atol=1e-3)
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for turn in range(rounds):
        for name in rotated(list(CONTENDERS), turn):
            times[name].append(timed(CONTENDERS[name], layer, images, steps))
    print(f"\n{shape.name}, {batch} images")
    for name, own in times.items():
        ratio = [mine / base for mine, base in zip(own, times["ours"], strict=True)]
        told = "" if name == "ours" else f"   {name} / ours: {spread(ratio)}"
        print(f"  {name:16} {spread(own, '.1f'):24}{told}")


def main(rounds: int, steps: int, batch: int, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    print(machine())
    print(f"{rounds} rounds of {steps} steps, {threads} threads; ms a step: median [min-max]")
    for shape in SHAPES:
        measure(shape, batch=batch, rounds=rounds, steps=steps)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    main(given.rounds, given.steps, given.batch, given.threads)
