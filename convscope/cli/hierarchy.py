"""`convscope hierarchy`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    SEVERAL,
    BatchSize,
    ClassNames,
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
from convscope.levels.api import hierarchy as find_hierarchy
from convscope.levels.result import HierarchyResult, Level, LevelFilter
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell


def hierarchy(
    run: TrainedNetwork,
    data: str | None = None,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("hierarchy.html"),
    layers: Layers = (),
    classes: Annotated[tuple[str, ...], SEVERAL] = (),
    filters: Int = 8,
    top: Int = 6,
    synthesis: bool = True,
    steps: Int = 64,
    probes: bool = True,
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
    """Show what classes are made of: filters level by level, each with its parts in percent.

    One pass over the images, in bounded memory. A pass that was stopped goes on where it was when
    the same command is run again.

    Parameters
    ----------
    data
        The images, as for evaluate; by default the run's own test images.
    output
        A page that ends in .html, or a .json file of the figures.
    layers
        Layers that are the levels below the classes; by default the first convolution and the last
        at each size of the maps, at most four.
    classes
        Classes to begin with; by default the first 10.
    filters
        How many filters of each level below the classes.
    top
        How many patches of each filter, at most one of an image.
    synthesis
        Compute the pictures that excite the filters most.
    steps
        Steps of each computed picture.
    probes
        Fit a linear classifier to each level of a run, on its own images.
    split
        The split of the data; by default the test split, or all images if there is none.
    """
    collect_again()
    keep_freed_memory()
    screen = Screen(stderr=json)
    with ActivityProgress() as progress:
        result = find_hierarchy(
            run,
            data,
            layers=layers or None,
            classes=classes or None,
            filters=filters,
            top=top,
            synthesis=synthesis,
            steps=steps,
            probes=probes,
            output=output,
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
        patches = result.patches
        screen.say(f"{result.model} on {patches.num_images:,} images: {patches.images.description}")
        screen.say()
        screen.print(_table(result))
        screen.say()
    screen.say(f"Wrote {output}.")


def _table(result: HierarchyResult) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("level", "filters", "field", "filter", "made of"):
        is_number = name == "filters"
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for level, lower in zip(result.levels[::-1], [*result.levels[-2::-1], None], strict=True):
        for number, one in enumerate(level.filters):
            layer = level.layer
            field = "x".join(map(str, layer.field))
            own = (layer.name, f"{len(layer.filters):,}", field) if number == 0 else ("", "", "")
            table.add_row(*map(cell, (*own, _name(level, one), _parts(one, lower))))
    return table


def _name(level: Level, one: LevelFilter) -> str:
    return one.name if level.is_classes else str(one.number)


def _parts(one: LevelFilter, lower: Level | None) -> str:
    if one.parts is None or lower is None:
        return "pixels"
    amounts = [(k, one.parts.share(one.parts.added[k])) for k in one.parts.strongest(3)]
    spread = f" (half from {one.parts.half})" if one.parts.half > len(amounts) else ""
    return ", ".join(f"{k} {share:+.0%}" for k, share in amounts if share is not None) + spread
