"""`convscope data`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.flags import config_of, given_settings, make_flags
from convscope.cli.json_output import print_json
from convscope.cli.options import Int, Json
from convscope.cli.terminal import training_progress
from convscope.data.dataset import SPLITS
from convscope.data.overview import DatasetOverview
from convscope.data.source import NAMES, is_here, open_source
from convscope.errors import RequestError, shell_word
from convscope.training.augmentation_settings import AugmentationSettings
from convscope.training.callbacks.base import CallbackList
from convscope.training.config import TrainConfig
from convscope.training.data_settings import DataSettings
from convscope.training.division import divide
from convscope.training.setting import settings_of
from convscope.words.screen import Screen, cell

_FLAGS = make_flags(
    {
        *settings_of(DataSettings),
        *settings_of(AugmentationSettings),
        *("model", "input_size", "in_channels", "seed"),
    }
)
_MANY = 30  # classes that are listed, each in a line
_OF_DRAWING = Parameter(group="Drawing")


def data(
    data: str = "",
    *,
    settings: TrainConfig = _FLAGS(),  # noqa: B008 -- frozen
    show_augmented: Annotated[Path | None, _OF_DRAWING] = None,
    count: Annotated[Int, _OF_DRAWING] = 6,
    shown_epochs: Annotated[Int, _OF_DRAWING] = 5,
    json: Json = False,
) -> None:
    """List the named data sets, describe one, or draw how its images are augmented.

    Parameters
    ----------
    data
        A data set as `convscope train` takes it; none lists those that have names.
    show_augmented
        Draw training images in this PNG file, each beside what the first epochs of a training with
        these settings are shown of it.
    count
        Images to draw.
    shown_epochs
        Epochs to draw.
    """
    if not data:
        if show_augmented:
            raise RequestError("`show_augmented` needs the data: `convscope data DATA ...`.")
        _list_names(json=json)
        return
    if show_augmented is None:
        _describe(data, settings, json=json)
        return
    from convscope.training.augmentation_sheet import draw_sheet  # noqa: PLC0415 -- torch

    given = given_settings(settings, {})
    with training_progress(json=json) as terminal:
        draw_sheet(
            data, config_of(settings), given=given, out=show_augmented, count=count,
            epochs=shown_epochs, callbacks=[terminal],
        )  # fmt: skip
    if json:
        print_json({"file": str(show_augmented)})
    else:
        Screen().say(f"{show_augmented} shows {data} as the network is shown it.")


data.__annotations__["settings"] = Annotated[_FLAGS, Parameter(name="*")]


def _list_names(*, json: bool) -> None:
    here = {name: is_here(name) for name in NAMES}
    if json:
        print_json({name: {"description": NAMES[name], "here": here[name]} for name in NAMES})
        return
    screen, width = Screen(), max(map(len, NAMES))
    for name, about in NAMES.items():
        is_downloaded = here[name] and name != "digits"
        screen.say(f"  {name:{width}}  {about}{'; already here' if is_downloaded else ''}")
    screen.say()
    screen.say(
        "A folder with one folder per class and a CSV file of paths and labels are data, too."
    )
    screen.say("Next:  convscope data NAME        (classes, splits, sizes)")
    screen.say("       convscope train NAME")


def _describe(data: str, settings: TrainConfig, *, json: bool) -> None:
    config = config_of(settings)
    with training_progress(json=json) as terminal:
        opened = open_source(
            data,
            data_dir=config.data_dir,
            on_progress=CallbackList([terminal]).downloading,
            **config.data_options(),
        )
    dataset = divide(opened, config)
    overview = DatasetOverview.of(dataset)
    if json:
        print_json(overview.to_json())
        return
    screen = Screen()
    _print_counts(overview, screen)
    sample = "all of them" if overview.sampled == len(dataset) else f"{overview.sampled} of them"
    screen.say(f"Images: {overview.size_text}; {overview.color_text} (by {sample})")
    if overview.unreadable:
        screen.say(f"Unreadable: {overview.unreadable} of {sample}")
    if overview.groups is not None:
        screen.say(f"Groups: {overview.groups:,}, none divided over splits that convscope makes")
    for warning in overview.warnings:
        screen.say(warning)
    word, how = shell_word(data), "digits" if overview.color_text == "grayscale" else "photo"
    screen.say()
    screen.say(f"Next:  convscope data {word} --augment {how} --show-augmented sheet.png")
    screen.say(f"       convscope train {word}")


def _print_counts(overview: DatasetOverview, screen: Screen) -> None:
    total = overview.totals
    screen.say(
        f"{overview.name}: {sum(total.values()):,} images in {len(overview.classes):,} classes"
    )
    table = Table("class", *SPLITS, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name in overview.classes[:_MANY]:
        counts = overview.counts[name]
        table.add_row(cell(name), *(f"{counts[split]:,}" for split in SPLITS))
    rest = overview.classes[_MANY:]
    if rest:
        sums = {split: sum(overview.counts[name][split] for name in rest) for split in SPLITS}
        table.add_row(f"{len(rest):,} others", *(f"{sums[split]:,}" for split in SPLITS))
    table.add_row("all", *(f"{total[split]:,}" for split in SPLITS))
    screen.print(table)
