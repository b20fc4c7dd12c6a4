"""The tables of an evaluation, as rows of text: for the terminal, for `print`, for notebooks."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from convscope.words import escape_html
from convscope.words.aligned import aligned

_WIDTH = 9  # of the names of metrics at least
MAX_CONFUSION = 20  # classes up to which a confusion matrix is shown

Rows = list[list[str]]


class Counted(Protocol):
    """Metrics that count how many images were predicted right."""

    @property
    def num_images(self) -> int: ...
    @property
    def num_correct(self) -> int: ...
    @property
    def top1(self) -> float: ...
    @property
    def interval(self) -> tuple[float, float]: ...


class Measured(Counted, Protocol):
    """What the tables show of `convscope.evaluation.metrics.Metrics`, which says what it is."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def confusion(self) -> NDArray[np.int64]: ...
    @property
    def loss(self) -> float: ...
    @property
    def top5(self) -> float | None: ...
    @property
    def is_of_one_class(self) -> bool: ...
    @property
    def per_class(self) -> Sequence[dict[str, Any]]: ...
    def value(self, name: Literal["f1", "balanced"]) -> float: ...


def headline(metrics: Measured) -> list[tuple[str, str]]:
    """The names and values of the metrics of all images, with what they are over."""
    low, high = metrics.interval
    counts = f"{metrics.num_correct} of {metrics.num_images}"
    lines = [("top-1", f"{metrics.top1:.2%}   ({counts}; 95% interval {low:.2%} to {high:.2%})")]
    if metrics.top5 is not None:
        lines.append(("top-5", f"{metrics.top5:.2%}"))
    lines.append(("loss", f"{metrics.loss:.4f}"))
    if not metrics.is_of_one_class:
        lines.append(("mean F1", f"{metrics.value('f1'):.4f}{_over(metrics)}"))
        lines.append(
            ("balanced", f"{metrics.value('balanced'):.2%}   (the mean recall of the classes)")
        )
    return lines


def class_table(metrics: Measured) -> Rows:
    """A header and a row for each class that has images."""
    scores = ("recall",) if metrics.is_of_one_class else ("precision", "recall", "f1")
    header = ["class", "images", *(name.replace("f1", "F1") for name in scores)]
    return [
        header,
        *(
            [row["name"], str(row["images"]), *(f"{row[name]:.3f}" for name in scores)]
            for row in metrics.per_class
        ),
    ]


def confusion_table(metrics: Measured) -> Rows | None:
    """A header and a row for each class that has images; None if there are too many classes.

    The columns are the classes that are the truth or the prediction of some image. A zero is a dot.
    """
    rows, columns = np.flatnonzero(metrics.confusion.sum(axis=1)), _seen(metrics)
    if len(columns) > MAX_CONFUSION:
        return None
    names = metrics.classes
    header = ["true \\ predicted", *(names[int(column)] for column in columns)]
    counts = metrics.confusion
    return [header, *([names[int(r)], *(str(counts[r, c] or "·") for c in columns)] for r in rows)]


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """The rows with their columns aligned, the first to the left, the others to the right."""
    columns = [aligned(cells, right=n > 0) for n, cells in enumerate(zip(*rows, strict=True))]
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def headline_text(lines: Sequence[tuple[str, str]]) -> str:
    """The names and values of metrics, aligned."""
    width = max(_WIDTH, *(len(name) for name, _ in lines))
    return "\n".join(f"{name:<{width}} {value}" for name, value in lines)


def _over(metrics: Measured) -> str:
    """Over which classes the mean F1 is, where it is not all of them."""
    count, total = len(_seen(metrics)), len(metrics.classes)
    return "" if count == total else f"   (over the {count} classes that occur, of {total})"


def _seen(metrics: Measured) -> NDArray[np.intp]:
    """The classes that are the truth or the prediction of some image."""
    return np.flatnonzero(metrics.confusion.sum(axis=0) + metrics.confusion.sum(axis=1))


LEFT_CELL = "text-align:left;padding:2px 12px 2px 0"
_RIGHT = "text-align:right;padding:2px 8px"
TABLE_STYLE = (
    "style='color:inherit;font:inherit'"  # tables of pages without a doctype do not inherit
)
_SHOWN = 100  # classes in a notebook


def html_table(rows: Rows) -> str:
    """A table in the colors of the notebook, light or dark."""
    header, *body = rows
    head = "".join(
        f"<th style='{_RIGHT if column else LEFT_CELL}'>{escape_html(cell)}</th>"
        for column, cell in enumerate(header)
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td style='{_RIGHT if column else LEFT_CELL}'>{escape_html(cell)}</td>"
            for column, cell in enumerate(row)
        )
        + "</tr>"
        for row in body[:_SHOWN]
    )
    more = f"<p>and {len(body) - _SHOWN} more classes</p>" if len(body) > _SHOWN else ""
    table = f"<table {TABLE_STYLE}><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f"<div>{table}{more}</div>"
