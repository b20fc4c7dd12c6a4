"""From a request to what a training needs: preprocessing, loaded images, pretrained weights."""

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import chain

import numpy as np
import torch
from torch import nn

from convscope.card import Card, TaskName
from convscope.data.augment_kinds import RESIZED, SCALED
from convscope.data.cache.choice import Caching
from convscope.data.dataset import Dataset, Split
from convscope.data.loading import LoadedDataset, StreamingBatchSource, load_images
from convscope.data.normalize import pixel_statistics
from convscope.data.resize import choose_resize_mode
from convscope.data.windows import parse_window
from convscope.distributed.group import ALONE, Group
from convscope.errors import RequestError
from convscope.runs.bound_card import provenance_of
from convscope.training.augmentation import evaluated_side, kept_side
from convscope.training.callbacks.base import CallbackList
from convscope.training.callbacks.freeze import BODY
from convscope.training.config import TrainConfig
from convscope.training.image_sample import ImageSample
from convscope.training.optimizer import head_of
from convscope.weights.preprocessing import per_channel, with_channels
from convscope.zoo.files import table_text

_STATISTICS_IMAGES = 2048  # training images for mean and std if not all are in memory
_SPLIT_NAMES: tuple[tuple[Split, str], ...] = (
    ("train", "training"),
    ("val", "validation"),
    ("test", "test"),
)
_LISTED = 3  # unreadable images that a message names


def infer_preprocessing(
    dataset: Dataset,
    sample: ImageSample,
    config: TrainConfig,
    callbacks: CallbackList,
    pretrained: Card | None = None,
    *,
    default: tuple[int | None, tuple[int, int] | None] = (None, None),
) -> Card:
    """The card except for mean and std, which need all images; see `finalize_preprocessing`.

    `pretrained` is the card of the weights to start from: its preprocessing, including mean and
    std, is used unless the settings override it. `default` are the network's own channels and
    (height, width), where they are known.

    Raises RequestError if neither settings nor network nor images determine an input size.
    """
    sizes, all_gray = sample.sizes, sample.all_gray
    default_channels, default_size = (
        (pretrained.in_channels, pretrained.input_size) if pretrained else default
    )
    if config.input_size is not None:
        side = config.input_size
        input_size = (side, side) if isinstance(side, int) else side
    elif default_size is not None:
        input_size = default_size
    elif len(set(sizes)) == 1:
        input_size = sizes[0]
    else:
        raise RequestError(
            f"The images of {dataset.name} differ in size, and {config.model} has no input size of "
            "its own. Choose one with `input_size`, in pixels."
        )
    channels = config.in_channels or default_channels or (1 if all_gray else 3)
    for name, value in (("mean", config.mean), ("std", config.std)):
        per_channel(name, value, channels)  # before all images are read
    _warn_of_losses(sizes, input_size, to_gray=channels == 1 and not all_gray, callbacks=callbacks)
    if config.resize_mode != "auto":
        resize_mode = config.resize_mode
    elif pretrained:
        resize_mode = pretrained.resize_mode
    elif config.crop_kind in (*RESIZED, *SCALED):
        resize_mode = "crop"
    else:
        resize_mode = choose_resize_mode(sizes, input_size)
    card = Card(
        classes=dataset.classes,
        task="single-label" if config.task == "auto" else config.task,
        input_size=input_size,
        in_channels=1 if channels == 1 else 3,
        resize_mode=resize_mode,
        reading="fast",
        window=None if config.window is None else parse_window(config.window),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )
    side = evaluated_side(config, card)
    if side is not None and resize_mode == "crop" and _exceed(sizes, side):
        card = replace(card, resize_size=side)
    return card if pretrained is None else _with_pixels_of(pretrained, card)


def _exceed(sizes: Sequence[tuple[int, int]], side: int) -> bool:
    """Whether most images have a shorter side of at least this."""
    return float(np.median([min(size) for size in sizes])) >= side


def _warn_of_losses(
    sizes: Sequence[tuple[int, int]],
    input_size: tuple[int, int],
    *,
    to_gray: bool,
    callbacks: CallbackList,
) -> None:
    height, width = (int(np.median(side)) for side in zip(*sizes, strict=True))
    if height * width >= 4 * input_size[0] * input_size[1]:
        callbacks.message(
            f"Images of about {width}x{height} are scaled to {input_size[1]}x{input_size[0]}. A "
            "larger `input_size` keeps more detail."
        )
    if to_gray:
        callbacks.message(
            "The network's input is grayscale, so color images are converted to grayscale "
            "(`in_channels=3` keeps their colors)."
        )


def _with_pixels_of(pretrained: Card, card: Card) -> Card:
    """The card with how `pretrained` treats pixels; its resize size belongs to its input size."""
    theirs = with_channels(pretrained, card.in_channels)
    same = (card.input_size, card.resize_mode) == (pretrained.input_size, pretrained.resize_mode)
    return replace(
        card,
        resize_size=pretrained.resize_size if same else card.resize_size,
        interpolation=pretrained.interpolation,
        reading=pretrained.reading,
        window=card.window or pretrained.window,
        mean=theirs.mean,
        std=theirs.std,
    )


