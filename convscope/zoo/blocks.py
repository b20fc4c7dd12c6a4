"""Parts that more than one paper in the zoo is made of."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from torch import Tensor, nn


def dense(widths: Sequence[int], *, dropout: float, first: int = 1) -> dict[str, nn.Module]:
    """Dense layers between `widths`, each but the last followed by a ReLU and dropout.

    They are called fc1, fc2 ..., or from `first` on as the paper counts them.
    """
    layers: dict[str, nn.Module] = {}
    last = first + len(widths) - 2
    for place, (fan_in, fan_out) in enumerate(pairwise(widths), start=first):
        layers[f"fc{place}"] = nn.Linear(fan_in, fan_out)
        if place < last:
            layers[f"fc{place}_relu"] = nn.ReLU()
            layers[f"fc{place}_dropout"] = nn.Dropout(dropout)
    return layers


def through(block: nn.Module, names: Iterable[str], input: Tensor) -> Tensor:  # noqa: A002
    """Pass `input` through those layers of a block, one after the other."""
    for name in names:
        input = getattr(block, name)(input)  # noqa: A001
    return input
