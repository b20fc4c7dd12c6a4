"""The page of a robustness result: tables and curves, in one file."""

from importlib.resources import files

from convscope.evaluation.gallery import style
from convscope.evaluation.tables import Rows
from convscope.perturbations.api import RobustnessResult
from convscope.reports.chart import Chart, figure
from convscope.words import escape_html
from convscope.words.html_page import html_page


def robustness_page(found: RobustnessResult) -> str:
    """One HTML page, which requests nothing and runs no script."""
    own = files("convscope.reports").joinpath("report.css").read_text("utf-8")
    charts = "".join(
        figure(
            Chart(
                name[0].upper() + name[1:],
                {"error": [found.error.value, *(each.value for each in figures)]},
                percent=True,
                first=0,
            )
        )
        for name, figures in found.errors.items()
    )
    header = (
        f"<p>{escape_html(found.model)} on {found.images:,} images: {escape_html(found.data)}.</p>"
        f"<p>Error {found.error}; mean corruption error {found.mean_error}.</p>"
    )
    main = (
        "<section><h2>Corruptions</h2><p>The error by strength, from 0, the image as it is, to 5."
        f'</p><div class="charts">{charts}</div>{_table(found.corruption_rows())}</section>'
        "<section><h2>Moved images</h2><p>Answers that stay are those of the image as it is. Maps "
        "that move along have a correlation of 1 with the maps of that image, moved likewise."
        f"</p>{_table(found.moved_rows())}</section>"
    )
    return html_page(title="Robustness", style=style() + own, header=header, main=main)


def _table(rows: Rows) -> str:
    head, *body = rows
    heads = "".join(f"<td>{escape_html(cell)}</td>" for cell in head[1:])
    lines = "".join(
        f"<tr><th>{escape_html(row[0])}</th>"
        f"{''.join(f'<td>{escape_html(cell)}</td>' for cell in row[1:])}</tr>"
        for row in body
    )
    return (
        f'<div class="wide"><table><thead><tr><th>{escape_html(head[0])}</th>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
