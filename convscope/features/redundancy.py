"""The filters of one trained layer: their maps, which are redundant, and what each is worth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.arithmetic import Field
from convscope.card import Card
from convscope.data.normalize import normalize
from convscope.features.similarity import Matrix, correlation, cosine_similarity
from convscope.inference import inference_mode

COMPARED = 100
"""Number of test images over which maps are compared."""

DEAD = 0.01
"""Share of the largest standard deviation of a map up to which a map counts as dead."""

_BATCH = 256

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Labelled = tuple[Pixels, NDArray[np.int64]]


@dataclass(frozen=True)
class Patch:
    """A piece of a training image that activates a filter strongly.

    Attributes:
        pixels: its bytes (height, width).
        value: the filter's output for it, before the activation function.
        label: the class of the image that it is part of.
    """

    pixels: Pixels
    value: float
    label: int


class FilterAnalysis:
    """The filters of the convolution `layer` of a network whose modules run one after another.

    The activation function must come right behind the layer. `train` and `test` are grayscale
    images (n, height, width) of the card's size, and their labels.
    """

    def __init__(
        self, net: nn.Module, layer: str, *, card: Card, train: Labelled, test: Labelled
    ) -> None:
        self._net, self._card, self._train, self._test = net, card, train, test
        self._modules = list(net.named_children())
        self._index = [name for name, _ in self._modules].index(layer)
        convolution = self._modules[self._index][1]
        assert isinstance(convolution, nn.Conv2d)
        self.weights: Floats = convolution.weight.detach().numpy()
        self._num_correct: dict[tuple[int, ...], int] = {}

    def __len__(self) -> int:
        return len(self.weights)

    @cached_property
    def receptive_field(self) -> Field:
        """The receptive field of the layer's units, along either axis."""
        field = Field()
        for _, module in self._modules[: self._index + 1]:
            if isinstance(module, nn.Conv2d | nn.AvgPool2d):
                kernel, stride = (
                    value if isinstance(value, int) else value[0]
                    for value in (module.kernel_size, module.stride)
                )
                field = field.compose(kernel, stride=stride)
        return field

    def _run(self, images: Tensor, start: int, stop: int | None) -> Tensor:
        """The output of modules `start` to before `stop`, computed a batch at a time."""
        with inference_mode(self._net):
            part = nn.Sequential(*(module for _, module in self._modules[start:stop]))
            batches = (images[n : n + _BATCH] for n in range(0, len(images), _BATCH))
            return torch.cat([part(batch) for batch in batches])

    def _normalized(self, pixels: Pixels) -> Tensor:
        return normalize(torch.from_numpy(pixels)[..., None], self._card, channels_last=False)

    def activation_maps(self, pixels: Pixels) -> Floats:
        """The maps (n, k, h, w) of some images, behind the activation function."""
        return self._run(self._normalized(pixels), 0, self._index + 2).numpy()

    @cached_property
    def _test_maps(self) -> Floats:
        return self.activation_maps(self._test[0])

    @cached_property
    def correlation(self) -> Matrix:
        """(k, k): the correlation of every two maps over the first `COMPARED` test images."""
        return correlation(self._test_maps[:COMPARED].swapaxes(0, 1))

    @cached_property
    def cosine(self) -> Matrix:
        """(k, k): the cosine similarity of the weights of every two filters."""
        return cosine_similarity(self.weights)

    @cached_property
    def deviation(self) -> Matrix:
        """(k,): the standard deviation of each map over the first `COMPARED` test images."""
        return self._test_maps[:COMPARED].astype(np.float64).std((0, 2, 3))

    @property
    def dead(self) -> list[int]:
        """The maps that hardly change, whatever the image."""
        return [int(k) for k in np.flatnonzero(self.deviation <= DEAD * self.deviation.max())]

    def num_correct_without(self, removed: tuple[int, ...]) -> int:
        """The number of test images classified correctly with some filters removed.

        Their maps are set to 0, which is what weights and biases of zero give where the activation
        function keeps 0.
        """
        if removed not in self._num_correct:
            maps = torch.from_numpy(self._test_maps).clone()
            maps[:, list(removed)] = 0
            predicted = self._run(maps, self._index + 2, None).argmax(1).numpy()
            self._num_correct[removed] = int((predicted == self._test[1]).sum())
        return self._num_correct[removed]

    @cached_property
    def _peaks(self) -> tuple[Floats, NDArray[np.int64]]:
        """The largest output of each filter in each training image (n, k), and its flat index."""
        outputs = self._run(self._normalized(self._train[0]), 0, self._index + 1).flatten(2)
        values, indices = outputs.max(2)
        return values.numpy(), indices.numpy()

    def top_patches(self, index: int, count: int = 9) -> list[Patch]:
        """The patches that activate filter `index` most, the strongest first, one per image."""
        values, indices = self._peaks
        pixels, labels = self._train
        width = self._test_maps.shape[3]
        patches: list[Patch] = []
        for image in np.argsort(-values[:, index], kind="stable")[:count]:
            row, column = divmod(int(indices[image, index]), width)
            (top, bottom), (left, right) = map(self.receptive_field.box, (row, column))
            patch = pixels[image, top:bottom, left:right]
            patches.append(Patch(patch, float(values[image, index]), int(labels[image])))
        return patches
