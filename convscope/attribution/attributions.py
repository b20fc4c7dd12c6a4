"""What `attribute` returns: images with the maps of each method, and their pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convscope.attribution.page import fragment
from convscope.attribution.result import ExplainedImage
from convscope.attribution.saving import save


@dataclass(frozen=True)
class Attributions:
    """What `convscope.attribute` returns: an image after another.

    Attributes:
        model: what the network is called.
        images: with their maps.
        cautions: what is to be said before anything else.
        left_out: why methods that were asked for are not among the maps, by their names.
    """

    model: str
    images: tuple[ExplainedImage, ...]
    cautions: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])

    def __iter__(self) -> Iterator[ExplainedImage]:
        return iter(self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> ExplainedImage:
        return self.images[index]

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "cautions": self.cautions,
            "left_out": dict(self.left_out),
            "images": [image.to_dict() for image in self.images],
        }

    def save(self, path: str | Path) -> list[Path]:
        """Write the pictures: a .png, .svg, .html or .json file, or a folder with one each.

        Returns what was written. Raises RequestError for another ending.
        """
        return save(self, Path(path))

    def _repr_html_(self) -> str:
        return fragment(self)
