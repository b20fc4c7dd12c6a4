"""Exercises on stride: the size of the map, where windows start, and what is never read."""

from dataclasses import replace

from convscope.arithmetic import Axis, derive_output, output_size, uncovered
from convscope.lessons.exercises.answer import integer, size_of
from convscope.lessons.exercises.layer import SIZE_HINT, Layer, draw, map_mistakes
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import sides, tidied, tidy


def ask_size(layer: Layer) -> Task:
    """Ask for the size of the map."""
    right = size_of(*layer.size)
    return Task(
        question=(
            f"{layer.image} is convolved with a filter of size {layer.window}. How large is the "
            "map?"
        ),
        answer=right,
        hint=layer.hint,
        worked=tidied(derive_output(layer.axes)),
        mistakes=distinct_mistakes(right, map_mistakes(layer)),
    )


def size(rng: SeededRandom, level: int) -> Task:
    """Ask for the size of a map with a stride above 1."""
    while True:
        layer = replace(draw(rng, level), channels=1, groups=1)
        layer = replace(layer, stride=rng.between(2, 2 + level // 2))
        if min(layer.size) > 1:
            return ask_size(layer)


def unread(rng: SeededRandom, level: int) -> Task:
    """Ask how many columns no window reads."""
    some = rng.between(0, 3) > 0
    while True:
        kernel = rng.between(2, 3 + level)
        stride = rng.between(2, kernel if level < 3 else kernel + 2)
        width = rng.between(2 * kernel + stride, 16 * level + 8)
        left = uncovered(width, kernel, stride=stride)
        if bool(left) == some:
            break
    axis = Axis(width, kernel, stride)
    right = integer(len(left))
    end = (width - kernel) % stride
    gaps = (axis.output - 1) * max(0, stride - kernel)
    return Task(
        question=(
            f"A window of {sides(kernel, kernel)} slides over an image of {width} columns, "
            f"stride {stride}, no padding. How many columns does no window read?"
        ),
        answer=right,
        hint=(
            "(N − F) mod S columns are left over after the last window; if the stride S is larger "
            "than the window F, S − F columns are skipped between two windows."
        ),
        worked=solution(
            ("windows", str(axis.output), tidy(axis.formula)),
            ("left over at the end", str(end), f"({width} − {kernel}) mod {stride}"),
            ("skipped between", str(gaps), f"{axis.output - 1}·{max(0, stride - kernel)}"),
            ("never read", right.text, f"{end} + {gaps}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(end), "the columns skipped between two windows are forgotten"),
                (integer(gaps), "the columns left over at the end are forgotten"),
                (integer(width - axis.output), "the windows are subtracted from the columns"),
            ],
        ),
    )


def begins(rng: SeededRandom, level: int) -> Task:
    """Ask where a window starts."""
    while True:
        kernel, stride = rng.between(2, 5 + level), rng.between(2, 2 + level)
        padding = 0 if level < 2 else rng.between(1, kernel // 2)
        width = rng.between(12, 24 * level)
        windows = output_size(width, kernel, stride=stride, padding=padding)
        if windows > 2:
            break
    unit = rng.between(1, windows - 1)
    right = integer(unit * stride - padding)
    pads = f"padding {padding} on every side" if padding else "no padding"
    return Task(
        question=(
            f"A window of {sides(kernel, kernel)} slides over an image of {width} columns, "
            f"stride {stride}, {pads}. In which column of the image does the window of the "
            f"unit in column {unit} of the map begin? Columns count from 0; padding lies below 0."
        ),
        answer=right,
        hint="The window of unit u starts in column u·S − P, for stride S and padding P.",
        worked=solution(("column", right.text, f"{unit}·{stride} − {padding}")),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(unit * stride), "the padding is forgotten"),
                (integer((unit - 1) * stride - padding), "units are counted from 1"),
                (integer(unit - padding), "the stride is forgotten"),
                (integer(unit * stride + padding), "the padding is added instead of subtracted"),
                (
                    integer(unit * stride - padding + kernel - 1),
                    "the window's last column is given",
                ),
                (
                    integer(unit * kernel - padding),
                    "the window's size is used instead of the stride",
                ),
                (integer(unit * stride - padding + 1), "columns are counted from 1"),
            ],
        ),
    )


def which(rng: SeededRandom, level: int) -> Task:
    """Ask for the stride, given the size."""
    while True:
        kernel, stride = rng.between(2, 3 + 2 * level), rng.between(2, 2 + level)
        padding = 0 if level < 2 else rng.between(0, kernel // 2)
        width = rng.between(3 * kernel, 30 * level + 20)
        made = output_size(width, kernel, stride=stride, padding=padding)
        same = [
            other
            for other in range(1, width + 1)
            if output_size(width, kernel, stride=other, padding=padding) == made
        ]
        if same == [stride]:
            break
    right = integer(stride)
    pads = f"padding {padding} on every side" if padding else "no padding"
    span = width - kernel + 2 * padding
    return Task(
        question=(
            f"A window of {sides(kernel, kernel)} makes {made} columns out of {width}, {pads}. "
            "What is the stride?"
        ),
        answer=right,
        hint=f"{SIZE_HINT} Try strides: only one gives this size.",
        worked=solution(("stride", right.text, tidy(Axis(width, kernel, stride, padding).formula))),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(span // made), "the + 1 is forgotten"),
                (integer(width // made), "the columns before are divided by the columns after"),
                (integer(stride - 1), "only the columns between two window starts are counted"),
                (integer(stride + 1), "the quotient is rounded up"),
            ],
        ),
    )


FIXED = (
    lambda: ask_size(Layer(channels=1, height=6, width=6, filters=1, kernel=(3, 3), stride=2)),
)
GENERATORS = (size, unread, begins, which)
