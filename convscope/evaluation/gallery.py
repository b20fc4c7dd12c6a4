"""Evaluated images with what was said of them, as parts of a page, and as a page of mistakes."""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from convscope.atomic import write_atomically
from convscope.data.dataset import name_answer
from convscope.data.thumbnails import SMALL, data_url, read_thumbnail
from convscope.data.unreadable import UnreadableImage
from convscope.errors import WorkError
from convscope.evaluation.mistakes import shown
from convscope.evaluation.result import EvaluationResult
from convscope.words import escape_html
from convscope.words.html_page import html_page

_SIDE = 200  # pixels of the longer side of a thumbnail


def style() -> str:
    """The style of a page with `figures`."""
    return files("convscope.evaluation").joinpath("gallery.css").read_text("utf-8")


def figures(result: EvaluationResult, indices: Iterable[int]) -> str:
    """Images by their places in the evaluation, each with truth, answer and name, as HTML."""
    return f'<div class="gallery">{"".join(_figure(result, int(i)) for i in indices)}</div>'


def mistakes_page(result: EvaluationResult) -> str:
    """One HTML page, which requests nothing: mistakes, uncertain answers, confused pairs."""
    mistakes, count = result.mistakes, result.metrics.num_images
    header = (
        f"<p>{mistakes.wrong:,} of {count:,} images are wrong: {escape_html(result.data)}, by "
        f"{escape_html(result.model)}.</p>"
    )
    return html_page(title="Mistakes", style=style(), header=header, main=mistakes_sections(result))


def write_page(path: Path, page: str) -> None:
    """Write a page to a file. Raises WorkError if it cannot be written."""
    try:
        write_atomically(path, page)
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror or error}.") from error


def mistakes_sections(result: EvaluationResult, *, heading: str = "h2") -> str:
    """The lists of mistakes as HTML, each with a heading."""
    mistakes = result.mistakes
    lists = [
        (
            "Most confident mistakes",
            "Look for wrong labels first, then for what these images have in common.",
            mistakes.confident,
        ),
        (
            "Least certain answers",
            "Right or wrong, two classes were about as probable; a person should look at such.",
            mistakes.uncertain,
        ),
    ]
    parts = [
        f"<section><{heading}>{title}</{heading}><p>{said}</p>{figures(result, indices)}</section>"
        for title, said, indices in lists
        if len(indices)
    ]
    pairs = [
        f"<h3>{escape_html(pair.title)} <span>{_count(len(pair.indices))}</span></h3>"
        f"{figures(result, shown(pair))}"
        for pair in mistakes.pairs
        if len(pair.indices) > 1  # a single image is among the mistakes above
    ]
    if pairs:
        parts.append(
            f"<section><{heading}>Confused most often</{heading}><p>Of each pair, the most "
            f"confident are shown.</p>{''.join(pairs)}</section>"
        )
    return "".join(parts) or "<p>Every image was predicted right.</p>"


def _count(images: int) -> str:
    return f"{images:,} image{'s' * (images != 1)}"


def _figure(result: EvaluationResult, index: int) -> str:
    outputs, name = result.outputs, escape_html(result.paths[index])
    truth = escape_html(name_answer(result.labels[index], result.metrics.classes))
    answer = escape_html(outputs.answer(index))
    is_right = bool(outputs.is_correct[index])
    verdict = "right" if is_right else "wrong"
    share = "" if outputs.predicted.ndim == 2 else f" {outputs.confidence[index]:.1%}"
    of_truth = ""
    if not is_right and outputs.predicted.ndim == 1:
        of_truth = f" {outputs.probabilities[index, int(result.labels[index])]:.1%}"
    said = (
        f'<span class="clamp" title="{answer}">predicted <b>{answer}</b>{share}</span>'
        f'<span class="clamp" title="{truth}">true <b>{truth}</b>{of_truth}</span>'
    )
    return (
        f'<figure class="shown {verdict}">{_image(result, index)}<figcaption>{said}'
        f'<small title="{name}">{name}</small></figcaption></figure>'
    )


def _image(result: EvaluationResult, index: int) -> str:
    if result.loaded is None:
        return '<span class="none">not loaded</span>'
    images = result.loaded.dataset.images
    try:
        image = read_thumbnail(images, int(result.indices[index]), _SIDE)
    except UnreadableImage:  # it could be read when it was evaluated
        return '<span class="none">unreadable</span>'
    pixelated = ' class="pixels"' if max(image.size) <= SMALL else ""
    return f'<img{pixelated} src="{data_url(image)}" alt="">'
