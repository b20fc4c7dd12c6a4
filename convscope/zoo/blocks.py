"""Parts that more than one paper in the zoo is made of."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from torch import Tensor, nn


def dense(widths: Sequence[int], *, dropout: float) -> dict[str, nn.Module]:
    """Dense layers between `widths`: fc1, fc2 ..., each but the last with a ReLU and dropout."""
    layers: dict[str, nn.Module] = {}
    for place, (fan_in, fan_out) in enumerate(pairwise(widths), start=1):
        layers[f"fc{place}"] = nn.Linear(fan_in, fan_out)
        if place < len(widths) - 1:
            layers[f"fc{place}_relu"] = nn.ReLU()
            layers[f"fc{place}_dropout"] = nn.Dropout(dropout)
    return layers


def run_layers(block: nn.Module, names: Iterable[str], x: Tensor) -> Tensor:
    """Pass `input_size` through those layers of a block, one after the other."""
    for name in names:
        x = getattr(block, name)(x)
    return x
