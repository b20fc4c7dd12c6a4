"""From a request to what a training needs: data that were looked at, a card, a config."""

import csv
import io
import math
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from convscope.card import Card
from convscope.data.dataset import SPLITS, Dataset, Split
from convscope.data.decode import UnreadableImage
from convscope.data.loading import LoadedDataset, MemoryBatchSource, load_images
from convscope.data.normalize import pixel_statistics
from convscope.data.resize import choose_resize_mode
from convscope.data.source import NAMES
from convscope.errors import RequestError, WorkError
from convscope.training.callbacks.base import CallbackList
from convscope.training.config import TrainConfig
from convscope.weights.adapt import adapt_weights
from convscope.weights.load import with_channels
from convscope.weights.source import Weights
from convscope.zoo import default_input
from convscope.zoo.check import network_output
from convscope.zoo.table_file import is_table

_LOOKED_AT = 32  # pictures whose size decides how all are fitted
_STREAMED = 2048  # training pictures that mean and std are taken from where not all are in memory
_SPLIT_WORDS: tuple[tuple[Split, str], ...] = (
    ("train", "training"),
    ("val", "validation"),
    ("test", "test"),
)
_LISTED = 3  # unreadable pictures that a message names


def first_card(
    dataset: Dataset, settings: TrainConfig, callbacks: CallbackList, start: Card | None = None
) -> Card:
    """The card but for its mean and std, which the pictures will tell.

    `start` is the card of the weights that the training starts from: pictures are prepared as it
    says, mean and std too, where the settings leave it open.

    Raises RequestError where neither the settings, nor the network, nor the pictures say a size.
    """
    sizes, gray = _look(dataset)
    own_channels, own_size = (
        (start.in_channels, start.input_size) if start else default_input(settings.model)
    )
    if settings.input_size is not None:
        size = (settings.input_size, settings.input_size)
    elif own_size is not None:
        size = own_size
    elif len(set(sizes)) == 1:
        size = sizes[0]
    else:
        raise RequestError(
            f"The pictures of {dataset.name} differ in size and {settings.model} does not say what "
            "it needs. Choose a size with `input_size`, in pixels."
        )
    channels = settings.in_channels or own_channels or (1 if gray else 3)
    open_fit = start.resize_mode if start else choose_resize_mode(sizes, size)
    fit = open_fit if settings.resize_mode == "auto" else settings.resize_mode
    tall, wide = (int(np.median(side)) for side in zip(*sizes, strict=True))
    if tall * wide >= 4 * size[0] * size[1]:
        callbacks.message(
            f"Pictures of about {wide}x{tall} are scaled to {size[1]}x{size[0]}. A larger "
            "`input_size` lets the network see more of them."
        )
    if channels == 1 and not gray:
        callbacks.message(
            "The network sees gray; color pictures are made gray (`in_channels=3` keeps them)."
        )
    card = Card(
        classes=dataset.classes,
        input_size=size,
        in_channels=1 if channels == 1 else 3,
        resize_mode=fit,
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )
    return card if start is None else _prepared_as(start, card)


def _prepared_as(start: Card, card: Card) -> Card:
    """The card with what `start` says of the pixels; its resize goes with its size and fit."""
    theirs = with_channels(start, card.in_channels)
    resize = (
        start.resize_size
        if (card.input_size, card.resize_mode) == (start.input_size, start.resize_mode)
        else None
    )
    return replace(
        card,
        resize_size=resize,
        interpolation=start.interpolation,
        mean=theirs.mean,
        std=theirs.std,
    )


def _look(dataset: Dataset) -> tuple[list[tuple[int, int]], bool]:
    """(height, width) of a few pictures, evenly spread, and whether all of these are gray."""
    places = np.linspace(0, len(dataset) - 1, min(_LOOKED_AT, len(dataset))).astype(int)
    sizes: list[tuple[int, int]] = []
    gray = True
    for place in places:
        try:
            picture = dataset.images.image(int(place))
        except UnreadableImage:
            continue
        sizes.append((picture.height, picture.width))
        gray = gray and picture.mode == "L"
    if not sizes:  # so many in a row that loading will tell the whole story
        return [(1, 1)], gray
    return sizes, gray


def load_checked(
    dataset: Dataset, card: Card, settings: TrainConfig, callbacks: CallbackList
) -> LoadedDataset:
    """Load the data, and refuse them where they cannot be trained on.

    Raises RequestError where more than `max_corrupt_fraction` of the pictures cannot be read, or
    all of a class's training pictures.
    """
    workers = min(32, os.cpu_count() or 1)
    loaded = load_images(
        dataset,
        card,
        workers=workers,
        cache_fraction=settings.cache_fraction,
        on_progress=callbacks.decoding,
    )
    bad, total = len(loaded.problems), len(dataset)
    named = "; ".join(f"{key} {reason}" for key, reason in loaded.problems[:_LISTED])
    if bad == total:
        raise RequestError(f"None of the {total} pictures of {dataset.name} can be read: {named}.")
    if bad > settings.max_corrupt_fraction * total:
        raise RequestError(
            f"{bad} of the {total} pictures of {dataset.name} cannot be read, more than "
            f"`max_corrupt_fraction={settings.max_corrupt_fraction:g}` allows: {named}. Repair or "
            "remove them."
        )
    if bad:
        callbacks.message(f"Left out {bad} of {total} pictures that cannot be read: {named}.")
    counts = loaded.dataset.counts("train")
    if len(counts) and counts.min() == 0:
        lacking = dataset.classes[int(counts.argmin())]
        raise RequestError(f"Class {lacking!r} of {dataset.name} has no readable training picture.")
    if not isinstance(loaded.batch_source, MemoryBatchSource):
        callbacks.message("The pictures do not fit in memory and are decoded again in every epoch.")
    for warning in loaded.dataset.warnings:
        callbacks.message(warning)
    return loaded


