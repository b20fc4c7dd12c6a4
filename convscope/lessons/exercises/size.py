"""Exercises on the formula for the output size: forwards, backwards, and for two layers."""

from dataclasses import replace

from convscope.arithmetic import Axis, derive_output, output_size
from convscope.lessons.exercises.answer import integer, volume_of
from convscope.lessons.exercises.layer import SIZE_HINT, Layer, draw, size_mistakes
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.stride import ask_size
from convscope.lessons.exercises.task import CommonMistake, Task, distinct_mistakes, solution
from convscope.lessons.exercises.volumes import ask_volume
from convscope.lessons.exercises.words import sides, tidied, tidy


def forwards(rng: SeededRandom, level: int) -> Task:
    return ask_size(replace(draw(rng, level), channels=1, groups=1))


def kernel(rng: SeededRandom, level: int) -> Task:
    """Ask for the size of the filter, given the size of the map."""
    while True:
        size, stride = rng.between(2, 4 + 2 * level), rng.between(1, 1 if level < 2 else level)
        padding = 0 if level < 2 else rng.between(0, size // 2)
        side = rng.between(size + 4, 20 + 30 * level)
        made = output_size(side, size, stride=stride, padding=padding)
        same = [
            other
            for other in range(1, side + 1)
            if output_size(side, other, stride=stride, padding=padding) == made
        ]
        if same == [size]:
            break
    right = integer(size)
    formula = tidy(Axis(side, size, stride, padding).formula)
    pads = f"padding {padding} on every side" if padding else "no padding"
    return Task(
        question=(
            f"A square filter with stride {stride} and {pads} makes a map of {sides(made, made)} "
            f"out of an image of {sides(side, side)}. How many rows does the filter have?"
        ),
        answer=right,
        hint=f"{SIZE_HINT} Solve for F.",
        worked=solution(("filter", sides(size, size), formula)),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(side - made), "the two sizes are only subtracted"),
                (integer(side + 2 * padding - made * stride), "the + 1 is forgotten"),
                (integer(size - 2 * padding), "the padding is forgotten"),
                (integer(size - padding), "the padding is counted on one side only"),
                (integer(side + 2 * padding - made + 1), "the stride is forgotten"),
            ],
        ),
    )


def next_exact(rng: SeededRandom, level: int) -> Task:
    """Ask for the next size that needs no rounding."""
    while True:
        size, stride = rng.between(2, 4 + 2 * level), rng.between(2, 2 + level)
        padding = 0 if level < 3 else rng.between(0, size // 2)
        side = rng.between(2 * size, 40 * level)
        axis = Axis(side, size, stride, padding)
        if axis.next_exact != side:
            break
    right, left = integer(axis.next_exact), (side - size + 2 * padding) % stride
    pads = f"padding {padding} on every side" if padding else "no padding"
    exact = Axis(axis.next_exact, size, stride, padding)
    return Task(
        question=(
            f"A filter of {sides(size, size)} with stride {stride} and {pads} does not fit an "
            f"image of {sides(side, side)} without rounding. How many rows does the next larger "
            "square image have that it fits?"
        ),
        answer=right,
        hint="N − F + 2P must be a multiple of the stride S.",
        worked=solution(
            ("as it is", str(axis.output), tidy(axis.formula)),
            ("rows", right.text, tidy(exact.formula)),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(side - left), "the next smaller image is given"),
                (integer(side + left), "the remainder is added instead of what is missing"),
                (integer(-(-side // stride) * stride), "a multiple of the stride is given"),
                (integer(exact.output), "the rows of the map are counted"),
                (integer(axis.next_exact + stride), "one size is skipped"),
            ],
        ),
    )


def twice(rng: SeededRandom, level: int) -> Task:
    """Ask for the output volume of a convolution followed by pooling."""
    while True:
        layer = replace(draw(rng, level), dilation=1, groups=1)
        if min(layer.size) >= 4:
            break
    window = 2 if level < 3 else rng.pick((2, 3))
    pool = Layer(
        channels=layer.filters,
        height=layer.size[0],
        width=layer.size[1],
        filters=layer.filters,
        kernel=(window, window),
        stride=2,
    )
    right = volume_of(layer.filters, *pool.size)
    rows = [
        (f"after the {name}", after.text, tidied(derive_output(axes)).rows)
        for name, after, axes in (
            ("convolution", layer.made, layer.axes),
            ("pooling", right, pool.axes),
        )
    ]
    return Task(
        question=(
            f"{layer.image} is convolved with {layer.filters} filters of size {layer.window}; then "
            f"comes max pooling of {sides(window, window)} with stride 2. What is the output "
            "volume?"
        ),
        answer=right,
        hint=f"{SIZE_HINT} Take the two layers one after the other; pooling keeps every map.",
        worked=solution(
            *((name, text, "; ".join(row[2] for row in formulas)) for name, text, formulas in rows)
        ),
        mistakes=distinct_mistakes(right, _twice_slips(layer, pool)),
    )


def _twice_slips(layer: Layer, pool: Layer) -> list[CommonMistake]:
    """Return the volumes that mistakes in either layer lead to."""
    found: list[CommonMistake] = [(layer.made, "the pooling is forgotten")]
    for changed, text in (
        (replace(layer, padding=0), "the padding is forgotten"),
        (replace(layer, stride=1), "the stride is forgotten"),
    ):
        height, width = changed.size
        if min(height, width) >= pool.kernel[0]:
            after = replace(pool, height=height, width=width)
            found.append((volume_of(layer.filters, *after.size), f"{text} in the convolution"))
    found += [
        (volume_of(layer.filters, *pair), f"{text} in the pooling")
        for pair, text in size_mistakes(pool)
        if pair != layer.size
    ]
    found.append((volume_of(layer.channels, *pool.size), "the convolution's filters are forgotten"))
    return found


FIXED = (
    lambda: ask_volume(Layer(channels=3, height=32, width=32, filters=6, kernel=(5, 5))),
    lambda: ask_size(
        Layer(channels=1, height=227, width=227, filters=1, kernel=(11, 11), stride=4)
    ),
)
GENERATORS = (forwards, kernel, twice, next_exact)
