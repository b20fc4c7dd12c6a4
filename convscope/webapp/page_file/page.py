"""The file: the page, its script and styles, and the data in elements of their own."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convscope.version import __version__
from convscope.webapp.page_file.bundle import STATIC, bundled_script, content_hash, style_sheets
from convscope.words import escape_html
from convscope.words.json_text import to_json

_POLICY = (
    "default-src 'none'; script-src {}; style-src {}; img-src blob: data:; "
    "base-uri 'none'; form-action 'none'"
)
_LINKED = re.compile(r' *<(?:link rel="stylesheet"|script).*\n')


@dataclass(frozen=True)
class Frame:
    """What the page of a file is beside its data: its script, its styles, its first screen."""

    script: str
    styles: str
    screen: str


def network_frame() -> Frame:
    """The screens of a network."""
    return Frame(bundled_script(), style_sheets(), "look")


def page_html(
    title: str,
    index: Mapping[str, Any],
    first: Mapping[str, bytes],
    rest: Mapping[str, bytes],
    *,
    frame: Frame | None = None,
) -> str:
    """The page as HTML; `first` is what the first screen needs. Without a frame, a network's page.

    Nothing of a network or an image is markup here: the title is escaped, the data are JSON without
    "<", or base64.
    """
    frame = frame or network_frame()
    script, styles = frame.script, frame.styles
    policy = _POLICY.format(content_hash(script), content_hash(styles))
    head = (
        f'    <meta http-equiv="Content-Security-Policy" content="{escape_html(policy)}" />\n'
        f'    <meta name="generator" content="convscope {escape_html(__version__)}" />\n'
        f"    <style>{styles}</style>\n  </head>"
    )
    numbers = {key: number for number, key in enumerate([*first, *rest])}
    data = to_json({**index, "blobs": numbers}).replace("<", "\\u003c")
    html = _LINKED.sub("", (STATIC / "index.html").read_text(encoding="utf-8"))
    html = html.replace("The lab needs JavaScript. Allow scripts for this address.",
                        "This page needs JavaScript. Allow scripts for this file.")  # fmt: skip
    html = html.replace('data-screen="look"', f'data-screen="{frame.screen}"')
    before, _, after = html.partition("<title>")
    body = after[after.index("  </head>") + len("  </head>") : after.index("  </body>")]
    return (
        f"{before}<title>{escape_html(title)}</title>\n"
        f'    <link rel="icon" href="data:," />\n{head}{body}'
        f'<script type="application/json" id="index">{data}</script>\n'
        f"{_elements(first, numbers)}<script>{script}</script>\n"
        f"{_elements(rest, numbers)}</body>\n</html>\n"
    )


def size_in_page(blobs: Mapping[str, bytes]) -> int:
    """Bytes that these take in the page, as `_elements` writes them."""
    return sum(len(_ELEMENT) + 4 * -(-len(data) // 3) for data in blobs.values())


_ELEMENT = '<script type="text/plain" id="b{}">{}</script>\n'


def _elements(blobs: Mapping[str, bytes], numbers: Mapping[str, int]) -> str:
    return "".join(
        _ELEMENT.format(numbers[key], base64.b64encode(data).decode())
        for key, data in blobs.items()
    )
