"""The images on which a network is calibrated for 8 bits, and those on which its accuracy is
measured before and after.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.classes import match_classes
from convscope.data.dataset import Dataset, keys_of
from convscope.data.file_patterns import is_pattern
from convscope.data.fit_objects import fitted
from convscope.data.flat import hint_for_flat_images
from convscope.data.loading import load_images
from convscope.data.options import INDEPENDENT
from convscope.data.source import open_source
from convscope.data.split import stable_hash
from convscope.data.unreadable import UnreadableImage
from convscope.data.walk import has_images, is_folder, is_image, list_folder
from convscope.errors import RequestError
from convscope.exported.pixels import fitted_pixels
from convscope.models import OpenedModel
from convscope.runs.data import open_run_data
from convscope.runs.folder import Run

NUM_CALIBRATION, NUM_MEASURED, NUM_WITH_BOXES = 300, 2000, 500
"""How many images at most are taken: for the ranges, to measure on, and of these with boxes, which
take longer.
"""

_SEED = 0
_AT_ONCE = 256

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class CalibrationImages:
    """Images of the network's input size, as bytes (n, h, w, c).

    Attributes:
        calibration: those from which the ranges of the activations are taken.
        measured: others, on which accuracy is measured.
        truth: of the latter: (n,) indices of classes, or (n, classes) where there may be several;
            of boxes (n, objects, 10), see `Objects.padded`; None where they are not known.
        calibrated_on: which images the first are, in words.
        measured_on: which images the others are.
        hint: where classes may be that were not read; usually empty.
        figure: what is measured where it is known.
    """

    calibration: NDArray[np.uint8]
    measured: NDArray[np.uint8]
    truth: NDArray[Any] | None
    calibrated_on: str
    measured_on: str
    hint: str = ""
    figure: str = "accuracy"

    @property
    def description(self) -> str:
        """Which images both are."""
        if self.truth is None:
            return f"Calibrated on {self.calibrated_on}. {self.measurement}"
        return f"Calibrated on {self.calibrated_on}; {self.figure} on {self.measured_on}."

    @property
    def measurement(self) -> str:
        """What is measured, and on which images."""
        if self.truth is not None:
            return f"Accuracy on {self.measured_on}."
        return (
            "Classes are not known, so accuracy cannot be told, only how many of "
            f"{self.measured_on} keep their answer; accuracy drops by no more than the rest. "
            f"{self.hint}"
        ).rstrip()


def calibration_images(opened: OpenedModel, folder: str | Path | None) -> CalibrationImages:
    """Images of a run's training and validation splits, or of `folder`.

    At most NUM_CALIBRATION and NUM_MEASURED are taken, as many of each class as possible, by a hash
    of their names. A folder without splits is divided. Of one that has images and no folders of
    images, classes are not known.

    Raises RequestError where there are no images.
    """
    has_boxes = opened.card.boxes is not None
    if folder is not None and not has_boxes and _has_no_classes(Path(folder).expanduser()):
        return _without_classes(Path(folder).expanduser(), opened.card)
    if folder is not None:
        dataset = _of_folder(folder, opened.card)
    elif opened.run is not None:
        dataset = _of_run(opened.run)
    else:
        wanted = "data with boxes by `calibration`."
        if not has_boxes:
            wanted = (
                "a folder of images, one folder for each class, by `calibration`; or one with the "
                "images alone, if their classes are not known."
            )
        raise RequestError(
            f"{opened.name} is no run, and has no images to be calibrated on for `int8`. Name "
            f"{wanted}"
        )
    most = NUM_WITH_BOXES if has_boxes else NUM_MEASURED
    calibration, measured, *said = _divided(dataset, most)
    chosen = np.concatenate([calibration, measured])
    loaded = load_images(dataset.subset(chosen, "test"), opened.card, workers=os.cpu_count() or 1)
    readable = loaded.dataset.indices("test")
    first = readable[readable < len(calibration)]
    second = readable[readable >= len(calibration)]
    if not len(first) or not len(second):
        raise RequestError(f"{dataset.name} has no readable images to be calibrated on.")
    truth = fitted(loaded.dataset, opened.card).truth(second)
    if has_boxes and not (truth[..., 0] >= 0).any():
        raise RequestError(f"{dataset.name} has no objects in boxes on which to measure.")
    pixels = np.concatenate(
        [
            batch.numpy()
            for batch in loaded.batch_source.batches(
                [readable[start : start + _AT_ONCE] for start in range(0, len(readable), _AT_ONCE)]
            )
        ]
    )
    figure = "average precision" if has_boxes else "accuracy"
    return CalibrationImages(
        pixels[: len(first)], pixels[len(first) :], truth, *said, figure=figure
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


def _divided(dataset: Dataset, most: int) -> tuple[Indices, Indices, str, str]:
    """Which images to calibrate on, which to measure on, and both in words."""
    train, val, test = (dataset.indices(split) for split in ("train", "val", "test"))
    if len(train) and (len(val) or len(test)):
        others, name = (val, "validation") if len(val) else (test, "test")
        calibration = _stratified(dataset, train)[:NUM_CALIBRATION]
        kinds = f"{len(train):,} training images", f"{len(others):,} {name} images"
    else:
        order = _stratified(dataset, np.arange(len(dataset)))
        count = _num_calibration(len(order), dataset.name)
        calibration, others = order[:count], order[count:]
        kinds = f"{len(order):,} images", f"the {len(others):,} others"
    measured = _stratified(dataset, others)[:most]
    return (
        calibration,
        measured,
        f"{len(calibration):,} of {kinds[0]} of {dataset.name}",
        f"{len(measured):,} of {kinds[1]}",
    )


def _num_calibration(count: int, name: str) -> int:
    """Of images that are in no splits."""
    if count < 2:
        raise RequestError(f"{name} has too few images to be calibrated on.")
    return min(NUM_CALIBRATION, count // 2)


def _has_no_classes(folder: Path) -> bool:
    """Whether images lie directly in a folder, and none in the folders in it."""
    if not folder.is_dir():
        return False
    entries = list_folder(folder)
    return any(map(is_image, entries)) and not any(
        has_images(Path(entry.path)) for entry in entries if is_folder(entry)
    )


def _without_classes(folder: Path, card: Card) -> CalibrationImages:
    """Images that lie in a folder, in the order of a hash of their names."""
    names = [entry.name for entry in list_folder(folder) if is_image(entry)]
    order: list[int] = np.argsort(stable_hash(names, _SEED)).tolist()
    chosen = [folder / names[index] for index in order[: NUM_CALIBRATION + NUM_MEASURED]]
    with ThreadPoolExecutor() as threads:
        read = threads.map(partial(_readable_pixels, card), chosen)
        images = [pixels for pixels in read if pixels is not None]
    count = _num_calibration(len(images), str(folder))
    return CalibrationImages(
        np.stack(images[:count]),
        np.stack(images[count:]),
        None,
        f"{count:,} of {len(names):,} images of {folder.name}",
        f"{len(images) - count:,} other images of {folder.name}",
        hint_for_flat_images(folder, []),
    )


def _readable_pixels(card: Card, path: Path) -> NDArray[np.uint8] | None:
    try:
        return fitted_pixels(path, card)
    except UnreadableImage:
        return None


def _stratified(dataset: Dataset, indices: Indices) -> Indices:
    """The same images, the first of each class first, in the order of a hash."""
    keys = keys_of(dataset.images)
    hashes = stable_hash([keys[index] for index in indices.tolist()], _SEED)
    labels = dataset.labels[indices]
    order = np.lexsort((hashes, labels))
    starts = np.searchsorted(labels[order], labels[order], side="left")
    ranks = np.arange(len(order)) - starts  # within the class
    return indices[order[np.lexsort((hashes[order], ranks))]]
