"""Opens a run for inspection: its best weights, with images from its own data."""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import Card
from convscope.data.decode import UnreadableImage
from convscope.data.resize import resize_image
from convscope.data.samples import sample_images
from convscope.errors import ConvscopeError
from convscope.runs.data import is_data_here, open_run_data
from convscope.runs.folder import Run
from convscope.runs.own_code import NO_CONSENT, Consent
from convscope.webapp.inspect.store import LoadedModel, ModelStore

_IMAGES = 3  # of as many classes
_TRIED = 12


class RunOpener:
    """Opens runs in a store, each with its best weights, once."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._opened: dict[Path, LoadedModel] = {}
        self._opening = threading.Lock()

    def open(self, path: Path, consent: Consent = NO_CONSENT) -> LoadedModel:
        """The model in the store with the best weights of the run at `path`.

        A model that has these weights is not opened again. One that was opened with older weights
        is replaced under its id, and keeps its images. Raises RequestError if the run has no
        weights yet, ConsentError for code that `consent` does not allow.
        """
        weights = Run.open(path).read_weights().tensors
        with self._opening:
            for model in [*self._store.models.values()]:
                if model.title == path.name and _has_weights(model, weights):
                    return model
            older = self._opened.get(path)
            model = self._store.open(path, consent=consent)
            if older is not None and self._store.models.get(older.id) is older:
                self._replace(older, model)
            self._opened[path] = model
            images = [(image.title, image.pixels) for image in older.images] if older else []
            for title, pixels in images or _images(path, model.card):
                self._store.add(model, title, pixels)
            return model

    def _replace(self, older: LoadedModel, newer: LoadedModel) -> None:
        del self._store.models[newer.id]
        newer.id = older.id
        self._store.models[older.id] = newer


def _has_weights(model: LoadedModel, weights: Mapping[str, Tensor]) -> bool:
    state = model.net.state_dict()
    return state.keys() == weights.keys() and all(state[k].equal(weights[k]) for k in weights)


def first_images(model: LoadedModel) -> list[tuple[str, NDArray[np.uint8]]]:
    """Titles and pixels of images to begin with: a run's own, or samples."""
    run = model.opened.run
    return sample_images(model.card) if run is None else _images(run.path, model.card)


def _images(path: Path, card: Card) -> list[tuple[str, NDArray[np.uint8]]]:
    """Images that the run has not trained on, each of another class; else sample images.

    They are validation images, or test images where none were held out for validation.
    """
    run = Run.open(path)
    with suppress(ConvscopeError, OSError):
        config = run.read_config()
        if not is_data_here(config):
            return sample_images(card)
        dataset, indices = open_run_data(run, config, "val")
        kind = "validation"
        if not len(indices):
            indices, kind = dataset.indices("test"), "test"
        firsts = np.unique(dataset.labels[indices], return_index=True)[1]
        images: list[tuple[str, NDArray[np.uint8]]] = []
        for index in indices[np.sort(firsts)][:_TRIED]:
            with suppress(UnreadableImage):
                pixels = resize_image(dataset.images.image(int(index), card), card)
                label = dataset.label_text(int(index))
                images.append((f"{label}: {kind} image {index}", pixels))
            if len(images) == _IMAGES:
                return images
        if images:
            return images
    return sample_images(card)
