"""`convscope embed`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

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
from convscope.features.embedding.api import embed as draw_map
from convscope.startup import collect_again
from convscope.words.screen import Screen


def embed(
    run: TrainedNetwork,
    data: str | None = None,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("embedding.html"),
    layer: str | None = None,
    method: str = "pca",
    max_images: Int = 2000,
    label: str | None = None,
    nearest: Annotated[tuple[Path, ...], SEVERAL] = (),
    num_nearest: Int = 6,
    seed: Int = 0,
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
    """Draw a map of images: two that a layer makes alike lie near each other.

    Parameters
    ----------
    data
        The images, as for evaluate; by default the run's own test images.
    output
        A page that ends in .html, with a table beside it, or the table alone, in .csv.
    layer
        The layer, by name as `explain --list-layers` lists them; default: the last hidden one.
    method
        pca, tsne (needs scikit-learn: the extra embed) or umap (umap-learn: the extra umap).
    max_images
        How many images the map has at most, evenly out of all.
    label
        Where images have several labels, the one that colors the map; default: the most frequent.
    nearest
        Image files of which the nearest images are shown, by the distance at the layer.
    num_nearest
        How many of these.
    seed
        Of t-SNE and UMAP.
    split
        The split of the data; by default the test split, or all images if there is none.
    """
    collect_again()
    keep_freed_memory()
    screen = Screen(stderr=json)
    with ActivityProgress() as progress:
        result = draw_map(
            run,
            data,
            layer=layer,
            method=method,
            max_images=max_images,
            label=label,
            nearest=nearest,
            num_nearest=num_nearest,
            seed=seed,
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
    for line in (*result.notes, *result.lines):
        screen.say(in_flags(line))
    for each in result.neighbors:
        found = ", ".join(
            f"{result.names[index]} ({result.truths[index]}, {distance:.3g})"
            for index, distance in zip(each.indices, each.distances, strict=True)
        )
        screen.say(f"Nearest to {each.image}: {found}")
    if json:
        print_json(result.to_dict())
    screen.say(f"Wrote {output}.")
