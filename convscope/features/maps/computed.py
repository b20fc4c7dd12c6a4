"""The units of layers for one image, and the scores of their maps."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.data.normalize import normalize
from convscope.errors import RequestError, nearest
from convscope.features.class_images import ClassImages
from convscope.features.layer_pass import LayerBatch, LayerPass
from convscope.features.maps.result import (
    RANKS,
    ActivationMap,
    ColorScale,
    LayerMaps,
    MapsResult,
    Rank,
)
from convscope.features.ranking import distance_from_mean, mean_magnitude
from convscope.features.relevance import gradients_times_units
from convscope.features.unit_fields import layer_fields
from convscope.features.unit_layers import convolutions, find_layers
from convscope.models import OpenedModel

Scores = Mapping[str, NDArray[np.float32]]
"""A score for each map, by the layer's name."""


@dataclass(frozen=True)
class ImageMaps:
    """An image in a network of which some layers are read.

    Attributes:
        pixels: (h, w, c) bytes, as the network gets them.
        target: a class, its index, or None for the one that is predicted.

    Raises RequestError for layers without maps.
    """

    opened: OpenedModel
    layer_pass: LayerPass
    pixels: NDArray[np.uint8]
    target: str | int | None

    def __post_init__(self) -> None:
        for layer in self.layer_pass.layers:
            if len(layer.shape) != 3:
                raise RequestError(
                    f"{layer.name} is a vector of {layer.shape[0]} units and has no maps; "
                    "`convscope explain` shows its units."
                )

    @cached_property
    def _batch(self) -> LayerBatch:
        return self.layer_pass.run(np.zeros(1, np.int64), torch.tensor(self.pixels[None]))

    @cached_property
    def volumes(self) -> Scores:
        """The units of each layer, (c, h, w)."""
        return {name: units[0].float().numpy() for name, units in self._batch.units.items()}

    @cached_property
    def label(self) -> int:
        """The index of the target class."""
        classes = self.opened.card.classes
        if self.target is None:
            return int(self._batch.logits[0].argmax())
        if isinstance(self.target, str) and self.target in classes:
            return classes.index(self.target)
        if isinstance(self.target, int) and 0 <= self.target < len(classes):
            return self.target
        raise RequestError(
            f"`target`: there is no class {self.target!r}.{nearest(str(self.target), classes)} "
            f"The first of {len(classes)} are {', '.join(classes[:5])}."
        )

    def scores(self, rank: Rank) -> tuple[Scores, str]:
        """The score of every map, and in words what it is."""
        name = self.opened.card.classes[self.label]
        if rank == "strongest":
            found = {own: mean_magnitude(volume) for own, volume in self.volumes.items()}
            return found, RANKS[rank]
        if rank == "importance":
            return self._importance(), RANKS[rank].format(target=name)
        means, count = self._class_means(name)
        found = {own: distance_from_mean(self.volumes[own], means[own]) for own in means}
        return found, RANKS[rank].format(compared=f"{count} training images of {name}")

    def _importance(self) -> Scores:
        card, layers = self.opened.card, self.layer_pass.layers
        image = normalize(torch.tensor(self.pixels[None]), card, channels_last=False)
        products = gradients_times_units(
            self.layer_pass.net, image, layers, self.label, len(card.classes)
        )
        found: dict[str, NDArray[np.float32]] = {}
        for name, product in products.items():
            if product is None:
                raise RequestError(
                    f"The network's output has no gradient by {name}. Choose another `rank`."
                )
            found[name] = product[0].sum((1, 2)).float().numpy()
        return found

    def _class_means(self, name: str) -> tuple[Scores, int]:
        run, card = self.opened.run, self.opened.card
        images = [] if run is None else ClassImages(run, card).of(self.label)
        if not images:
            raise RequestError(
                f"There are no training images of {name} to compare with: that takes a run whose "
                "images are where they were. Choose another `rank`."
            )
        units = [
            self.layer_pass.run(np.zeros(1, np.int64), torch.tensor(image[None])).units
            for image in images
        ]
        means = {
            own: np.mean([each[own][0].float().numpy() for each in units], axis=0)
            for own in self.volumes
        }
        return means, len(images)

    def result(self, image: str, *, rank: Rank, top: int, scale: ColorScale) -> MapsResult:
        """The `top` highest ranked maps of each layer."""
        scores, ranked_by = self.scores(rank)
        recorded, layers = self.layer_pass.recorded, self.layer_pass.layers
        found = convolutions(find_layers(recorded.operations))
        numbers = {layer.name: number for number, layer in enumerate(found, start=1)}
        fields = layer_fields(recorded, layers, self.opened.card)
        return MapsResult(
            model=self.opened.name if self.opened.run is None else str(self.opened.run.path),
            image=image,
            card=self.opened.card,
            pixels=self.pixels,
            predicted="" if self.opened.warning else self._predicted,
            rank=rank,
            ranked_by=ranked_by,
            scale=scale,
            layers=tuple(
                LayerMaps(
                    name=layer.name,
                    source=layer.source,
                    number=numbers.get(layer.name),
                    shape=layer.shape,
                    field=fields[layer.name].size,
                    smallest=float(self.volumes[layer.name].min()),
                    largest=float(self.volumes[layer.name].max()),
                    num_dead=int((self.volumes[layer.name] == 0).all((1, 2)).sum()),
                    maps=_highest(self.volumes[layer.name], scores[layer.name], top),
                )
                for layer in layers
            ),
            notes=tuple(filter(None, [self.opened.warning, self.opened.note])),
        )

    @property
    def _predicted(self) -> str:
        return self.opened.card.classes[int(self._batch.logits[0].argmax())]


def _highest(
    volume: NDArray[np.float32], scores: NDArray[np.float32], top: int
) -> tuple[ActivationMap, ...]:
    order = np.argsort(-scores, kind="stable")[:top]
    return tuple(
        ActivationMap(int(channel), volume[channel], float(scores[channel])) for channel in order
    )
