"""A run opened for Look inside: its best weights, once, with images of its own."""

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
from convscope.data.source import NAMES, is_here
from convscope.errors import ConvscopeError
from convscope.evaluation.evaluate import own_images
from convscope.lab.inspect.store import Network, Shelf
from convscope.runs.folder import Run

_IMAGES = 3  # of as many classes
_TRIED = 12


class Inside:
    """The runs that were opened on a shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._opened: dict[Path, Network] = {}
        self._opening = threading.Lock()

    def open(self, path: Path) -> Network:
        """The network on the shelf with the best weights of the run at `path`.

        What is there with these weights is not opened again. What was opened with older ones takes
        the newer: its name and its images stay. Raises RequestError where there are none yet.
        """
        weights = Run.open(path).read_weights().tensors
        with self._opening:
            for network in [*self._shelf.networks.values()]:
                if network.title == path.name and _has(network, weights):
                    return network
            older = self._opened.get(path)
            network = self._shelf.open(path)
            if older is not None and self._shelf.networks.get(older.id) is older:
                self._put_in_place_of(older, network)
            self._opened[path] = network
            shown = [(look.title, look.pixels) for look in older.images] if older else []
            for title, pixels in shown or _images(path, network.card):
                self._shelf.add(network, title, pixels)
            return network

    def _put_in_place_of(self, older: Network, newer: Network) -> None:
        del self._shelf.networks[newer.id]
        newer.id = older.id
        self._shelf.networks[older.id] = newer


def _has(network: Network, weights: Mapping[str, Tensor]) -> bool:
    own = network.net.state_dict()
    return own.keys() == weights.keys() and all(own[key].equal(weights[key]) for key in weights)


def _images(path: Path, card: Card) -> list[tuple[str, NDArray[np.uint8]]]:
    """Validation images of the run, each of another class; else what is at hand."""
    run = Run.open(path)
    with suppress(ConvscopeError, OSError):
        config = run.read_config()
        if config["data"] in NAMES and not is_here(config["data"]) and "data_dir" not in config:
            return sample_images(card)
        dataset, indices, _ = own_images(run, config, "val", None)
        firsts = np.unique(dataset.labels[indices], return_index=True)[1]
        found: list[tuple[str, NDArray[np.uint8]]] = []
        for index in indices[np.sort(firsts)][:_TRIED]:
            with suppress(UnreadableImage):
                picture = resize_image(dataset.images.image(int(index)), card)
                label = dataset.classes[dataset.labels[index]]
                found.append((f"{label}: validation image {index}", picture))
            if len(found) == _IMAGES:
                return found
        if found:
            return found
    return sample_images(card)
