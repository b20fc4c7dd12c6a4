"""The panels of a picture: an image, its title, what its colors mean, and what is to be known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from convscope.attribution.box_target import BoxTarget
from convscope.attribution.coloring import Pixels, dimmed, overlay
from convscope.attribution.methods import METHODS
from convscope.attribution.result import Attribution, ExplainedImage


class Pictures(Protocol):
    """What is drawn: images with their maps, and of which network."""

    @property
    def model(self) -> str: ...
    @property
    def images(self) -> Sequence[ExplainedImage]: ...
    @property
    def cautions(self) -> Sequence[str]: ...
    @property
    def left_out(self) -> Mapping[str, str]: ...
    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class OneImage:
    """One image of several, drawn by itself."""

    model: str
    images: Sequence[ExplainedImage]
    cautions: Sequence[str]
    left_out: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        return {"images": [image.to_dict() for image in self.images]}


@dataclass(frozen=True)
class Scale:
    """What colors mean.

    Attributes:
        low, middle, high: the values at the left, the middle and the right of the color bar.
        unit: of these.
        is_of_number: whether a number is explained that has no other side, such as an edge.
    """

    low: str
    middle: str
    high: str
    unit: str
    is_signed: bool
    is_of_number: bool = False

    @property
    def meaning(self) -> str:
        """What colors mean, in short."""
        if not self.is_signed:
            return "no sign"
        if self.is_of_number:
            return "red makes it larger, blue smaller"
        return "red for the target, blue against"

    @property
    def text(self) -> str:
        """The scale in words, for those who do not see it."""
        if self.is_signed and self.is_of_number:
            return f"{self.unit}; {self.meaning}, up to {self.high} and down to {self.low}"
        if self.is_signed:
            return (
                f"{self.unit}; red, up to {self.high}, speaks for the target, blue, down to "
                f"{self.low}, against it"
            )
        return f"{self.unit}, from 0 to {self.high} (yellow)"


@dataclass(frozen=True)
class Panel:
    """One image of a picture.

    Attributes:
        title: of the panel.
        pixels: uint8 (h, w, 3).
        scale: None for the photograph.
        lines: what is short enough to stand below the image.
        details: the same in full, a problem first.
        problem: why a map shows nothing; empty for most.
    """

    title: str
    pixels: Pixels
    scale: Scale | None
    lines: Sequence[str]
    details: Sequence[str]
    problem: str = ""


def panels(image: ExplainedImage) -> list[Panel]:
    """The photograph, and beside it the map of each method."""
    return [_photograph(image), *(_map(image, each) for each in image.maps.values())]


def _photograph(image: ExplainedImage) -> Panel:
    height, width = image.photo.input.shape[2:]
    placed = image.photo.place(np.zeros((height, width)), is_smooth=False)
    is_seen = np.isfinite(placed)
    top = sorted(range(len(image.probabilities)), key=lambda k: -image.probabilities[k])[:3]
    lines = [f"{image.target.names[k]} {image.probabilities[k]:.1%}" for k in top]
    lines.append(f"explained: {image.target} = {_short(image.score)}")
    if not is_seen.all():
        lines.append(f"The dark border is cropped: the network sees {is_seen.mean():.0%}.")
    return Panel(image.photo.name, dimmed(image.photo.pixels, is_seen), None, lines, lines)


def _map(image: ExplainedImage, found: Attribution) -> Panel:
    method, is_of_number = METHODS[found.method], isinstance(found.target, BoxTarget)
    placed = image.photo.place(found.map, is_smooth=found.layer is not None)
    pixels = overlay(image.photo.pixels, placed, found.maximum, is_signed=method.is_signed)
    high = _short(found.maximum)
    scale = Scale(
        _short(-found.maximum) if method.is_signed else "0",
        "0" if method.is_signed else _short(found.maximum / 2),
        high,
        method.unit.replace("the score", "the number") if is_of_number else method.unit,
        method.is_signed,
        is_of_number,
    )
    return Panel(found.title, pixels, scale, short_facts(found), found.facts, found.problem)


def short_facts(found: Attribution) -> list[str]:
    """What stands below a map."""
    lines = [found.problem] if found.problem else []
    if found.shares is not None:
        shares = found.shares
        small = 1e-3 * max(abs(shares.score), abs(shares.map))
        others = [(name, value) for name, value in shares.others.items() if abs(value) > small]
        parts = [("map", shares.map), *others]
        lines.append(
            f"{_short(found.shares.score)} = "
            + " + ".join(f"{name} {_short(value)}" for name, value in parts)
        )
    if found.faithfulness is not None:
        deletion, insertion = found.faithfulness.deletion, found.faithfulness.insertion
        lines.append(
            f"deletion {deletion.area:.2f} (random {deletion.random_mean:.2f}), low is good"
        )
        lines.append(
            f"insertion {insertion.area:.2f} (random {insertion.random_mean:.2f}), high is good"
        )
    if found.movement is not None:
        moved = found.movement
        mean = sum(moved.random_top) / len(moved.random_top)
        lines.append(
            f"without the top fifth it moves by {_short(moved.at_top)} (random {_short(mean)}), "
            "much is good"
        )
    if found.randomized is not None:
        last, every = (
            "-" if value is None else f"{value:.2f}"
            for value in (found.randomized.last, found.randomized.all)
        )
        lines.append(f"same map with random weights: r = {last} (last layer), {every} (all)")
    return lines


def _short(value: float) -> str:
    """Three digits, with a hyphen that every font has."""
    return f"{value:.3g}"
