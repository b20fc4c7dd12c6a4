"""The page of `hierarchy`: levels below each other, each filter linked with its parts."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.features.patches.result import FilterSummary
from convscope.features.probes_result import LayerProbe
from convscope.features.sheets.raster import data_url, raster
from convscope.features.sheets.sheet import Pixels, Tile
from convscope.levels.lines import draw_lines, line_style
from convscope.levels.result import SHOWN_PARTS, HierarchyResult, Level, LevelFilter, Parts
from convscope.words import escape_html
from convscope.words.html_page import html_page

_PICTURE, _PATCH, _THUMB = 112, 64, 28  # pixels of the screen
_NAMED = 3  # classes
_SMALL = 0.005  # share of a value up to which a rest is not worth a word

_LEGEND = (
    (
        "Read downwards: each class, and each filter, with the filters of the next lower level "
        "that its value is made of. A percentage is what a lower filter adds to the value before "
        "the activation function, summed over all of its units and averaged over the filter's "
        "strongest patches; with the other filters and the biases it makes 100%. Blue adds, "
        "orange and dashed subtracts, so that single ones may exceed 100%. Point to a filter, or "
        "follow a link, to mark its lines and its parts."
    ),
    (
        "The small picture of a part is that filter's own, or, with a dashed edge, the strongest "
        "patch of one that is not on the page; the grid beside it, where the layer "
        "reads it directly, the weights for it. Weights are white at 0, blue above, orange below, "
        "darkest at the filter's largest; of three color channels, colors around gray. A computed "
        "picture is the one that gradient ascent found to excite the filter most. Stripes lie "
        "outside of the image. Selectivity: 0, all classes alike; 1, one class alone."
    ),
    (
        "Filters shown: chosen one after another by the largest shares, first so that each filter "
        "or class above is linked with one of its four largest parts, then of all together."
    ),
)


def to_page(result: HierarchyResult) -> str:
    """The page, with the classes at the top; it needs no other file and runs no script."""
    style = files("convscope.levels").joinpath("page.css").read_text("utf-8")
    thumbs = {
        (number, one.number): _thumb(result, one)
        for number, level in enumerate(result.levels)
        for one in level.filters
    }
    thumbs = {**_thumbs_of_parts(result), **thumbs}
    rules = "".join(
        f".t{number}-{filter_}{{background-image:url({url})}}"
        for (number, filter_), url in thumbs.items()
        if url
    )
    main = "".join(_levels(result))
    title = f"From objects to parts to edges: {Path(result.model).name}"
    return html_page(
        title=title, style=style + rules + line_style(result), header=_header(result), main=main
    )


def _header(result: HierarchyResult) -> str:
    size = "x".join(map(str, result.patches.card.input_size))
    images = f"{result.patches.num_images:,} images: {result.patches.images.description}"
    first = f"{result.model} on {images}; pixels of the network's input ({size})."
    lines = [first, *_LEGEND, *result.notes]
    return "".join(f"<p>{escape_html(line)}</p>" for line in lines)


def _levels(result: HierarchyResult) -> Iterator[str]:
    last = len(result.levels) - 1
    for number in range(last, -1, -1):
        yield _level(result, number)


def _level(result: HierarchyResult, number: int) -> str:
    level = result.levels[number]
    cards = "".join(_card(result, number, one) for one in level.filters)
    what = "classes" if level.is_classes else f"level {number + 1} of {len(result.levels)}"
    name = escape_html(level.name)
    heading = "Classes" if level.is_classes else f"{name} <span>{what}</span>"
    above = result.levels[number + 1 : number + 2]
    lines = draw_lines(above[0], level, number + 1) if above else ""
    return (
        f'<section id="l{number}">{lines}<div class="head"><h2>{heading}</h2>'
        f"<p>{escape_html(_text(level))}</p></div>"
        f'<ul class="cards" style="--n:{max(len(level.filters), 1)}">{cards}</ul></section>'
    )


def _text(level: Level) -> str:
    layer = level.layer
    count = len(layer.filters)
    field = "x".join(map(str, layer.field))
    if level.is_classes:
        shown = "" if len(level.filters) == count else f"; shown: {len(level.filters)}"
        text = f"{count:,} classes, the scores that {layer.name} returns{shown}."
    else:
        size = f" of {layer.shape[1]}x{layer.shape[2]} units" if len(layer.shape) == 3 else ""
        after = f", read after {layer.source}" if layer.source != layer.name else ""
        text = (
            f"{count:,} filters{size}{after}, each unit sees {field} pixels; shown: "
            f"{len(level.filters)}."
        )
    return f"{text} {_probe_text(level.probes)}" if level.probes else text


def _probe_text(probes: Sequence[LayerProbe]) -> str:
    """How directly the classes, or the labels, can be read."""
    first = probes[0]
    if first.area is None:
        low, high = first.interval
        return (
            f"A linear classifier that reads this level alone is right for {first.accuracy:.1%} of "
            f"{first.num_images:,} images (95% interval {low:.1%} to {high:.1%})."
        )
    areas = "; ".join(f"{probe.label} {probe.area}" for probe in probes)
    return (
        "Linear classifiers that read this level alone, one for each label, have these areas under "
        f"the ROC curve on {first.num_images:,} images (95% intervals): {areas}."
    )


def _card(result: HierarchyResult, number: int, one: LevelFilter) -> str:
    level = result.levels[number]
    name = escape_html(one.name)
    picture = _picture(one)
    patches = result.patches.pixels(one.found.patches)
    images = "".join(
        _image(
            pixels,
            _PATCH,
            f"Patch of {patch.image}, {patch.label}, value {patch.value:.3g}",
            outside,
        )
        for patch, (pixels, outside) in zip(one.found.patches, patches, strict=True)
    )
    classes = "" if level.is_classes else f"<p>{escape_html(_classes(one.found.summary))}</p>"
    parts = "" if one.parts is None else _parts(result, number, one, one.parts)
    key = f"{number}-{one.number}"
    return (
        f'<li class="card" id="f{key}"><h3><a href="#f{key}">{name}</a></h3>{picture}'
        f'<div class="patches">{images}</div>{classes}{parts}</li>'
    )


def _picture(one: LevelFilter) -> str:
    if one.weights is not None:
        return _captioned(_image(one.weights, _PICTURE, f"Weights of {one.name}"), "weights")
    if one.synthesis is not None:
        alt = f"Computed picture that excites {one.name} most"
        return _captioned(_image(one.synthesis, _PICTURE, alt), "computed picture")
    return ""


def _captioned(image: str, caption: str) -> str:
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _image(pixels: Pixels, side: int, alt: str, outside: NDArray[np.bool_] | None = None) -> str:
    drawn = raster(Tile(pixels, "", outside=outside), 2 * side)
    return (
        f'<img src="{data_url(drawn)}" alt="{escape_html(alt)}" title="{escape_html(alt)}" '
        f'width="{drawn.width // 2}" height="{drawn.height // 2}" loading="lazy">'
    )


def _classes(summary: FilterSummary) -> str:
    count = sum(number for _, number in summary.top_classes)
    named = ", ".join(f"{name} ({number})" for name, number in summary.top_classes[:_NAMED])
    more = len(summary.top_classes) - _NAMED
    rest = f", {more} more" if more > 0 else ""
    selective = "" if summary.selectivity is None else f" Selectivity {summary.selectivity:.2f}."
    return f"Classes of its {count} strongest images: {named}{rest}.{selective}"


def _parts(result: HierarchyResult, number: int, one: LevelFilter, parts: Parts) -> str:
    lower = result.levels[number - 1]
    shown = {own.number for own in lower.filters}
    strongest = parts.strongest(SHOWN_PARTS)
    rows = "".join(
        _part(number - 1, k, one, _share(parts, parts.added[k]), is_shown=k in shown,
              name=lower.name)
        for k in strongest
    )  # fmt: skip
    others = sum(added for k, added in enumerate(parts.added) if k not in strongest)
    count = len(parts.added) - len(strongest)
    rest = [f"{count} other filters {_share(parts, others)}"] if count > 0 else []
    rest.append(f"bias {_share(parts, parts.bias)}")
    if abs(parts.share(parts.rest) or 0) > _SMALL:
        rest.append(f"not divided {_share(parts, parts.rest)}")
    spread = (
        f" Half of all amounts, signs aside, come from {parts.half} filters."
        if parts.half > SHOWN_PARTS
        else ""
    )
    return (
        f'<ol class="parts" aria-label="Made of">{rows}</ol>'
        f"<p>{escape_html(', '.join(rest))}. Value {parts.value:.3g}.{spread}</p>"
    )


def _part(
    level: int, filter_: int, one: LevelFilter, share: str, *, is_shown: bool, name: str
) -> str:
    sign = ' class="minus"' if share.startswith("\u2212") else ""
    kernel = one.kernels.get(filter_)
    drawn = "" if kernel is None else _image(kernel, 24, f"weights for {name} {filter_}")
    text = f"<b>{filter_}</b>{drawn}<em{sign}>{share}</em>"
    if not is_shown:
        return f'<li><span class="part"><i class="t{level}-{filter_}"></i>{text}</span></li>'
    label = escape_html(f"{name} {filter_}, {share}")
    return (
        f'<li><a class="part" href="#f{level}-{filter_}" aria-label="{label}">'
        f'<i class="t{level}-{filter_}"></i>{text}</a></li>'
    )


def _share(parts: Parts, amount: float) -> str:
    """A part of a value as text: "+34%", or the amount where the value is 0."""
    share = parts.share(amount)
    text = f"{amount:+.3g}" if share is None else f"{share:+.0%}"
    return text.replace("-", "\u2212")


def _thumbs_of_parts(result: HierarchyResult) -> dict[tuple[int, int], str]:
    """The strongest patch of each filter that is named as a part, by its level and number."""
    found: dict[tuple[int, int], str] = {}
    for number, level in enumerate(result.levels[1:]):
        named = {k for one in level.filters if one.parts for k in one.parts.strongest(SHOWN_PARTS)}
        filters = result.levels[number].layer.filters
        some = [k for k in sorted(named) if filters[k].patches]
        images = result.patches.pixels([filters[k].patches[0] for k in some])
        for k, (pixels, outside) in zip(some, images, strict=True):
            found[number, k] = data_url(raster(Tile(pixels, "", outside=outside), 2 * _THUMB))
    return found


def _thumb(result: HierarchyResult, one: LevelFilter) -> str:
    chosen = one.weights if one.weights is not None else one.synthesis
    if chosen is None and one.found.patches:
        chosen = result.patches.pixels(one.found.patches[:1])[0][0]
    if chosen is None:
        return ""
    return data_url(raster(Tile(chosen, ""), 2 * _THUMB))
