"""Layers that combine several values, or a value and a number."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor, nn

Merge = Literal["add", "subtract", "multiply", "divide", "maximum", "minimum", "average"]

_OPERATIONS: Mapping[Merge, Callable[..., Any]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.true_divide,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "average": torch.add,
}


class Merged(nn.Module):
    """Combine tensors unit by unit: (n, ...) and (n, ...) -> (n, ...), of shapes that broadcast."""

    def __init__(self, kind: Merge) -> None:
        super().__init__()
        self.kind: Merge = kind

    def forward(self, *parts: Tensor) -> Tensor:
        total: Tensor = reduce(_OPERATIONS[self.kind], parts)
        return total / len(parts) if self.kind == "average" else total

    def extra_repr(self) -> str:
        return self.kind


class WithNumber(nn.Module):
    """Combine each unit with a number: x + b, x - b, x b, x / b; `is_first`: b - x, b / x."""

    def __init__(self, kind: Merge, number: float, *, is_first: bool = False) -> None:
        super().__init__()
        self.kind: Merge = kind
        self.number, self.is_first = number, is_first

    def forward(self, x: Tensor) -> Tensor:
        if self.kind in ("maximum", "minimum"):
            is_least = self.kind == "maximum"
            return x.clamp(min=self.number) if is_least else x.clamp(max=self.number)
        number = x.new_tensor(self.number) if self.is_first else self.number
        first, second = (number, x) if self.is_first else (x, number)
        return _OPERATIONS[self.kind](first, second)

    def extra_repr(self) -> str:
        return f"{self.kind}, {self.number:g}{', is_first=True' if self.is_first else ''}"


class Concatenate(nn.Module):
    """Put tensors behind each other along an axis; 0 is that of images."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
