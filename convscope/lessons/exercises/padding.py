"""Exercises on padding: sizes, values, and the reverse question."""

from dataclasses import replace

from convscope.arithmetic import Axis, output_size, same_padding
from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.convolution import one_value
from convscope.lessons.exercises.layer import SIZE_HINT, Layer, draw
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.stride import ask_size
from convscope.lessons.exercises.task import Task, distinct_mistakes, solution
from convscope.lessons.exercises.volumes import ask_volume
from convscope.lessons.exercises.words import sides, tidy, volume


def keeping(rng: SeededRandom, level: int) -> Task:
    """Ask which padding keeps the size."""
    kernel = 2 * rng.between(1, 2 + 2 * level) + 1
    dilation = 1 if level < 3 else rng.between(1, level)
    side = rng.between(kernel, 20 + 30 * level)
    right = integer(same_padding(kernel, dilation=dilation)[0])
    dilated = f", dilation {dilation} (cells {dilation} apart are read)" if dilation > 1 else ""
    apart = f"{dilation}·" if dilation > 1 else ""
    return Task(
        question=(
            f"A filter of {sides(kernel, kernel)}, stride 1{dilated}, slides over an image of "
            f"{sides(side, side)}. How many cells of padding on every side make a map of "
            f"{sides(side, side)}?"
        ),
        answer=right,
        hint=(
            "At stride 1 a padding of D·(F − 1)/2 keeps the size, for a filter of size F and "
            "dilation D."
        ),
        worked=solution(("padding", right.text, f"{apart}({kernel} − 1)/2")),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(dilation * (kernel - 1)), "both sides are counted together"),
                (integer((kernel - 1) // 2), "the dilation is forgotten"),
                (integer(kernel), "the filter's size is given"),
                (integer((dilation * (kernel - 1) + 2) // 2), "half the filter is rounded up"),
                (integer(1), "one cell is used, which is right only for 3×3"),
                (integer(0), "the map is assumed to keep the size without padding"),
            ],
        ),
    )


def size(rng: SeededRandom, level: int) -> Task:
    """Ask for the size of a map with padding."""
    while True:
        layer = replace(draw(rng, level), channels=1, groups=1)
        most = max(layer.kernel) // 2
        if most and min(layer.kernel) > 1:
            return ask_size(replace(layer, padding=rng.between(1, most)))


def which(rng: SeededRandom, level: int) -> Task:
    """Ask for the padding, given the size."""
    while True:
        kernel = rng.between(3, 5 + 2 * level)
        stride = 1 if level < 2 else rng.between(1, level)
        padding = rng.between(0 if level > 1 else 1, kernel // 2)
        side = rng.between(2 * kernel, 20 + 20 * level)
        made = output_size(side, kernel, stride=stride, padding=padding)
        same = [
            other
            for other in range(kernel)
            if output_size(side, kernel, stride=stride, padding=other) == made
        ]
        if same == [padding]:
            break
    right, missing = integer(padding), (made - 1) * stride + kernel - side
    return Task(
        question=(
            f"A filter of {sides(kernel, kernel)} with stride {stride} makes a map of "
            f"{sides(made, made)} out of an image of {sides(side, side)}. How many cells of "
            "padding are there on every side?"
        ),
        answer=right,
        hint=f"{SIZE_HINT} Solve for P, or try 0, 1, 2: only one gives this size.",
        worked=solution(("padding", right.text, tidy(Axis(side, kernel, stride, padding).formula))),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(missing), "both sides are counted together"),
                (integer((kernel - 1) // 2), "the padding that keeps the size is given"),
                (integer((missing + stride) // 2), "the + 1 is forgotten"),
                (integer(abs(made - side)), "the two sizes are subtracted"),
            ],
        ),
    )


def border(rng: SeededRandom, level: int) -> Task:
    """Ask for a value whose window covers padding."""
    side = 3 + min(level, 3)
    image = rng.rows(side, side + (rng.between(0, 2) if level > 2 else 0), 0, 9)
    kernel = 3 if level < 4 else rng.pick((3, 5))
    weights = rng.rows(kernel, kernel, -min(level, 2), min(level, 2))
    stride = 1 if level < 3 else rng.between(1, 2)
    padding = kernel // 2
    rows = (len(image) + 2 * padding - kernel) // stride
    columns = (len(image[0]) + 2 * padding - kernel) // stride
    at = rng.pick(((0, 0), (0, columns), (rows, 0), (0, rng.between(0, columns))))
    return one_value(image, weights, at, stride=stride, padding=padding)


def cells(rng: SeededRandom, level: int) -> Task:
    """Ask how many values a volume has with its padding."""
    layer = draw(rng, max(level, 2))
    padding = rng.between(1, 1 + level)
    height, width, channels = layer.height, layer.width, layer.channels
    padded_height, padded_width = height + 2 * padding, width + 2 * padding
    right = integer(padded_height * padded_width * channels)
    text = volume(channels, height, width)
    apart = "" if height == width else " (maps@height×width)"
    once = (height + padding) * (width + padding) * channels
    return Task(
        question=(
            f"A volume of {text}{apart} gets {padding} cells of zeros on every side of each map. "
            "How many values does it then have, zeros included?"
        ),
        answer=right,
        hint="A map padded by P has (H + 2P)·(W + 2P) cells: both ends of each axis are padded.",
        worked=solution(
            (
                "each map",
                sides(padded_height, padded_width),
                f"{height} + 2·{padding}, {width} + 2·{padding}",
            ),
            ("values", right.text, f"{padded_height}·{padded_width}·{channels}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(once), "the padding is counted on one side only"),
                (integer(height * width * channels), "the padding is forgotten"),
                (integer(padded_height * padded_width), "only one map is counted"),
                (
                    integer(padded_height * padded_width * channels - height * width * channels),
                    "only the zeros are counted",
                ),
                (
                    integer(padded_height * padded_width * (channels + 2 * padding)),
                    "the maps are padded too",
                ),
            ],
        ),
    )


FIXED = (
    lambda: ask_volume(
        Layer(channels=3, height=64, width=64, filters=10, kernel=(5, 5), padding=2)
    ),
)
GENERATORS = (keeping, size, border, which, cells)
