"""The maps of an image, with what is to be known about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.attribution.box_target import BoxTarget
from convscope.attribution.faithfulness import TOP, Faithfulness, Movement
from convscope.attribution.layer_choice import blocks, enlarge
from convscope.attribution.methods import METHODS, MethodName
from convscope.attribution.photos import Photo
from convscope.attribution.randomization import RandomizedWeights
from convscope.attribution.raw_map import RawMap, Shares, Values
from convscope.attribution.regions import Region, largest, regions
from convscope.attribution.target import Target
from convscope.terms import number


@dataclass(frozen=True)
class Attribution:
    """The map of one method on one image.

    Attributes:
        method: its name.
        target: whose score is explained.
        raw: the map as it was computed.
        map: the same for each pixel of the network's input, float64 (h, w): in the score's unit,
            never stretched.
        faithfulness, movement, randomized: how it was tested; None where it was not.
    """

    method: MethodName
    target: Target | BoxTarget
    raw: RawMap
    map: Values
    faithfulness: Faithfulness | None = None
    movement: Movement | None = None
    randomized: RandomizedWeights | None = None

    @property
    def title(self) -> str:
        title = METHODS[self.method].title
        return title if self.raw.layer is None else f"{title} of {self.raw.layer}"

    @property
    def layer(self) -> str | None:
        """The layer whose maps were weighed; None for a map of pixels."""
        return self.raw.layer

    @property
    def shares(self) -> Shares | None:
        """How the score is divided, where the method divides it."""
        return self.raw.shares

    @property
    def regions(self) -> list[Region]:
        """The shares of regions of the network's input, which add up to that of the map; empty for
        a method that does not divide the score.
        """
        if self.shares is None:
            return []
        height, width = self.map.shape
        return regions(self.raw, (height, width))

    @property
    def maximum(self) -> float:
        """The largest absolute value of the map, at which its color scale ends."""
        finite = self.map[np.isfinite(self.map)]
        return float(np.abs(finite).max()) if finite.size else 0.0

    @property
    def problem(self) -> str:
        """Why the map shows nothing, or not everything; empty for most."""
        wrong = int((~np.isfinite(self.map)).sum())
        if wrong:
            return (
                f"{wrong:,} of {self.map.size:,} values are NaN or infinite and are not colored: "
                "the network's own numbers overflow, or divide by 0, for this image."
            )
        return self.raw.reason

    @property
    def facts(self) -> list[str]:
        """What is to be known about the map, a sentence each."""
        lines = [self.problem] if self.problem else []
        lines += self.raw.notes
        if self.shares is not None:
            lines.append(describe_shares(self.target, self.shares))
            lines += describe_regions(self.regions)
        if self.faithfulness is not None:
            lines += describe_faithfulness(self.target, self.faithfulness)
        if self.movement is not None:
            lines.append(describe_movement(self.target, self.movement))
        if self.randomized is not None:
            lines.append(describe_randomized(self.randomized))
        return lines

    def to_dict(self) -> dict[str, Any]:
        finite = self.map[np.isfinite(self.map)]
        return {
            "method": self.method,
            "title": METHODS[self.method].title,
            "layer": self.layer,
            "signed": METHODS[self.method].is_signed,
            "unit": METHODS[self.method].unit,
            "problem": self.problem,
            "notes": list(self.raw.notes),
            "map": {
                "shape": self.map.shape,
                "computed_shape": self.raw.values.shape,
                "min": float(finite.min()) if finite.size else None,
                "max": float(finite.max()) if finite.size else None,
                "sum": float(finite.sum()),
                "peak": [int(n) for n in self.peak],
            },
            "shares": None if self.shares is None else self.shares.to_dict(),
            "regions": [region.to_dict() for region in self.regions],
            "faithfulness": None if self.faithfulness is None else self.faithfulness.to_dict(),
            **({} if self.movement is None else {"movement": self.movement.to_dict()}),
            "random_weights": None if self.randomized is None else self.randomized.to_dict(),
        }

    @property
    def peak(self) -> tuple[int, int]:
        """Row and column of the largest value, in pixels of the network's input."""
        at = np.unravel_index(int(np.nan_to_num(self.map, nan=-np.inf).argmax()), self.map.shape)
        return int(at[0]), int(at[1])


