"""What is usual for a class: the run's own images of it."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.dataset import Dataset
from convscope.data.decode import Unreadable
from convscope.data.resize import fit
from convscope.errors import ConvscopeError
from convscope.evaluation.evaluate import own_images
from convscope.runs.folder import Run

_IMAGES = 12  # of a class


class Usual:
    """The training images of a run, class by class; they are read when they are first asked for."""

    def __init__(self, run: Run, card: Card) -> None:
        self._run, self._card = run, card

    @cached_property
    def _data(self) -> tuple[Dataset, NDArray[np.int64]] | None:
        try:
            dataset, indices, _ = own_images(self._run, self._run.read_config(), "train", None)
        except ConvscopeError:  # the images may have been moved since
            return None
        return dataset, indices

    def of(self, label: int) -> list[NDArray[np.uint8]]:
        """Some images of a class as the network sees them; none where they cannot be had."""
        if self._data is None:
            return []
        dataset, indices = self._data
        chosen = indices[dataset.labels[indices] == label]
        found: list[NDArray[np.uint8]] = []
        for index in chosen[: 2 * _IMAGES]:
            try:
                found.append(fit(dataset.pictures.picture(int(index)), self._card))
            except Unreadable:
                continue
            if len(found) == _IMAGES:
                break
        return found
