"""The settings that say how training images are augmented, and what is set together by a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convscope.data.augment_kinds import (
    RESIZED,
    SCALED,
    SHIFTED,
    Augment,
    AutoAugment,
    CropPadding,
    Kind,
    flip_probability,
    kind_of,
)
from convscope.errors import RequestError
from convscope.training.setting import figure, setting

AUGMENTATION = "Augmentation"

SETS: Mapping[str, Mapping[str, Any]] = {
    "photo": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4},
    "medical": {
        "horizontal_flip": 0.5, "vertical_flip": 0.5, "rotation": 180.0, "translation": 0.05,
        "zoom": (0.9, 1.1), "brightness": 0.1, "contrast": 0.1, "saturation": 0.1,
    },
    "mild": {
        "horizontal_flip": 0.5, "rotation": 15.0, "translation": 0.1, "zoom": (0.9, 1.1),
        "brightness": 0.2, "contrast": 0.2, "saturation": 0.2,
    },
    "digits": {"rotation": 10.0, "translation": 0.1, "zoom": (0.9, 1.1), "shear": 10.0},
}  # fmt: skip
"""What a named set decides of the settings that are left open; `photo` also cuts resized crops."""

_OFF: Mapping[str, Any] = {
    "vertical_flip": 0.0, "rotation": 0.0, "translation": 0.0, "zoom": (1.0, 1.0), "shear": 0.0,
    "brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0, "pca_color": 0.0,
    "auto_augment": "none", "random_erasing": 0.0,
}  # fmt: skip
"""What holds without a named set."""

_WHERE_RESIZED = {"augment": (*RESIZED, "photo")}
_RANDOM = {"auto_augment": ("rand-augment",)}
_LIMITS = {"crop_scale": 1.0, "crop_ratio": 1000.0, "zoom": 10.0, "resize_range": 100_000.0}
_PAIR = 2

# fmt: off


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """What is random about a training image in each epoch; a part of `TrainConfig`."""

    augment: Augment | str | None = setting(None, AUGMENTATION,
        help="Augmentation of the training images, by default crop, or mild with weights: crop "
        "shifts them within a black border, resized-crop scales windows of random area and aspect "
        "ratio, scaled-crop cuts windows out of images of random scale; with -flip, half are "
        "mirrored. mild, photo, medical (no up and down) and digits are sets of the settings "
        "below. Or your own function as module:attr.")
    crop_padding: int | None = setting(None, AUGMENTATION, low=0, high=1000,
        only_if={"augment": SHIFTED}, off=0,
        help="Width in pixels of the border added before a random crop; by default 2 for "
        "crop, 4 for crop-flip.")
    crop_padding_mode: CropPadding = setting("constant", AUGMENTATION,
        only_if={"augment": SHIFTED},
        help="What that border is: constant, black; or reflect, the image mirrored at its edge, "
        "which is not repeated.")
    crop_scale: tuple[float, ...] = setting((0.08, 1.0), AUGMENTATION, only_if=_WHERE_RESIZED,
        help="Smallest and largest area of a resized crop, as fractions of the image's.")
    crop_ratio: tuple[float, ...] = setting((3 / 4, 4 / 3), AUGMENTATION, only_if=_WHERE_RESIZED,
        help="Smallest and largest ratio of the width of a resized crop to its height.")
    resize_range: tuple[float, ...] | None = setting(None, AUGMENTATION,
        only_if={"augment": SCALED},
        help="Smallest and largest shorter side in pixels of the image that a scaled crop is cut "
        "from, as 256 480; by default 8/7 of the input's larger side, 256 for 224.")
    horizontal_flip: float | None = setting(None, AUGMENTATION, low=0, high=1,
        help="Probability of mirroring an image left to right; by default 0.5 with -flip, else 0.")
    vertical_flip: float | None = setting(None, AUGMENTATION, low=0, high=1, off=0,
        help="Probability of mirroring an image upside down.")
    rotation: float | None = setting(None, AUGMENTATION, low=0, high=180, off=0,
        help="Largest angle in degrees by which images are turned, in both directions; what comes "
        "in from outside of an image is black, here and in the next three.")
    translation: float | None = setting(None, AUGMENTATION, low=0, high=1, off=0,
        help="Largest distance by which images are moved, as a fraction of height and width.")
    zoom: tuple[float, ...] | None = setting(None, AUGMENTATION,
        help="Smallest and largest factor by which images are scaled about their middle, as "
        "0.9 1.1; above 1 enlarges.")
    shear: float | None = setting(None, AUGMENTATION, low=0, high=80, off=0,
        help="Largest angle in degrees by which vertical lines lean, in both directions.")
    brightness: float | None = setting(None, AUGMENTATION, low=0, high=1, off=0,
        help="Brightness is multiplied by a factor from 1 - x to 1 + x; as in torchvision's "
        "ColorJitter, also in the next three.")
    contrast: float | None = setting(None, AUGMENTATION, low=0, high=1, off=0,
        help="Contrast is multiplied by a factor from 1 - x to 1 + x.")
    saturation: float | None = setting(None, AUGMENTATION, low=0, high=1, off=0,
        help="Saturation is multiplied by a factor from 1 - x to 1 + x.")
    hue: float | None = setting(None, AUGMENTATION, low=0, high=0.5, off=0,
        help="Largest turn of the hue in both directions, as a fraction of a full one.")
    pca_color: float | None = setting(None, AUGMENTATION, low=0, high=10, off=0,
        help="Standard deviation of AlexNet's color shifts along the principal components of the "
        "training images' colors; 0.1 in the paper.")
    auto_augment: AutoAugment | None = setting(None, AUGMENTATION,
        help="Random operations for each image: rand-augment with magnitude and num_ops, or "
        "trivial-augment, one of any magnitude.")
    magnitude: int = setting(9, AUGMENTATION, low=0, high=30, only_if=_RANDOM,
        help="Magnitude of rand-augment, 0 to 30 on torchvision's scale: 30 turns by 30 degrees. "
        "timm's is another: its 10 turns by 30 degrees.")
    num_ops: int = setting(2, AUGMENTATION, low=1, high=14, only_if=_RANDOM,
        help="Operations per image of rand-augment.")
    random_erasing: float | None = setting(None, AUGMENTATION, low=0, high=1, off=0,
        help="Probability that a rectangle, 2 to 33% of an image, becomes the mean color.")

    # fmt: on

    @property
    def crop_kind(self) -> Kind:
        """How windows are cut: what `augment` says, or its set."""
        return kind_of(self.augment or "crop")

    def check_augmentation(self) -> None:
        """Raise RequestError for ranges that are none."""
        for name, highest in _LIMITS.items():
            given = getattr(self, name)
            if given is None:
                continue
            if len(given) != _PAIR or not 0 < given[0] <= given[1] <= highest:
                raise RequestError(
                    f"`{name}` must be two numbers above 0 and at most {figure(highest)}, the "
                    f"smaller one first, not {', '.join(map(figure, given))}."
                )

    def augmentation_decided(self) -> dict[str, Any]:
        """The settings of augmentation, those that were left open as its set or its kind has them.

        A range of scales stays open: it depends on the input's size.
        """
        decided = {
            **_OFF,
            "crop_padding": {"crop": 2, "crop-flip": 4}.get(self.crop_kind, 0),
            "horizontal_flip": flip_probability(self.crop_kind),
            **SETS.get(self.augment or "", {}),
        }
        given = {name: getattr(self, name) for name in decided}
        return {name: decided[name] if given[name] is None else given[name] for name in decided}
