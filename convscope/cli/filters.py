"""`convscope filters`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    Convolutions,
    Flag,
    Int,
    Json,
    Layers,
    Network,
    OptionalInt,
    OwnCode,
    Trust,
)
from convscope.features.filters.api import filters as read_filters
from convscope.features.filters.result import FiltersResult, LayerFilters
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell

_PAIRS = 3  # of twins, in the table


def filters(
    run: Network,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("filters.png"),
    layers: Layers = (),
    convolutions: Convolutions = (),
    top: Int = 16,
    model: OwnCode = None,
    trust: Trust = False,
    weights: str | None = None,
    pretrained: Flag = False,
    input_size: OptionalInt = None,
    json: Json = False,
) -> None:
    """Draw the weights of the filters of convolutions, with their norms and twins.

    Parameters
    ----------
    output
        File for the filters that ends in .png, .svg or .html.
    top
        How many filters of a layer are drawn, those of the largest norms.
    weights
        For a model of the zoo, as in train: torchvision:resnet50, a file, a URL.
    pretrained
        For a network that is not a run: its published weights, as in train.
    input_size
        Side of the square that images are brought to, in pixels; by default the network's own.
    """
    collect_again()
    screen = Screen(stderr=json)
    result = read_filters(
        run,
        layers=layers or None,
        convolutions=convolutions or None,
        top=top,
        output=output,
        model=model,
        trust=trust,
        weights=weights,
        pretrained=pretrained,
        input_size=input_size,
    )
    for note in result.notes:
        screen.say(in_flags(note))
    if json:
        print_json(result.to_dict())
    else:
        screen.print(_table(result))
        screen.say()
    screen.say(f"Wrote {output}.")


def _table(result: FiltersResult) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("layer", "filters", "kernel", "inputs", "largest weight", "twins"):
        is_number = name in ("filters", "inputs", "largest weight")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for layer in result.layers:
        table.add_row(
            cell(layer.name),
            f"{len(layer.filters):,}",
            "x".join(map(str, layer.kernel)),
            f"{layer.inputs:,}",
            f"{layer.peak:.3g}",
            _twins(layer),
        )
    return table


def _twins(layer: LayerFilters) -> str:
    pairs = layer.twins
    listed = ", ".join(f"{a} and {b}" for a, b in pairs[:_PAIRS])
    return f"{listed} and {len(pairs) - _PAIRS} more" if len(pairs) > _PAIRS else listed
