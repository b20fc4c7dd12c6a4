"""The tables of an evaluation, as rows of text: for the terminal, for `print`, for notebooks."""

from collections.abc import Sequence

import numpy as np

from convscope.evaluation.metrics import Metrics

MAX_CONFUSION = 20  # classes up to which a confusion matrix is shown

Rows = list[list[str]]


def headline(metrics: Metrics) -> list[tuple[str, str]]:
    """The names and values of the metrics of all images, with what they are over."""
    low, high = metrics.interval
    counts = f"{metrics.num_correct} of {metrics.num_images}"
    lines = [("top-1", f"{metrics.top1:.2%}   ({counts}; 95% interval {low:.2%} to {high:.2%})")]
    if metrics.top5 is not None:
        lines.append(("top-5", f"{metrics.top5:.2%}"))
    lines.append(("loss", f"{metrics.loss:.4f}"))
    if not metrics.is_of_one_class:
        lines.append(("mean F1", f"{metrics.value('f1'):.4f}{_over(metrics)}"))
    return lines


def class_table(metrics: Metrics) -> Rows:
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


def confusion_table(metrics: Metrics) -> Rows | None:
    """A header and a row for each class that has images; None if there are too many classes.

    The columns are the classes that are the truth or the prediction of some image. A zero is a dot.
    """
    rows, columns = np.flatnonzero(metrics.support), np.flatnonzero(metrics.is_seen)
    if len(columns) > MAX_CONFUSION:
        return None
    names = metrics.classes
    header = ["true \\ predicted", *(names[column] for column in columns)]
    counts = metrics.confusion
    return [header, *([names[r], *(str(counts[r, c] or "·") for c in columns)] for r in rows)]


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """The rows with their columns aligned, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _over(metrics: Metrics) -> str:
    """Over which classes the mean F1 is, where it is not all of them."""
    count, total = int(metrics.is_seen.sum()), len(metrics.classes)
    return "" if count == total else f"   (over the {count} classes that occur, of {total})"
