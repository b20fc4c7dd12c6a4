"""Exercises on one sum, one map, and the products behind it."""

from dataclasses import replace

from convscope.arithmetic import derive_output
from convscope.lessons.exercises.answer import integer, size_of
from convscope.lessons.exercises.layer import Layer, draw, map_mistakes
from convscope.lessons.exercises.matrix import (
    LECTURE,
    SOBEL,
    cell_mistakes,
    dot,
    products,
    under,
)
from convscope.lessons.exercises.seeded_random import Rows, SeededRandom
from convscope.lessons.exercises.task import Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, sides, tidied, tidy

_HINT = (
    "Lay the filter on the patch, multiply cell by cell, and add up. The patch of the unit in row "
    "r and column c starts at row r·S − P and column c·S − P, for stride S and padding P."
)
_FILTERS: tuple[Rows, ...] = (
    SOBEL,
    ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),
    ((0, -1, 0), (-1, 4, -1), (0, -1, 0)),
    ((1, 1, 1), (0, 0, 0), (-1, -1, -1)),
    ((1, 0, -1), (1, 0, -1), (1, 0, -1)),
)


def one_value(
    image: Rows, weights: Rows, at: tuple[int, int], *, stride: int = 1, padding: int = 0
) -> Task:
    """Ask for the value of one cell of the map."""
    row, column = at
    top, left = row * stride - padding, column * stride - padding
    patch = under(image, top, left, len(weights), len(weights[0]))
    total = dot(patch, weights)
    how = f"stride {stride}, " + (f"padding {padding} with zeros" if padding else "no padding")
    worked = solution(
        ("patch", f"from row {figure(top)}, column {figure(left)}", ""),
        ("sum", figure(total), products(patch, weights)),
    )
    right = integer(total)
    return Task(
        question=(
            f"The filter slides over the image: {how}. What is the value of the map at row "
            f"{row}, column {column}? Rows and columns count from 0."
        ),
        answer=right,
        hint=_HINT,
        worked=worked,
        mistakes=distinct_mistakes(
            right, cell_mistakes(image, weights, at, stride=stride, padding=padding)
        ),
        grids=(Grid("Image", image), Grid("Filter", weights)),
    )


def value(rng: SeededRandom, level: int) -> Task:
    """Ask for one value; image, weights, stride and padding grow with the level."""
    height = width = 4 if level < 2 else 6
    if level > 2:
        width = rng.between(5, 7)
    image = rng.rows(height, width, 0, 9)
    if level > 1 and rng.between(0, 1):
        weights = rng.pick(_FILTERS)
    else:
        weights = rng.rows(2 if level < 2 else 3, 2 if level < 2 else 3, -level, level)
    stride = 1 if level < 3 else 2
    padding = 1 if level > 3 else 0
    last = [(size + 2 * padding - len(weights)) // stride for size in (height, width)]
    at = rng.between(0, last[0]), rng.between(0, last[1])
    return one_value(image, weights, at, stride=stride, padding=padding)


def map_size(rng: SeededRandom, level: int) -> Task:
    """Ask for the size of the map."""
    layer = replace(draw(rng, level), channels=1, groups=1)
    right = size_of(*layer.size)
    return Task(
        question=(
            f"{layer.image} is convolved with one filter of size {layer.window}. How large is the "
            "map?"
        ),
        answer=right,
        hint=layer.hint,
        worked=tidied(derive_output(layer.axes)),
        mistakes=distinct_mistakes(right, map_mistakes(layer)),
    )


def multiplications(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of multiplications that one map takes."""
    layer = draw(rng, min(level, 3), channels=(1,))
    (height, width), (kernel_height, kernel_width) = layer.size, layer.kernel
    sees = layer.channels
    products = height * width * kernel_height * kernel_width * sees
    right = integer(products)
    depth = "" if sees == 1 else f"·{sees}"
    return Task(
        question=(
            f"{layer.image} is convolved with one filter of size {layer.window}. How many "
            "multiplications does the whole map take, including those with the padding?"
        ),
        answer=right,
        hint=(
            "Each value of the map takes one multiplication per weight: F·F·C for a filter of "
            "size F on C maps."
        ),
        worked=solution(
            ("map", sides(height, width), _formulas(layer)),
            (
                "multiplications",
                right.text,
                f"{height}·{width}·{kernel_height}·{kernel_width}{depth}",
            ),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(height * width), "the weights of the filter are forgotten"),
                (
                    integer(layer.height * layer.width * kernel_height * kernel_width * sees),
                    "the size of the input is used instead of the size of the map",
                ),
                (integer(products + height * width), "the biases are counted too"),
                (
                    integer(height * width * kernel_height * kernel_width),
                    "the maps of the input are forgotten",
                ),
                (
                    integer(height * width * (kernel_height * kernel_width * sees - 1)),
                    "additions are counted instead of multiplications",
                ),
            ],
        ),
    )


def _formulas(layer: Layer) -> str:
    return tidy("; ".join(dict.fromkeys(axis.formula for axis in layer.axes)))


FIXED = (
    lambda: one_value(LECTURE, SOBEL, (0, 1)),
    lambda: one_value(LECTURE, SOBEL, (1, 0)),
)
GENERATORS = (value, map_size, multiplications)
