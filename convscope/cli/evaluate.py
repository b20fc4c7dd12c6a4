"""`convscope evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    INTEGERS,
    BatchSize,
    ClassNames,
    DataDir,
    Device,
    Flag,
    GroupColumn,
    GroupPattern,
    ImageColumn,
    InputSize,
    Json,
    LabelColumn,
    Mean,
    OptionalInt,
    OwnCode,
    PretrainedWeights,
    Published,
    ResizeModeOption,
    Std,
    Threads,
    TrainedNetwork,
    Trust,
)
from convscope.data.crops import Crops
from convscope.device import keep_freed_memory
from convscope.distributed.launch import is_first
from convscope.errors import shell_word
from convscope.evaluation.tables import Rows, as_text, headline_text
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell

if TYPE_CHECKING:
    from convscope.evaluation.result import EvaluationResult

Several = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]


def evaluate(
    run: TrainedNetwork,
    data: str | None = None,
    /,
    *,
    split: Literal["train", "val", "test"] | None = None,
    exclude_trained: Flag = False,
    crops: Crops = "center",
    scales: Annotated[tuple[int, ...] | None, INTEGERS] = None,
    flip: Flag = False,
    test_size: OptionalInt = None,
    ensemble: Several = (),
    similar: Several = (),
    details: Flag = False,
    slices: Flag = False,
    csv: Path | None = None,
    html: Path | None = None,
    report: Path | None = None,
    data_dir: DataDir = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    group_pattern: GroupPattern = None,
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
    """Evaluate a trained network: accuracy, loss, metrics per class, and the confusion matrix.

    With DATA, it says how many of these images the run was trained on.

    Parameters
    ----------
    data
        The data to evaluate on, as for train; by default the run's own test images.
    split
        The split of the data; by default the test split; of data with training and validation
        images alone the latter; else all images.
    exclude_trained
        Leave out images that the run was trained or validated on, recognized by their content.
    crops
        Parts of each image whose probabilities are averaged: the center; ten, the corners and the
        center, each also mirrored (AlexNet); 144, at four scales (GoogLeNet); 150, a grid at three
        scales (VGG); dense, the network slides over the whole image (VGG, ResNet).
    scales
        Lengths in pixels to which the shorter side of an image is scaled before it is cropped, as
        256 384 512; probabilities are averaged over them.
    flip
        Average over mirrored images, too.
    test_size
        Height and width of the crops in pixels, if not those of the training.
    ensemble
        More runs, or networks with published weights, whose probabilities are averaged with RUN's.
    similar
        Of a network that finds objects: groups of classes that are alike, as cat,dog car,bus, to
        tell boxes of a similar class from other wrong ones.
    csv
        File for the answer for each image: its path, class, prediction and probabilities.
    html
        File for a page of mistakes: the most confident ones, the least certain answers, and the
        pairs of classes that are confused most, with the images.
    report
        Folder for the report: a page for people, which needs no other file, the same as JSON, a row
        for each image, and a Hugging Face model card.
    details
        Also print rates, areas under ROC curves, agreement and calibration, with 95% intervals.
    slices
        Also print the folders, sizes, cameras, columns of a table and the like whose images are
        wrong more often than others of their classes, by more than noise.
    """
    keep_freed_memory()
    from convscope.cli.batch_progress import batch_progress  # noqa: PLC0415 -- a bar of rich's
    from convscope.cli.terminal import consent_flags  # noqa: PLC0415 -- torch
    from convscope.evaluation.evaluate import evaluate as evaluate_run  # noqa: PLC0415
    from convscope.runs.own_code import Consent  # noqa: PLC0415

    collect_again()
    screen = Screen(stderr=json)
    with batch_progress(is_shown=is_first()) as show:
        result = evaluate_run(
            run,
            data,
            split=split,
            exclude_trained=exclude_trained,
            crops=crops,
            scales=scales,
            flip=flip,
            test_size=test_size,
            ensemble=ensemble,
            similar=similar or None,
            csv=csv,
            html=html,
            data_dir=data_dir,
            image_column=image_column,
            label_column=label_column,
            group_column=group_column,
            group_pattern=group_pattern,
            model=model,
            trust=trust,
            weights=weights,
            pretrained=pretrained,
            class_names=class_names,
            input_size=input_size,
            resize_mode=resize_mode,
            mean=mean,
            std=std,
            batch_size=batch_size,
            device=device,
            threads=threads,
            on_progress=show,
            on_answered=show,
        )
    if not is_first():
        return
    if slices:
        _ = result.slices  # of boxes there are none: said before anything is printed
    _write_report(result, report)
    for note in result.notes:
        screen.say(in_flags(note))
    if json:
        found: dict[str, object] = {}
        if details:
            told = result.box_details if result.outputs.found else result.details
            found["details"] = told.to_dict()
        found |= {"slices": result.slices.to_dict()} if slices else {}
        print_json({**result.to_dict(), "run": run, **found})
        return
    networks = " + ".join(map(str, (run, *ensemble)))
    protocol = f", {result.protocol}" if result.protocol else ""
    screen.say(f"{networks} on {result.data}{protocol}")
    _print_result(result, screen, details=details)
    _print_slices(result, screen, asked=slices)
    screen.say()
    _say_files(screen, csv, html, report)
    _say_more(screen, result, details=details, report=report is not None)
    if weights is None and not pretrained:
        consent = consent_flags(Consent(model, trust))
        screen.say(f"Next:  convscope predict {shell_word(run)} IMAGE...{consent}")


def _write_report(result: "EvaluationResult", folder: Path | None) -> None:
    if folder is not None:
        from convscope.reports.write import report  # noqa: PLC0415 -- torch

        report(result, folder)


def _say_more(screen: Screen, result: "EvaluationResult", *, details: bool, report: bool) -> None:
    """Name the flags that would say more, and were not given."""
    in_details = "sensitivity, ROC areas, agreement and calibration"
    on_page = "curves, mistakes, slices and what to distrust"
    if result.outputs.found:
        in_details = "AP of each class with its interval, the best least scores, mistakes by class"
        on_page = "curves and the boxes of the worst images"
    more = [
        (details, f"--details, for {in_details}"),
        (report, f"--report FOLDER, for a page with {on_page}"),
    ]
    lines = [text for is_given, text in more if not is_given]
    for number, line in enumerate(lines):
        screen.say(f"{'' if number else 'More:':<7}{line}")


def _say_files(screen: Screen, csv: Path | None, html: Path | None, report: Path | None) -> None:
    for what, file in (("answer for each image", csv), ("page of mistakes", html)):
        if file is not None:
            screen.say(f"Wrote the {what} to {file}.")
    if report is not None:
        screen.say(f"Wrote the report to {report}; open {report / 'report.html'}.")


def _print_result(result: "EvaluationResult", screen: Screen, *, details: bool) -> None:
    screen.say()
    for line in headline_text(result.headline()).splitlines():
        screen.say(line)
    screen.say()
    screen.print(_table(result.metrics.class_table()))
    if confusion := result.metrics.confusion_table():
        screen.say()
        screen.print(_table(confusion, is_confusion=True))
    if result.published:
        screen.say()
        screen.print(_published(result.published_table()))
    if details:
        _print_details(result, screen)


def _published(rows: Rows) -> Table:
    """The stated figures; sources are wrapped where the screen is narrow."""
    table = Table(*rows[0][:1], box=None, pad_edge=False)
    for name in rows[0][1:3]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows[1:]:
        table.add_row(*map(cell, row))
    return table


def _print_details(result: "EvaluationResult", screen: Screen) -> None:
    from convscope.evaluation.detail_tables import (  # noqa: PLC0415 -- NumPy
        detail_tables,
        undefined_notes,
    )

    is_of_boxes = bool(result.outputs.found)
    tables = result.box_details.tables() if is_of_boxes else detail_tables(result.details)
    for title, rows in tables:
        screen.say()
        screen.say(title)
        for line in as_text(rows).splitlines():
            screen.say(line)
    notes = [] if is_of_boxes else undefined_notes(result.details)
    if notes:
        screen.say()
    for note in notes:
        screen.say(note)


def _print_slices(result: "EvaluationResult", screen: Screen, *, asked: bool) -> None:
    if not asked:
        return
    slices = result.slices
    screen.say()
    screen.say(slices.describe())
    if slices.found:
        screen.say()
        for line in as_text(slices.rows()).splitlines():
            screen.say(line)


def _table(rows: Rows, *, is_confusion: bool = False) -> Table:
    """A table for the terminal; in a confusion matrix, correct counts are bold."""
    header, *body = rows
    table = Table(cell(header[0]), box=None, pad_edge=False)
    for name in header[1:]:
        table.add_column(cell(name), justify="right", no_wrap=True, max_width=12)
    for name, *cells in body:
        is_bold = [is_confusion and column == name for column in header[1:]]
        shown = [f"[bold]{c}[/bold]" if bold else c for c, bold in zip(cells, is_bold, strict=True)]
        table.add_row(cell(name), *shown)
    return table
