"""`convscope patches`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    BatchSize,
    BeforeActivation,
    ClassNames,
    Convolutions,
    DataDir,
    Device,
    ImageColumn,
    InputSize,
    Int,
    Json,
    LabelColumn,
    Layers,
    Mean,
    OwnCode,
    PretrainedWeights,
    Published,
    ResizeModeOption,
    Std,
    Threads,
    TrainedNetwork,
    Trust,
)
from convscope.device import keep_freed_memory
from convscope.features.patches.api import patches as find_patches
from convscope.features.patches.found import PatchesResult
from convscope.features.patches.result import LayerPatches
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell


def patches(
    run: TrainedNetwork,
    data: str | None = None,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("patches.html"),
    layers: Layers = (),
    convolutions: Convolutions = (),
    top: Int = 9,
    filters: Int = 12,
    before_activation: BeforeActivation = False,
    split: Literal["train", "val", "test"] | None = None,
    data_dir: DataDir = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    class_names: ClassNames = None,
    input_size: InputSize = None,
    resize_mode: ResizeModeOption = None,
    mean: Mean = None,
    std: Std = None,
    batch_size: BatchSize = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Find the image patches that excite each filter most, and the classes it responds to.

    One pass over the images, in bounded memory. A pass that was stopped goes on where it was when
    the same command is run again.

    Parameters
    ----------
    data
        The images, as for evaluate; by default the run's own test images.
    output
        A page that ends in .html, a .json or .csv file of all filters, or a folder for all of
        them and a PNG for each layer.
    top
        How many patches of each filter, at most one of an image; of patches that look alike one.
    filters
        How many filters of a layer the page shows, the most class-selective first.
    split
        The split of the data; by default the test split, or all images if there is none.
    """
    collect_again()
    keep_freed_memory()
    screen = Screen(stderr=json)
    with ActivityProgress() as progress:
        result = find_patches(
            run,
            data,
            layers=layers or None,
            convolutions=convolutions or None,
            top=top,
            before_activation=before_activation,
            output=output,
            filters=filters,
            split=split,
            model=model,
            trust=trust,
            weights=weights,
            pretrained=pretrained,
            class_names=class_names,
            input_size=input_size,
            resize_mode=resize_mode,
            mean=mean,
            std=std,
            data_dir=data_dir,
            image_column=image_column,
            label_column=label_column,
            batch_size=batch_size,
            device=device,
            threads=threads,
            on_progress=progress,
        )
    for note in result.notes:
        screen.say(in_flags(note))
    if json:
        print_json(result.to_dict())
    else:
        screen.say(f"{result.model} on {result.num_images:,} images: {result.images.description}")
        screen.say()
        screen.print(_table(result))
        screen.say()
    screen.say(f"Wrote {output}.")


def _table(result: PatchesResult) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("layer", "filters", "field", "dead", "always on", "most selective"):
        is_number = name in ("filters", "dead", "always on")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for layer in result.layers:
        table.add_row(
            cell(layer.name),
            f"{len(layer.filters):,}",
            "x".join(map(str, layer.field)),
            f"{len(layer.with_state('dead')):,}",
            f"{len(layer.with_state('always on')):,}",
            cell(_most_selective(layer)),
        )
    return table


def _most_selective(layer: LayerPatches) -> str:
    known = [one for one in layer.filters if one.summary.selectivity is not None]
    if not known:
        return ""
    best = max(known, key=lambda one: one.summary.selectivity or 0)
    return f"{best.filter}: {best.summary.preferred} ({best.summary.selectivity:.2f})"
