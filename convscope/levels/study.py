"""The filters of levels that are shown: chosen from the top, divided, and drawn."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from convscope.data.normalize import normalize
from convscope.features.image_set import ImageSet
from convscope.features.layer_pass import LayerPass
from convscope.features.patches.result import FilterPatches, LayerPatches
from convscope.features.unit_layers import UnitLayer
from convscope.levels.computed import compute_pictures
from convscope.levels.decomposition import Divider
from convscope.levels.pictures import draw_kernel, draw_weights, weights_of_image, weights_of_maps
from convscope.levels.result import SHOWN_PARTS, Level, LevelFilter, Parts
from convscope.levels.selection import choose_classes, choose_filters
from convscope.models import OpenedModel

DIVIDED = 5
"""Patches of a filter over which its parts are averaged."""

OnProgress = Callable[[str, int, int], None]
"""Gets what is being done, how much of it is done, and how much there is."""


class Study:
    """Studies the layers of a pass as levels, the classes last."""

    def __init__(
        self,
        opened: OpenedModel,
        layer_pass: LayerPass,
        images: ImageSet,
        layers: Sequence[UnitLayer],
    ) -> None:
        self._opened, self._images = opened, images
        self._recorded, self._layers = layer_pass.recorded, layers
        self._device = next((p.device for p in opened.net.parameters()), torch.device("cpu"))

    def levels(
        self,
        found: Sequence[LayerPatches],
        classes: Sequence[int],
        count: int,
        on_progress: OnProgress = lambda doing, done, total: None,
    ) -> list[Level]:
        """The levels with `count` filters each, from the lowest to the classes."""
        levels: list[Level] = []
        above: list[Parts] = []
        chosen = choose_classes(found[-1], classes)
        total, done = len(chosen) + count * (len(found) - 2), 0
        for number in reversed(range(len(found))):
            if number < len(found) - 1:
                chosen = choose_filters(found[number], above, count)
            shown: list[LevelFilter] = []
            for filter_ in chosen:
                shown.append(self._filter(number, found, found[number].filters[filter_]))
                if number:
                    done += 1
                    on_progress("Tracing back", min(done, total), total)
            above = [one.parts for one in shown if one.parts is not None]
            levels.append(Level(found[number], tuple(shown), number == len(found) - 1))
        return levels[::-1]

    def with_pictures(
        self, levels: Sequence[Level], steps: int, on_progress: OnProgress
    ) -> list[Level]:
        """The levels with a computed picture of each filter whose weights are not drawn."""
        wanted = [
            (number, layer, [one.number for one in level.filters if one.weights is None])
            for number, (level, layer) in enumerate(zip(levels, self._layers, strict=True))
        ]
        made = compute_pictures(
            self._opened,
            self._recorded,
            wanted,
            steps,
            on_progress=lambda done, total: on_progress("Computing pictures", done, total),
        )
        return [
            replace(
                level,
                filters=tuple(
                    replace(one, synthesis=made.get((number, one.number))) for one in level.filters
                ),
            )
            for number, level in enumerate(levels)
        ]

    def _filter(
        self, number: int, found: Sequence[LayerPatches], own: FilterPatches
    ) -> LevelFilter:
        layer = self._layers[number]
        is_class = number == len(self._layers) - 1
        classes = self._opened.card.classes
        name = classes[own.filter] if is_class else f"{layer.name} {own.filter}"
        if number == 0:
            weights = weights_of_image(self._recorded, layer)
            drawn = None if weights is None else draw_weights(weights[own.filter])
            return LevelFilter(own.filter, name, own, None, drawn)
        lower = self._layers[number - 1]
        parts = self._parts(layer, lower, found[number - 1].name, own)
        weights = weights_of_maps(self._recorded, layer, lower)
        kernels = {
            part: draw_kernel(weights[own.filter], part)
            for part in ([] if weights is None or parts is None else parts.strongest(SHOWN_PARTS))
            if weights is not None
        }
        return LevelFilter(own.filter, name, own, parts, None, kernels)

    def _parts(
        self, layer: UnitLayer, lower: UnitLayer, name: str, own: FilterPatches
    ) -> Parts | None:
        patches = own.patches[:DIVIDED]
        if not patches:
            return None
        width = layer.shape[2] if len(layer.shape) == 3 else 1
        positions = [patch.row * width + patch.column for patch in patches]
        divider = Divider(self._opened.net, self._recorded, layer, lower)
        divided = divider.divide(
            self._fed([patch.index for patch in patches]), own.filter, positions
        )
        return Parts(
            layer=name,
            num_patches=len(patches),
            value=divided.value,
            added=divided.parts,
            bias=divided.bias,
            rest=divided.rest,
        )

    def _fed(self, indices: Sequence[int]) -> Tensor:
        """Images as the network is fed them, (n, c, h, w)."""
        source = self._images.loaded.batch_source
        [pixels] = source.batches([np.array(indices, np.int64)])
        return normalize(pixels.to(self._device), self._opened.card, channels_last=False)
