"""A Hugging Face model card: metadata for the hub, and the report in Markdown."""

import math
import re

from convscope.evaluation.detection import DetectionMetrics
from convscope.hub import card_header
from convscope.reports.content import Report
from convscope.words import visible

_BOX_METRICS = {"map_50": "ap50", "map": "ap"}
_METRICS = {"Accuracy": "accuracy", "Mean F1": "f1", "Mean area under ROC": "roc_auc"}
"""What the hub calls figures of the report."""


def model_card(report: Report, *, license: str | None = None) -> str:  # noqa: A002 -- the hub's word
    """The README of a model on the hub. Raises RequestError without the hub's library."""
    result, opened = report.result, report.result.opened
    network = "" if opened is None else opened.card.provenance.get("network", "")
    data = visible(result.data)
    metrics = result.metrics
    if isinstance(metrics, DetectionMetrics):
        rows = metrics.headline()
        values = {hub: getattr(metrics, name) for hub, name in _BOX_METRICS.items()}
        values = {hub: value for hub, value in values.items() if not math.isnan(value)}
    else:
        rows = [(name, str(figure)) for name, figure in report.figures]
        values = {
            hub: figure.value
            for name, figure in report.figures
            if (hub := _METRICS.get(name)) and figure.is_defined
        }
    header = card_header(
        report.title,
        license=license,
        tags=["convscope", *([network] if re.fullmatch(r"[\w.-]+", network) else [])],
        data=data,
        metrics=values,
        finds_objects=isinstance(metrics, DetectionMetrics),
    )
    about = "\n".join(f"- {name}: {_plain(value)}" for name, value in report.about)
    figures = "\n".join(f"| {name} | {_plain(text)} |" for name, text in rows)
    doubts = "\n".join(f"- {_plain(text)}" for text in report.doubts) or "- Nothing was found."
    return f"""{header}
# {_plain(report.title)}

## What it is

{about}

## Figures

On {result.metrics.num_images:,} images, {_plain(data)}. Intervals are of 95%.

| figure | value |
| --- | --- |
{figures}

## What to distrust

{doubts}
"""


def _plain(text: str) -> str:
    """Text that Markdown and HTML take as text."""
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", visible(text))
