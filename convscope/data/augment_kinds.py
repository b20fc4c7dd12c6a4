"""What `convscope.data.augmentation` makes random about an epoch, by name."""

from typing import Literal, cast, get_args

Kind = Literal[
    "none", "crop", "crop-flip", "resized-crop", "resized-crop-flip", "scaled-crop",
    "scaled-crop-flip",
]  # fmt: skip
"""`crop` shifts an image within a black border; `resized-crop` scales a window of random area and
aspect ratio to the network's input; `scaled-crop` cuts a window of the input's size out of an image
of random scale. With `-flip`, half of the images are mirrored, too.
"""

AugmentationSet = Literal["mild", "photo", "medical", "digits"]
"""Names for several settings together."""

Augment = Kind | AugmentationSet

SHIFTED: tuple[Kind, ...] = ("crop", "crop-flip")
RESIZED: tuple[Kind, ...] = ("resized-crop", "resized-crop-flip")
SCALED: tuple[Kind, ...] = ("scaled-crop", "scaled-crop-flip")

_KINDS_OF_SETS: dict[str, Kind] = {"photo": "resized-crop-flip"}

CropPadding = Literal["constant", "reflect"]
"""What is around a shifted image, by torchvision's names: black, or its mirror image."""

AutoAugment = Literal["none", "rand-augment", "trivial-augment"]

Sampling = Literal["shuffle", "balanced"]


def kind_of(augment: str) -> Kind:
    """How windows are cut for a value of the setting `augment`; a set or own code may not."""
    if augment in get_args(Kind):
        return cast("Kind", augment)
    return _KINDS_OF_SETS.get(augment, "none")


def flip_probability(kind: Kind) -> float:
    """How many images are mirrored by a kind, if nothing else is said."""
    return 0.5 if kind.endswith("-flip") else 0.0
