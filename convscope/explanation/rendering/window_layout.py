"""The window of a unit as matrices: patch times filter for each channel, or the winner of a pool.

A window along one axis is a row of cells, one along three axes a plane of cells for each step along
the first of them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from convscope.explanation.rendering.blocks import Block, Matrix, Paragraph, Row
from convscope.terms import (
    Extremum,
    Floats,
    Integers,
    Location,
    Sum,
    TermGroup,
    Terms,
    exact_sum,
    fixed,
    number,
    parenthesized,
)

MAX_EQUATION = 9
"""Terms of a sum that is written on one line."""

_MAX_CELLS = 121  # of a channel that is drawn: the 11x11 of AlexNet

_Planes = tuple[int, int, int, int]


def channels(total: Sum, top: int) -> list[Block]:
    """Patch times filter for the channels with the largest sums; one sum for all others.

    Nothing where the terms form no window, or one that is too large to draw.
    """
    shape = _drawn(total.terms)
    if shape is None:
        return []
    products = total.terms.products.reshape(shape)
    sums = [exact_sum(channel.ravel().tolist()) for channel in products]
    order = sorted(range(len(sums)), key=lambda c: -abs(sums[c]))
    blocks: list[Block] = []
    for c in order[:top]:
        blocks += _channel(total.terms, shape, c, sums[c])
    others = order[top:]
    if others:
        rest = exact_sum([product for c in others for product in products[c].ravel().tolist()])
        more = "1 more channel" if len(others) == 1 else f"{len(others):,} more channels"
        blocks.append(Paragraph(f"... {more}, sum {number(rest)}"))
    if 1 < len(sums) <= MAX_EQUATION:
        blocks.append(Paragraph(f"channel by channel: {_added(sums)}"))
    return blocks


def _channel(terms: Terms, shape: _Planes, channel: int, total: float) -> list[Block]:
    """One channel; of several planes, each with its sum."""
    group = terms.groups[0]
    columns = {"patch": terms.values, "filter": terms.weights, "products": terms.products}
    matrices = {name: column.reshape(shape)[channel] for name, column in columns.items()}
    padding = _padding(group, shape)[channel]
    rows: list[Block] = []
    sums: list[float] = []
    for plane in range(shape[1]):
        first = (channel * shape[1] + plane) * shape[2] * shape[3]
        outside = padding[plane]
        title = _title(group.source, group.at[first], group.window, outside=bool(outside.all()))
        drawn = [Matrix(title, _cells(matrices["patch"][plane], outside))]
        if group.weight_source is not None and group.weight_indices is not None:
            title = _title(group.weight_source, group.weight_indices[first], group.window)
            drawn.append(Matrix(title, _cells(matrices["filter"][plane])))
            drawn.append(Matrix("products", _cells(matrices["products"][plane], outside)))
        sums.append(exact_sum(matrices["products"][plane].ravel().tolist()))
        rows.append(Row(tuple(drawn), ("×", "=")[: len(drawn) - 1], f"sum {number(sums[-1])}"))
    if shape[1] > 1:
        rows.append(Paragraph(f"plane by plane: {_added(sums, total)}"))
    return rows


def winners(extremum: Extremum) -> list[Block]:
    """The patch with its winners marked; nothing where it is no window or too large to draw."""
    terms = extremum.terms
    shape = _drawn(terms)
    if shape is None:
        return []
    group, values, padding = (
        terms.groups[0],
        terms.values.reshape(shape),
        _padding(terms.groups[0], shape),
    )
    marks = np.zeros(len(terms), dtype=bool)
    marks[[extremum.winner, *extremum.ties]] = True
    matrices: list[Matrix] = []
    for plane in range(shape[1]):
        rows, columns = np.nonzero(marks.reshape(shape)[0, plane])
        marked = frozenset(zip(rows.tolist(), columns.tolist(), strict=True))
        outside = padding[0, plane]
        first = plane * shape[2] * shape[3]
        title = _title(group.source, group.at[first], group.window, outside=bool(outside.all()))
        matrices.append(Matrix(title, _cells(values[0, plane], outside), marked))
    result = f"{extremum.which} {number(extremum.exact_value)}"
    return [Row(tuple(matrices), ("",) * (len(matrices) - 1), result)]


def _drawn(terms: Terms) -> _Planes | None:
    """The window's channels, planes, rows and columns, if it is drawn."""
    shape = terms.planes_shape
    if shape is None or not 1 < math.prod(shape[1:]) <= _MAX_CELLS:
        return None
    return shape


def _padding(group: TermGroup, shape: _Planes) -> NDArray[np.bool_]:
    if group.inside is None:
        return np.zeros(shape, dtype=bool)
    return ~group.inside.reshape(shape)


def _added(numbers: list[float], total: float | None = None) -> str:
    added = " + ".join(parenthesized(value, first=not n) for n, value in enumerate(numbers))
    return f"{added} = {number(exact_sum(numbers) if total is None else total)}"


def _title(source: str, at: Integers, window: int, *, outside: bool = False) -> str:
    """The leading indices that all cells of a matrix share: `conv2.weight[3,0]`."""
    if outside and window == 3:
        return "padding"
    cells = min(window, 2)  # the axes of a matrix
    shared = at[:-cells] if len(at) > cells else at[: 0 if len(at) == cells else None]
    return str(Location(source, tuple(shared.tolist())))


def _cells(matrix: Floats, padding: NDArray[np.bool_] | None = None) -> tuple[tuple[str, ...], ...]:
    """The numbers of a matrix with aligned decimal points; a dot for a cell of the padding."""
    hidden = np.zeros(matrix.shape, bool) if padding is None else padding
    visible = np.abs(matrix[~hidden & np.isfinite(matrix)])
    largest = float(visible.max()) if visible.size else 0.0
    integers = bool(np.all(visible == np.round(visible))) and largest < 1e6
    decimals = 0 if integers or not largest else max(2, 1 - math.floor(math.log10(largest)))
    exponents = largest >= 1e6 or decimals > 8
    return tuple(
        tuple(
            "·" if is_padding else number(x, digits=3) if exponents else fixed(x, decimals)
            for x, is_padding in zip(values, mask, strict=True)
        )
        for values, mask in zip(matrix.tolist(), hidden.tolist(), strict=True)
    )
