"""The images of a data set on which an open network is studied."""

import os
import threading
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import SPLITS
from convscope.data.decode import UnreadableImage
from convscope.data.loading import load_images
from convscope.data.resize import resize_image
from convscope.errors import RequestError
from convscope.evaluation.selection import (
    DataRequest,
    Selection,
    UnnamedClassesError,
    select_images,
)
from convscope.features.image_set import ImageSet
from convscope.models import OpenedModel
from convscope.runs.data import is_data_here, open_run_data
from convscope.runs.folder import Run

_MEMORY = 0.125  # of what is free, for images while a network passes over them


class StudiedImages:
    """A split of a run's own data, or data that the lab was given; opened on first use.

    Of a run it is the test split; the validation split where none was set aside for a test, and the
    training images where there is neither.
    """

    def __init__(self, opened: OpenedModel, data: str | None) -> None:
        self._opened, self._data = opened, data
        self._opening = threading.Lock()

    @property
    def selection(self) -> Selection:
        """Which images. Raises RequestError where none are known, or they are gone."""
        with self._opening:
            return self._selection

    @cached_property
    def _selection(self) -> Selection:
        opened = self._opened
        if self._data is not None:
            request = DataRequest(split=None, data_dir=None, image_column=None, label_column=None)
            try:
                return select_images(request, opened, self._data)
            except UnnamedClassesError as error:
                raise RequestError(
                    f"{error.difference} Start the lab with the names of the outputs, in their "
                    "order: `convscope lab NETWORK --data FOLDER --class-names FIRST,SECOND,...`."
                ) from error
        if opened.run is None:
            raise RequestError(
                f"No images are known for {opened.name}. Start the lab with a run, `convscope lab "
                "RUN`, or with labeled images of the network's classes: `convscope lab NETWORK "
                "--data FOLDER`."
            )
        return _of_run(opened.run)

    def load(self, on_progress: Callable[[int, int], None]) -> ImageSet:
        """Decode all images once; they are kept where they take an eighth of the free memory."""
        selection, card = self.selection, self._opened.card
        loaded = load_images(
            selection.dataset,
            card,
            workers=os.cpu_count() or 1,
            cache_fraction=_MEMORY,
            on_progress=on_progress,
        )
        indices = loaded.dataset.indices("test")
        if not len(indices):
            raise RequestError(f"There is no readable image in {selection.description}.")
        return ImageSet(loaded, indices, selection.description, card.in_channels)

    def pixels(self, key: str) -> NDArray[np.uint8]:
        """An image as the network gets it, bytes (h, w, c). Raises RequestError if it is gone."""
        index = self._index(key)
        dataset, card = self.selection.dataset, self._opened.card
        try:
            return resize_image(dataset.images.image(index, card), card)
        except UnreadableImage as error:
            raise RequestError(f"{key} {str(error).rstrip('.')}.") from error

    def label(self, key: str) -> str:
        """The class of an image, or its labels."""
        return self.selection.dataset.label_text(self._index(key))

    def _index(self, key: str) -> int:
        selection = self.selection
        with self._opening:
            numbers = self._numbers
        if key not in numbers:
            raise RequestError(f"There is no image {key!r} in {selection.description}.")
        return numbers[key]

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        images = self._selection.dataset.images
        return {images.key(index): index for index in range(len(images))}


def _of_run(run: Run) -> Selection:
    config = run.read_config()
    if not is_data_here(config):
        raise RequestError(
            f"{config['data']}, on which {run.path.name} was trained, is not on this machine. "
            f"Download it first: `convscope evaluate {run.path}`."
        )
    dataset, _ = open_run_data(run, config, "test", with_groups=True)
    for split in ("test", *reversed(SPLITS)):
        indices = dataset.indices(split)
        if len(indices):
            description = f"the {split} split of {dataset.name}"
            return Selection(dataset.subset(indices, "test"), description, split)
    raise RequestError(f"The data of {run.path.name} have no images.")
