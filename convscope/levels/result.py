"""What `hierarchy` returns: levels of filters, each with what it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RequestError, nearest
from convscope.features.patches.found import PatchesResult
from convscope.features.patches.result import FilterPatches, LayerPatches
from convscope.features.probes_result import LayerProbe
from convscope.words import visible

Pixels = NDArray[np.uint8]

SHOWN_PARTS = 4
"""Parts of a filter that a page names."""


@dataclass(frozen=True)
class Parts:
    """What the values of one filter are made of, the mean over its strongest patches.

    Attributes:
        layer: the lower one, whose filters are the parts.
        num_patches: over how many of the filter's patches the mean is taken.
        value: of the filter's unit before the activation function.
        added: what each filter of the lower layer adds to it, over all of its units; signed.
        bias: what parameters between the two layers add by themselves.
        rest: what neither explains; `value` is the sum of the three to rounding.
    """

    layer: str
    num_patches: int
    value: float
    added: tuple[float, ...]
    bias: float
    rest: float

    def share(self, amount: float) -> float | None:
        """A part of the value as a share of it; None where the value is 0 to rounding."""
        extent = max(abs(self.bias), *map(abs, self.added))
        return amount / self.value if abs(self.value) > 1e-6 * extent else None

    @property
    def shares(self) -> tuple[float | None, ...]:
        """The share of each filter of the lower layer."""
        return tuple(map(self.share, self.added))

    def strongest(self, count: int) -> list[int]:
        """The filters of the lower layer that add or subtract most, the largest amount first."""
        order = sorted(range(len(self.added)), key=lambda k: (-abs(self.added[k]), k))
        return [k for k in order[:count] if self.added[k]]

    @property
    def half(self) -> int:
        """How few filters have half of all amounts, whatever their signs: 1 if one has it alone.

        The larger it is, the less one learns of the value from a few filters.
        """
        amounts = np.sort(np.abs(np.array(self.added, np.float64)))[::-1]
        if not amounts.any():
            return 0
        return int(np.searchsorted(amounts.cumsum(), amounts.sum() / 2) + 1)

    def to_dict(self) -> dict[str, Any]:
        return {
            "layer": self.layer,
            "patches": self.num_patches,
            "half": self.half,
            "value": self.value,
            "bias": self.bias,
            "rest": self.rest,
            "bias_share": self.share(self.bias),
            "rest_share": self.share(self.rest),
            "filters": [
                {"filter": k, "added": self.added[k], "share": self.share(self.added[k])}
                for k in self.strongest(len(self.added))
            ],
        }


@dataclass(frozen=True)
class LevelFilter:
    """A filter that is shown, or a class.

    Attributes:
        number: in its layer.
        name: "conv2 12", or the name of the class.
        found: its strongest patches, and how it responds to the classes.
        parts: what it is made of; None at the lowest level, which reads pixels.
        weights: its weights as a picture, where it reads the image itself.
        kernels: by filter of the lower layer: its weights for that one's maps, where it reads them.
        synthesis: the computed picture that excites it most; None where there is none.
    """

    number: int
    name: str
    found: FilterPatches
    parts: Parts | None
    weights: Pixels | None = None
    kernels: dict[int, Pixels] = field(default_factory=dict[int, Pixels])
    synthesis: Pixels | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **self.found.to_dict(),
            "parts": None if self.parts is None else self.parts.to_dict(),
        }


@dataclass(frozen=True)
class Level:
    """A layer of the network, and the filters of it that are shown.

    Attributes:
        layer: its patches and summaries, of all filters.
        filters: those that are shown, in order.
        is_classes: whether the units are the classes.
        probes: how well a linear classifier tells the classes from it: one, or one for each label
            where an image may have several; none where that was not measured.
    """

    layer: LayerPatches
    filters: tuple[LevelFilter, ...]
    is_classes: bool = False
    probes: tuple[LayerProbe, ...] = ()

    @property
    def name(self) -> str:
        return self.layer.name

    def __getitem__(self, number: int) -> LevelFilter:
        """A filter that is shown, by its number in the layer. Raises RequestError for others."""
        for one in self.filters:
            if one.number == number:
                return one
        shown = ", ".join(str(one.number) for one in self.filters)
        raise RequestError(f"Filter {number} of {self.name} is not shown. Shown are {shown}.")

    def to_dict(self) -> dict[str, Any]:
        layer = self.layer
        return {
            "layer": layer.name,
            "source": layer.source,
            "shape": list(layer.shape),
            "receptive_field": list(layer.field),
            "is_classes": self.is_classes,
            "probes": [probe.to_dict() for probe in self.probes],
            "filters": [one.to_dict() for one in self.filters],
        }


@dataclass(frozen=True)
class HierarchyResult:
    """The levels of a network, the lowest first.

    Attributes:
        levels: the classes last.
        patches: of all filters of these layers.
        notes: what is to be known of the images and the pictures.
    """

    levels: tuple[Level, ...]
    patches: PatchesResult = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        return self.patches.model

    def __getitem__(self, name: str) -> Level:
        """A level by the name of its layer. Raises RequestError for an unknown one."""
        names = {level.name: level for level in self.levels}
        if name not in names:
            raise RequestError(f"There is no level {name!r} in it.{nearest(name, names)}")
        return names[name]

    def __repr__(self) -> str:
        names: Sequence[str] = [level.name for level in self.levels]
        return visible(f"<Hierarchy of {self.model}: {', '.join(names)}>")

    def to_dict(self) -> dict[str, Any]:
        """Everything but pixels, for JSON; the levels from the lowest to the classes."""
        patches = self.patches
        return {
            "model": self.model,
            "data": patches.images.description,
            "images": patches.num_images,
            "classes": list(patches.card.classes),
            "input_size": list(patches.card.input_size),
            "notes": list(self.notes),
            "levels": [level.to_dict() for level in self.levels],
        }
