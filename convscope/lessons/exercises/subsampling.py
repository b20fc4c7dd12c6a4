"""Exercises on subsampling: sizes, values, and the weights that it saves."""

from fractions import Fraction

from convscope.arithmetic import Volume, dense
from convscope.lessons.exercises.answer import Answer, integer, number, volume_of
from convscope.lessons.exercises.matrix import LECTURE
from convscope.lessons.exercises.pooling import one_value
from convscope.lessons.exercises.seeded_random import Rows, SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, volume


def _draw(rng: SeededRandom, level: int) -> tuple[Volume, int]:
    """Draw an image and a factor that divides its sides."""
    factor = 2 if level < 2 else rng.pick((2, 3, 4, 5, 8))
    height = factor * (rng.between(2, 16) if level < 2 else rng.between(4, 40))
    width = height if level < 3 else factor * rng.between(4, 40)
    return Volume(rng.pick((1, 3)), height, width), factor


def _told(image: Volume) -> str:
    text = volume(image.channels, image.height, image.width)
    return text if image.height == image.width else f"{text} (channels@height×width)"


def small_volume(rng: SeededRandom, level: int) -> Task:
    """Ask for the volume of the small image."""
    image, factor = _draw(rng, level)
    channels, height, width = image.channels, image.height // factor, image.width // factor
    right = volume_of(channels, height, width)
    mistakes: list[CommonMistake] = [
        (volume_of(channels, height + 1, width + 1), "1 is added"),
        (volume_of(channels, image.height, width), "only the columns are subsampled"),
        (volume_of(channels, height, image.width), "only the rows are subsampled"),
        (
            volume_of(channels, image.height - factor, image.width - factor),
            "the factor is subtracted instead of divided by",
        ),
    ]
    if channels % factor == 0:
        mistakes.append(
            (volume_of(channels // factor, height, width), "the channels are subsampled too")
        )
    return Task(
        question=(
            f"An image of {_told(image)} is subsampled by {factor}: every {_nth(factor)} row and "
            "column is kept, beginning with the first. What is the volume afterwards?"
        ),
        answer=right,
        hint="Subsampling by S leaves H/S rows and W/S columns, and all channels.",
        worked=solution(
            ("rows", str(height), f"{image.height}/{factor}"),
            ("columns", str(width), f"{image.width}/{factor}"),
            ("volume", right.text, ""),
        ),
        mistakes=distinct_mistakes(right, mistakes),
    )


def saved_weights(rng: SeededRandom, level: int) -> Task:
    """Ask how many weights of a dense layer subsampling saves."""
    image, factor = _draw(rng, level)
    units = rng.pick((2, 4, 10) if level < 2 else (10, 50, 100, 256, 1000))
    small = Volume(image.channels, image.height // factor, image.width // factor)
    before, after = dense(image, units).weights, dense(small, units).weights
    right = integer(before - after)
    return Task(
        question=(
            f"A dense layer of {units:,} units reads an image of {_told(image)}. How many fewer "
            f"weights does it have if the image is first subsampled by {factor} in both directions?"
        ),
        answer=right,
        hint="The layer has a weight for each unit and input. Count both images' inputs.",
        worked=solution(
            ("weights before", figure(before), f"{figure(image.units)}·{units:,}"),
            ("weights after", figure(after), f"{figure(small.units)}·{units:,}"),
            ("fewer", right.text, f"{figure(before)} − {figure(after)}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(after), "the weights that are left are given"),
                (integer(before), "the weights before are given"),
                (integer(before - before // factor), "only one direction is subsampled"),
                (integer(image.units - small.units), "the inputs are counted, not the weights"),
                (
                    integer((before - after) // image.channels),
                    "the channels are forgotten",
                ),
            ],
        ),
    )


def left(rng: SeededRandom, level: int) -> Task:
    """Ask which fraction of the pixels is left after several subsamplings."""
    first = rng.pick((2, 3, 4) if level < 2 else (2, 3, 4, 5, 6, 8, 10))
    second = 1 if level < 2 else rng.pick((2, 3, 4, 5, 7))
    kept = first * second
    image = Volume(rng.pick((1, 3)), kept * rng.between(2, 30), kept * rng.between(2, 30))
    right = number(Fraction(1, kept * kept))
    then = f", then by {second}" if second > 1 else ""
    formula = f"1/({first}·{first})" if second == 1 else f"1/({first}·{first}·{second}·{second})"
    return Task(
        question=(
            f"An image of {_told(image)} is subsampled by {first}{then}, in both directions. What "
            "fraction of its values is left? Give a fraction, or three digits of a decimal."
        ),
        answer=right,
        hint="Subsampling by S keeps one of S·S values; of two steps the fractions are multiplied.",
        worked=solution(("left", right.text, formula)),
        mistakes=distinct_mistakes(
            right,
            [
                (number(Fraction(1, kept)), "only one direction is counted"),
                (number(1 - Fraction(1, kept * kept)), "the fraction that is lost is given"),
                (number(Fraction(1, (first + second) ** 2)) if second > 1 else None,
                 "the factors are added instead of multiplied"),
                (number(kept * kept), "the fraction is inverted"),
                (number(Fraction(1, first * first)), "the second step is forgotten"),
            ],
        ),
    )  # fmt: skip


def ask_strided(image: Rows, factor: int, at: tuple[int, int]) -> Task:
    """Ask for a value of the image of which every few rows and columns are kept."""
    row, column = at
    top, left_of = factor * row, factor * column
    right = integer(image[top][left_of])
    block = [line[left_of : left_of + factor] for line in image[top : top + factor]]
    values = [value for line in block for value in line]

    def value(y: int, x: int) -> Answer | None:
        inside = 0 <= y < len(image) and 0 <= x < len(image[0])
        return integer(image[y][x]) if inside else None

    tried: list[CommonMistake] = [
        (value(left_of, top), "row and column are swapped"),
        (value(row, column), "the factor is forgotten"),
        (value(top - factor, left_of - factor), "row and column are counted from 1"),
        (value(top + factor - 1, left_of + factor - 1), "the last pixel of the block is taken"),
        (integer(max(values)), "the maximum of the block is taken"),
    ]
    return Task(
        question=(
            f"Of this image every {_nth(factor)} row and column is kept, beginning with row 0 and "
            f"column 0; the others are dropped. What is the value at row {row}, column {column} "
            "of the small image?"
        ),
        answer=right,
        hint="Row r and column c of the small image are row r·S and column c·S of the large one.",
        worked=solution(
            ("from", f"row {top}, column {left_of}", f"{factor}·{row}, {factor}·{column}"),
            ("value", right.text, ""),
        ),
        mistakes=distinct_mistakes(right, tried),
        grids=(Grid("Image", image),),
    )


def strided(rng: SeededRandom, level: int) -> Task:
    factor = 2 if level < 2 else rng.between(2, 3)
    height, width = (6, 6) if level < 3 else (rng.between(6, 8), rng.between(6, 8))
    image = rng.rows(height, width, 0, 9 if level < 3 else 99)
    at = rng.between(0, (height - 1) // factor), rng.between(0, (width - 1) // factor)
    return ask_strided(image, factor, at)


def averaged(rng: SeededRandom, level: int) -> Task:
    """Ask for the mean or maximum of a block."""
    size = 2 if level < 3 else rng.between(2, 3)
    image = rng.rows(6, 6, 0, 9)
    at = rng.between(0, 6 // size - 1), rng.between(0, 6 // size - 1)
    return one_value(image, rng.pick(("average", "max")), at, size=size, stride=size)


def _nth(factor: int) -> str:
    return {2: "second", 3: "third", 5: "fifth", 8: "eighth"}.get(factor, f"{factor}th")


FIXED = (lambda: ask_strided(LECTURE, 2, (1, 2)),)
GENERATORS = (small_volume, strided, saved_weights, averaged, left)
