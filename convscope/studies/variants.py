"""The networks of each study, as layer tables that differ in one respect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convscope.arithmetic import Volume
from convscope.zoo.table_sizes import format_table

StudyName = Literal["sharing", "pooling", "depth", "filters", "activation"]

QUESTIONS: dict[StudyName, str] = {
    "sharing": "What do shared weights buy, beside a locally connected and a dense first layer of "
    "the same output volume?",
    "pooling": "Does it matter how maps are made smaller?",
    "depth": "How many convolutions are enough?",
    "filters": "How many filters are enough?",
    "activation": "Does ReLU learn faster than tanh?",
}

COUNTED: tuple[StudyName, ...] = ("depth", "filters")
"""Studies of networks from the smallest to the largest."""

_FILTERS = 8  # of the first layer, where the study is not of them
_SIZE = 5  # of its window


@dataclass(frozen=True)
class Variant:
    """A network of a study: its name in the study, and its layer table."""

    name: str
    table: str


def first_volume(size: tuple[int, int]) -> tuple[int, int, int]:
    """The output volume (c, h, w) of every first layer of the study "sharing"."""
    return _FILTERS, size[0] - _SIZE + 1, size[1] - _SIZE + 1


def make_variants(study: StudyName, channels: int, size: tuple[int, int]) -> list[Variant]:
    """The networks of a study for images of a size (height, width), in the order of the table.

    >>> [variant.name for variant in make_variants("sharing", 1, (28, 28))]
    ['convolution', 'locally-connected', 'dense']
    """
    rows = {
        "sharing": lambda: _sharing(size),
        "pooling": _pooling,
        "depth": lambda: {f"{n}-convolutions": _deep(n) for n in (1, 2, 3, 4)},
        "filters": lambda: {f"{n}-filters": _usual(filters=n) for n in (2, 4, 8, 16, 32)},
        "activation": lambda: {name: _usual(activation=name) for name in ("relu", "tanh")},
    }[study]()
    image = Volume(channels, *size)
    return [Variant(name, _text(image, layers)) for name, layers in rows.items()]


Layers = Sequence[tuple[str, object, object, object, object, str]]
"""Rows of layer, filters, size, stride, padding and activation."""


def _sharing(size: tuple[int, int]) -> dict[str, Layers]:
    height, width = (side - _SIZE + 1 for side in size)
    units = _FILTERS * height * width
    tail = ("fc2", "classes", ".", ".", ".", ".")
    return {
        "convolution": [("conv1", _FILTERS, _SIZE, 1, 0, "relu"), tail],
        "locally-connected": [("local1", _FILTERS, _SIZE, 1, 0, "relu"), tail],
        "dense": [("fc1", units, ".", ".", ".", "relu"), tail],
    }


def _pooling() -> dict[str, Layers]:
    def pooled(kind: str, size: int = 2) -> Layers:
        def pool(number: int) -> tuple[str, object, object, object, object, str]:
            return (f"{kind}{number}", ".", size, 2, size // 2 if size > 2 else 0, ".")

        return [
            ("conv1", _FILTERS, _SIZE, 1, "same", "relu"), pool(1),
            ("conv2", 2 * _FILTERS, _SIZE, 1, "same", "relu"), pool(2),
            ("fc1", "classes", ".", ".", ".", "."),
        ]  # fmt: skip

    strided: Layers = [
        ("conv1", _FILTERS, _SIZE, 2, "same", "relu"),
        ("conv2", 2 * _FILTERS, _SIZE, 2, "same", "relu"),
        ("fc1", "classes", ".", ".", ".", "."),
    ]
    return {
        "max": pooled("maxpool"),
        "average": pooled("avgpool"),
        "min": pooled("minpool"),
        "overlapping-max": pooled("maxpool", 3),
        "stride-2": strided,
    }


def _usual(*, filters: int = _FILTERS, activation: str = "relu") -> Layers:
    return [
        ("conv1", filters, _SIZE, 1, "same", activation), ("maxpool1", ".", 2, 2, 0, "."),
        ("conv2", 2 * filters, _SIZE, 1, "same", activation), ("maxpool2", ".", 2, 2, 0, "."),
        ("fc1", "classes", ".", ".", ".", "."),
    ]  # fmt: skip


def _deep(count: int) -> Layers:
    convolutions: Layers = [(f"conv{n + 1}", 16, 3, 1, 1, "relu") for n in range(count)]
    tail: Layers = [("globalpool1", ".", ".", ".", ".", "."), ("fc1", "classes", *"....")]  # pyright: ignore[reportAssignmentType]
    return [*convolutions, *tail]


def _text(image: Volume, layers: Layers) -> str:
    names = ("layer", "filters", "size", "stride", "padding", "activation")
    return format_table([dict(zip(names, map(str, row), strict=True)) for row in layers], image)
