"""The report of a network that finds boxes: figures, curves, classes, and images with boxes."""

import base64
import io
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.detections import SHOWN, Detections
from convscope.evaluation.box_details import BoxDetails
from convscope.evaluation.detection import DetectionMetrics
from convscope.evaluation.gallery import style
from convscope.evaluation.result import EvaluationResult
from convscope.evaluation.tables import Rows, html_table
from convscope.predictions.drawing import FOUND, TRUTH, Drawn, draw
from convscope.reports.chart import figure
from convscope.reports.content import Report
from convscope.reports.plots import boxes_by_recall
from convscope.reports.sections import (
    about_section,
    filters_section,
    named_values,
    training_section,
)
from convscope.words import escape_html
from convscope.words.html_page import html_page

_WORST = 24
_PICTURE = 224  # pixels of the longer side of a picture


def boxes_page(report: Report, metrics: DetectionMetrics) -> str:
    """The page as HTML."""
    parts = {
        "What it is": about_section(report),
        "Figures": named_values(metrics.headline()),
        "Training": training_section(report),
        "Classes": _table(metrics.class_table()),
        "Precision and mistakes": _details(report.result.box_details),
        "Worst images": _worst(report.result),
        "First-layer filters": filters_section(report.net) if report.net else "",
    }
    body = "".join(
        f"<section><h2>{name}</h2>{part}</section>" for name, part in parts.items() if part
    )
    own = files("convscope.reports").joinpath("report.css").read_text("utf-8")
    said = escape_html(f"{metrics.describe()}: {report.result.data.rstrip('.')}.")
    header = f'<p class="headline">{said}</p>'
    return html_page(title=report.title, style=style() + own, header=header, main=body)


def _table(rows: Rows) -> str:
    """A table that scrolls by itself where the page is narrow."""
    return f'<div class="wide">{html_table(rows)}</div>'


def _details(details: BoxDetails) -> str:
    """Curves, and the tables of `evaluate --details`."""
    chart = boxes_by_recall(details)
    few = len(details.curves) > len(chart.lines)
    note = "<p>The classes with the least average precision are drawn.</p>" if few else ""
    tables = "".join(
        f"<h3>{escape_html(title)}</h3>{_table(rows)}" for title, rows in details.tables()
    )
    return f'<div class="charts">{figure(chart)}</div>{note}{tables}'


def _worst(result: EvaluationResult) -> str:
    """The images with the largest losses of those that are not all right."""
    outputs, loaded, indices = result.outputs, result.loaded, result.indices
    wrong = np.flatnonzero(~outputs.is_correct)
    if not len(wrong) or loaded is None:
        return "" if len(wrong) else "<p>None: every object was found, and nothing else.</p>"
    worst = wrong[np.argsort(-outputs.losses[wrong], kind="stable")][:_WORST]
    pixels = next(iter(loaded.batch_source.batches([indices[worst]]))).numpy()
    cards = "".join(
        _card(result, index, image) for image, index in zip(pixels, worst.tolist(), strict=True)
    )
    return (
        f"<p>In {len(wrong):,} of {len(result.paths):,} images an object was missed or something "
        f"else found (score {SHOWN:g} or more); largest loss first. True boxes are green, those "
        f'found orange.</p><div class="gallery boxes">{cards}</div>'
    )


def _card(result: EvaluationResult, index: int, image: NDArray[np.uint8]) -> str:
    classes, rows = result.metrics.classes, result.labels[index]
    true = [Drawn(row[1:5], classes[int(row[0])], TRUTH) for row in rows if row[0] >= 0]
    one: Detections = result.outputs.found[index]
    shown = one.above(SHOWN)
    found = [
        Drawn(box, f"{classes[label]} {score:.2f}", FOUND)
        for box, label, score in zip(shown.boxes, shown.labels, shown.scores, strict=True)
    ]
    file = io.BytesIO()
    draw(image, [*true, *found], side=_PICTURE).save(file, "PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    objects = escape_html(", ".join(one.text for one in true) or "nothing")
    said = escape_html(", ".join(one.text for one in found) or "nothing")
    return (
        f'<figure><img src="data:image/png;base64,{picture}" alt="">'
        f"<figcaption><b>{objects}</b> found as <b>{said}</b><br>"
        f"<small>{escape_html(result.paths[index])}</small></figcaption></figure>"
    )
