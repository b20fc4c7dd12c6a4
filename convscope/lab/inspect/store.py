"""The networks of a lab and the passes that it holds: bounded, the oldest dropped."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.normalize import scale_and_shift
from convscope.errors import RequestError
from convscope.explanation.loading import open_network, pixels_of, prepared
from convscope.explanation.recording import Recording, record
from convscope.features.class_images import ClassImages
from convscope.inference import inference_mode
from convscope.lab.inspect.graph import Row, rows_of_recording
from convscope.lab.inspect.maps import volume_of
from convscope.lab.inspect.unit import Ledger
from convscope.runs.folder import Run

_HELD = 64  # passes
_BYTES = 1 << 30  # of their results


@dataclass(frozen=True)
class Look:
    """One network's pass over one image; `number` counts them as they came."""

    id: str
    title: str
    number: int
    pixels: NDArray[np.uint8]
    recording: Recording
    ledger: Ledger

    @cached_property
    def size(self) -> int:
        """Bytes of the results."""
        whole = (self.recording[name].tensor for name in self.recording.names)
        return sum(tensor.numel() * tensor.element_size() for tensor in whole)


@dataclass
class Network:
    """A network that the page can look into, and the passes over images that are held of it."""

    id: str
    title: str
    net: nn.Module
    card: Card
    caution: str
    class_images: ClassImages | None = None
    looks: OrderedDict[str, Look] = field(default_factory=OrderedDict[str, Look])

    @property
    def rows(self) -> list[Row]:
        """The rows of the network; none while no image was looked at."""
        for look in self.looks.values():
            return list(look.ledger.rows.values())
        return []

    @property
    def images(self) -> list[Look]:
        """What is held, in the order in which it came."""
        return sorted(self.looks.values(), key=lambda look: look.number)

    def row(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise RequestError(f"There is no layer {name!r} in {self.title}.")

    def look(self, image: str) -> Look:
        try:
            self.looks.move_to_end(image)
            return self.looks[image]
        except KeyError:
            raise RequestError("This image is gone from the lab's memory. Drop it again.") from None

    def answers(self, look: Look) -> list[dict[str, Any]]:
        """The classes with their probabilities, the likeliest first; none without logits."""
        logits = look.recording[look.recording.output].squeezed.double()
        if logits.shape != (len(self.card.classes),):
            return []
        shares = logits if _is_shares(look) else logits.softmax(0)
        order = [int(place) for place in shares.argsort(descending=True)]
        return [
            {"class": self.card.classes[k], "index": k, "probability": float(shares[k])}
            for k in order
        ]

    def usual_volume(self, look: Look, row: Row) -> tuple[NDArray[np.float32] | None, str]:
        """The mean of a row's volume over images to compare with, and what these are.

        Of a run they are training images of the class that the network answers; else, and where
        these cannot be had, the other images that are held.
        """
        answers = self.answers(look)
        pixels = self.class_images.of(answers[0]["index"]) if self.class_images and answers else []
        if pixels:
            volumes = [self._volume(prepared(one, self.card), row) for one in pixels]
            told = f"the mean of {len(pixels)} training images of class {answers[0]['class']}"
            return np.mean(volumes, axis=0), told
        others = [volume_of(one.recording, row) for one in self.images if one is not look]
        if not others:
            return None, "There is no other image yet to tell what is usual. Add one."
        return np.mean(others, axis=0), f"the mean of the {len(others)} other images here"

    def _volume(self, shown: Tensor, row: Row) -> NDArray[np.float32]:
        with inference_mode(self.net):
            return volume_of(record(self.net, shown, keep=[row.out]), row)

    def pixel(self, look: Look, y: int, x: int) -> dict[str, Any]:
        """The last step: the bytes of a pixel and what became of them."""
        height, width = look.pixels.shape[:2]
        if not (0 <= y < height and 0 <= x < width):
            raise RequestError(f"The image has {height} rows and {width} columns.")
        scale, shift = scale_and_shift(self.card)
        names = ("gray",) if self.card.in_channels == 1 else ("red", "green", "blue")
        value = look.recording["image"].squeezed
        return {
            "channels": [
                {
                    "name": name,
                    "byte": int(look.pixels[y, x, c]),
                    "mean": self.card.mean[c],
                    "std": self.card.std[c],
                    "scale": float(scale[c]),
                    "shift": float(shift[c]),
                    "value": float(value[c, y, x]),
                }
                for c, name in enumerate(names)
            ]
        }


def _is_shares(look: Look) -> bool:
    last = look.recording[look.recording.output]
    return last.kind == "softmax"


class Shelf:
    """All that a lab holds."""

    def __init__(self) -> None:
        self._count = 0
        self.networks: dict[str, Network] = {}
        self._writing = threading.Lock()

    def open(self, subject: str | Path | nn.Module, *, weights: str | None = None) -> Network:
        """Add a network: a run, a name of the zoo, a table, `module:attr`, a module."""
        net, card, caution = open_network(subject, weights=weights)
        title = type(subject).__name__ if isinstance(subject, nn.Module) else Path(subject).name
        class_images = None
        if not isinstance(subject, nn.Module) and Path(subject).is_dir():
            class_images = ClassImages(Run.open(subject), card)
        with self._writing:
            name = title
            count = 2
            while name in self.networks:
                name, count = f"{title}-{count}", count + 1
            network = Network(name, title, net, card, caution, class_images)
            self.networks[name] = network
        return network

    def network(self, name: str) -> Network:
        try:
            return self.networks[name]
        except KeyError:
            known = ", ".join(self.networks)
            raise RequestError(f"There is no network {name!r} here. Open are: {known}.") from None

    def add(self, network: Network, title: str, data: Path | bytes | NDArray[np.uint8]) -> Look:
        """Look at an image, a file, its bytes or pixels; drop the oldest passes where need be.

        Raises RequestError for what is no image, or none that the network can take.
        """
        pixels = pixels_of(data, network.card) if isinstance(data, Path | bytes) else data
        name = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()[:16]
        with self._writing:
            if name not in network.looks:
                network.looks[name] = self._looked(network, name, title, pixels)
                self._drop()
        return network.looks[name]

    def _looked(self, network: Network, name: str, title: str, pixels: NDArray[np.uint8]) -> Look:
        try:
            with inference_mode(network.net):
                recording = record(network.net, prepared(pixels, network.card))
        except RuntimeError as error:
            first = str(error).strip().splitlines()[0].rstrip(".")
            raise RequestError(f"{network.title} cannot take this image ({first}).") from error
        counts = {name: p.numel() for name, p in network.net.named_parameters()}
        ledger = Ledger(recording, rows_of_recording(recording, counts))
        self._count += 1
        return Look(name, title, self._count, pixels, recording, ledger)

    def _drop(self) -> None:
        """Forget the passes that were looked at longest ago; each network keeps its last."""
        while True:
            held = [(n, look) for n in [*self.networks.values()] for look in n.looks.values()]
            size = sum(look.size for _, look in held)
            droppable = [(n, look) for n, look in held if len(n.looks) > 1]
            if (len(held) <= _HELD and size <= _BYTES) or not droppable:
                return
            network, look = droppable[0]
            del network.looks[look.id]
