"""Training images of a run, class by class, to compare another image with."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.dataset import Dataset
from convscope.data.decode import UnreadableImage
from convscope.data.resize import resize_image
from convscope.errors import ConvscopeError
from convscope.runs.data import is_data_here, open_run_data
from convscope.runs.folder import Run

_COUNT = 12


class ClassImages:
    """The training images of a run, read on first use."""

    def __init__(self, run: Run, card: Card) -> None:
        self._run, self._card = run, card

    @cached_property
    def _split(self) -> tuple[Dataset, NDArray[np.int64]] | None:
        try:
            config = self._run.read_config()
            return open_run_data(self._run, config, "train") if is_data_here(config) else None
        except ConvscopeError:  # the images may have moved since
            return None

    def of(self, label: int) -> list[NDArray[np.uint8]]:
        """Up to 12 images of a class, resized as the card says; empty where they are gone."""
        if self._split is None:
            return []
        dataset, indices = self._split
        candidates = indices[dataset.has_class(indices, label)]
        images: list[NDArray[np.uint8]] = []
        for index in candidates[: 2 * _COUNT]:
            try:
                image = dataset.images.image(int(index), self._card)
                images.append(resize_image(image, self._card))
            except UnreadableImage:
                continue
            if len(images) == _COUNT:
                break
        return images
