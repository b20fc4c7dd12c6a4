"""The settings that say how training images are augmented."""

from dataclasses import dataclass
from typing import Any

from convscope.data.augment_kinds import RESIZED, Augment
from convscope.errors import RequestError
from convscope.training.setting import figure, setting

AUGMENTATION = "Augmentation"

_RESIZED = {"augment": RESIZED}
_MOST_OBLONG, _RANGE = 1000.0, 2

# fmt: off


@dataclass(frozen=True, kw_only=True)
class AugmentationSettings:
    """What is random about a training image in each epoch; a part of `TrainConfig`."""

    augment: Augment = setting("crop", AUGMENTATION,
        help="Augmentation of the training images: crop shifts them within a black border, "
        "resized-crop scales windows of random area and aspect ratio to the input size; with "
        "-flip, half of them are mirrored, too.")
    crop_padding: int | None = setting(None, AUGMENTATION, low=0, high=1000,
        only_if={"augment": ("crop", "crop-flip")}, off=0,
        help="Width in pixels of the black border added before a random crop; by default 2 for "
        "crop, 4 for crop-flip.")
    crop_scale: tuple[float, ...] = setting((0.08, 1.0), AUGMENTATION, only_if=_RESIZED,
        help="Smallest and largest area of a resized crop, as fractions of the image's.")
    crop_ratio: tuple[float, ...] = setting((3 / 4, 4 / 3), AUGMENTATION, only_if=_RESIZED,
        help="Smallest and largest ratio of the width of a resized crop to its height.")

    # fmt: on

    def check_augmentation(self) -> None:
        """Raise RequestError for ranges that are none."""
        for name, highest in (("crop_scale", 1.0), ("crop_ratio", _MOST_OBLONG)):
            given, limits = getattr(self, name), f"above 0 and at most {figure(highest)}"
            if len(given) != _RANGE or not 0 < given[0] <= given[1] <= highest:
                raise RequestError(
                    f"`{name}` must be two numbers {limits}, the smaller one first, not "
                    f"{', '.join(map(figure, given))}."
                )

    def augmentation_decided(self) -> dict[str, Any]:
        """The settings of augmentation that were left open, with what is decided."""
        padding = {"crop": 2, "crop-flip": 4}.get(self.augment, 0)
        return {"crop_padding": padding if self.crop_padding is None else self.crop_padding}
