"""What `synthesize` returns: computed pictures with the values that they reach."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.synthesis.ascent import AscentSettings
from convscope.synthesis.best_images import BestImage
from convscope.synthesis.output_files import save_pictures
from convscope.synthesis.panels import Caption, Panel
from convscope.words import visible


@dataclass(frozen=True)
class SynthesizedPicture:
    """A picture that was computed for one target.

    Attributes:
        target: what it excites: "conv2[3]", "fc3[cataract]".
        kind: "class", "channel" (its value is the mean of the map's positive part) or "unit".
        pixels: bytes (h, w, c), as the network gets them; None where there is no picture.
        value: of the target for exactly these bytes.
        gray_value: of the target for a picture of mid-gray.
        high_frequencies: the share of the picture's variance above a quarter cycle per pixel.
        reason: why there is no picture, or what is to be known of it; empty if nothing is.
        best: the image of the data with the largest value; None without data.
    """

    target: str
    kind: str
    pixels: NDArray[np.uint8] | None
    value: float
    gray_value: float
    high_frequencies: float
    reason: str = ""
    best: BestImage | None = None

    @property
    def image(self) -> Image.Image:
        """The picture, for a notebook or to be saved. Raises ValueError if there is none."""
        if self.pixels is None:
            raise ValueError(self.reason)
        gray = self.pixels.shape[2] == 1
        return Image.fromarray(self.pixels[:, :, 0] if gray else self.pixels)

    def to_dict(self) -> dict[str, Any]:
        """The figures as values of JSON, without pixels."""
        best = self.best
        return {
            "target": self.target,
            "kind": self.kind,
            "value": self.value,
            "gray_value": self.gray_value,
            "high_frequencies": self.high_frequencies,
            "reason": self.reason,
            "best": None
            if best is None
            else {
                "value": best.value,
                "median": best.median,
                "num_images": best.num_images,
                "image": best.name,
                "label": best.label,
            },
        }

    def panels(self) -> list[Panel]:
        """The picture, and beside it the best image of the data."""
        lines = [f"{_meaning(self.kind)} {self.value:.3g}", f"mid-gray {self.gray_value:.3g}"]
        note = self.reason
        panels = [Panel(self.pixels, Caption(self.target, lines, note))]
        if self.best is not None and self.best.pixels is not None:
            best = self.best
            lines = [f"best of {best.num_images:,}: {best.value:.3g}", best.name]
            panels.append(Panel(best.pixels, Caption(f"image of {best.label}", lines)))
        return panels


@dataclass(frozen=True)
class SynthesisResult:
    """Computed pictures of a network.

    Attributes:
        name: of the network.
        pictures: in the order of the targets; several for each, if that was asked for.
        settings: how they were computed.
        data: what the best images are of; empty without data.
        notes: what a reader must know first.
    """

    name: str
    pictures: tuple[SynthesizedPicture, ...]
    settings: AscentSettings
    data: str = ""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Figures and settings as values of JSON."""
        return {
            "network": self.name,
            "data": self.data,
            "settings": self.settings.to_dict(),
            "pictures": [picture.to_dict() for picture in self.pictures],
            "notes": list(self.notes),
        }

    @property
    def lines(self) -> list[str]:
        """A line for each picture, with names as they are."""
        return [_line(picture) for picture in self.pictures]

    def __str__(self) -> str:
        return "".join(f"{visible(line)}\n" for line in self.lines)

    def save(self, path: str | Path) -> Path:
        """Write all pictures with their figures as a page (.html) or one picture (.png)."""
        rows = [picture.panels() for picture in self.pictures]
        about = [*self.notes, self._about()]
        return save_pictures(path, f"What excites {self.name}", about, rows)

    def _about(self) -> str:
        settings, views = self.settings, self.settings.views
        bound = (
            "pixels between 0 and 1 by a sigmoid"
            if settings.rms_contrast is None
            else f"root mean square contrast {settings.rms_contrast:g}"
        )
        beside = f" Beside each, the best image of {self.data}." if self.data else ""
        return (
            f"Computed by gradient ascent: {settings.steps} steps of Adam (learning rate "
            f"{settings.lr:g}, falling to 0) on Fourier coefficients with decorrelated colors, "
            f"{bound}; in each step shifted by up to {views.jitter:.1%} of the side, scaled by up "
            f"to {views.scale:.0%}, turned by up to {views.rotation:g} degrees; seed "
            f"{settings.seed} (Olah, Mordvintsev & Schubert, Feature Visualization, 2017). Values "
            "are those of the pictures as shown, in 8 bits; of a channel, the mean of the positive "
            f"part of its map.{beside}"
        )


def _line(picture: SynthesizedPicture) -> str:
    if picture.pixels is None:
        return f"{picture.target}: no picture. {picture.reason}"
    what = _meaning(picture.kind)
    line = f"{picture.target}: {what} {picture.value:.4g}, mid-gray {picture.gray_value:.4g}"
    if (best := picture.best) is not None:
        line += (
            f"; best of {best.num_images:,} images {best.value:.4g} ({best.name}, {best.label}), "
            f"median {best.median:.4g}"
        )
    return f"{line}. {picture.reason}".rstrip()


def _meaning(kind: str) -> str:
    """What the value of a target is."""
    return "mean of map" if kind == "channel" else "value"