def full_card(card: Card, loaded: LoadedDataset, model: str, start: Card | None = None) -> Card:
    """The card with mean and std of the training pictures, and where all of it came from.

    Mean and std stay those of `start`, see `first_card`.
    """
    provenance = {
        "network": model,
        "data": loaded.dataset.name,
        "fingerprint": loaded.fingerprint,
        "convscope": version("convscope"),
    }
    mean, std = (card.mean, card.std) if start else _statistics(loaded)
    return replace(card, mean=mean, std=std, provenance=provenance)


def _statistics(loaded: LoadedDataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    indices = loaded.dataset.indices("train")
    if not isinstance(loaded.batch_source, MemoryBatchSource):
        indices = indices[:: max(1, math.ceil(len(indices) / _STREAMED))]
    batches = [indices[start : start + 512] for start in range(0, len(indices), 512)]
    return pixel_statistics(islice(loaded.batch_source.batches(batches), None))


def with_output(card: Card, net: nn.Module, callbacks: CallbackList) -> Card:
    """The card with what the network returns, and a warning where that is probabilities."""
    output = network_output(net, in_channels=card.in_channels, input_size=card.input_size)
    if output == "probabilities":
        classes = len(card.classes)
        largest = math.e / (math.e + classes - 1)
        callbacks.message(
            f"{card.provenance['network']} ends in softmax: it returns probabilities, not logits. "
            "Cross-entropy applies softmax itself; applied twice, no probability of "
            f"{classes} classes could exceed {largest:.3f} and the loss could not fall below "
            f"{-math.log(largest):.3f}. So the loss is computed from the probabilities as they "
            "are. It is better to return logits (drop the last softmax): where a softmax "
            "saturates, gradients vanish."
        )
    return replace(card, output=output)


def start_from(weights: Weights, net: nn.Module, card: Card) -> Card:
    """Put weights into a network and tell so in its card.

    Raises RequestError, with nothing changed, where they are not the network's.
    """
    fitted = adapt_weights(weights, net)
    fitted.load_into(net)
    return replace(card, provenance={**card.provenance, **fitted.report})


def told(settings: TrainConfig, dataset: Dataset, card: Card, net: nn.Module) -> str:
    """What is trained on what, in a few words."""
    weights = sum(weight.numel() for weight in net.parameters())
    sizes = ", ".join(f"{len(dataset.indices(split)):,} for {word}" for split, word in _SPLIT_WORDS)
    begun = f" It starts from {settings.weights}." if settings.weights else ""
    held = f" Layers up to {settings.freeze} are held." if settings.freeze else ""
    return (
        f"{settings.model} ({weights:,} parameters, {card.in_channels}x{card.input_size[0]}x"
        f"{card.input_size[1]}) on {dataset.name}: {len(card.classes)} classes; "
        f"{sizes}.{begun}{held}"
    )


def check_space(folder: Path, weights: int) -> None:
    """Raise WorkError where the disk cannot hold what a training will write.

    `weights` is the bytes of the network: its best copy, and three states with the optimizer's own.
    """
    need = 10 * weights + 10_000_000
    free = shutil.disk_usage(folder).free
    if free < need:
        raise WorkError(
            f"No space left for the run: {folder} has {free / 1e6:,.0f} MB free and the training "
            f"will write about {need / 1e6:,.0f} MB. Make room, or choose another disk with `out`."
        )


def config_of(
    data: str, settings: TrainConfig, loaded: LoadedDataset, device: torch.device
) -> dict[str, Any]:
    """What config.toml holds: the settings on top, then tables of facts about this run.

    Paths are made absolute, so that the run is understood from any folder.
    """
    packages = ("convscope", "numpy", "pillow", "torch")
    if settings.data_dir is not None:
        settings = replace(settings, data_dir=settings.data_dir.resolve())
    if settings.weights is not None and (path := Path(settings.weights).expanduser()).exists():
        settings = replace(settings, weights=str(path.resolve()))
    if is_table(settings.model):
        settings = replace(settings, model=str(Path(settings.model).resolve()))
    return {
        "data": data if data in NAMES else str(Path(data).resolve()),
        **settings.to_dict(),
        "dataset": {
            "name": loaded.dataset.name,
            "fingerprint": loaded.fingerprint,
            **{split: len(loaded.dataset.indices(split)) for split in SPLITS},
        },
        "machine": machine_facts(device),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "network": {"folder": str(Path.cwd())},
    }


def machine_facts(device: torch.device) -> dict[str, Any]:
    """What the bits of a training depend on beside its settings and its data."""
    return {
        "device": device.type,
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of the machine is not as it was, in words."""
    return [
        f"{name} was {before[name]} and is {now[name]}"
        for name in now
        if before.get(name) != now[name]
    ]


def problems_csv(loaded: LoadedDataset) -> str:
    """The pictures that could not be read, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "reason"])
    writer.writerows(loaded.problems)
    return text.getvalue()
