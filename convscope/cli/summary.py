"""`convscope summary`."""

from pathlib import Path
from typing import Literal

from convscope.atomic import write_atomically
from convscope.cli.json_output import print_json
from convscope.cli.options import Flag, Json, OptionalInt, OwnCode, Trust
from convscope.cli.terminal import consent_flags
from convscope.comparison.networks import Comparison
from convscope.errors import RequestError, shell_word
from convscope.runs.own_code import Consent
from convscope.summaries.api import summarize_any
from convscope.summaries.markup import Table
from convscope.summaries.table import Summary
from convscope.words.screen import Screen

_COLORS = (1, 3)  # channels of an image whose size is written with them last, as lectures do

Format = Literal["text", "markdown", "latex", "html"]


def summary(
    *models: str,
    compare: Flag = False,
    num_classes: OptionalInt = None,
    in_channels: OptionalInt = None,
    input_size: str | None = None,
    model: OwnCode = None,
    trust: Trust = False,
    depth: OptionalInt = None,
    svg: Path | None = None,
    format: Format = "text",  # noqa: A002 -- the word of the command line
    json: Json = False,
) -> None:
    """Print a network's layers as the lecture's table: filters, stride, maps, parameters.

    Parameters
    ----------
    models
        A network's name, a layer table such as net.toml, your own code as module:attr, or a run
        folder.
    compare
        Show two networks side by side and mark the rows that differ.
    num_classes
        Outputs of the last layer; by default the network's own.
    in_channels
        Input channels; by default the network's own.
    input_size
        Side of a square image, as 224, or HEIGHTxWIDTH, CHANNELSxHEIGHTxWIDTH,
        HEIGHTxWIDTHxCHANNELS or BATCHxCHANNELSxHEIGHTxWIDTH; by default the network's own.
    depth
        Show modules nested deeper than this many levels as one row.
    svg
        Draw the layers' output volumes to scale in this file.
    format
        Format of the table.
    """
    if len(models) != (2 if compare else 1):
        raise RequestError(
            f"{'--compare takes two networks' if compare else 'summary takes one network'}, not "
            f"{len(models)}. For example: `convscope summary "
            f"{'--compare vgg16 vgg19' if compare else 'alexnet'}`."
        )
    if depth is not None and depth < 1:
        raise RequestError(f"--depth must be at least 1, not {depth}.")
    size = _size(input_size)
    if model is not None and compare:
        raise RequestError("--model is for one run; --trust holds for both.")
    consent = Consent(model, trust)
    summaries = [
        summarize_any(each, size, num_classes=num_classes, in_channels=in_channels, consent=consent)
        for each in models
    ]
    if depth:
        summaries = [each.collapse(depth) for each in summaries]
    shown = Comparison(*summaries) if compare else summaries[0]
    if svg:
        if isinstance(shown, Comparison):
            raise RequestError("--svg draws one network; leave out --compare.")
        write_atomically(svg, shown.to_svg().encode())
    if json:
        print_json(shown.to_dict())
        return
    screen = Screen()
    _show(screen, shown.table, format)
    if svg:
        screen.say(f"The volumes are drawn to scale in {svg}.")
    if format == "text" and not compare:
        screen.say()
        subject = shell_word(models[0]) + consent_flags(consent)
        screen.say(f"Next:  {_next(subject, depth, svg, summaries[0])}")


def _size(text: str | None) -> int | tuple[int, ...] | None:
    """224 or (3, 224, 224), of `224`, `3x224x224`, the form of layer tables, or `224x224x3`."""
    if text is None:
        return None
    sides = text.lower().replace(",", "x").split("x")
    if not all(side.strip().isdecimal() for side in sides):
        raise RequestError(
            f"--input-size must be a number of pixels or sides as 3x224x224, not {text!r}."
        )
    if len(sides) == 1:
        return int(text)
    size = tuple(map(int, sides))
    if len(size) == 3 and size[2] in _COLORS and min(size[:2]) > max(_COLORS):
        return size[2], size[0], size[1]
    return size


def _show(screen: Screen, table: Table, form: Format) -> None:
    """Print a table; columns that do not fit the terminal are left out."""
    match form:
        case "text":
            written = table.to_text(width=screen.width if screen.is_terminal else None)
        case "markdown":
            written = table.to_markdown()
        case "latex":
            written = table.to_latex()
        case "html":
            written = table.to_html()
    screen.show(written)


def _next(model: str, depth: int | None, svg: Path | None, summary: Summary) -> str:
    if depth is None and any("." in row.layer for row in summary.rows):
        return f"convscope summary {model} --depth 1   (one row per block)"
    if svg is None:
        return f"convscope summary {model} --svg volumes.svg   (the volumes, to scale)"
    return f"convscope summary {model} --format markdown"
