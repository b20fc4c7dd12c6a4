"""Exercises on pooling: one value, the size, and the fraction of values that is kept."""

from collections.abc import Callable
from fractions import Fraction
from typing import Literal

from convscope.arithmetic import Cost, Derivation, derive_pooling, pooling
from convscope.lessons.exercises.answer import Answer, integer, number, volume_of
from convscope.lessons.exercises.layer import SIZE_HINT, Layer, draw, volume_mistakes
from convscope.lessons.exercises.matrix import LECTURE, flat, under
from convscope.lessons.exercises.seeded_random import Rows, SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import bracketed, figure, sides, tidied

Rule = Literal["max", "average", "min"]

_RULES: dict[Rule, Callable[[list[int]], Fraction]] = {
    "max": lambda values: Fraction(max(values)),
    "average": lambda values: Fraction(sum(values), len(values)),
    "min": lambda values: Fraction(min(values)),
}
_WORDS: dict[Rule, str] = {"max": "the maximum", "average": "the average", "min": "the minimum"}


def one_value(maps: Rows, rule: Rule, at: tuple[int, int], *, size: int, stride: int) -> Task:
    """Ask for the value of one cell after pooling."""
    row, column = at
    values = _patch(maps, row * stride, column * stride, size)
    right = number(_RULES[rule](values))
    mistakes = _value_mistakes(maps, rule, at, size=size, stride=stride)
    listed = ", ".join(map(figure, values))
    summed = " + ".join([figure(values[0]), *map(bracketed, values[1:])])
    how = f"({summed})/{len(values)}"
    rounded = " Give a fraction, or three digits of a decimal." if right.endless else ""
    return Task(
        question=(
            f"{rule.capitalize()} pooling of {sides(size, size)} with stride {stride}. What is "
            f"the value at row {row}, column {column} of the pooled map? Rows and columns count "
            f"from 0.{rounded}"
        ),
        answer=right,
        hint=(
            "The unit in row r and column c pools the patch that starts at row r·S and column "
            f"c·S, for stride S; {rule} pooling takes {_WORDS[rule]} of its cells."
        ),
        worked=solution(
            ("patch", listed, f"from row {row * stride}, column {column * stride}"),
            (rule, right.text, how if rule == "average" else ""),
        ),
        mistakes=distinct_mistakes(right, mistakes),
        grids=(Grid("Map", maps),),
    )


def _patch(maps: Rows, top: int, left: int, size: int) -> list[int]:
    """Return the cells of a window; none if it extends beyond the map."""
    if not 0 <= top <= len(maps) - size or not 0 <= left <= len(maps[0]) - size:
        return []
    return flat(under(maps, top, left, size, size))


def _value_mistakes(
    maps: Rows, rule: Rule, at: tuple[int, int], *, size: int, stride: int
) -> list[CommonMistake]:
    top, left = at[0] * stride, at[1] * stride
    values = _patch(maps, top, left, size)
    found: list[CommonMistake] = [
        (number(_RULES[other](values)), f"{_WORDS[other]} is taken instead of {_WORDS[rule]}")
        for other in _RULES
        if other != rule
    ]
    found.append((number(sum(values)), "the cells are added and not divided"))
    for begin, text in (
        ((left, top), "row and column are swapped"),
        ((top - stride, left - stride), "row and column are counted from 1"),
        (at, "the stride is forgotten"),
        ((at[0] * size, at[1] * size), "the window's size is used instead of the stride"),
        ((top, left + stride), "the window is one step too far to the right"),
        ((top + stride, left), "the window is one step too low"),
    ):
        cells = _patch(maps, *begin, size)
        found.append((number(_RULES[rule](cells)) if cells else None, text))
    return found


def value(rng: SeededRandom, level: int) -> Task:
    """Ask for one pooled value; at higher levels windows overlap and may be 3×3."""
    height = 4 if level < 2 else 6
    width = height if level < 3 else rng.between(5, 7)
    maps = rng.rows(height, width, 0 if level < 2 else -4, 9)
    size = 2 if level < 3 else rng.between(2, 3)
    stride = 2 if level < 3 else rng.between(1, size)
    last = (height - size) // stride, (width - size) // stride
    at = rng.between(0, last[0]), rng.between(0, last[1])
    return one_value(maps, rng.pick(tuple(_RULES)), at, size=size, stride=stride)


