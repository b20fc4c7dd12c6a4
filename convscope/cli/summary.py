"""`convscope summary`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console

from convscope.atomic import write_atomically
from convscope.cli.terminal import console, print_json
from convscope.compare.networks import Comparison
from convscope.errors import RequestError
from convscope.summaries.api import summary as summarize
from convscope.summaries.markup import Table
from convscope.summaries.table import Summary

Format = Literal["text", "markdown", "latex", "html"]


def summary(
    *models: str,
    compare: Annotated[bool, Parameter(negative="")] = False,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: int | None = None,
    depth: int | None = None,
    svg: Path | None = None,
    format: Format = "text",  # noqa: A002 -- the word of the command line
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Print the lecture's table of a network: filters, size, stride, padding, map, parameters.

    Parameters
    ----------
    models
        A name of the zoo, your own as module:attr, a layer table in a .toml file, or a run folder.
    compare
        Put two networks side by side and mark the rows that differ.
    num_classes
        Outputs of the last layer; default the network's own.
    in_channels
        Channels of the image; default the network's own.
    input_size
        Height and width of the image in pixels; default the network's own.
    depth
        Fold everything deeper than this many levels of modules into one row.
    svg
        Draw the volumes to scale into this file.
    format
        How the table is written.
    json
        Print one JSON object on standard output.
    """
    wanted = 2 if compare else 1
    if len(models) != wanted:
        raise RequestError(
            f"{'--compare takes two networks' if compare else 'summary takes one network'}, not "
            f"{len(models)}. Give, for example, `convscope summary "
            f"{'--compare vgg16 vgg19' if compare else 'alexnet'}`."
        )
    if depth is not None and depth < 1:
        raise RequestError(f"--depth must be 1 or more, not {depth}.")
    found = [
        summarize(
            model,
            num_classes=num_classes,
            in_channels=in_channels,
            input_size=(input_size, input_size) if input_size else None,
        )
        for model in models
    ]
    found = [one.collapse(depth) if depth else one for one in found]
    shown = Comparison(*found) if compare else found[0]
    if svg:
        if isinstance(shown, Comparison):
            raise RequestError("--svg draws one network; leave --compare out.")
        write_atomically(svg, shown.to_svg().encode())
    if json:
        print_json(shown.to_dict())
        return
    screen = console()
    _show(screen, shown.table, format)
    if svg:
        screen.print(f"The volumes are drawn in {svg}.", markup=False)
    if format == "text" and not compare:
        screen.print(f"\nNext:  {_next(models[0], depth, svg, found[0])}", markup=False)


def _show(screen: Console, table: Table, form: Format) -> None:
    """Write a table; on a terminal that is too narrow for it, what fits."""
    match form:
        case "text":
            written = table.to_text(width=screen.width if screen.is_terminal else None)
        case "markdown":
            written = table.to_markdown()
        case "latex":
            written = table.to_latex()
        case "html":
            written = table.to_html()
    screen.print(written, markup=False, soft_wrap=True, end="")


def _next(model: str, depth: int | None, svg: Path | None, found: Summary) -> str:
    if depth is None and any("." in row.layer for row in found.rows):
        return f"convscope summary {model} --depth 1   (one row for each block)"
    if svg is None:
        return f"convscope summary {model} --svg volumes.svg   (the volumes, to scale)"
    return f"convscope summary {model} --format markdown"
