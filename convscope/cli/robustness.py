"""`convscope robustness`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.atomic import write_atomically
from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.json_output import print_json
from convscope.cli.options import (
    NAMES,
    DataDir,
    Int,
    Json,
    OwnCode,
    PretrainedWeights,
    Published,
    TrainedNetwork,
    Trust,
)
from convscope.errors import shell_word
from convscope.evaluation.tables import as_text
from convscope.perturbations.api import robustness as measure
from convscope.perturbations.page import robustness_page
from convscope.words.screen import Screen


def robustness(
    run: TrainedNetwork,
    data: str | None = None,
    /,
    *,
    corruptions: Annotated[tuple[str, ...], NAMES] = (),
    max_images: Int = 500,
    html: Annotated[Path | None, Parameter(alias="-o")] = None,
    data_dir: DataDir = None,
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    json: Json = False,
) -> None:
    """Measure a trained network on corrupted, shifted, mirrored, turned and scaled images.

    Parameters
    ----------
    data
        The data to measure on, as for train; by default the run's own test images.
    corruptions
        Names of corruptions, as fog or contrast; by default all, each at five strengths.
    max_images
        Images at most, evenly out of all.
    html
        File for a page with the tables and curves.
    """
    screen = Screen(stderr=json)
    units = {"Corrupting images": "corruptions", "Moving images": "moves"}
    with ActivityProgress(units) as progress:
        found = measure(
            run,
            data,
            corruptions=corruptions or None,
            max_images=max_images,
            model=model,
            trust=trust,
            weights=weights,
            pretrained=pretrained,
            data_dir=data_dir,
            on_progress=progress,
        )
    if html is not None:
        write_atomically(html, robustness_page(found))
    if json:
        print_json(found.to_dict())
        return
    screen.say(f"{run} on {found.images:,} images: {found.data}")
    screen.say(f"error {found.error}, mean corruption error {found.mean_error}")
    for rows in (found.corruption_rows(), found.moved_rows()):
        screen.say()
        for line in as_text(rows).splitlines():
            screen.say(line)
    screen.say()
    if html is not None:
        screen.say(f"Wrote the page to {html}.")
    else:
        screen.say(f"Next:  convscope robustness {shell_word(run)} --html robustness.html")