def load_checked(
    dataset: Dataset,
    card: Card,
    config: TrainConfig,
    callbacks: CallbackList,
    group: Group = ALONE,
) -> LoadedDataset:
    """Load the images, and refuse data that cannot be trained on.

    The processes of a machine share its memory: each takes its part of what may be used.

    Raises RequestError if more than `max_corrupt_fraction` of the images, or all training images of
    a class, cannot be read.
    """
    loaded = load_images(
        dataset,
        card,
        workers=min(32, os.cpu_count() or 1),
        caching=_caching(config, group),
        larger_side=kept_side(config, card),
        on_progress=callbacks.decoding,
        on_message=callbacks.message,
    )
    _check_problems(loaded, len(dataset), config, callbacks)
    counts = loaded.dataset.counts("train")
    if len(counts) and counts.min() == 0:
        label = dataset.classes[int(counts.argmin())]
        raise RequestError(f"Class {label!r} of {dataset.name} has no readable training image.")
    for warning in (*loaded.kept, *loaded.dataset.warnings):
        callbacks.message(warning)
    return loaded


def _caching(config: TrainConfig, group: Group) -> Caching:
    disk_bytes = None if config.cache_size is None else config.cache_size * 1e9
    return Caching(config.cache, config.cache_fraction / group.local_size, disk_bytes)


def _check_problems(
    loaded: LoadedDataset, total: int, config: TrainConfig, callbacks: CallbackList
) -> None:
    bad, name = len(loaded.problems), loaded.dataset.name
    listed = "; ".join(f"{key} {reason}" for key, reason in loaded.problems[:_LISTED])
    if bad == total:
        raise RequestError(f"None of the {total} images of {name} can be read: {listed}.")
    if bad > config.max_corrupt_fraction * total:
        raise RequestError(
            f"{bad} of the {total} images of {name} cannot be read, more than "
            f"`max_corrupt_fraction={config.max_corrupt_fraction:g}` allows: {listed}. Repair or "
            "remove them."
        )
    if bad:
        callbacks.message(f"Left out {bad} of {total} images that cannot be read: {listed}.")


def finalize_preprocessing(
    card: Card,
    loaded: LoadedDataset,
    splits: str,
    config: TrainConfig,
    pretrained: Card | None = None,
) -> Card:
    """The card with mean, std and value range of the images, and its provenance,
    which has the digests of splits.csv, whose text is `splits`, and network.toml.

    With pretrained weights, mean and std are theirs already; see `infer_preprocessing`. Those that
    are set win.
    """
    means = per_channel("mean", config.mean, card.in_channels)
    stds = per_channel("std", config.std, card.in_channels)
    provenance = {
        "network": config.model,
        "data": loaded.dataset.name,
        "fingerprint": loaded.fingerprint,
        "convscope": version("convscope"),
        **provenance_of(
            splits=splits,
            layers=table_text(config.model),
        ),
    }
    if pretrained or (means and stds):
        mean, std = card.mean, card.std
    else:
        mean, std = _statistics(loaded)
    return replace(
        card,
        mean=means or mean,
        std=stds or std,
        value_range=loaded.value_range,
        provenance=provenance,
    )


def _statistics(loaded: LoadedDataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    indices = loaded.dataset.indices("train")
    if isinstance(loaded.batch_source, StreamingBatchSource):
        indices = indices[:: max(1, math.ceil(len(indices) / _STATISTICS_IMAGES))]
    batches = [indices[start : start + 512] for start in range(0, len(indices), 512)]
    if loaded.larger is not None:
        images = chain.from_iterable(loaded.larger.images(batches))
        return pixel_statistics(torch.from_numpy(image)[None] for image in images)
    return pixel_statistics(loaded.batch_source.batches(batches))


def describe(config: TrainConfig, dataset: Dataset, card: Card, network: nn.Module) -> str:
    """What is trained on what, in a sentence or two."""
    parameters = sum(weight.numel() for weight in network.parameters())
    splits = ", ".join(
        f"{len(dataset.indices(split)):,} for {name}" for split, name in _SPLIT_NAMES
    )
    weights = card.provenance.get("weights")
    layers = card.provenance.get("weights_layers")
    taken = f", in {layers} alone" if layers else ""
    start = f" It starts from {weights}{taken}." if weights else ""
    frozen = f" Layers up to {config.freeze} are frozen." if config.freeze else ""
    if config.freeze in BODY and config.freeze not in dict(network.named_modules()):
        frozen = f" The body is frozen: all layers but {head_of(network)}."
    mixed = _MIXED if config.mixes else ""
    averaged = _averaged(config)
    return (
        f"{config.model} ({parameters:,} parameters, {card.in_channels}x{card.input_size[0]}x"
        f"{card.input_size[1]}) on {dataset.name}: {len(card.classes)} {_OUTPUTS[card.task]}; "
        f"{splits}.{start}{frozen}{_start_details(card)}{mixed}{averaged}"
    )


_OUTPUTS: dict[TaskName, str] = {
    "single-label": "classes",
    "multi-label": "labels",
    "ordinal": "grades",
    "detection": "classes of objects",
}


def _averaged(config: TrainConfig) -> str:
    if config.swa_start:
        when = f"after each epoch, from {config.swa_start:.0%} of the training on (`swa_start`)"
        return f" What is validated, kept and tested is the mean of the weights {when}."
    if config.ema:
        return " What is validated, kept and tested is a moving average of the weights (`ema`)."
    return ""


_MIXED = (
    " Training images are mixed: their loss is that of mixed labels, and one counts as right if "
    "the label with the larger share is predicted."
)
_NOT_STATED = (
    "The weights do not say how images are prepared, so the training images decide; `input_size`, "
    "`resize_mode`, `mean` and `std` say it."
)


def _start_details(card: Card) -> str:
    """What became of the head of pretrained weights, and what lies beside them in their file."""
    stated = card.provenance
    sentences = (
        f"Head: {stated['weights_head']}." if "weights_head" in stated else "",
        f"{stated['weights_beside']}." if "weights_beside" in stated else "",
        _NOT_STATED if "weights_preprocessing" in stated else "",
    )
    return "".join(f" {sentence}" for sentence in sentences if sentence)
