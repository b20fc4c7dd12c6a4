"""`convscope maps`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    BeforeActivation,
    ClassNames,
    Convolutions,
    Flag,
    Int,
    Json,
    Layers,
    Mean,
    Network,
    OptionalInt,
    OwnCode,
    Std,
    Trust,
)
from convscope.features.maps.api import maps as compute_maps
from convscope.features.maps.result import MapsResult
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell


def maps(
    run: Network,
    image: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("maps.png"),
    layers: Layers = (),
    convolutions: Convolutions = (),
    rank: Literal["strongest", "importance", "distance-from-mean"] = "strongest",
    target: str | None = None,
    top: Int = 8,
    scale: Literal["layer", "map"] = "layer",
    before_activation: BeforeActivation = False,
    model: OwnCode = None,
    trust: Trust = False,
    weights: str | None = None,
    pretrained: Flag = False,
    input_size: OptionalInt = None,
    class_names: ClassNames = None,
    mean: Mean = None,
    std: Std = None,
    json: Json = False,
) -> None:
    """Draw the activation maps of some layers for an image, the highest ranked of each.

    Without --layers and --convolutions five convolutions from the first to the last, of ten 1, 2,
    4, 7 and 10.

    Parameters
    ----------
    image
        An image file.
    output
        File for the maps that ends in .png, .svg or .html.
    rank
        strongest: by mean magnitude; importance: by gradient times activation for a class;
        distance-from-mean: by the difference from the mean map of training images of a class.
    target
        The class for --rank; by default the one that is predicted.
    top
        How many maps of each layer.
    scale
        layer: one color scale for all maps of a layer; map: one for each map.
    weights
        For a model of the zoo, as in train: torchvision:resnet50, a file, a URL.
    pretrained
        For a network that is not a run: its published weights, as in train.
    input_size
        Side of the square that the image is brought to, in pixels; by default the network's own.
    """
    collect_again()
    screen = Screen(stderr=json)
    result = compute_maps(
        run,
        image,
        layers=layers or None,
        convolutions=convolutions or None,
        rank=rank,
        target=target,
        top=top,
        scale=scale,
        before_activation=before_activation,
        output=output,
        model=model,
        trust=trust,
        weights=weights,
        pretrained=pretrained,
        input_size=input_size,
        class_names=class_names,
        mean=mean,
        std=std,
    )
    for note in result.notes:
        screen.say(in_flags(note))
    if json:
        print_json(result.to_dict())
    else:
        if result.predicted:
            screen.say(f"Prediction: {result.predicted}")
        screen.say(f"Maps are ranked by {result.ranked_by}.")
        screen.say()
        screen.print(_table(result))
        screen.say()
    screen.say(f"Wrote {output}.")


def _table(result: MapsResult) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("layer", "maps", "size", "field", "0 everywhere", "highest ranked"):
        table.add_column(
            name, justify="right" if name in ("maps", "0 everywhere") else "left", overflow="fold"
        )
    for layer in result.layers:
        count, height, width = layer.shape
        table.add_row(
            cell(layer.name),
            f"{count:,}",
            f"{height}x{width}",
            "x".join(map(str, layer.field)),
            f"{layer.num_dead:,}",
            ", ".join(str(one.channel) for one in layer.maps),
        )
    return table
