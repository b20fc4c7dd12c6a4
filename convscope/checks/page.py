"""The page of a data report: one HTML file with thumbnails, which requests nothing."""

from importlib.resources import files

from convscope.checks.outcome import Finding, Outcome, Severity
from convscope.checks.report import DataReport
from convscope.data.thumbnails import SMALL, data_url, read_thumbnail
from convscope.data.unreadable import UnreadableImage
from convscope.words import escape_html
from convscope.words.html_page import html_page

_SHOWN = 60  # findings of a check that the page shows
_SIDE = 160  # pixels of the longer side of a thumbnail
_MEANINGS: dict[Severity, str] = {
    "error": "makes measured accuracies wrong",
    "warning": "is to be looked at",
    "note": "is to be known",
}


def page(report: DataReport) -> str:
    """The page as HTML."""
    dataset = report.inspection.dataset
    title = f"Check of {dataset.name}"
    style = files("convscope.checks").joinpath("page.css").read_text("utf-8")
    sections = "".join(_section(report, outcome) for outcome in report.outcomes)
    left_out = "".join(
        f"<p>Not checked: {escape_html(name)} ({escape_html(reason)}).</p>"
        for name, reason in report.skipped.items()
    )
    counts = f"{len(dataset):,} images of {len(dataset.classes):,} classes"
    header = f"<p>{counts}. Nothing was changed.</p>{_overview(report)}{left_out}"
    return html_page(title=title, style=style, header=header, main=sections)


def _overview(report: DataReport) -> str:
    if not report.outcomes:
        return "<p>Nothing was found.</p>"
    rows = "".join(
        f'<tr><td><span class="{outcome.severity}">{outcome.severity}</span></td>'
        f'<th><a href="#{outcome.check}">{escape_html(outcome.title)}</a></th>'
        f"<td>{len(outcome.findings):,}</td></tr>"
        for outcome in report.outcomes
    )
    meanings = "; ".join(
        f"{severity}: {meaning}"
        for severity, meaning in _MEANINGS.items()
        if report.counts[severity]
    )
    return f"<table><tbody>{rows}</tbody></table><p>{meanings}.</p>"


def _section(report: DataReport, outcome: Outcome) -> str:
    summary = f"{outcome.summary} {outcome.advice}".replace("`", "").strip()
    shown = outcome.findings[:_SHOWN]
    cards = "".join(_card(report, finding) for finding in shown)
    pairs = " pairs" if any(len(finding.images) > 1 for finding in shown) else ""
    more = len(outcome.findings) - len(shown)
    rest = f"<p>and {more:,} more, which the CSV and JSON list</p>" if more > 0 else ""
    return (
        f'<section id="{outcome.check}"><h2><span class="{outcome.severity}">{outcome.severity}'
        f"</span> {escape_html(outcome.title)}</h2><p>{escape_html(summary)}</p>"
        f'<div class="gallery{pairs}">{cards}</div>{rest}</section>'
    )


def _card(report: DataReport, finding: Finding) -> str:
    if not finding.images:
        return f'<p class="plain">{escape_html(finding.detail)}</p>'
    suggested = f"<br>likely <b>{escape_html(finding.suggested)}</b>" if finding.suggested else ""
    figures = "".join(_figure(report, index) for index in finding.images)
    return (
        f'<div class="card"><div class="images">{figures}</div>'
        f'<p class="detail">{escape_html(finding.detail)}{suggested}</p></div>'
    )


def _figure(report: DataReport, index: int) -> str:
    inspection = report.inspection
    split = inspection.split(index)
    where = f" · {escape_html(split)}" if split else ""
    return (
        f"<figure>{_image(report, index)}<figcaption><b>{escape_html(inspection.label(index))}</b>"
        f"{where}<small>{escape_html(inspection.key(index))}</small></figcaption></figure>"
    )


def _image(report: DataReport, index: int) -> str:
    if index in report.inspection.problems:
        return '<span class="none">unreadable</span>'
    try:
        image = read_thumbnail(report.inspection.dataset.images, index, _SIDE)
    except UnreadableImage:  # it could be read when it was measured
        return '<span class="none">unreadable</span>'
    pixelated = ' class="pixels"' if max(image.size) <= SMALL else ""
    return f'<img{pixelated} src="{data_url(image)}" alt="" loading="lazy">'
