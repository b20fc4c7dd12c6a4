"""A sheet of filters: those that read the image as pictures, deeper ones by their inputs."""

import numpy as np
from numpy.typing import NDArray

from convscope.features.colors import color_scale, colorize
from convscope.features.filters.result import FiltersResult, FilterWeights, LayerFilters
from convscope.features.sheets.sheet import Row, Scale, Section, Sheet, Tile

INPUTS = 8
"""Input channels of a filter that are drawn, the strongest ones."""

_LISTED = 12  # pairs that a sentence lists


def filters_sheet(result: FiltersResult, *, top: int) -> Sheet:
    """A section for each layer, with its `top` filters of the largest norms."""
    explained = (
        "Weights as they are stored. The norm is the square root of the sum of a filter's squared "
        "weights. Twins have weights whose angle has a cosine of 0.9 or more; they have a frame."
    )
    sections = tuple(_section(layer, top) for layer in result.layers)
    lines = explained, *result.notes
    return Sheet(f"Filters of {result.model}", lines, sections, tile=104, columns=9)


def _section(layer: LayerFilters, top: int) -> Section:
    order = sorted(layer.filters, key=lambda one: -one.norm)[:top]
    height, width = layer.kernel
    grouped = f" in {layer.groups} groups" if layer.groups > 1 else ""
    less = (
        f" Shown: {len(order)}, those of the largest norms first."
        if (len(order) < len(layer.filters))
        else ""
    )
    pairs = layer.twins
    listed = ", ".join(f"{a} and {b}" for a, b in pairs[:_LISTED])
    more = f" and {len(pairs) - _LISTED} more pairs" if len(pairs) > _LISTED else ""
    twins = f" Twins: {listed}{more}." if pairs else ""
    tiny = f" Nearly zero: {', '.join(map(str, layer.tiny[:20]))}." if layer.tiny else ""
    text = (
        f"{len(layer.filters):,} filters of {height}x{width} over {layer.inputs:,} input channels"
        f"{grouped}.{twins}{tiny}{less}"
    )
    title = f"Convolution {layer.number}: {layer.name}"
    if layer.is_single:
        tiles = tuple(whole_filter(layer, one) for one in order)
        return Section(title, (Row(tiles),), text, _scale(layer))
    rows = tuple(_row(layer, one) for one in order)
    return Section(title, rows, text, _scale(layer))


def _scale(layer: LayerFilters) -> Scale:
    peak = layer.peak
    if layer.is_color:
        levels = np.linspace(0, 255, 160).astype(np.uint8)
        strip = np.repeat(levels[None, :, None], 3, 2)
        text = "for red, green and blue each; gray is 0. The scale is symmetric, one for the layer"
        return Scale(strip, f"{-peak:.3g}", f"{peak:.3g}", text)
    text = "white is 0. The scale is symmetric, one for the layer"
    return Scale(color_scale(-1, 1), f"{-peak:.3g}", f"{peak:.3g}", text)


def color_picture(weights: NDArray[np.float32], peak: float) -> NDArray[np.uint8]:
    """Weights (3, h, w) as an image (h, w, 3): 0 is gray, `peak` 255, and its negative 0."""
    levels = 127.5 + 127.5 * weights.transpose(1, 2, 0) / (peak or 1)
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def whole_filter(layer: LayerFilters, one: FilterWeights) -> Tile:
    """A filter of a layer that `is_single`, as one picture."""
    pixels = (
        color_picture(one.weights, layer.peak)
        if layer.is_color
        else colorize(one.weights[0] / (layer.peak or 1))
    )
    return Tile(
        pixels,
        f"filter {one.filter}",
        (f"norm {one.norm:.3g}", *_twin(one)),
        alt=f"Weights of filter {one.filter}, norm {one.norm:.3g}",
        is_marked=one.twin is not None,
    )


def _twin(one: FilterWeights) -> tuple[str, ...]:
    if one.twin is None:
        return ()
    return (f"twin of {one.twin}", f"cosine {one.similarity:.2f}")


def _row(layer: LayerFilters, one: FilterWeights) -> Row:
    inputs = one.strongest_inputs(INPUTS)
    share = sum(norm**2 for _, norm in inputs) / one.norm**2 if one.norm else 0
    twin = "".join(f" · {part}" for part in _twin(one))
    title = f"Filter {one.filter} · norm {one.norm:.3g}{twin}"
    count = len(one.weights)
    text = (
        f"The {len(inputs)} of {count:,} input channels with the largest norms, {share:.0%} of "
        "its squared weights."
        if len(inputs) < count
        else ""
    )
    tiles = tuple(
        Tile(
            colorize(one.weights[index] / (layer.peak or 1)),
            f"input {one.first_input + index}",
            (f"norm {norm:.3g}",),
            alt=f"Weights of filter {one.filter} for input channel {one.first_input + index}",
            is_marked=one.twin is not None,
        )
        for index, norm in inputs
    )
    return Row(tiles, title, text)
