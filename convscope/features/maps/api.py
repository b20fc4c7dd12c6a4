"""`maps`: the activation maps of chosen layers for one image."""

import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.data.images import ImageLike, open_image
from convscope.data.resize import resize_image
from convscope.data.unreadable import UnreadableImage
from convscope.errors import RequestError
from convscope.features.layer_pass import LayerPass
from convscope.features.maps.computed import ImageMaps
from convscope.features.maps.drawn import maps_sheet
from convscope.features.maps.result import RANKS, ColorScale, MapsResult, Rank
from convscope.features.sheets.files import check_picture, write_sheet
from convscope.features.unit_layers import choose_names, convolutions, find_layers, record_blank
from convscope.models import ModelLike, named_weights, open_model
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike, parse_class_names
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource


@takes_synonyms
def maps(
    run: ModelLike,
    image: ImageLike,
    *,
    layers: str | Sequence[str] | None = None,
    convolutions: Sequence[int] | None = None,
    rank: Rank = "strongest",
    target: str | int | None = None,
    top: int = 8,
    scale: ColorScale = "layer",
    before_activation: bool = False,
    output: str | Path | None = None,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    input_size: int | tuple[int, int] | None = None,
    class_names: ClassNamesLike | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
) -> MapsResult:
    """Compute the activation maps of chosen layers for an image, the highest ranked of each.

    Args:
        run: a run, or any network, as in `explain`.
        image: a path, a PIL image, an array or a tensor, as in `predict`.
        layers: names of layers or operations, as in a recording.
        convolutions: convolutions by number, from 1. Without either five from the first to the
            last: of ten convolutions 1, 2, 4, 7 and 10, of others as far apart in proportion; all
            where there are at most five.
        rank: by mean magnitude (`strongest`); by gradient times activation for `target`, summed
            over the map (`importance`); or by the root mean square difference from the mean map of
            12 training images of `target` (`distance-from-mean`, for runs).
        target: a class, or its index; by default the one that is predicted.
        top: how many maps of each layer.
        scale: one color scale for a layer, or one for each map.
        before_activation: a layer's own values, instead of those after its normalization, residual
            addition and activation function.
        class_names, mean, std: as in `evaluate`, for networks or weights that say nothing of their
            classes and images.
        output: a file for the sheet that ends in .png, .svg or .html.

    Raises RequestError for an unknown layer, class or image, and for a layer without maps.
    """
    if rank not in RANKS or scale not in ("layer", "map") or top < 1:
        raise RequestError(
            f"`rank` is one of {', '.join(RANKS)}, `scale` is layer or map, `top` at least 1."
        )
    path = None if output is None else check_picture(output)
    opened = open_model(
        run,
        weights=named_weights(run, weights, pretrained=pretrained),
        card=card,
        input_size=input_size,
        settings=InputSettings(mean=mean, std=std),
        class_names=None if class_names is None else parse_class_names(class_names),
        consent=Consent(model, trust),
    )
    pixels = _read(image, opened.card)
    named = [layers] if isinstance(layers, str) else layers
    if named is None and convolutions is None:
        convolutions = default_convolutions(opened.net, opened.card)
    names = choose_names(opened.net, opened.card, named, convolutions)
    layer_pass = LayerPass(opened.net, opened.card, names, before_activation=before_activation)
    image_maps = ImageMaps(opened, layer_pass, pixels, target)
    result = image_maps.result(_title(image), rank=rank, top=top, scale=scale)
    if path is not None:
        write_sheet(maps_sheet(result), path)
    return result


def default_convolutions(net: nn.Module, card: Card) -> list[int]:
    """Five convolutions from the first to the last, all where there are at most five."""
    return spread_numbers(len(convolutions(find_layers(record_blank(net, card).operations))))


def spread_numbers(count: int) -> list[int]:
    """Five of the numbers 1 to `count`, all where there are fewer.

    >>> spread_numbers(10), spread_numbers(17), spread_numbers(3)
    ([1, 2, 4, 7, 10], [1, 3, 6, 12, 17], [1, 2, 3])
    """
    if count <= 5:
        return list(range(1, count + 1))
    return [1 + round((count - 1) * ninths / 9) for ninths in (0, 1, 3, 6, 9)]


def _read(image: ImageLike, card: Card) -> NDArray[np.uint8]:
    try:
        return resize_image(open_image(image, card), card)
    except UnreadableImage as error:
        raise RequestError(f"{_title(image)} {str(error).rstrip('.')}. Give an image.") from error


def _title(image: ImageLike) -> str:
    return os.fspath(image) if isinstance(image, str | PathLike) else "the image"
