"""The lecture's worked example: a filter on a grid of numbers, without a network."""

import csv
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from convscope.errors import RequestError, nearest
from convscope.explanation.recording import Recording, record
from convscope.regular_files import read_regular

FILTERS = {
    "sobel-x": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "sobel-y": [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
    "prewitt-x": [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
    "prewitt-y": [[1, 1, 1], [0, 0, 0], [-1, -1, -1]],
    "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "mean": [[1 / 9] * 3] * 3,
    "gauss": [[1 / 16, 1 / 8, 1 / 16], [1 / 8, 1 / 4, 1 / 8], [1 / 16, 1 / 8, 1 / 16]],
    "identity": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
}
"""Named filters; edge filters have the lecture's signs: bright on the left is positive."""


def record_grid(
    grids: Sequence[Sequence[Sequence[float]]],
    filters: Sequence[Sequence[Sequence[float]]],
    *,
    stride: int = 1,
    padding: int = 0,
) -> Recording:
    """Slide a filter over a grid of one or more channels; the result is called `map`.

    A filter of one channel is applied to every channel of the grid. The arithmetic is float64.

    Raises RequestError for rows of different lengths, and for a filter larger than the padded grid.

        >>> image = [[5, 1, 7], [7, 2, 5], [5, 3, 5]]  # the lecture's first window
        >>> record_grid([image], [FILTERS["sobel-x"]]).explain("map", (0, 0, 0)).exact_value
        2.0
    """
    image = _to_tensor("grid", grids)
    weight = _to_tensor("filter", filters)
    if len(weight) == 1:
        weight = weight.repeat(len(image), 1, 1)
    if len(weight) != len(image):
        raise RequestError(
            f"The filter has {len(weight)} channels and the grid {len(image)}. Give one filter for "
            "each channel, or one for all."
        )
    if stride < 1 or padding < 0:
        raise RequestError(
            f"The stride must be 1 or more and the padding 0 or more, not {stride} and {padding}."
        )
    padded = [side + 2 * padding for side in image.shape[1:]]
    if any(f > side for f, side in zip(weight.shape[1:], padded, strict=True)):
        raise RequestError(
            f"The filter of {_size(weight)} does not fit into the grid of {_size(image)} with a "
            f"padding of {padding}. Use a smaller filter or more padding."
        )
    kernel = weight.shape[1], weight.shape[2]
    layer = nn.Conv2d(len(image), 1, kernel, stride=stride, padding=padding, bias=False).double()
    layer.weight.data.copy_(weight[None])
    net = nn.Sequential()
    net.add_module("map", layer)
    return record(net, image)


def read_grid(path: str | Path) -> list[list[float]]:
    """Read numbers from a text file: one row a line, separated by commas, semicolons or spaces.

    Raises RequestError for a value that is not a number, with its line, and for rows of different
    lengths.
    """
    try:
        text = read_regular(path).decode("utf-8-sig")
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{path} is not a text file. A grid is a CSV file of numbers."
        ) from error
    for separator in ";\t ":
        text = text.replace(separator, ",")
    rows: list[list[float]] = []
    for line, row in enumerate(csv.reader(text.splitlines()), start=1):
        cells = [cell for cell in row if cell.strip()]
        try:
            numbers = [float(cell) for cell in cells]
        except ValueError as error:
            raise RequestError(
                f"{path}, line {line}: {error}. A grid contains only numbers."
            ) from error
        if numbers:
            rows.append(numbers)
    if not rows or len(set(map(len, rows))) > 1:
        raise RequestError(
            f"{path} is not a grid. It needs at least one row, and rows of equal length."
        )
    return rows


def find_filter(name: str) -> list[list[float]]:
    """A filter by name, or from a CSV file."""
    if name in FILTERS:
        return [[float(weight) for weight in row] for row in FILTERS[name]]
    if Path(name).exists():
        return read_grid(name)
    raise RequestError(
        f"There is no filter {name!r}.{nearest(name, FILTERS)} Give a CSV file or one of "
        f"{', '.join(FILTERS)}."
    )


def map_text(values: Sequence[Sequence[float]], unit: Sequence[int]) -> str:
    """A feature map as text, with the unit (row, column) in brackets.

    >>> print(map_text([[2, -17], [3, -6.5]], (1, 0)), end="")
    map (2x2):
          2   −17
         [3] −6.5
    """
    cells = [[f"{value:g}".replace("-", "−") for value in row] for row in values]
    width = max(len(cell) for row in cells for cell in row)
    lines = [f"map ({len(cells)}x{len(cells[0])}):"]
    for i, row in enumerate(cells):
        marked = ["[]" if (i, j) == tuple(unit) else "  " for j in range(len(row))]
        line = "".join(
            f"{mark[0]:>{width - len(cell) + 1}}{cell}{mark[1]}"
            for cell, mark in zip(row, marked, strict=True)
        )
        lines.append(f"  {line}".rstrip())
    return "\n".join(lines) + "\n"


def _to_tensor(name: str, grids: Sequence[Sequence[Sequence[float]]]) -> Tensor:
    try:
        tensor = torch.tensor(grids, dtype=torch.float64)
    except (ValueError, TypeError) as error:
        raise RequestError(
            f"The {name} has rows of different lengths, or values that are not numbers."
        ) from error
    if tensor.ndim != 3 or not tensor.numel():
        raise RequestError(f"The {name} has the shape {tuple(tensor.shape)}; expected (c, h, w).")
    return tensor


def _size(grid: Tensor) -> str:
    return "x".join(map(str, grid.shape[1:]))
