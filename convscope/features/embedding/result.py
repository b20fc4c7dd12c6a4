"""What `embed` returns: a map of images with their classes and predictions, and neighbors."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.features.embedding.trust import Trust
from convscope.words import visible
from convscope.words.csv_text import to_csv


@dataclass(frozen=True)
class Neighbors:
    """An image and those nearest to it at the layer.

    Attributes:
        image: its file name.
        pixels: bytes (h, w, c), as the network gets it.
        predicted: its class, as the network says.
        indices: of the nearest images in the map, the nearest first.
        distances: Euclidean, at the layer.
    """

    image: str
    pixels: NDArray[np.uint8]
    predicted: str
    indices: tuple[int, ...]
    distances: tuple[float, ...]


@dataclass(frozen=True)
class LabelColors:
    """What images are called where only one of several labels counts.

    Attributes:
        name: the label.
        labels: whether each image has it, 0 or 1, (n,).
        predicted: whether the network says so.
    """

    name: str
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @property
    def classes(self) -> tuple[str, str]:
        """The names by which both are numbered."""
        return f"without {self.name}", f"with {self.name}"


@dataclass(frozen=True)
class EmbeddingResult:
    """A map of images.

    Attributes:
        model: what the network is called.
        data: which images these are; `num_all` is how many there are of them.
        layer: the layer, whose vectors have `num_features` numbers.
        method: "pca", "tsne" or "umap"; `about` says what its axes are.
        points: (n, 2).
        names: of the images; `labels` their classes, `predicted` what the network says.
        classes: names, by which labels and predictions are numbered. Where an image may have
            several labels, these three are of one of them: with it, and without it.
        colors: where an image may have several labels, each of them; the map can be colored by any.
        truths: what each image is: its class, or its labels.
        answers: what the network says it is.
        pixels: bytes (n, h, w, c).
        trust: how far the map can be trusted.
        neighbors: of each image that was asked for.
    """

    model: str
    data: str
    num_all: int
    layer: str
    num_features: int
    method: str
    about: str
    points: NDArray[np.float64]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    classes: tuple[str, ...]
    pixels: NDArray[np.uint8]
    trust: Trust
    truths: tuple[str, ...]
    answers: tuple[str, ...]
    colors: tuple[LabelColors, ...] = ()
    neighbors: tuple[Neighbors, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The label that `classes` are about, where an image may have several; else ""."""
        return next((each.name for each in self.colors if each.classes == self.classes), "")

    @property
    def lines(self) -> list[str]:
        """What is to be known of the map, a sentence or two each."""
        shown = len(self.points)
        some = (
            f"{shown:,} of {self.num_all:,} images" if shown < self.num_all else f"{shown:,} images"
        )
        evenly = ", evenly out of all" if shown < self.num_all else ""
        wrong = int((self.labels != self.predicted).sum())
        of_label = f" for {self.label}" if self.label else ""
        what = (
            f"{some} ({self.data}){evenly}, by {self.num_features:,} features at {self.layer} of "
            f"{self.model}; {wrong:,} are predicted wrong{of_label}."
        )
        return [what, self.about, str(self.trust)]

    def __str__(self) -> str:
        return "".join(f"{visible(line)}\n" for line in self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Figures and neighbors as values of JSON; the points are in the CSV."""
        return {
            "model": self.model,
            "data": self.data,
            "layer": self.layer,
            **({"label": self.label} if self.label else {}),
            "method": self.method,
            "num_images": len(self.points),
            "num_all": self.num_all,
            "num_features": self.num_features,
            "trust": asdict(self.trust),
            "neighbors": [
                {
                    "image": each.image,
                    "predicted": each.predicted,
                    "nearest": [self.names[index] for index in each.indices],
                    "distances": list(each.distances),
                }
                for each in self.neighbors
            ],
            "notes": list(self.notes),
        }

    def to_csv(self) -> str:
        """A row for each image: name, class or labels, prediction, whether it is right, x, y."""
        rows = (
            (name, truth, answer, int(truth == answer), *(f"{number:.6g}" for number in point))
            for name, truth, answer, point in zip(
                self.names, self.truths, self.answers, self.points, strict=True
            )
        )
        return to_csv([("path", "label", "predicted", "correct", "x", "y"), *rows])
