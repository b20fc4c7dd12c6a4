"""A sheet of activation maps: a section for each layer."""

import numpy as np

from convscope.features.colors import color_scale, colorize
from convscope.features.maps.result import ActivationMap, LayerMaps, MapsResult, Rank
from convscope.features.sheets.sheet import Row, Scale, Section, Sheet, Tile

_SCORES: dict[Rank, str] = {
    "strongest": "",
    "importance": "importance ",
    "distance-from-mean": "distance ",
}


def maps_sheet(result: MapsResult) -> Sheet:
    """The image, and below it the maps of each layer."""
    size = "x".join(map(str, result.card.input_size))
    predicted = f"Prediction: {result.predicted}." if result.predicted else ""
    lines = (
        f"{result.image}, brought to {size}. {predicted}".strip(),
        f"Maps are ranked by {result.ranked_by}. {_meaning(result)}",
        *result.notes,
    )
    pixels = np.broadcast_to(result.pixels, (*result.pixels.shape[:2], 3))
    image = Tile(np.ascontiguousarray(pixels), "image", (size,), alt=f"The image {result.image}")
    first = Section("Image", (Row((image,)),))
    sections = tuple(_section(result, layer) for layer in result.layers)
    return Sheet(f"Maps of {result.model}", lines, (first, *sections), tile=128, columns=8)


def _meaning(result: MapsResult) -> str:
    if result.scale == "map":
        return "Each map has its own color scale: compare shapes, not colors."
    return "The maps of a layer have one color scale."


def _section(result: MapsResult, layer: LayerMaps) -> Section:
    count, height, width = layer.shape
    number = f"Convolution {layer.number}: " if layer.number else ""
    after = f", read after {layer.source}" if layer.source != layer.name else ""
    dead = f" {layer.num_dead:,} maps are 0 everywhere." if layer.num_dead else ""
    less = f" Shown: {len(layer.maps)}." if len(layer.maps) < count else ""
    text = (
        f"{count:,} maps of {height}x{width}{after}; receptive field "
        f"{layer.field[0]}x{layer.field[1]} pixels.{dead}{less}"
    )
    peak = max(abs(layer.smallest), abs(layer.largest)) or 1.0
    tiles = tuple(
        _tile(result, one, peak if result.scale == "layer" else _peak(one)) for one in layer.maps
    )
    has_negative = any((one.values < 0).any() for one in layer.maps)
    low = -1.0 if has_negative else 0.0
    if result.scale == "layer":
        ends = f"{low * peak:.3g}", f"{peak:.3g}"
        said = "white is 0; the largest magnitude of all maps of the layer is darkest"
    else:
        ends = "-" if has_negative else "0", "+"
        said = "white is 0; the largest magnitude of each map is darkest"
    scale = Scale(color_scale(low, 1.0), *ends, said)
    return Section(f"{number}{layer.name}", (Row(tiles),), text, scale)


def _peak(one: ActivationMap) -> float:
    return float(np.abs(one.values).max()) or 1.0


def _tile(result: MapsResult, one: ActivationMap, peak: float) -> Tile:
    score = _SCORES[result.rank]
    ranked = f"{score}{one.score:.3g}" if score else ""
    is_one = one.values.size == 1
    lines = [
        f"value {one.mean:.3g}" if is_one else f"largest {one.largest:.3g}",
        "" if is_one else f"mean {one.mean:.3g}",
        "" if is_one else f"{one.active:.0%} above 0",
    ]
    return Tile(
        colorize(one.values / peak),
        f"map {one.channel}",
        tuple(filter(None, [ranked, *lines])),
        alt=f"Map {one.channel}: {', '.join(filter(None, lines[:2]))}",
    )
