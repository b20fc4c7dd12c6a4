"""`convscope check`."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from convscope.atomic import write_atomically
from convscope.checks.api import check as check_data
from convscope.checks.outcome import Finding, Outcome
from convscope.checks.page import page
from convscope.checks.report import DataReport
from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    SEVERAL,
    DataDir,
    Flag,
    GroupColumn,
    GroupPattern,
    ImageColumn,
    Json,
    LabelColumn,
)
from convscope.errors import shell_word
from convscope.startup import collect_again
from convscope.words.json_text import to_json
from convscope.words.screen import Screen, cell

_EXAMPLES = 3  # of each check, in the table
_UNITS = {"Comparing images": "pairs", "Predicting labels": "folds"}
_COLORS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def check(
    data: str = "digits",
    /,
    *,
    skip: Annotated[tuple[str, ...], SEVERAL] = (),
    html: Annotated[Path | None, Parameter(alias="-o")] = None,
    csv: Path | None = None,
    strict: Flag = False,
    data_dir: DataDir = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    group_pattern: GroupPattern = None,
    task: Literal["auto", "single-label", "multi-label", "ordinal", "detection"] = "auto",
    json: Json = False,
) -> None:
    """Find what is wrong with a data set, before anyone trains on it.

    Nothing is deleted or changed. The exit status is 0 whatever is found; with --strict it is 1 if
    there are errors, which make measured accuracies wrong.

    Parameters
    ----------
    data
        What train takes: a name, a folder with one folder per class, or a CSV file.
    skip
        Checks to leave out, by the names that the table shows; near-duplicates and wrong-labels
        take the longest.
    html
        File for a page with thumbnails of what was found, which needs no other file.
    csv
        File for a row per finding, to filter in a spreadsheet or a program.
    strict
        Exit with 1 if there are errors: images in two splits, equal images of two classes.
    task
        multi-label where an image may have several labels, single-label or ordinal where it has
        one, detection where it has boxes; auto lets the data say so.
    """
    collect_again()
    screen = Screen(stderr=json)
    with ActivityProgress(_UNITS) as progress:
        report = check_data(
            data,
            skip=skip,
            data_dir=data_dir,
            image_column=image_column,
            label_column=label_column,
            group_column=group_column,
            group_pattern=group_pattern,
            task=task,
            on_progress=progress,
        )
    _print_report(screen, report)
    for path, text in ((html, partial(page, report)), (csv, report.to_csv)):
        if path is not None:
            write_atomically(path, text())
            screen.say(f"Wrote {path}.")
    if json:
        sys.stdout.write(to_json(report.to_dict()) + "\n")
    if html is None and csv is None and report.outcomes and not json:
        screen.say(f"Next:  convscope check {shell_word(data)} --html check.html   (thumbnails)")
    if strict and report.counts["error"]:
        sys.stdout.flush()
        raise SystemExit(1)


def _print_report(screen: Screen, report: DataReport) -> None:
    inspection = report.inspection
    dataset = inspection.dataset
    splits = ", ".join(
        f"{(dataset.split == name).sum():,} {name or 'in no split'}"
        for name in ("train", "val", "test", "")
        if (dataset.split == name).any()
    )
    screen.say(
        f"{dataset.name}: {len(dataset):,} images of {len(dataset.classes)} classes ({splits})"
    )
    for warning in dataset.warnings:
        screen.say(in_flags(warning))
    for name, reason in report.skipped.items():
        screen.say(f"Not checked: {name} ({reason}).")
    if not report.outcomes:
        screen.say("Nothing was found.")
        return
    for outcome in report.outcomes:
        screen.say()
        screen.print(_head(outcome))
        screen.say(in_flags(f"  {outcome.summary} {outcome.advice}".rstrip()))
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for finding in outcome.findings[:_EXAMPLES]:
            table.add_row(f"    {cell(_images(report, finding))}", cell(finding.detail))
        if outcome.findings:
            screen.print(table)
        if (more := len(outcome.findings) - _EXAMPLES) > 0:
            screen.say(f"    and {more:,} more")
    screen.say()
    screen.say(f"{dataset.name}: {report.describe_counts()}.")


def _head(outcome: Outcome) -> str:
    color = _COLORS[outcome.severity]
    return f"[{color}]{outcome.severity:<8}[/{color}] [bold]{cell(outcome.check)}[/bold]"


def _images(report: DataReport, finding: Finding) -> str:
    return " = ".join(report.inspection.key(index) for index in finding.images)
