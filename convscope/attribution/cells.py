"""Which unit stands behind each place of a map: of the layer that was weighed, or the first one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.attribution.layer_choice import is_maps
from convscope.attribution.layer_methods import grids_of
from convscope.attribution.raw_map import RawMap, strongest_channels
from convscope.attribution.regions import cell_edges
from convscope.attribution.shares import plain_gradient
from convscope.attribution.steps import Tape
from convscope.attribution.subject import Subject
from convscope.recording import IMAGE, get_kind


@dataclass(frozen=True)
class Cells:
    """The positions of a layer over the image, and the unit at each that adds most.

    Attributes:
        layer: the operation.
        rows, columns: where the positions meet, in pixels of the network's input; one more than
            there are positions.
        channels: int64 (h, w).
    """

    layer: str
    rows: Sequence[int]
    columns: Sequence[int]
    channels: NDArray[np.int64]


def cells_of(subject: Subject, raw: RawMap) -> Cells | None:
    """The units behind a map.

    Of a map of pixels they are those of the first convolution, by gradient times activation. None
    where there is no such layer.
    """
    layer, channels = raw.layer, raw.channels
    if layer is None:
        layer = _first_layer(subject.tape)
        if not layer:
            return None
        maps = subject.tape.values[layer]
        channels = strongest_channels(plain_gradient(subject, layer) * maps)
    if channels is None:
        return None
    sizes = subject.image.shape[2:]
    rows, columns = (
        cell_edges(grid, pixels)
        for grid, pixels in zip(grids_of(subject, layer), sizes, strict=True)
    )
    return Cells(layer, rows, columns, channels)


def _first_layer(tape: Tape) -> str:
    """The first convolution with maps that the logits depend on; "" if there is none."""
    for name in tape.between(IMAGE, tape.logits()):
        operation = tape.operations[name]
        is_convolution = get_kind(operation.kind).rule in ("convolution", "locally_connected")
        if is_convolution and is_maps(operation.shape):
            return name
    return ""
