"""What the filters of a trained network say: their maps, who repeats whom, what each is worth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.data.normalize import normalize
from convscope.geometry import Field
from convscope.inference import inference_mode
from convscope.lessons.trained import Bytes, Trained

COMPARED = 100
"""Test digits over which maps are compared."""

TWIN, DEAD = 0.9, 0.01
"""The correlation of maps that say the same; the share of the liveliest map's deviation below
which a map is dead."""

_BATCH = 256

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Patch:
    """A piece of a digit that excites a filter: its bytes, the sum, and what digit it is of."""

    pixels: Bytes
    value: float
    digit: int


class Layer:
    """The filters of one convolution of a trained LeNet-5, `conv1` or `conv2`."""

    def __init__(self, trained: Trained, name: str) -> None:
        self.trained = trained
        self._layers = list(trained.net.named_children())
        self._place = [child for child, _ in self._layers].index(name)
        layer = self._layers[self._place][1]
        assert isinstance(layer, nn.Conv2d)
        self.weights: Floats = layer.weight.detach().numpy()
        self._worth: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self.weights)

    @cached_property
    def field(self) -> Field:
        """What a unit of the maps sees, along either axis."""
        field = Field()
        for _, layer in self._layers[: self._place + 1]:
            if isinstance(layer, nn.Conv2d | nn.AvgPool2d):
                kernel, stride = layer.kernel_size, layer.stride
                sizes = [v if isinstance(v, int) else v[0] for v in (kernel, stride)]
                field = field.through(sizes[0], stride=sizes[1])
        return field

    def _run(self, images: Tensor, first: int, end: int | None) -> Tensor:
        """The layers from `first` to before `end`, a batch at a time."""
        with inference_mode(self.trained.net):
            part = nn.Sequential(*(layer for _, layer in self._layers[first:end]))
            starts = range(0, len(images), _BATCH)
            return torch.cat([part(images[start : start + _BATCH]) for start in starts])

    def _read(self, pixels: Bytes) -> Tensor:
        return normalize(
            torch.from_numpy(pixels)[..., None], self.trained.card, channels_last=False
        )

    def maps(self, pixels: Bytes) -> Floats:
        """The maps (n, k, h, w) of some pictures, behind the activation."""
        return self._run(self._read(pixels), 0, self._place + 2).numpy()

    @cached_property
    def _maps(self) -> Floats:
        """Those of all test digits."""
        return self.maps(self.trained.test[0])

    @cached_property
    def correlation(self) -> Matrix:
        """(k, k): how two maps go together, over all places of the compared digits.

        0 with a map that never changes.
        """
        flat = self._maps[:COMPARED].swapaxes(0, 1).reshape(len(self), -1).astype(np.float64)
        return _cosines(flat - flat.mean(1, keepdims=True))

    @cached_property
    def cosine(self) -> Matrix:
        """(k, k): how alike the weights of two filters are; 0 with a filter of zeros."""
        return _cosines(self.weights.reshape(len(self), -1).astype(np.float64))

    @cached_property
    def deviation(self) -> Matrix:
        """(k,): how far each map goes up and down over the compared digits."""
        return self._maps[:COMPARED].astype(np.float64).std((0, 2, 3))

    @property
    def dead(self) -> list[int]:
        """The maps that hardly change, whatever the digit."""
        return [int(k) for k in np.flatnonzero(self.deviation <= DEAD * self.deviation.max())]

    def right(self, removed: tuple[int, ...]) -> int:
        """How many test digits are read right with some filters zeroed, weights and bias."""
        if removed not in self._worth:
            kept = torch.from_numpy(self._maps).clone()
            kept[:, list(removed)] = 0  # a sum of zero, and tanh of it
            answers = self._run(kept, self._place + 2, None).argmax(1).numpy()
            self._worth[removed] = int((answers == self.trained.test[1]).sum())
        return self._worth[removed]

    @cached_property
    def _peaks(self) -> tuple[Floats, NDArray[np.int64]]:
        """The largest sum of each filter in each training digit (n, k), and where it is."""
        sums = self._run(self._read(self.trained.train[0]), 0, self._place + 1).flatten(2)
        values, places = sums.max(2)
        return values.numpy(), places.numpy()

    def exciting(self, place: int, count: int = 9) -> list[Patch]:
        """The patches of training digits with the largest sums, one a digit, the largest first."""
        values, places = self._peaks
        pixels, labels = self.trained.train
        across = self._maps.shape[3]
        found: list[Patch] = []
        for image in np.argsort(-values[:, place], kind="stable")[:count]:
            row, column = divmod(int(places[image, place]), across)
            (top, below), (left, right) = self.field.box(row), self.field.box(column)
            piece = pixels[image, top:below, left:right]
            found.append(Patch(piece, float(values[image, place]), int(labels[image])))
        return found


def _cosines(rows: Matrix) -> Matrix:
    length = np.sqrt((rows**2).sum(1, keepdims=True))
    unit = rows / np.where(length > 0, length, 1)
    return np.clip(unit @ unit.T, -1, 1)
