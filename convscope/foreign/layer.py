"""One layer of a file: its settings, each checked, and its weights."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from convscope.errors import RequestError
from convscope.strict import shown

_LARGEST = 2**24  # of any integer: maps, units, sides
REQUIRED = object()

Reader = Callable[[int, tuple[int, ...]], Tensor]
"""Reads the weight of a number (in the order of the file) and a shape."""


@dataclass
class Layer:
    """A layer of a file.

    Attributes:
        where: the file and the layer, for errors.
        name: of the layer in its file.
        kind: the class of the layer.
        settings: as they stand in the file; what is not there has the library's default.
        read: reads its weights; None: the file has none, and they stay random.
        is_old: whether the file is of Keras 2 or earlier.
    """

    where: str
    name: str
    kind: str
    settings: Mapping[str, Any]
    read: "Mapping[str, Reader] | Reader | None" = None
    is_old: bool = False
    _count: int = field(default=0, init=False)

    def weight(self, name: str, shape: Sequence[int], *, older: str = "") -> Tensor | None:
        """The next weight of the layer, float32, of a shape in the file; None: it has none.

        `older` is the name of the same weight in older files.

        They are asked for in the order in which the library creates them. Raises RequestError if
        the file has none, or one of another shape.
        """
        number = self._count
        self._count += 1
        if self.read is None:
            return None
        if callable(self.read):
            return self.read(number, tuple(shape))
        name = older if name not in self.read and older in self.read else name
        if name not in self.read:
            raise RequestError(f"{self.where} has no weight {name!r} in the file.")
        return self.read[name](number, tuple(shape))

    def integer(self, key: str, default: object = REQUIRED, *, minimum: int = 1) -> int:
        """A setting that is an integer."""
        value = self._value(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise self.wrong(key, value, f"an integer of {minimum} or more")
        if value > _LARGEST:
            raise self.wrong(key, value, f"at most {_LARGEST:,}")
        return value

    def number(self, key: str, default: object = REQUIRED) -> float:
        """A setting that is a number."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, value, "a number")
        if not math.isfinite(value):
            raise self.wrong(key, value, "finite")
        return float(value)

    def flag(self, key: str, default: object = REQUIRED) -> bool:
        """A setting that is true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value

    def choice(self, key: str, default: object, allowed: Sequence[str]) -> str:
        """A setting that is one of some texts."""
        value = self._value(key, default)
        if not isinstance(value, str) or value.lower() not in allowed:
            raise self.wrong(key, value, " or ".join(map(repr, allowed)))
        return value.lower()

    def pair(self, key: str, default: object = REQUIRED, *, minimum: int = 1) -> tuple[int, int]:
        """A setting for (height, width), or one number for both."""
        value = self._value(key, default)
        if isinstance(value, int) and not isinstance(value, bool):
            value = [value, value]
        values = self.integers(key, value, minimum=minimum)
        if len(values) != 2:
            raise self.wrong(key, value, "two integers")
        return values[0], values[1]

    def edges(self, key: str) -> tuple[int, int, int, int]:
        """A setting for (left, right, top, bottom), as Keras writes padding and cropping."""
        value = self._value(key, 1)
        if isinstance(value, int):
            value = [value, value]
        if not isinstance(value, list | tuple) or len(cast("Sequence[Any]", value)) != 2:
            raise self.wrong(key, value, "integers for both axes")
        sides: list[int] = []
        for one in cast("Sequence[Any]", value):
            both = self.integers(key, [one, one] if isinstance(one, int) else one, minimum=0)
            if len(both) != 2:
                raise self.wrong(key, value, "two integers for each axis")
            sides += both
        top, bottom, left, right = sides
        return left, right, top, bottom

    def integers(self, key: str, value: object, *, minimum: int = -1) -> list[int]:
        """A list of integers. Raises RequestError for anything else."""
        if not isinstance(value, list | tuple):
            raise self.wrong(key, value, "a list of integers")
        values = [*cast("Sequence[object]", value)]
        integers = [
            v for v in values if isinstance(v, int) and not isinstance(v, bool) and v >= minimum
        ]
        if len(integers) != len(values) or any(v > _LARGEST for v in integers):
            raise self.wrong(key, value, f"integers of {minimum} to {_LARGEST:,}")
        return integers

    def numbers(self, key: str, value: object) -> Tensor:
        """A number, or nested lists of numbers, as a tensor of float64."""
        try:
            tensor = torch.tensor(value, dtype=torch.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self.wrong(key, value, "numbers") from error
        if not tensor.isfinite().all():
            raise self.wrong(key, value, "finite")
        return tensor

    def wrong(self, key: str, value: object, allowed: str) -> RequestError:
        """The error for a setting."""
        return RequestError(f"{self.where} has {key} {shown(value)}; it must be {allowed}.")

    def refused(self, why: str) -> RequestError:
        """The error for a layer that is none of PyTorch's."""
        return RequestError(f"{self.where} {why}")

    def _value(self, key: str, default: object) -> Any:
        value = self.settings.get(key, default)
        if value is REQUIRED:
            raise RequestError(f"{self.where} lacks the setting {key!r}.")
        return value
