"""The images of a trained network on which its features are studied, ready to be fed."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.data.loading import LoadedDataset, ProgressCallback, load_images
from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.evaluation.selection import DataRequest, select_images, select_run_images
from convscope.models import OpenedModel


@dataclass(frozen=True)
class ImageSet:
    """The readable images of one split, or of all data.

    Attributes:
        loaded: the images; `loaded.batch_source` feeds them, `loaded.dataset` has their labels,
            classes and keys.
        indices: of the images in that data set, ascending.
        description: which images they are: "the test split of digits".
        channels: of the images as they are read, 1 or 3.
    """

    loaded: LoadedDataset
    indices: NDArray[np.int64]
    description: str
    channels: int

    def keys(self, indices: Sequence[int]) -> list[str]:
        """The file names, or other keys, of images."""
        return [self.loaded.dataset.images.key(index) for index in indices]


def open_images(
    opened: OpenedModel,
    data: DataLike | None,
    request: DataRequest,
    *,
    on_progress: ProgressCallback = lambda done, total: None,
) -> ImageSet:
    """Read the images that `evaluate` would take, of a run's own data or of other data.

    All are decoded once; they are kept in memory where they take at most half of what is free, and
    decoded again batch by batch where not. `on_progress` gets images done and of all.

    Raises RequestError for data that do not match the network, and where no image is readable.
    """
    if data is not None:
        selection = select_images(request, opened, data)
    elif opened.run is None:
        raise RequestError(f"{opened.name} is not a run, and has no images of its own. Name DATA.")
    else:
        config: Mapping[str, object] = opened.run.read_config()
        selection = select_run_images(opened.run, config, request)
    loaded = load_images(
        selection.dataset, opened.card, workers=os.cpu_count() or 1, on_progress=on_progress
    )
    indices = loaded.dataset.indices("test")
    if not len(indices):
        raise RequestError(f"There is no readable image in {selection.description}.")
    return ImageSet(loaded, indices, selection.description, opened.card.in_channels)
