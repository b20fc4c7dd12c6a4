"""Predictions as the rows of a part file, CSV or Parquet."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from convscope.card import Card
from convscope.data.arrow_schema import import_arrow
from convscope.predictions.loading import Unreadable
from convscope.predictions.objects import EDGES
from convscope.predictions.result import Prediction
from convscope.words.csv_text import to_csv

PartFormat = Literal["csv", "parquet"]

ERROR = "error"
"""The column that says why an image could not be read; empty for one that was classified."""


def column_names(card: Card, top: int) -> list[str]:
    """`path`, `label`, `probability`, `label_2`, ..., `error`: the same for every part.

    Of several labels `path`, `labels`, `label_1`, `probability_1`, ...; of grades with
    `expected_grade` behind the path; `answer` and `set` as `Prediction.to_row` has them. Of objects
    `path`, `label`, `score` and the edges.
    """
    if card.boxes is not None:
        return ["path", "label", "score", *EDGES, ERROR]
    is_multi_label = card.task == "multi-label"
    names = ["path"]
    names += ["labels"] * is_multi_label
    names += ["answer"] * (card.abstention is not None)
    names += ["set"] * (card.prediction_sets is not None)
    names += ["expected_grade"] * (card.task == "ordinal")
    for rank in range(1, min(top, len(card.classes)) + 1):
        suffix = "" if rank == 1 and not is_multi_label else f"_{rank}"
        names += [f"label{suffix}", f"probability{suffix}"]
    return [*names, ERROR]


def part_content(
    predictions: Sequence[Prediction],
    unreadable: Sequence[Unreadable],
    names: Sequence[str],
    form: PartFormat,
) -> bytes:
    """A row for each image, or each object, with the columns `names`."""
    rows: list[dict[str, Any]] = [row for one in predictions for row in one.to_rows()]
    rows += [{"path": path, ERROR: reason} for path, reason in unreadable]
    if form == "csv":
        cells = ([_cell(row.get(name, "")) for name in names] for row in rows)
        return to_csv([names, *cells]).encode("utf-8", "surrogateescape")
    arrow, parquet = _arrow(), _arrow("pyarrow.parquet")
    columns = {name: [_utf8(row.get(name)) for row in rows] for name in names}
    types = {name: arrow.float64() if _is_number(name) else arrow.string() for name in names}
    stream = io.BytesIO()
    parquet.write_table(arrow.table(columns, schema=arrow.schema(types)), stream)
    return stream.getvalue()


def check_format(form: PartFormat) -> None:
    """Raise RequestError where the library of a format is not installed."""
    if form == "parquet":
        _arrow()


def count_errors(path: Path, form: PartFormat) -> int:
    """How many images of a part could not be read."""
    if form == "csv":
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            return sum(bool(row[ERROR]) for row in csv.DictReader(file))
    column = _arrow("pyarrow.parquet").read_table(path, columns=[ERROR]).column(ERROR)
    return len(column) - column.null_count


def _arrow(module: str = "pyarrow") -> Any:
    return import_arrow("`output`", module)


def _is_number(name: str) -> bool:
    return name in ("score", *EDGES) or name.startswith(("probability", "expected_grade"))


def _cell(value: object) -> object:
    return f"{value:.6f}" if isinstance(value, float) else value


def _utf8(value: object) -> object:
    """A text that UTF-8 has; names of files may be any bytes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value
