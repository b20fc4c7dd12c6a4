"""Sheets of patches: a section for each layer, a row for each filter."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.features.filters.drawn import whole_filter
from convscope.features.patches.found import PatchesResult
from convscope.features.patches.result import FilterPatches, LayerPatches, Patch
from convscope.features.sheets.sheet import Pixels, Row, Section, Sheet, Tile

SHOWN = 12
"""Filters of a layer that a page or a picture shows."""

_NAMED = 16  # filters that a sentence lists
_CLASSES = 4  # that a sentence lists


def patches_sheet(
    result: PatchesResult, layers: Sequence[LayerPatches] | None = None, *, shown: int = SHOWN
) -> Sheet:
    """The patches of some layers, by default all: of each the `shown` most selective filters."""
    chosen = result.layers if layers is None else layers
    size = "x".join(map(str, result.card.input_size))
    images = f"{result.num_images:,} images: {result.images.description}"
    shown_as = (
        "Each row has the patches that excite one filter most, the strongest first, at most one of "
        "an image. A patch is the receptive field of the unit; stripes lie outside of the image. "
        "The number is the unit's value; +3 alike: three weaker patches among the filter's "
        f"{4 * result.top} strongest images look like this one. In a frame: the filter's weights, "
        "with gray or white for 0."
    )
    selectivity = (
        "Selectivity compares the class with the largest mean activation, m, with the mean of the "
        "others, r: (m - r) / (m + r) (Morcos et al. 2018). 0: all classes alike, 1: one alone."
    )
    lines = (
        f"{result.model} on {images}, in pixels of the network's input ({size}).",
        shown_as,
        selectivity,
        *result.notes,
    )
    sections = tuple(_section(result, layer, shown) for layer in chosen)
    return Sheet(f"Strongest patches of {result.model}", lines, sections, tile=104, columns=10)


def _section(result: PatchesResult, layer: LayerPatches, shown: int) -> Section:
    filters = most_selective(layer, shown)
    kind = "units" if len(layer.shape) == 1 else "filters"
    number = len(layer.filters)
    exact = "" if layer.is_exact else "at most "
    field = "x".join(map(str, layer.field))
    where = f", read after {layer.source}" if layer.source != layer.name else ""
    size = f", {layer.shape[1]}x{layer.shape[2]} units each" if len(layer.shape) == 3 else ""
    also = f" The same units belong to {', '.join(layer.also)}." if layer.also else ""
    less = (
        f" Shown: {len(filters)} of {number:,}, the most selective first."
        if len(filters) < number
        else ""
    )
    text = (
        f"{number:,} {kind}{size}{where}; receptive field {exact}{field} pixels.{also}"
        f"{_named(layer, 'dead')}{_named(layer, 'always on')}{less}"
    )
    rows = tuple(_row(result, layer.name, one, kind) for one in filters)
    return Section(layer.name, rows, text)


def most_selective(layer: LayerPatches, count: int) -> list[FilterPatches]:
    """The filters with patches, by selectivity; in their order where all fit or none has any."""
    alive = [one for one in layer.filters if one.patches]
    if len(alive) <= count:
        return alive
    return sorted(alive, key=lambda one: -(one.summary.selectivity or 0))[:count]


def _named(layer: LayerPatches, state: str) -> str:
    found = [one.filter for one in layer.filters if one.summary.state == state]
    if not found:
        return ""
    listed = ", ".join(map(str, found[:_NAMED]))
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    what = "one value everywhere" if state == "dead" else "above 0 nearly everywhere"
    return f" {state.capitalize()} ({what}): {listed}{more}."


def _row(result: PatchesResult, layer: str, one: FilterPatches, kind: str) -> Row:
    summary = one.summary
    selective = "" if summary.selectivity is None else f" · selectivity {summary.selectivity:.2f}"
    best = f" · most active for {summary.preferred}" if summary.preferred else ""
    title = f"{kind[:-1].capitalize()} {one.filter}{best}{selective}"
    strongest = ", ".join(f"{name} ({count})" for name, count in summary.top_classes[:_CLASSES])
    count = sum(number for _, number in summary.top_classes)
    rest = len(summary.top_classes) - _CLASSES
    more = f", {rest} other class{'es' if rest > 1 else ''}" if rest > 0 else ""
    state = f"{summary.state.capitalize()}. " if summary.state else ""
    text = (
        f"{state}Classes of the {count} strongest images: {strongest}{more}. Above 0 in "
        f"{summary.active_images:.0%} of images and {summary.active_units:.0%} of units; mean "
        f"{summary.mean:.3g}, largest {summary.largest:.3g}."
    )
    pixels = result.pixels(one.patches)
    tiles = tuple(_tile(patch, *own) for patch, own in zip(one.patches, pixels, strict=True))
    return Row((*_weights(result, layer, one.filter), *tiles), title, text)


def _weights(result: PatchesResult, layer: str, number: int) -> tuple[Tile, ...]:
    """The filter's weights, where they are a picture."""
    if layer not in result.weights:
        return ()
    own = result.weights[layer]
    tile = whole_filter(own, own.filters[number])
    return (replace(tile, title="weights", lines=tile.lines, is_marked=True),)


def _tile(patch: Patch, pixels: Pixels, outside: NDArray[np.bool_]) -> Tile:
    alike = (f"+{patch.alike} alike",) if patch.alike else ()
    return Tile(
        pixels,
        f"{patch.value:.3g}",
        (patch.label, patch.image, f"unit {patch.row}, {patch.column}", *alike),
        outside,
        f"Patch of {patch.image}, {patch.label}, value {patch.value:.3g}",
    )
