"""The report as one HTML page, which requests nothing and runs no script."""

from importlib.resources import files

from convscope.evaluation.detection import DetectionMetrics
from convscope.evaluation.figures import complement
from convscope.evaluation.gallery import style
from convscope.evaluation.multi_label import AnyMetrics
from convscope.reports.boxes_page import boxes_page
from convscope.reports.content import Report
from convscope.reports.sections import (
    about_section,
    calibration_section,
    classes_section,
    confusion_section,
    curves_section,
    doubts_section,
    figures_section,
    filters_section,
    mistakes_section,
    slices_section,
    training_section,
)
from convscope.words import escape_html
from convscope.words.html_page import html_page


def report_page(report: Report) -> str:
    """The page as HTML."""
    metrics = report.result.metrics
    if isinstance(metrics, DetectionMetrics):
        return boxes_page(report, metrics)
    parts = {
        "What to distrust": doubts_section(report),
        "What it is": about_section(report),
        "Figures": figures_section(report),
        "Training": training_section(report),
        "Classes": classes_section(metrics),
        "Confusion": confusion_section(metrics),
        "Thresholds": curves_section(report),
        "Probabilities": calibration_section(report),
        "Slices": slices_section(report),
        "Mistakes": mistakes_section(report),
        "First-layer filters": filters_section(report.net) if report.net else "",
    }
    known = {name: part for name, part in parts.items() if part}
    body = "".join(
        f'<section id="s{number}"><h2>{name}</h2>{part}</section>'
        for number, (name, part) in enumerate(known.items())
    )
    links = "".join(f'<a href="#s{number}">{name}</a>' for number, name in enumerate(known))
    own = files("convscope.reports").joinpath("report.css").read_text("utf-8")
    compared = f"<p>{escape_html(report.note)}</p>" if report.note else ""
    right = complement(report.result.details.topk["top1_error"])
    data = f"{_first(report.result.data).removesuffix('.')}."
    header = (
        f'<p class="headline">{lead(metrics, right.interval)}</p><p>{escape_html(data)}</p>'
        f"{compared}<nav>{links}</nav>"
    )
    return html_page(title=report.title, style=style() + own, header=header, main=body)


def lead(metrics: AnyMetrics, interval: tuple[float, float] | None = None) -> str:
    """The share of test images that were predicted right, as HTML; the interval is by default that
    of independent images.
    """
    low, high = interval or metrics.interval
    what = "with every label right" if metrics.task == "multi-label" else "correct"
    return (
        f"<strong>{metrics.top1:.2%}</strong> of {metrics.num_images:,} test images {what} (95% "
        f"interval {low:.2%} to {high:.2%})"
    )


def _first(text: str) -> str:
    return text[:1].upper() + text[1:]
