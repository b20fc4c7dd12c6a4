"""Exercises on feature maps: sums over channels, bias, ReLU, and how many maps there are."""

from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.layer import Layer, draw
from convscope.lessons.exercises.matrix import dot, flat, products
from convscope.lessons.exercises.seeded_random import Rows, SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import bracketed, figure

_HINT = (
    "A unit is the sum of the products over all channels, plus one bias for the whole filter; "
    "ReLU keeps what is above 0 and replaces the rest by 0."
)


def activation(rng: SeededRandom, level: int) -> Task:
    """Ask for the value of a unit after bias and ReLU."""
    channels = 1 if level < 2 else min(level, 3)
    side = 2 if level < 4 else 3
    silent = rng.between(0, 3) == 0
    while True:
        patches = [rng.rows(side, side, 0, 9) for _ in range(channels)]
        slices = [rng.rows(side, side, -2, 2) for _ in range(channels)]
        bias = rng.between(-9, 9)
        sums = [dot(*pair) for pair in zip(patches, slices, strict=True)]
        total = sum(sums) + bias
        if (total <= 0) == silent:
            break
    right = integer(max(0, total))
    titles = ("Patch", "Filter") if channels == 1 else ("Patch of channel {}", "Filter, slice {}")
    grids = tuple(
        Grid(title.format(index), rows)
        for index, pair in enumerate(zip(patches, slices, strict=True))
        for title, rows in zip(titles, pair, strict=True)
    )
    last = ("after ReLU", right.text, f"max(0, {figure(total)})")
    return Task(
        question=(
            f"A filter with bias {figure(bias)} stands on this patch of "
            f"{'one channel' if channels == 1 else f'{channels} channels'}; ReLU follows. "
            "What is the value of the unit after ReLU?"
        ),
        answer=right,
        hint=_HINT,
        worked=solution(*_channel_rows(patches, slices, bias), last),
        mistakes=distinct_mistakes(right, _activation_mistakes(sums, bias)),
        grids=grids,
    )


def _activation_mistakes(sums: list[int], bias: int) -> list[CommonMistake]:
    total = sum(sums) + bias
    return [
        (integer(total), "the ReLU is forgotten"),
        (integer(max(0, sum(sums))), "the bias is forgotten"),
        (integer(sum(sums)), "the bias and the ReLU are forgotten"),
        (integer(max(0, sums[0] + bias)), "only the first channel is used"),
        (integer(max(0, sum(sums) + bias * len(sums))), "the bias is added in each channel"),
        (integer(max(0, sum(sums) - bias)), "the bias is subtracted"),
        (integer(sum(max(0, one) for one in sums) + bias), "ReLU is applied before the sum"),
        (integer(abs(total)), "the absolute value is used instead of ReLU"),
    ]


def _channel_rows(patches: list[Rows], slices: list[Rows], bias: int) -> list[tuple[str, str, str]]:
    """Return the sum of each channel, then their sum with the bias."""
    sums = [dot(*pair) for pair in zip(patches, slices, strict=True)]
    rows = [
        (f"channel {index}" if len(sums) > 1 else "sum", figure(one), products(patch, weights))
        for index, (one, patch, weights) in enumerate(zip(sums, patches, slices, strict=True))
    ]
    text = " + ".join([figure(sums[0]), *(bracketed(one) for one in sums[1:]), bracketed(bias)])
    return [*rows, ("with the bias", figure(sum(sums) + bias), text)]


def zeros(rng: SeededRandom, level: int) -> Task:
    """Ask how many units of a map are 0 after ReLU."""
    height = 2 + min(level, 3)
    width = height + (rng.between(0, 2) if level > 1 else 0)
    sums = rng.rows(height, width, -9, 9)
    bias = rng.between(-4, 4) if level > 1 else 0
    silent = [value for value in flat(sums) if value + bias <= 0]
    right, values = integer(len(silent)), flat(sums)
    biased = f" The filter's bias of {figure(bias)} is not included yet." if bias else ""
    return Task(
        question=(
            f"These are the sums of a filter at all its positions.{biased} How many units of the "
            "map are 0 after ReLU?"
        ),
        answer=right,
        hint="ReLU replaces every value below 0 by 0; the bias is added first.",
        worked=solution(
            (
                "units at 0",
                right.text,
                f"sums of {figure(-bias)} and below: {', '.join(map(figure, sorted(silent)))}"
                if silent
                else f"no sum is {figure(-bias)} or below",
            )
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (
                    integer(sum(value + bias < 0 for value in values)),
                    "units that are exactly 0 before ReLU are left out",
                ),
                (integer(sum(value <= 0 for value in values)), "the bias is forgotten"),
                (integer(len(values) - len(silent)), "the units above 0 are counted"),
                (integer(sum(value - bias <= 0 for value in values)), "the bias is subtracted"),
            ],
        ),
        grids=(Grid("Sums", sums),),
    )


def units(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of units of all maps."""
    layer = draw(rng, level)
    height, width = layer.size
    right = integer(layer.cost.output.units)
    return Task(
        question=(
            f"{layer.image} is convolved with {layer.filters} filters of size {layer.window}. "
            "How many units do the feature maps have together?"
        ),
        answer=right,
        hint=f"Each filter makes one map of H·W units. {layer.hint}",
        worked=solution(*layer.worked("output", "window").rows, _product(layer)),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(height * width), "only one map is counted"),
                (integer(height * width * layer.channels), "the maps of the input are counted"),
                (
                    integer(height * width * layer.filters * layer.channels),
                    "a map is counted for each pair of a filter and an input map",
                ),
                (integer(layer.height * layer.width * layer.filters), "the input's size is used"),
                (integer((height - 1) * (width - 1) * layer.filters), "the + 1 is forgotten"),
            ],
        ),
    )


def _product(layer: Layer) -> tuple[str, str, str]:
    height, width = layer.size
    return "units", figure(layer.cost.output.units), f"{height}·{width}·{layer.filters}"


def biased() -> Task:
    """Ask for the lecture's first sum, with a bias."""
    patch, weights = ((5, 1, 7), (7, 2, 5), (5, 3, 5)), ((1, 0, -1), (2, 0, -2), (1, 0, -1))
    right = integer(0)
    return Task(
        question=(
            "The lecture's filter with a bias of −5 stands on this patch; ReLU follows. "
            "What is the value of the unit after ReLU?"
        ),
        answer=right,
        hint=_HINT,
        worked=solution(
            *_channel_rows([patch], [weights], -5), ("after ReLU", "0", "max(0, \N{MINUS SIGN}3)")
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(-3), "the ReLU is forgotten"),
                (integer(2), "the bias is forgotten"),
                (integer(7), "the bias is subtracted"),
                (integer(3), "the absolute value is used instead of ReLU"),
            ],
        ),
        grids=(Grid("Patch", patch), Grid("Filter", weights)),
    )


FIXED = (biased,)
GENERATORS = (activation, zeros, units)
