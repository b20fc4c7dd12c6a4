"""`convscope localize`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    ClassNames,
    DataDir,
    Int,
    Json,
    OptionalInt,
    OwnCode,
    PretrainedWeights,
    Published,
    TrainedNetwork,
    Trust,
)
from convscope.errors import RequestError, shell_word
from convscope.localization.api import localize as find_boxes
from convscope.localization.finder import Method
from convscope.localization.maps import THRESHOLD
from convscope.localization.regression import EPOCHS
from convscope.localization.result import check_page
from convscope.words.screen import Screen, cell


def localize(
    run: TrainedNetwork,
    data: str | None = None,
    /,
    *,
    boxes: Path,
    method: Method = "grad-cam",
    threshold: float = THRESHOLD,
    layer: str | None = None,
    split: Literal["train", "val", "test"] | None = None,
    max_images: OptionalInt = None,
    epochs: Int = EPOCHS,
    seed: Int = 0,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    csv: Path | None = None,
    data_dir: DataDir = None,
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    class_names: ClassNames = None,
    json: Json = False,
) -> None:
    """Find the objects that a classifier names: boxes from its maps, scored by ILSVRC's rule.

    Parameters
    ----------
    data
        The images, as for evaluate; by default the run's own test images.
    boxes
        The true boxes: a folder of Pascal VOC's XML files, COCO's JSON file, or a CSV file.
    method
        What boxes are made from: the map of a class (grad-cam, cam, hires-cam, layer-cam), or a
        regressor that is trained on the boxes of the training images: one box, or one per class.
    threshold
        Share of a map's maximum above which a place is inside.
    layer
        Layer whose maps are weighed; by default the last ones.
    split
        The split of the data, as for evaluate.
    max_images
        Images at most, the first ones.
    epochs
        Epochs over which a regressor is trained.
    seed
        Of the regressor's first weights and the order of its images.
    out
        Page with pictures of the true and the predicted boxes (.html).
    csv
        File for the answer for each image with its box.
    """
    if out is not None:
        check_page(out)
    for path in (out, csv):
        if path is not None and not path.expanduser().parent.is_dir():
            raise RequestError(f"The folder of {path} does not exist.")
    with ActivityProgress({"training": "epochs"}) as progress:
        found = find_boxes(
            run,
            data,
            boxes=boxes,
            method=method,
            threshold=threshold,
            layer=layer,
            split=split,
            max_images=max_images,
            epochs=epochs,
            seed=seed,
            data_dir=data_dir,
            model=model,
            trust=trust,
            weights=weights,
            pretrained=pretrained,
            class_names=class_names,
            on_progress=progress,
        )
    screen = Screen(stderr=json)
    for note in found.notes:
        screen.say(in_flags(note))
    if json:
        print_json({**found.to_dict(), "run": run})
    else:
        screen.say(f"{run} on {found.data}, {found.method}; {len(found.images):,} images")
        screen.say()
        table = Table(box=None, pad_edge=False, show_header=False)
        for row in found.rows():
            table.add_row(*map(cell, row))
        screen.print(table)
    if out is not None:
        found.save(out)
        screen.say()
        screen.say(f"{shell_word(out)} shows the images with their boxes.")
    if csv is not None:
        found.write_csv(csv)
        screen.say(f"Wrote the answer for each image to {csv}.")
    if out is None and not json:
        screen.say()
        screen.say("More:  --out boxes.html, for pictures with the true and the predicted boxes")
