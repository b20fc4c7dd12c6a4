"""`redundancy`: which filters of a network detect the same pattern, or none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from convscope.data.dataset import Split
from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import ImageSet, open_images
from convscope.features.layer_pass import LayerPass
from convscope.features.similarity import Matrix, cosine_similarity
from convscope.map_similarity.alignment import Alignment
from convscope.map_similarity.layer import LayerRedundancy
from convscope.map_similarity.moments import GROUPS, Moments
from convscope.models import ModelLike, OpenedModel
from convscope.recording.wrappers import modules_by_path
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms

MAX_MAPS = 4096
"""Maps of a layer up to which every two are compared."""


@dataclass(frozen=True)
class Redundancy:
    """The redundancy of a network's layers.

    Attributes:
        model: what it is called.
        data: which images they were measured on.
        layers: in the order of execution.
        notes: caveats for the reader.
    """

    model: str
    data: str
    layers: tuple[LayerRedundancy, ...]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> LayerRedundancy:
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise RequestError(f"There is no layer {name!r} here; these are: {names}.")

    def to_dict(self) -> dict[str, Any]:
        """The figures as values of JSON."""
        return {
            "model": self.model,
            "data": self.data,
            "layers": [layer.to_dict() for layer in self.layers],
            "notes": list(self.notes),
        }


@takes_synonyms
def redundancy(
    model: ModelLike,
    data: DataLike | None = None,
    *,
    layers: Sequence[str] | None = None,
    split: Split | None = None,
    max_images: int | None = 2000,
    weights: str | None = None,
    pretrained: bool = False,
    data_dir: str | Path | None = None,
    trust: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Redundancy:
    """Measure how similar the maps of each convolution are over images: twins, dead maps, rank.

    The maps are those after the activation function. Without `data`, the images are those of the
    run's test split; of more than `max_images`, as many at equal distances. `layers` are names as
    in a recording; by default all convolutions. Memory: 20 numbers for every two maps of a layer.

    Raises RequestError for an unknown layer, for images of fewer than 40, and where network and
    data do not match.
    """
    if max_images is not None and max_images < _FEWEST:
        raise RequestError(f"`max_images` must be at least {_FEWEST}, not {max_images}.")
    opened = open_trained(
        model, weights=weights, pretrained=pretrained, consent=Consent(trust=trust)
    )
    request = DataRequest(
        split=split,
        data_dir=Path(data_dir) if data_dir else None,
        image_column=None,
        label_column=None,
    )
    images = open_images(opened, data, request)
    name = opened.name if opened.run is None else str(opened.run.path)
    found = measure_layers(opened, images, layers, max_images=max_images, on_progress=on_progress)
    notes = tuple(filter(None, (opened.note, found[1])))
    return Redundancy(name, images.description, found[0], notes)


_FEWEST = 4 * GROUPS


def measure_layers(
    opened: OpenedModel,
    images: ImageSet,
    layers: Sequence[str] | None,
    *,
    max_images: int | None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[tuple[LayerRedundancy, ...], str]:
    """`redundancy` for what is open; with a note on layers that were left out."""
    indices = images.indices
    if len(indices) < _FEWEST:
        raise RequestError(
            f"{images.description} has {len(indices)} images; how similar maps are takes "
            f"{_FEWEST} or more."
        )
    if max_images is not None and len(indices) > max_images:
        indices = indices[np.linspace(0, len(indices) - 1, max_images).astype(np.int64)]
    layer_pass = LayerPass(opened.net, opened.card, layers)
    chosen = [
        layer for layer in layer_pass.layers if layers is not None or layer.type == "convolution"
    ]
    left_out = [layer.name for layer in chosen if layer.shape[0] > MAX_MAPS]
    chosen = [layer for layer in chosen if layer.shape[0] <= MAX_MAPS]
    if not chosen:
        raise RequestError(f"{opened.name} has no convolution whose maps could be compared.")
    moments = {layer.name: Moments(layer.shape[0]) for layer in chosen}
    alignments = {layer.name: Alignment(layer.shape[0]) for layer in chosen}
    source = images.loaded.batch_source
    for batch in layer_pass.batches(source, indices, on_progress=on_progress):
        for layer in chosen:
            units = batch.units[layer.name]
            if not bool(torch.isfinite(units).all()):
                raise RequestError(f"{layer.name} has units that are not finite numbers.")
            moments[layer.name].add(units)
            alignments[layer.name].add(units)
    found = tuple(
        LayerRedundancy(
            layer.name,
            len(indices),
            moments[layer.name],
            alignments[layer.name],
            _cosine(opened.net, layer.name, layer.shape[0]),
        )
        for layer in chosen
    )
    note = f"Not compared, with more than {MAX_MAPS:,} maps: {', '.join(left_out)}."
    return found, note if left_out else ""


def _cosine(net: nn.Module, layer: str, num_maps: int) -> Matrix | None:
    """Of the filters of a layer of torch.nn with one filter for each map."""
    module = modules_by_path(net).get(layer)
    if not isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
        return None
    weight = module.weight.detach().float().cpu().numpy()
    return cosine_similarity(weight) if len(weight) == num_maps else None
