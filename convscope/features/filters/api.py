"""`filters`: the weights of a network's filters."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from convscope.card import Card
from convscope.errors import RequestError
from convscope.features.filters.drawn import filters_sheet
from convscope.features.filters.result import FiltersResult
from convscope.features.filters.weights import filters_of
from convscope.features.sheets.files import check_picture, write_sheet
from convscope.features.unit_layers import choose_names, find_layers, record_blank
from convscope.models import ModelLike, named_weights, open_model
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.source import WeightsSource

SHOWN = 16
"""Filters of a layer that a sheet shows."""


@takes_synonyms
def filters(
    run: ModelLike,
    *,
    layers: str | Sequence[str] | None = None,
    convolutions: Sequence[int] | None = None,
    top: int = SHOWN,
    output: str | Path | None = None,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    input_size: int | tuple[int, int] | None = None,
) -> FiltersResult:
    """Show the weights of the filters of convolutions, with their norms and twins.

    Filters that read a color image are drawn as images, with gray for 0; others channel by channel,
    those of the largest norms. All weights of a layer have one symmetric scale.

    Args:
        run: a run, or any network, as in `explain`.
        layers: names of convolutions; by default all. `convolutions` counts them from 1 instead.
        top: how many filters of a layer a sheet shows, those of the largest norms.
        output: a file for the sheet that ends in .png, .svg or .html.

    Raises RequestError for an unknown layer, and for one whose weights are not those of filters:
    they are computed, or differ from place to place.
    """
    if top < 1:
        raise RequestError("`top` must be at least 1.")
    path = None if output is None else check_picture(output)
    opened = open_model(
        run,
        weights=named_weights(run, weights, pretrained=pretrained),
        card=card,
        input_size=input_size,
        consent=Consent(model, trust),
    )
    named = [layers] if isinstance(layers, str) else layers
    names = choose_names(opened.net, opened.card, named, convolutions)
    result = _read(opened.net, opened.card, names)
    name = opened.name if opened.run is None else str(opened.run.path)
    notes = tuple(filter(None, [opened.warning, *result.notes]))
    result = FiltersResult(name, result.layers, notes)
    if path is not None:
        write_sheet(filters_sheet(result, top=top), path)
    return result


def _read(net: nn.Module, card: Card, names: Sequence[str] | None) -> FiltersResult:
    recorded = record_blank(net, card)
    every = find_layers(recorded.operations, before_activation=True)
    known = [layer.name for layer in every if layer.type == "convolution"]
    numbers = {name: number for number, name in enumerate(known, start=1)}
    if names is not None:
        find_layers(recorded.operations, names)  # which refuses unknown ones
    chosen = list(numbers) if names is None else names
    found = {
        name: filters_of(recorded, name, numbers[name]) if name in numbers else None
        for name in chosen
    }
    if missing := [name for name, own in found.items() if own is None]:
        said = f"{', '.join(missing)}: no filters with weights of their own"
        if names is not None or len(missing) == len(found):
            raise RequestError(
                f"{said or 'The network has no convolutions'}. Name convolutions whose weights are "
                "parameters."
            )
        return FiltersResult("", tuple(own for own in found.values() if own), (f"{said}.",))
    if not found:
        raise RequestError("The network has no convolutions.")
    return FiltersResult("", tuple(own for own in found.values() if own))
