"""The page of a network's redundancy: a table, and a picture of every two maps for each layer."""

import base64
import io
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.features.similarity import CORRELATED, Matrix
from convscope.map_similarity.api import Redundancy
from convscope.map_similarity.layer import LayerRedundancy, Pair
from convscope.words import escape_html
from convscope.words.html_page import html_page

_LOW, _HIGH = (107, 47, 4), (7, 48, 94)
_SIDE = 420  # pixels of a picture, at least
_PAIRS = 12  # that are listed


def page(result: Redundancy) -> str:
    """The page as HTML, which requests nothing."""
    style = files("convscope.map_similarity").joinpath("page.css").read_text("utf-8")
    notes = "".join(f"<p>{escape_html(note)}</p>" for note in result.notes)
    header = (
        f"<p>Maps after the activation, over {result.layers[0].num_images:,} images: "
        f"{escape_html(result.data)}.</p>{notes}"
    )
    main = _overview(result) + "".join(map(_section, result.layers))
    return html_page(
        title=f"Redundant filters of {result.model}", style=style, header=header, main=main
    )


def _overview(result: Redundancy) -> str:
    rows = "".join(
        f'<tr><th><a href="#{escape_html(layer.name)}">{escape_html(layer.name)}</a></th>'
        f"<td>{len(layer)}</td><td>{len(layer.dead)}</td><td>{len(layer.groups)}</td>"
        f"<td>{len(layer.redundant)}</td><td>{_rank(layer)}</td></tr>"
        for layer in result.layers
    )
    heads = ("layer", "maps", "dead", "groups of twins", "redundant", "effective rank")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        f'<section class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"</section><p>Twins correlate by {CORRELATED} or more, unit by unit, or by "
        f"{-CORRELATED} or less, as negatives do. A dead map hardly changes. "
        "Redundant are dead maps, and all but the first of each group. The effective rank is the "
        "number of maps of one strength, none like another, that would vary as evenly. Intervals "
        "are of 95%, over images.</p>"
    )


def _section(layer: LayerRedundancy) -> str:
    order = layer.order
    caption = (
        "Every two maps: below the diagonal their correlation, above it their linear CKA, which "
        "also counts a pattern as the same that lies elsewhere. Twins are side by side, dead maps "
        f"last; order: {_as_ranges(order)}."
    )
    name = escape_html(layer.name)
    alt = f"Similarity of the {len(layer)} maps of {name}"
    return (
        f'<section id="{name}"><h2>{name}</h2><div class="columns"><figure>'
        f'<img src="{_picture(layer, order)}" alt="{alt}">{_legend()}'
        f"<figcaption>{caption}</figcaption></figure><div>{_facts(layer)}{_pairs(layer.pairs)}"
        "</div></div></section>"
    )


def _facts(layer: LayerRedundancy) -> str:
    dead = ", ".join(map(str, layer.dead)) or "none"
    groups = "; ".join(", ".join(map(str, group)) for group in layer.groups) or "none"
    nearest = layer.most_similar
    most = (
        ""
        if nearest is None or layer.pairs
        else (
            f"<dt>most similar maps</dt><dd>{nearest.first} and {nearest.second}: correlation "
            f"{nearest.correlation:.2f} (95% interval {nearest.low:.2f} to {nearest.high:.2f})</dd>"
        )
    )
    return (
        f"<dl><dt>effective rank</dt><dd>{_rank(layer)} of {len(layer)}</dd><dt>dead maps</dt>"
        f"<dd>{dead}</dd><dt>groups of twins</dt><dd>{groups}</dd>{most}</dl>"
    )


def _as_ranges(order: list[int]) -> str:
    """Numbers with "to" for three and more in a row: "4, 7, 0 to 3"."""
    runs: list[list[int]] = []
    for number in order:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = (f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
    return ", ".join(texts)


def _pairs(pairs: list[Pair]) -> str:
    if not pairs:
        return ""
    rows = "".join(
        f"<tr><th>{pair.first} and {pair.second}</th><td>{pair.correlation:.3f}</td>"
        f"<td>{pair.low:.3f} to {pair.high:.3f}</td><td>{pair.alignment:.3f}</td>"
        f"<td>{'' if pair.cosine is None else f'{pair.cosine:.3f}'}</td></tr>"
        for pair in pairs[:_PAIRS]
    )
    heads = ("maps", "correlation", "95% interval", "CKA", "cosine of the filters")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    more = f"<p>The {_PAIRS} of {len(pairs):,} most similar pairs.</p>"
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        f"</div>{more if len(pairs) > _PAIRS else ''}"
    )


def _rank(layer: LayerRedundancy) -> str:
    low, high = layer.rank_interval
    return f"{layer.rank:.1f} ({low:.1f} to {high:.1f})"


def _picture(layer: LayerRedundancy, order: list[int]) -> str:
    at = np.ix_(order, order)
    values = np.tril(layer.correlation[at]) + np.triu(layer.alignment[at], 1)
    times = max(1, _SIDE // len(values))
    return _data_uri(np.repeat(np.repeat(_colors(values), times, 0), times, 1))


def _legend() -> str:
    strip = np.repeat(_colors(np.linspace(-1, 1, 201)[None]), 12, 0)
    return (
        f'<div class="legend"><span>−1</span><img src="{_data_uri(strip)}" alt="Scale from −1, '
        'brown, over 0, white, to 1, blue"><span>1</span></div>'
    )


def _colors(values: Matrix) -> NDArray[np.uint8]:
    """Values from -1 to 1: brown below zero, white at zero, blue above."""
    ends = np.where(values[..., None] < 0, np.array(_LOW), np.array(_HIGH))
    return np.round(255 + (ends - 255) * np.abs(values)[..., None]).astype(np.uint8)


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
