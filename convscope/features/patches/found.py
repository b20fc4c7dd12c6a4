"""What `patches` returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.errors import RequestError, nearest
from convscope.features.filters.result import LayerFilters
from convscope.features.image_set import ImageSet
from convscope.features.patches.crops import crop
from convscope.features.patches.result import LayerPatches, Patch, csv_rows
from convscope.words import visible
from convscope.words.csv_text import to_csv


@dataclass(frozen=True)
class PatchesResult:
    """The patches and summaries of all filters.

    Attributes:
        model: whose filters they are.
        card: how images were prepared.
        layers: in order of execution, or as they were named.
        top: at most so many patches of each filter.
        notes: what is to be known of the images.
        weights: of the layers whose filters are pictures, by name; see `LayerFilters.is_single`.
    """

    model: str
    card: Card
    images: ImageSet = field(repr=False)
    layers: tuple[LayerPatches, ...]
    top: int
    notes: tuple[str, ...] = ()
    weights: Mapping[str, LayerFilters] = field(default_factory=dict[str, LayerFilters], repr=False)

    @property
    def num_images(self) -> int:
        return len(self.images.indices)

    def __getitem__(self, name: str) -> LayerPatches:
        """A layer by its name. Raises RequestError for an unknown one."""
        names = {layer.name: layer for layer in self.layers}
        if name not in names:
            raise RequestError(f"There is no layer {name!r} in it.{nearest(name, names)}")
        return names[name]

    def __repr__(self) -> str:
        count = sum(len(layer.filters) for layer in self.layers)
        return visible(
            f"<Patches of {count:,} filters in {len(self.layers)} layers of {self.model}, from "
            f"{self.num_images:,} images: {self.images.description}>"
        )

    def pixels(self, patches: Sequence[Patch]) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
        """The pixels of patches, (h, w, 3) bytes each, and where they lie outside of the image.

        A patch that extends far beyond its image is cut there; see `crops.crop`.
        """
        chosen = [np.array([patch.index], np.int64) for patch in patches]
        read = self.images.loaded.batch_source.batches(chosen)
        return [
            crop(image[0].numpy(), patch.box) for patch, image in zip(patches, read, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything but pixels, for JSON."""
        return {
            "model": self.model,
            "data": self.images.description,
            "images": self.num_images,
            "classes": list(self.card.classes),
            "input_size": list(self.card.input_size),
            "top": self.top,
            "notes": list(self.notes),
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def to_csv(self) -> str:
        """A row for each patch."""
        return to_csv(csv_rows(self.layers))
