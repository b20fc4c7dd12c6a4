"""What is lost of images as they are brought to a network's input: cut off, distorted, enlarged."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median, median_high

from convscope.card import Card
from convscope.data.fit import fit_image

CUT = 1 / 3  # of the area of a typical image, from which it is told
_UNLIKE = 0.25  # by which the losses of two classes differ, from which it is told
_DISTORTED = 1.5  # times as long along one side as along the other
_ENLARGED = 2.0  # times
_FEW = 5  # images of a class, of which less is said

Size = tuple[int, int]
"""(height, width) in pixels."""


@dataclass(frozen=True)
class FitLoss:
    """What an image loses.

    Attributes:
        cut: the fraction of its area that is not shown, at the least: of an image that is scaled
            until its shorter side fits.
        distortion: how much longer one side becomes than the other; 1 keeps the aspect ratio.
        enlargement: how many times it is enlarged; below 1 it is reduced.
    """

    cut: float
    distortion: float
    enlargement: float

    @classmethod
    def of(cls, size: Size, card: Card) -> "FitLoss":
        """The loss of an image of this size, as the card says."""
        height, width = size
        across, down = fit_image((width, height), card).factors
        shape = (card.input_size[1] * height) / (card.input_size[0] * width)
        cut = 1 - min(shape, 1 / shape) if card.resize_mode == "crop" else 0.0
        return cls(cut, max(across, down) / min(across, down), 1 / max(across, down))


def describe_losses(
    sizes: Sequence[Size],
    labels: Sequence[int],
    classes: Sequence[str],
    card: Card,
    *,
    min_size: int = 1,
) -> Iterator[str]:
    """A sentence on each loss of typical images that is worth one.

    Args:
        sizes: of a sample of images.
        labels: of the same, indices into `classes`.
        classes: their names.
        card: how they are brought to the network's input.
        min_size: the smallest side of an input that the network allows.
    """
    losses = [FitLoss.of(size, card) for size in sizes]
    if not losses:
        return
    side = f"{card.input_size[1]}x{card.input_size[0]}"
    if card.resize_mode == "crop":
        yield from _describe_cuts(sizes, labels, classes, losses, side)
    typical = median(loss.distortion for loss in losses)
    if card.resize_mode == "stretch" and typical > _DISTORTED:
        yield (
            f"`resize_mode='stretch'` makes one side of a typical image {typical:.1f} times as "
            "long as the other: round things become oblong. `resize_mode='letterbox'` keeps the "
            "shape."
        )
    typical = median(loss.enlargement for loss in losses)
    if typical > _ENLARGED and min(card.input_size) >= _ENLARGED * min_size:
        yield (
            f"A typical image is enlarged {typical:.1f} times to {side}, which adds work and no "
            "detail. A smaller `input_size` takes less time."
        )


def _describe_cuts(
    sizes: Sequence[Size],
    labels: Sequence[int],
    classes: Sequence[str],
    losses: Sequence[FitLoss],
    side: str,
) -> Iterator[str]:
    """A sentence on two classes that lose unlike parts, else on a typical image."""
    cuts = [loss.cut for loss in losses]
    by_class: dict[int, list[float]] = defaultdict(list)
    for label, cut in zip(labels, cuts, strict=True):
        by_class[label].append(cut)
    typical_of = {label: median(each) for label, each in by_class.items() if len(each) >= _FEW}
    most = max(typical_of, key=lambda label: typical_of[label], default=0)
    least = min(typical_of, key=lambda label: typical_of[label], default=0)
    if typical_of and typical_of[most] - typical_of[least] >= _UNLIKE:
        yield (
            f"`resize_mode='crop'` cuts {typical_of[most]:.0%} off images of {classes[most]!r} and "
            f"{typical_of[least]:.0%} off those of {classes[least]!r} to fit {side}. "
            "`resize_mode='letterbox'` shows all of both, between black bars."
        )
    elif (typical := median_high(cuts)) >= CUT:
        height, width = sizes[cuts.index(typical)]
        yield (
            f"`resize_mode='crop'` cuts {typical:.0%} off a typical image ({width}x{height}) to "
            f"fit {side}. `resize_mode='letterbox'` shows all of it, between black bars; an "
            "`input_size` of its shape, HEIGHTxWIDTH, needs no bars."
        )
