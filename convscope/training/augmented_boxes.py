"""Where the boxes of training images are in what several epochs make of these."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.truth import COUNTS
from convscope.card import Card
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.dataset import Dataset
from convscope.data.fit_objects import fitted
from convscope.data.loading import LoadedDataset
from convscope.predictions.drawing import COLORS, Drawn

_NEED_NOT = (128, 128, 128)
"""The color of an object that need not be found."""

Row = list[list[Drawn]]
"""The boxes of each image."""


def augmented_boxes(
    dataset: Dataset,
    loaded: LoadedDataset,
    card: Card,
    augmentation: Augmentation,
    chosen: NDArray[np.int64],
    epochs: int,
) -> list[Row]:
    """Of whole images, as they are evaluated, and as the epochs show them; none without boxes."""
    if dataset.objects is None:
        return []
    sides = np.tile(dataset.objects.images, 2)
    of_image = np.repeat(np.arange(len(dataset)), np.diff(dataset.objects.starts))
    shares = replace(dataset.objects, boxes=dataset.objects.boxes / sides[of_image])
    evaluated = fitted(dataset, card).objects
    whole = None if loaded.larger is None else dataset.split == "train"
    trained = fitted(dataset, card, whole=whole).objects
    assert evaluated is not None  # they have boxes
    assert trained is not None
    sizes = None
    if augmentation.crops is not None and loaded.larger is not None:
        [images] = loaded.larger.images([chosen])
        sizes = np.array([image.shape[:2] for image in images], np.int64)
    given = trained.padded(chosen)
    moved = [augmentation.moved(given, chosen, epoch=epoch, sizes=sizes) for epoch in range(epochs)]
    return [*map(_drawn, (shares.padded(chosen), evaluated.padded(chosen), *moved))]


def _drawn(rows: NDArray[np.float32]) -> Row:
    """Of objects (n, objects, 10), see `Objects.padded`."""
    return [
        [
            Drawn(
                one[1:5].astype(np.float64),
                "",
                COLORS[int(one[0]) % len(COLORS)] if one[5] == COUNTS else _NEED_NOT,
            )
            for one in row
            if one[0] >= 0
        ]
        for row in rows
    ]
