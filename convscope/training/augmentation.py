"""From settings to what happens to the training images."""

import math
from typing import cast

import numpy as np
import torch

from convscope.card import Card
from convscope.data.augment_kinds import RESIZED, SCALED, SHIFTED, CropPadding
from convscope.data.augmentation.color import ColorJitter, PrincipalColors, principal_colors
from convscope.data.augmentation.erasing import Erasing
from convscope.data.augmentation.geometry import Affine
from convscope.data.augmentation.own_function import OwnFunction
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.augmentation.policies import Policy
from convscope.data.larger import larger_side, spare_side
from convscope.data.loading import LoadedDataset
from convscope.data.resized_crops import Crops, ResizedCrops, ScaledCrops
from convscope.errors import RequestError
from convscope.training.augmentation_settings import AugmentationSettings
from convscope.training.config import TrainConfig

_MEASURED = 2048  # training images whose colors are measured, evenly spread


def augmentation_of(
    config: TrainConfig, card: Card, loaded: LoadedDataset, function: OwnFunction | None = None
) -> Augmentation:
    """What happens to the training images; `function` is the user's own."""
    decided = config.augmentation_decided()
    affine = Affine(*(decided[name] for name in ("rotation", "translation", "zoom", "shear")))
    color = ColorJitter(
        *(decided[name] for name in ("brightness", "contrast", "saturation", "hue")),
        pca=decided["pca_color"],
        principal=_principal_colors(loaded) if decided["pca_color"] else None,
    )
    policy, erasing = decided["auto_augment"], decided["random_erasing"]
    return Augmentation(
        kind=config.crop_kind,
        input_size=card.input_size,
        padding=decided["crop_padding"],
        border_mode=_border_mode(config, decided["crop_padding"], card),
        seed=config.seed,
        crops=_crops(config, card),
        horizontal_flip=decided["horizontal_flip"],
        vertical_flip=decided["vertical_flip"],
        affine=None if affine.is_off else affine,
        color=None if color.is_off else color,
        policy=None if policy == "none" else Policy(policy, config.magnitude, config.num_ops),
        function=function,
        erasing=Erasing(erasing, _mean_color(card)) if erasing else None,
    )


def _border_mode(config: TrainConfig, padding: int, card: Card) -> CropPadding:
    """How the border is made. Raises RequestError for more of it than an image can mirror."""
    mode = config.crop_padding_mode
    if mode == "reflect" and config.crop_kind in SHIFTED and padding >= min(card.input_size):
        raise RequestError(
            f"`crop_padding={padding}` must be smaller than the images, of "
            f"{min(card.input_size)} pixels, to be mirrored. Choose less, or "
            "`crop_padding_mode='constant'`."
        )
    return mode


def kept_side(settings: AugmentationSettings, card: Card) -> int | None:
    """The shorter side at which training images are kept; None if they are kept as they are fed."""
    if settings.crop_kind in RESIZED:
        return larger_side(card)
    if settings.crop_kind in SCALED:
        return math.ceil(scale_range(settings, card.input_size)[1])
    return None


def evaluated_side(settings: AugmentationSettings, card: Card) -> int | None:
    """The shorter side of images of which evaluation crops the middle; None for the input's.

    Of scaled crops it is the middle of their range: Simonyan & Zisserman, 2014, section 3.2.
    """
    if settings.crop_kind in SCALED:
        return round(sum(scale_range(settings, card.input_size)) / 2)
    return kept_side(settings, card)


def scale_range(settings: AugmentationSettings, input_size: tuple[int, int]) -> tuple[float, float]:
    """The range of shorter sides of images that scaled crops are cut from.

    Raises RequestError where it is smaller than the crops.
    """
    largest = max(input_size)
    if settings.resize_range is None:
        side = float(spare_side(input_size))
        return side, side
    low, high = settings.resize_range
    if low < largest:
        raise RequestError(
            f"`resize_range` begins at {low:g} pixels, less than the crop's {largest}. Begin at "
            f"{largest} or more, or choose a smaller `input_size`."
        )
    return low, high


def _crops(config: TrainConfig, card: Card) -> Crops | None:
    if config.crop_kind in RESIZED:
        return ResizedCrops(
            card.input_size,
            scale=cast("tuple[float, float]", config.crop_scale),
            ratio=cast("tuple[float, float]", config.crop_ratio),
            interpolation=card.interpolation,
        )
    if config.crop_kind in SCALED:
        return ScaledCrops(
            card.input_size, scale_range(config, card.input_size), card.interpolation
        )
    return None


def _mean_color(card: Card) -> tuple[int, ...]:
    return tuple(min(255, max(0, round(255 * mean))) for mean in card.mean)


def _principal_colors(loaded: LoadedDataset) -> PrincipalColors:
    """Of at most 2,048 training images; the same ones wherever the images are kept."""
    indices = loaded.dataset.indices("train")
    indices = indices[:: max(1, math.ceil(len(indices) / _MEASURED))]
    batches = [indices[start : start + 16] for start in range(0, len(indices), 16)]
    if loaded.larger is not None:
        images = (image for batch in loaded.larger.images(batches) for image in batch)
        return principal_colors(torch.from_numpy(np.ascontiguousarray(image)) for image in images)
    return principal_colors(loaded.batch_source.batches(batches))
