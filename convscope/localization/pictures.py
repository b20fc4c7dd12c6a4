"""Images with the true boxes and the predicted one, as a page by itself."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from convscope.evaluation.tables import Rows
from convscope.localization.component import Edges
from convscope.words import escape_html
from convscope.words.html_page import html_page

SHOWN = 48
_SIDE = 320  # pixels of the longer side
TRUE, SAID = "#2fb344", "#f76707"
_STYLE = f"""
:root {{ color-scheme: light dark; }}
body {{ margin: 0; font: 15px/1.5 system-ui, sans-serif; background: #fbfbf9; color: #1c1e21; }}
header, main {{ max-width: 1280px; margin: 0 auto; padding: 12px 20px; }}
.images {{ display: grid; gap: 18px; }}
.images {{ grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); }}
figure {{ margin: 0; }} figure img {{ width: 100%; height: auto; display: block; }}
figcaption {{ font-size: 13px; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; }} td, th {{ padding: 2px 16px 2px 0; text-align: left; }}
td {{ font-variant-numeric: tabular-nums; text-align: right; }}
.true {{ border-bottom: 3px solid {TRUE}; }} .said {{ border-bottom: 3px solid {SAID}; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #15171a; color: #e8e8e4; }} }}
"""


@dataclass(frozen=True)
class Picture:
    """An image that is shown.

    Attributes:
        image: RGB, upright.
        truth: boxes in its pixels.
        said: the box of the first guess, or None.
    """

    image: Image.Image
    truth: tuple[Edges, ...]
    said: Edges | None
    caption: str

    @classmethod
    def of(
        cls, image: Image.Image, truth: Sequence[Edges], said: Edges | None, caption: str
    ) -> "Picture":
        """A picture that is scaled to be looked at, with its boxes."""
        scale = _SIDE / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        smooth = Image.Resampling.NEAREST if scale > 2 else Image.Resampling.BILINEAR
        factors = size[0] / image.width, size[1] / image.height

        def scaled(box: Edges) -> Edges:
            left, top, right, bottom = box
            return left * factors[0], top * factors[1], right * factors[0], bottom * factors[1]

        shown = image.convert("RGB").resize(size, smooth)
        return cls(shown, tuple(map(scaled, truth)), said and scaled(said), caption)

    def drawn(self) -> Image.Image:
        """The image with the true boxes in green and the predicted one in orange."""
        image = self.image.copy()
        draw = ImageDraw.Draw(image)
        boxes = [(box, TRUE) for box in self.truth] + ([(self.said, SAID)] if self.said else [])
        for (left, top, right, bottom), color in boxes:
            corners = left, top, max(right - 1, left), max(bottom - 1, top)
            draw.rectangle(corners, outline="white", width=4)
            draw.rectangle(corners, outline=color, width=3)
        return image


def page(title: str, lines: Sequence[str], rows: Rows, pictures: Sequence[Picture]) -> str:
    """The figures and the pictures."""
    about = "".join(f"<p>{escape_html(line)}</p>" for line in lines)
    body = "".join(
        f"<tr><th>{escape_html(name)}</th>"
        + "".join(f"<td>{escape_html(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    figures = "".join(
        f'<figure><img src="{_data_url(one.drawn())}" alt="{escape_html(one.caption)}">'
        f"<figcaption>{escape_html(one.caption)}</figcaption></figure>"
        for one in pictures
    )
    key = '<p><span class="true">true boxes</span>, <span class="said">the first guess</span></p>'
    main = f'<table>{body}</table><h2>Images</h2>{key}<div class="images">{figures}</div>'
    return html_page(title=title, style=_STYLE, header=about, main=main)


def _data_url(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
