"""Predictions on the terminal and for programs; the parser of the command line is not needed."""

import sys
from typing import Literal

from rich.table import Table

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.errors import WorkError
from convscope.predictions.objects import EDGES
from convscope.predictions.result import Predictions, listing
from convscope.words.csv_text import to_csv
from convscope.words.screen import Screen, cell

PredictionFormat = Literal["table", "json", "csv", "coco"]


def print_predictions(predictions: Predictions, form: PredictionFormat) -> None:
    """Print them on standard output, and notes and unreadable images on standard error.

    Raises WorkError where there are images, and none could be read.
    """
    match form:
        case "json":
            unreadable = [dict(path=path, reason=reason) for path, reason in predictions.unreadable]
            print_json(
                {
                    "predictions": [prediction.to_dict() for prediction in predictions],
                    "unreadable": unreadable,
                }
            )
        case "csv":
            _print_csv(predictions)
        case "coco":
            print_json(predictions.to_coco())
        case "table" if any(one.objects is not None for one in predictions):
            _print_objects(predictions)
        case "table":
            _print_table(predictions)
    errors = Screen(stderr=True)
    for note in predictions.notes:
        errors.say(in_flags(note))
    for path, reason in predictions.unreadable:
        errors.say(f"{path} {reason}")
    if predictions.unreadable and not predictions:
        raise WorkError(f"None of the {len(predictions.unreadable)} images could be read.")


def _print_csv(predictions: Predictions) -> None:
    """A row an image: label and probability, then label_2, probability_2 and so on."""
    rows = predictions.to_dicts()
    names = max((list(row) for row in rows), key=len, default=["path", "label", "probability"])
    cells = ([_cell(row.get(name, "")) for name in names] for row in rows)
    sys.stdout.write(to_csv([names, *cells]))


def _cell(value: object) -> str:
    return f"{value:.6f}" if isinstance(value, float) else "" if value is None else str(value)


def _print_objects(predictions: Predictions) -> None:
    """A row for each object, with its edges in pixels; an image without one has a row, too."""
    table = Table("image", "object", box=None, pad_edge=False)
    for name in ("score", *EDGES):
        table.add_column(name, justify="right")
    for prediction in predictions:
        for one in prediction.objects or ():
            numbers = [f"{one.score:.1%}", *(f"{edge:.1f}" for edge in one.box)]
            table.add_row(*map(cell, [prediction.path, one.label, *numbers]))
        if not prediction.objects:
            table.add_row(*map(cell, [prediction.path, prediction.label]))
    Screen().print(table)


def _print_table(predictions: Predictions) -> None:
    is_multi_label = any(prediction.labels is not None for prediction in predictions)
    is_ordinal = any(prediction.expected_grade is not None for prediction in predictions)
    table = Table("image", "labels" if is_multi_label else "label", box=None, pad_edge=False)
    table.add_column("probability", justify="right")
    if is_ordinal:
        table.add_column("expected grade", justify="right")
    count = max((len(prediction.top_k) for prediction in predictions), default=1)
    if count > 1:
        ranks = "top 2" if count == 2 else f"top 2-{count}"
        table.add_column("not predicted" if is_multi_label else ranks, style="dim")
    has_sets = any(prediction.set is not None for prediction in predictions)
    if has_sets:
        table.add_column("set")
    for prediction in predictions:
        sure, others = prediction.divided()
        values = ", ".join(f"{probability:.1%}" for _, probability in sure)
        cells = [prediction.path, prediction.label, values]
        if prediction.expected_grade is not None:
            cells.append(f"{prediction.expected_grade:.2f}")
        if count > 1:
            cells.append(listing(others if prediction.is_sure is not False else prediction.top_k))
        if has_sets:
            cells.append(", ".join(prediction.set or ()))
        table.add_row(*map(cell, cells))
    Screen().print(table)
