"""The images on which a network is calibrated for 8 bits, and those on which its accuracy is
measured before and after.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.classes import match_classes
from convscope.data.dataset import Dataset, keys_of
from convscope.data.file_patterns import is_pattern
from convscope.data.loading import load_images
from convscope.data.options import INDEPENDENT
from convscope.data.source import open_source
from convscope.data.split import stable_hash
from convscope.errors import RequestError
from convscope.models import OpenedModel
from convscope.runs.data import open_run_data
from convscope.runs.folder import Run

NUM_CALIBRATION, NUM_MEASURED = 300, 2000
"""How many images at most are taken."""

_SEED = 0
_AT_ONCE = 256

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class CalibrationImages:
    """Images of the network's input size, as bytes (n, h, w, c).

    Attributes:
        calibration: those from which the ranges of the activations are taken.
        measured: others, on which accuracy is measured.
        truth: of the latter: (n,) indices of classes, or (n, classes) where there may be several.
        calibrated_on: which images the first are, in words.
        measured_on: which images the others are.
    """

    calibration: NDArray[np.uint8]
    measured: NDArray[np.uint8]
    truth: NDArray[Any]
    calibrated_on: str
    measured_on: str

    @property
    def description(self) -> str:
        """A sentence on both."""
        return f"Calibrated on {self.calibrated_on}; accuracy on {self.measured_on}."


def calibration_images(opened: OpenedModel, folder: str | Path | None) -> CalibrationImages:
    """Images of a run's training and validation splits, or of `folder`.

    At most NUM_CALIBRATION and NUM_MEASURED are taken, as many of each class as possible, by a hash
    of their names. A folder without splits is divided.

    Raises RequestError where there are no images.
    """
    if folder is not None:
        dataset = _of_folder(folder, opened.card)
    elif opened.run is not None:
        dataset = _of_run(opened.run)
    else:
        raise RequestError(
            f"{opened.name} is no run, and has no images to be calibrated on for `int8`. Name a "
            "folder of images, one folder for each class, by `calibration`."
        )
    calibration, measured, *said = _divided(dataset)
    chosen = np.concatenate([calibration, measured])
    loaded = load_images(dataset.subset(chosen, "test"), opened.card, workers=os.cpu_count() or 1)
    readable = loaded.dataset.indices("test")
    first = readable[readable < len(calibration)]
    second = readable[readable >= len(calibration)]
    if not len(first) or not len(second):
        raise RequestError(f"{dataset.name} has no readable images to be calibrated on.")
    pixels = np.concatenate(
        [
            batch.numpy()
            for batch in loaded.batch_source.batches(
                [readable[start : start + _AT_ONCE] for start in range(0, len(readable), _AT_ONCE)]
            )
        ]
    )
    return CalibrationImages(
        pixels[: len(first)], pixels[len(first) :], loaded.dataset.truth(second), *said
    )


def _of_run(run: Run) -> Dataset:
    config = run.read_config()
    data = str(config["data"])
    if os.sep in data and not is_pattern(data) and not Path(data).exists():
        raise RequestError(
            f"{data}, on which {run.path} was trained, does not exist. If the images were moved, "
            "name their folder by `calibration`."
        )
    return open_run_data(run, config, "train")[0]


def _of_folder(folder: str | Path, card: Card) -> Dataset:
    dataset = open_source(
        str(folder),
        task=card.task,
        group_column=INDEPENDENT,
        default_names=card.classes,
        for_training=False,
    )
    return match_classes(dataset, card.classes)


def _divided(dataset: Dataset) -> tuple[Indices, Indices, str, str]:
    """Which images to calibrate on, which to measure on, and both in words."""
    train, val, test = (dataset.indices(split) for split in ("train", "val", "test"))
    if len(train) and (len(val) or len(test)):
        others, name = (val, "validation") if len(val) else (test, "test")
        calibration = _stratified(dataset, train)[:NUM_CALIBRATION]
        kinds = f"{len(train):,} training images", f"{len(others):,} {name} images"
    else:
        order = _stratified(dataset, np.arange(len(dataset)))
        if len(order) < 2:
            raise RequestError(f"{dataset.name} has too few images to be calibrated on.")
        count = min(NUM_CALIBRATION, len(order) // 2)
        calibration, others = order[:count], order[count:]
        kinds = f"{len(order):,} images", f"the {len(others):,} others"
    measured = _stratified(dataset, others)[:NUM_MEASURED]
    return (
        calibration,
        measured,
        f"{len(calibration):,} of {kinds[0]} of {dataset.name}",
        f"{len(measured):,} of {kinds[1]}",
    )


def _stratified(dataset: Dataset, indices: Indices) -> Indices:
    """The same images, the first of each class first, in the order of a hash."""
    keys = keys_of(dataset.images)
    hashes = stable_hash([keys[index] for index in indices.tolist()], _SEED)
    labels = dataset.labels[indices]
    order = np.lexsort((hashes, labels))
    starts = np.searchsorted(labels[order], labels[order], side="left")
    ranks = np.arange(len(order)) - starts  # within the class
    return indices[order[np.lexsort((hashes[order], ranks))]]
