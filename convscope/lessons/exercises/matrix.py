"""Sums of products in a window, as done by hand, and the common mistakes in them."""

from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.seeded_random import Rows
from convscope.lessons.exercises.task import CommonMistake
from convscope.lessons.exercises.words import bracketed, figure

LECTURE: Rows = (
    (5, 1, 7, 7, 8, 1),
    (7, 2, 5, 7, 8, 1),
    (5, 3, 5, 4, 4, 2),
    (4, 4, 3, 3, 2, 1),
    (3, 3, 4, 7, 8, 1),
    (5, 7, 8, 2, 3, 1),
)
"""The lecture's image."""

SOBEL: Rows = ((1, 0, -1), (2, 0, -2), (1, 0, -1))
"""The lecture's filter: it responds to vertical edges."""


_MAX_TERMS = 9  # of more products, those with zeros are left out


def under(image: Rows, top: int, left: int, height: int, width: int) -> Rows:
    """Return the cells of a window; 0 outside the image."""
    return tuple(
        tuple(
            image[y][x] if 0 <= y < len(image) and 0 <= x < len(image[0]) else 0
            for x in range(left, left + width)
        )
        for y in range(top, top + height)
    )


def flat(rows: Rows) -> list[int]:
    return [value for row in rows for value in row]


def dot(one: Rows, other: Rows) -> int:
    """Return the sum of the products, cell by cell."""
    return sum(a * b for a, b in zip(flat(one), flat(other), strict=True))


def turned(rows: Rows) -> Rows:
    """Rotate by 180°: the filter of a true convolution."""
    return tuple(tuple(reversed(row)) for row in reversed(rows))


def transposed(rows: Rows) -> Rows:
    return tuple(zip(*rows, strict=True))


def products(patch: Rows, weights: Rows) -> str:
    """Write the products, as in `5×1 + 7×(−1)`, without those of zero weights.

    If there are many, those of zero values are left out, too.
    """
    pairs = list(zip(flat(patch), flat(weights), strict=True))
    shown = [(value, weight) for value, weight in pairs if weight]
    if len(shown) > _MAX_TERMS:
        shown = [(value, weight) for value, weight in shown if value]
    shown = shown or pairs[:1]
    terms = [
        f"{bracketed(value) if index else figure(value)}×{bracketed(weight)}"
        for index, (value, weight) in enumerate(shown)
    ]
    return " + ".join(terms)


def cell_mistakes(
    image: Rows, weights: Rows, at: tuple[int, int], *, stride: int = 1, padding: int = 0
) -> list[CommonMistake]:
    """Return what mistakes lead to for one value of a map; `at` is its (row, column), from 0."""
    size = len(weights), len(weights[0])
    row, column = at

    def value(row: int, column: int, filtered: Rows = weights, *, step: int = stride) -> int | None:
        top, left = row * step - padding, column * step - padding
        inside = -padding <= top <= len(image) + padding - size[0]
        if not inside or not -padding <= left <= len(image[0]) + padding - size[1]:
            return None
        return dot(under(image, top, left, *size), filtered)

    positive = tuple(tuple(abs(weight) for weight in row) for row in weights)
    ones = tuple(tuple(1 for _ in row) for row in weights)
    patch = under(image, row * stride - padding, column * stride - padding, *size)
    tried = [
        (value(row, column, turned(weights)), "the filter is rotated by 180°"),
        (value(column, row), "row and column are swapped"),
        (value(row - 1, column - 1), "row and column are counted from 1"),
        (value(row, column + 1), "the window is one position too far to the right"),
        (value(row + 1, column), "the window is one position too low"),
        (value(row, column, positive), "the signs of the weights are forgotten"),
        (value(row, column, ones), "the cells are added without the weights"),
        (value(row, column, step=1), "the stride is forgotten"),
        (value(row, column - 1), "the window is one position too far to the left"),
        (value(row - 1, column), "the window is one position too high"),
        (dot(patch, weights) and -dot(patch, weights), "the sign of the sum is lost"),
    ]
    if size[0] == size[1]:
        tried.append((value(row, column, transposed(weights)), "rows and columns are swapped"))
    return [(None if found is None else integer(found), text) for found, text in tried]
