"""What `convscope export` prints of a network in lower precision."""

from collections.abc import Iterator

from rich.table import Table

from convscope.conversion.api import Exported
from convscope.conversion.candidates import Candidate
from convscope.conversion.rounding import Rounding
from convscope.evaluation.paired_precision import PairedPrecision
from convscope.words.screen import cell

_MOST_KERNELS = 6  # that are named


def rounding_table(exported: Exported) -> Table:
    """Speed beside that in float32, and accuracy beside that before."""
    table = Table("engine", box=None, pad_edge=False)
    roundings = [one.rounding for one in exported.candidates if one.rounding is not None]
    has_classes = any(rounding.accuracy is not None for rounding in roundings)
    has_images = any(rounding.agreement is not None for rounding in roundings)
    titles = ("p50", "images/s", "float32", "faster", "size")
    is_of_boxes = any(isinstance(one.accuracy, PairedPrecision) for one in roundings)
    figure = "AP" if is_of_boxes else "accuracy"
    of_classes = (figure, "points", "95% interval") if has_classes else ()
    for title in (*titles, *of_classes, *(["same"] if has_images else [])):
        table.add_column(title, justify="right")
    divides = any(candidate.split is not None for candidate in exported.candidates)
    if divides:
        table.add_column("batch")
    for candidate in exported.candidates:
        times, rounding, costs = candidate.times, candidate.rounding, candidate.footprint
        assert times is not None
        assert rounding is not None
        assert costs is not None
        cells = [
            candidate.engine,
            f"{times.p50 * 1000:.2f} ms",
            f"{times.rate:.0f}",
            f"{rounding.float_seconds * 1000:.2f} ms",
            f"{rounding.float_seconds / candidate.seconds:.2f}",
            f"{costs.size / 1e6:.1f} MB",
            *_accuracy(rounding),
        ]
        if divides:
            cells.append(batch_cell(candidate))
        table.add_row(*map(cell, cells))
    return table


def _accuracy(rounding: Rounding) -> Iterator[str]:
    """After, in points, their interval, and how many images have the same answer; what is known."""
    if rounding.accuracy is not None:
        low, high = rounding.accuracy.interval
        yield f"{rounding.accuracy.share_after:.2%}"
        yield f"{100 * rounding.accuracy.change:+.2f}"
        yield f"{100 * low:+.2f} to {100 * high:+.2f}"
    if rounding.agreement is not None:
        yield f"{rounding.agreement:.2%}"


def batch_cell(candidate: Candidate) -> str:
    """How an engine divides batches."""
    return "whole" if candidate.split is None else str(candidate.split)


def rounding_lines(exported: Exported) -> Iterator[str]:
    """On which images, which layers stay in float32, and what else the engines compute so."""
    for number, candidate in enumerate(exported.candidates):
        rounding = candidate.rounding
        if rounding is None:
            return
        if number == 0:
            worst = max(rounding.worst or 0.0, rounding.worst_of_files)
            is_of_boxes = isinstance(rounding.accuracy, PairedPrecision)
            what = "score" if is_of_boxes else "probability"
            yield f"{rounding.images} The largest difference of a {what}: {worst:.2f}."
            if rounding.float_layers:
                yield (
                    f"Kept in float32, for they cost most in {rounding.trials} trials: "
                    f"{', '.join(rounding.float_layers)}."
                )
        kernels = rounding.float_kernels
        names = ", ".join(kernels[:_MOST_KERNELS])
        rest = f", ... ({len(kernels) - _MOST_KERNELS} more)" * (len(kernels) > _MOST_KERNELS)
        yield f"Kernels of {candidate.engine} in float32: {len(kernels)}. {names}{rest}".rstrip()