def _pool(rng: SeededRandom, level: int) -> tuple[Layer, Cost]:
    """Draw a pooling layer, and compute its cost."""
    drawn = draw(rng, min(level, 3))
    channels = rng.pick((6, 8, 16, 20, 32, 64))
    size = 2 if level < 2 else rng.between(2, min(4, level + 1))
    stride = size if level < 3 else rng.between(2, max(2, size))
    padding = rng.between(0, size // 2) if level > 3 else 0
    while min(drawn.height, drawn.width) < 2 * size:
        drawn = draw(rng, min(level, 3))
    layer = Layer(
        channels=channels,
        height=drawn.height,
        width=drawn.width,
        filters=channels,
        kernel=(size, size),
        stride=stride,
        padding=padding,
    )
    return layer, pooling(layer.input, size, stride=stride, padding=padding)


def after(rng: SeededRandom, level: int) -> Task:
    """Ask for the output volume."""
    layer, cost = _pool(rng, level)
    right = volume_of(layer.channels, cost.output.height, cost.output.width)
    mistakes: list[CommonMistake] = [
        (found, text)
        for found, text in volume_mistakes(layer)
        if "filter" not in text and "only one" not in text
    ]
    pooled = max(1, layer.channels // layer.stride)
    mistakes.append(
        (_with_maps(right, pooled), "the maps are pooled too; pooling keeps each of them")
    )
    mistakes.append(
        (_with_maps(right, 1), "the maps are merged into one; pooling keeps each of them")
    )
    return Task(
        question=(
            f"{layer.image} goes through max pooling of {layer.window}. What is the output volume?"
        ),
        answer=right,
        hint=f"{SIZE_HINT} Pooling keeps every map.",
        worked=_worked(layer, cost, right),
        mistakes=distinct_mistakes(right, mistakes),
    )


def _with_maps(volume: Answer, maps: int) -> Answer:
    _, height, width = volume.value if isinstance(volume.value, tuple) else (0, 0, 0)
    return volume_of(maps, int(height), int(width))


def _worked(layer: Layer, cost: Cost, right: Answer) -> Derivation:
    worked = tidied(derive_pooling(layer.input, layer.axes, cost))
    rows = [
        (name, right.text if name == "output" else text, how) for name, text, how in worked.rows
    ]
    return solution(*rows, remarks=worked.remarks)


def kept(rng: SeededRandom, level: int) -> Task:
    """Ask what fraction of the values is left."""
    layer, cost = _pool(rng, level)
    before, left = layer.input.units, cost.output.units
    right = number(Fraction(left, before))
    side = Fraction(cost.output.height, layer.height)
    return Task(
        question=(
            f"{layer.image} goes through max pooling of {layer.window}. What fraction of the "
            "values is left? Give a fraction, or three digits of a decimal or percentage."
        ),
        answer=right,
        hint=(
            "Count the values of both volumes, height·width·maps, and divide the second by the "
            "first."
        ),
        worked=solution(
            *_worked(layer, cost, volume_of(layer.channels, *layer.size)).rows[:-1],
            ("fraction", right.text, f"{figure(left)}/{figure(before)}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (number(side), "one axis is pooled instead of two"),
                (number(1 - Fraction(left, before)), "the fraction that is lost is given"),
                (
                    number(Fraction(before, left)),
                    "the number before is divided by the number after",
                ),
                (number(Fraction(left, before * layer.stride)), "the maps are pooled too"),
            ],
        ),
    )


def lost(rng: SeededRandom, level: int) -> Task:
    """Ask how many values a pooling layer drops."""
    layer, cost = _pool(rng, level)
    before, left = layer.input.units, cost.output.units
    right = integer(before - left)
    one = layer.height * layer.width - cost.output.height * cost.output.width
    return Task(
        question=(
            f"{layer.image} goes through max pooling of {layer.window}. How many fewer values "
            "does the volume have afterwards?"
        ),
        answer=right,
        hint="Count the values of both volumes, height·width·maps, and subtract.",
        worked=solution(
            *_worked(layer, cost, volume_of(layer.channels, *layer.size)).rows[:-1],
            ("fewer values", right.text, f"{figure(before)} − {figure(left)}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(left), "the values that are left are counted"),
                (integer(one), "only one map is counted"),
                (integer(before), "the values before are counted"),
            ],
        ),
    )


FIXED = (lambda: one_value(LECTURE, "max", (0, 2), size=2, stride=2),)
GENERATORS = (value, after, kept, lost)
