"""Building blocks that several papers share."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from torch import Tensor, nn


def dense(widths: Sequence[int], *, dropout: float) -> dict[str, nn.Module]:
    """Stack dense layers between `widths`: fc1, fc2 ..., all but the last with ReLU and dropout."""
    layers: dict[str, nn.Module] = {}
    for index, (fan_in, fan_out) in enumerate(pairwise(widths), start=1):
        layers[f"fc{index}"] = nn.Linear(fan_in, fan_out)
        if index < len(widths) - 1:
            layers[f"fc{index}_relu"] = nn.ReLU()
            layers[f"fc{index}_dropout"] = nn.Dropout(dropout)
    return layers


def run_layers(block: nn.Module, names: Iterable[str], x: Tensor) -> Tensor:
    """Pass `input_size` through those layers of a block, one after the other."""
    for name in names:
        x = getattr(block, name)(x)
    return x
