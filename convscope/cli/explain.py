"""`convscope explain`."""

import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from convscope.cli.terminal import console, print_json
from convscope.errors import RequestError
from convscope.explanation.api import Seen, explain_seen, find_unit, look
from convscope.explanation.explanation import Explanation
from convscope.explanation.grid import find_filter, read_grid, record_grid
from convscope.explanation.text import im2col_text, to_text


def explain(
    *words: str,
    at: str | None = None,
    contrast: str | None = None,
    trace_back: Annotated[bool, Parameter(negative="")] = False,
    depth: int | None = None,
    top: int | None = None,
    im2col: Annotated[bool, Parameter(negative="")] = False,
    list_layers: Annotated[bool, Parameter(negative="")] = False,
    weights: str | None = None,
    grid: Annotated[tuple[Path, ...], Parameter(consume_multiple=True)] = (),
    filter: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),  # noqa: A002
    stride: int = 1,
    padding: int = 0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show the exact arithmetic behind one unit of a network on an image.

    Parameters
    ----------
    words
        A run folder, a name of the zoo, a layer table or module:attr; then an image file.
    at
        The unit: conv3_2[12,5,7] by channel, row, column; fc3[7]; fc3[cataract] by class. Left out,
        the answer's strongest class; a layer alone means its strongest unit.
    contrast
        Another class or unit: why the one and not the other, as terms.
    trace_back
        Follow the largest contributions down to the pixels.
    depth
        Steps of --trace-back; default down to the pixels.
    top
        Channels, or operands of each unit of --trace-back, that are written out; default 4, and 1.
    im2col
        Write filter and patch as two columns, the im2col view.
    list_layers
        List the operations that can be named.
    weights
        For a network of the zoo, as in train: torchvision:resnet50, a file, a URL.
    grid
        CSV files of numbers, one for each channel, instead of a network and an image.
    filter
        For --grid: sobel-x, sobel-y, prewitt-x, prewitt-y, laplacian, sharpen, mean, gauss,
        identity, or CSV files, one for each channel.
    stride
        For --grid: the step of the filter.
    padding
        For --grid: zeros around the grid.
    json
        Print one JSON object on standard output.
    """
    screen = console(json=json)
    if grid:
        if words:
            raise RequestError("--grid needs no network and no image; leave them out.")
        recording = record_grid(
            [read_grid(path) for path in grid],
            [find_filter(name) for name in filter or ("sobel-x",)],
            stride=stride,
            padding=padding,
        )
        place = _grid_place(at)
        _show(screen, recording.explain("map", place), top=top, im2col=im2col, json=json)
        return
    if len(words) != 2:
        raise RequestError(
            f"explain takes a network and an image, not {len(words)} words. Give, for example, "
            "`convscope explain RUN photo.jpg`."
        )
    subject, image = words
    seen = look(subject, image, weights=weights)
    if seen.caution:
        screen.print(f"{seen.caution}\n", markup=False)
    if list_layers:
        _list(screen, seen, json=json)
        return
    if trace_back:
        name, place = find_unit(seen, at)
        tree = seen.recording.trace_back(name, place, depth=depth, top=top or 1)
        if json:
            print_json(tree.to_dict())
        else:
            screen.print(str(tree), markup=False, end="")
        return
    one = explain_seen(seen, at, contrast=contrast)
    _answer(screen, seen)
    _show(screen, one, top=top, im2col=im2col, json=json)
    if not json:
        _next(screen, words, one, seen)


def _answer(screen: Console, seen: Seen) -> None:
    """What the network says of the image, where it answers with a number for each class."""
    logits = seen.recording[seen.recording.output].squeezed.double()
    if logits.ndim == 1 and len(logits) == len(seen.card.classes) and not seen.caution:
        shares = logits.softmax(0)
        best = [int(place) for place in shares.argsort(descending=True)[:3]]
        ranked = ", ".join(f"{seen.card.classes[k]} {float(shares[k]):.2%}" for k in best)
        screen.print(f"{seen.recording.output} says {ranked}\n", markup=False)


def _show(screen: Console, one: Explanation, *, top: int | None, im2col: bool, json: bool) -> None:
    if json:
        print_json(one.to_dict(max_terms=top))
    elif im2col:
        screen.print(im2col_text(one, max_rows=top or 64), markup=False, end="")
    else:
        screen.print(to_text(one, top=4 if top is None else top), markup=False, end="")


def _grid_place(at: str | None) -> tuple[int, int, int]:
    words = (at or "0,0").strip("[]").split(",")
    try:
        row, column = (int(word) for word in words[-2:])
    except ValueError as error:
        raise RequestError(f"--at {at!r} names no unit of a grid. Give ROW,COLUMN.") from error
    return 0, row, column


def _list(screen: Console, seen: Seen, *, json: bool) -> None:
    """The operations in order, with what they are and how large."""
    recording = seen.recording
    shown = [recording[name] for name in recording.names]
    if json:
        print_json(
            [dict(name=one.name, kind=one.kind, shape=one.shape, of=one.operands) for one in shown]
        )
        return
    table = Table("operation", "kind", "shape", "of", box=None, pad_edge=False)
    for one in shown:
        shape = "x".join(map(str, one.shape))
        table.add_row(*map(escape, (one.name, one.kind, shape, ", ".join(one.operands))))
    screen.print(table)


def _next(screen: Console, words: tuple[str, ...], one: Explanation, seen: Seen) -> None:
    """The operand that contributes most is where a person wants to go."""
    places = [one.terms[n].location for n in one.top_terms[:1]]
    place = places[0] if places else None
    command = f"convscope explain {' '.join(map(shlex.quote, words))}"
    if place is not None and place.source in seen.recording.names:
        screen.print(f"\nNext:  {command} --at '{place}'", markup=False)
        screen.print(f"       {command} --at '{one.location}' --trace-back", markup=False)