@dataclass(frozen=True)
class ExplainedImage:
    """One image with its maps.

    Attributes:
        photo: the image.
        target: whose score the maps explain.
        probabilities: of all classes, in their order.
        score: the logit of the target, or the difference of two.
        maps: by method, in the order that was asked for.
    """

    photo: Photo
    target: Target | BoxTarget
    probabilities: tuple[float, ...]
    score: float
    maps: Mapping[MethodName, Attribution]

    def __getitem__(self, method: MethodName) -> Attribution:
        return self.maps[method]

    @property
    def caption(self) -> str:
        """The image's name, and what the network says of it."""
        top = int(np.argmax(self.probabilities))
        said = f"{self.target.names[top]} ({self.probabilities[top]:.1%})"
        asked = ""
        is_box = isinstance(self.target, BoxTarget)
        if self.target.index != top or self.target.other is not None or is_box:
            asked = f"; explained: {self.target} = {number(self.score)}"
        return f"{self.photo.name}: {said}{asked}"

    def to_dict(self) -> dict[str, Any]:
        names = self.target.names
        top = int(np.argmax(self.probabilities))
        return {
            "image": self.photo.name,
            "prediction": names[top],
            "probability": self.probabilities[top],
            "target": self.target.name,
            "instead_of": self.target.other_name,
            "score": self.score,
            "probabilities": dict(zip(names, self.probabilities, strict=True)),
            "methods": [each.to_dict() for each in self.maps.values()],
        }


INSENSITIVE = 0.7
"""The rank correlation from which on a map of random weights counts as the same."""


def on_image(raw: RawMap, size: tuple[int, int], *, is_smooth: bool = True) -> Values:
    """A map for each pixel of an image of (height, width)."""
    if raw.where is None:
        return raw.values
    return (enlarge if is_smooth else blocks)(raw.values, raw.where, size)


def describe_shares(target: Target | BoxTarget, shares: Shares) -> str:
    """How a score is divided, as a sum."""
    parts = [("the map", shares.map), *shares.others.items()]
    total = " + ".join(f"{name} {number(value)}" for name, value in parts)
    rest = shares.rest
    left = "rounding" if shares.is_exact else "error"
    fraction = shares.fraction
    said = "" if fraction is None else f" The map has {fraction:.0%} of it."
    return f"{target} = {number(shares.score)} = {total} ({left} {rest:.1e}).{said}"


def describe_regions(found: Sequence[Region]) -> list[str]:
    """The regions that speak most for the target, and the one that speaks most against it."""
    parts = [f"{region} {number(region.share)}" for region in largest(found, _REGIONS)]
    if not parts:
        return []
    least = min(found, key=lambda region: region.share)
    against = f"; most against: {least} {number(least.share)}" if least.share < 0 else ""
    return [
        f"Of {len(found)} regions of the network's input, most for: {'; '.join(parts)}{against}."
    ]


_REGIONS = 3  # that are listed


def describe_faithfulness(target: Target | BoxTarget, found: Faithfulness) -> Sequence[str]:
    """What deletion and insertion gave, beside random order."""
    name = target.probability_name
    lines: list[str] = []
    for word, curve, better in zip(
        ("Deletion", "Insertion"), (found.deletion, found.insertion), found.num_better, strict=True
    ):
        low, high = curve.interval
        count = len(curve.random)
        aim = "lower" if word == "Deletion" else "higher"
        lines.append(
            f"{word}: area under {name} {curve.area:.3f}; random order {curve.random_mean:.3f} "
            f"(95% interval {low:.3f} to {high:.3f}); {aim}, thus better, than {better} of {count} "
            "random orders."
        )
    without, only, whole = (
        found.deletion.at(TOP), found.insertion.at(TOP), found.deletion.values[0]
    )  # fmt: skip
    lines.append(
        f"{name} is {whole:.1%}; without the top {TOP:.0%} of the map {without:.1%}, with these "
        f"alone on the blurred image {only:.1%}."
    )
    return lines


def describe_movement(target: Target | BoxTarget, found: Movement) -> str:
    """How far a number moves without the cells of a map, beside random ones."""
    unit = target.unit if isinstance(target, BoxTarget) else ""
    count, random = len(found.random_top), found.random_top
    mean, low, high = (f"{value:.3g}" for value in (np.mean(random), min(random), max(random)))
    return (
        f"Deletion: without the top {TOP:.0%} of the map {target} moves by {found.at_top:.3g}"
        f"{unit}, without as many random cells by {mean} on average ({low} to {high} in {count} "
        f"orders); over all steps it moves further than in {found.num_better} of {count} random "
        "orders."
    )


def describe_randomized(found: RandomizedWeights) -> str:
    """What random weights do to a map."""
    last, every = (
        "not defined (a map is constant)" if value is None else f"{value:.2f}"
        for value in (found.last, found.all)
    )
    said = (
        f"Rank correlation with the map of random weights: {last} (last layer), {every} (all "
        "layers)"
    )
    if found.all is not None and found.all > INSENSITIVE:
        return f"{said}: this map hardly depends on the weights; it shows the image."
    return f"{said}; near 1 a map would show the image, not what was learned."
