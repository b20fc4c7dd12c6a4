"""The pictures as one HTML file, which requests nothing."""

import base64
from importlib.resources import files
from io import BytesIO

from PIL import Image

from convscope.attribution.coloring import Pixels, color_bar
from convscope.attribution.figure import Panel, Pictures, Scale, panels
from convscope.attribution.result import ExplainedImage
from convscope.words import escape_html
from convscope.words.html_page import html_page


def page(found: Pictures) -> str:
    """The page as HTML."""
    style = files("convscope.attribution").joinpath("page.css").read_text("utf-8")
    notes = "".join(f'<p class="note">{escape_html(text)}</p>' for text in found.cautions)
    legend = (
        '<p class="note">Colors end at the largest absolute value of each map; none is stretched. '
        "Deletion: cells are taken away, the most important first, and the probability should fall "
        "fast (a small area). Insertion: they are shown on the blurred image, and it should rise "
        "fast (a large area). A number of a box that is no share, such as an edge, should move far "
        "once the cells are taken away.</p>"
    )
    return html_page(
        title=f"What {found.model} looks at",
        style=style,
        header=notes + legend,
        main="".join(map(_section, found.images)) + _left_out(found),
    )


def fragment(found: Pictures) -> str:
    """The pictures for a notebook."""
    style = files("convscope.attribution").joinpath("page.css").read_text("utf-8")
    inside = "".join(map(_section, found.images))
    return f"<style>@scope{{{style.partition('body{')[0]}}}</style><div>{inside}</div>"


def _left_out(found: Pictures) -> str:
    """The methods that are not shown, each with the reason."""
    if not found.left_out:
        return ""
    items = "".join(
        f"<li>{escape_html(f'{name}: {reason}')}</li>" for name, reason in found.left_out.items()
    )
    return f"<section><h2>Left out</h2><ul>{items}</ul></section>"


def _section(image: ExplainedImage) -> str:
    figures = "".join(map(_figure, panels(image)))
    title = escape_html(image.caption)
    return f'<section><h2>{title}</h2><div class="panels">{figures}</div></section>'


def _figure(panel: Panel) -> str:
    problem, details = "", list(panel.details)
    if panel.scale is not None and panel.problem:
        problem = f'<p class="problem">{escape_html(details.pop(0))}</p>'
    scale = "" if panel.scale is None else _scale(panel.scale)
    text = panel.title if panel.scale is None else f"{panel.title}: {panel.scale.text}"
    items = "".join(f"<li>{escape_html(line)}</li>" for line in details)
    is_small = max(panel.pixels.shape) < 400
    return (
        f"<figure><h3>{escape_html(panel.title)}</h3>"
        f'<img{" class=small" if is_small else ""} alt="{escape_html(text)}" '
        f'src="{data_url(panel.pixels)}">'
        f"{scale}{problem}<ul>{items}</ul></figure>"
    )


def _scale(scale: Scale) -> str:
    bar = data_url(color_bar(300, 12, is_signed=scale.is_signed))
    return (
        f'<div class="bar"><img alt="" src="{bar}"><div class="ends"><span>{scale.low}</span>'
        f"<span>{scale.middle}</span><span>{scale.high}</span></div>"
        f'<div class="unit">{escape_html(scale.unit)}; {scale.meaning}</div></div>'
    )


def data_url(pixels: Pixels) -> str:
    """An image as the URL of its own PNG."""
    return f"data:image/png;base64,{png_base64(pixels)}"


def png_base64(pixels: Pixels) -> str:
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode("ascii")
