"""Exercises on neighboring pixels: differences, what a line leaves, and bits that are saved."""

from fractions import Fraction
from itertools import pairwise

from convscope.lessons.exercises.answer import integer, number
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import bracketed, figure, sides


def difference(rng: SeededRandom, level: int) -> Task:
    """Ask for the mean absolute difference of pixels of a row, some pixels apart."""
    count = rng.pick((5, 6) if level < 3 else (7, 9))
    shift = 1 if level < 2 else rng.between(1, min(level, 3))
    row = rng.rows(1, count, 0, 9 if level < 4 else 99)
    cells = row[0]
    pairs = list(zip(cells, cells[shift:], strict=False))
    apart = [abs(b - a) for a, b in pairs]
    right = number(Fraction(sum(apart), len(pairs)))
    signed = Fraction(cells[-1] - cells[0], len(pairs)) if shift == 1 else None
    next_to = [abs(b - a) for a, b in pairwise(cells)]
    listed = " + ".join(map(str, apart))
    how = "its right neighbor" if shift == 1 else f"the pixel {shift} further to the right"
    return Task(
        question=(
            f"How much does a pixel of this row differ from {how}? Give the mean of the absolute "
            "differences, as a fraction or with three digits."
        ),
        answer=right,
        hint=(
            "Of W pixels, W − D have a pixel D further to the right. Add their differences "
            "without signs, and divide by the number of pairs."
        ),
        worked=solution(
            ("pairs", figure(len(pairs)), f"{count} − {shift}"),
            ("mean", right.text, f"({listed})/{len(pairs)}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (number(Fraction(sum(apart), count)), "the pixels are counted, not the pairs"),
                (number(signed) if signed is not None else None, "the signs are kept"),
                (number(sum(apart)), "the sum is not divided"),
                (
                    number(Fraction(sum(next_to), len(next_to))),
                    "direct neighbors are compared",
                ),
                (number(max(apart)), "the largest difference is given"),
            ],
        ),
        grids=(Grid("Row of pixels", row),),
    )


def unexplained(rng: SeededRandom, level: int) -> Task:
    """Ask which share of the variance a linear prediction leaves."""
    correlation = Fraction(rng.between(1, 9), 10)
    if level > 1:
        correlation = Fraction(rng.between(50, 99), 100)
    if level > 2 and rng.between(0, 1):
        correlation = -correlation
    right = number(1 - correlation * correlation)
    text = figure(correlation)
    return Task(
        question=(
            f"In a picture, the correlation of a pixel with its neighbor is r = {text}. The pixel "
            "is predicted from the neighbor by the best straight line. What fraction of its "
            "variance is left?"
        ),
        answer=right,
        hint="The line explains the share r² of the variance; 1 − r² is left.",
        worked=solution(("left", right.text, f"1 − {bracketed(correlation)}²")),
        mistakes=distinct_mistakes(
            right,
            [
                (number(correlation * correlation), "the explained fraction is given"),
                (number(1 - correlation), "r is not squared"),
                (number(abs(correlation)), "r itself is given"),
                (number((1 - correlation) * (1 - correlation)), "1 − r is squared"),
            ],
        ),
    )


def pairs(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of pairs of pixels at some distance."""
    height = rng.between(4, 12) if level < 2 else rng.between(16, 64 * level)
    width = height if level < 2 else rng.between(16, 64 * level)
    shift = rng.between(1, 3) if level < 2 else rng.between(1, 12)
    right_of = bool(rng.between(0, 1))
    right = integer(height * (width - shift) if right_of else (height - shift) * width)
    where = "to its right" if right_of else "below it"
    formula = f"{height}·({width} − {shift})" if right_of else f"({height} − {shift})·{width}"
    swapped = (height - shift) * width if right_of else height * (width - shift)
    return Task(
        question=(
            f"A picture of {sides(height, width)} (height×width) is compared with itself: each "
            f"pixel with the one {shift} {where}, as far as there is one. How many pairs are "
            "compared?"
        ),
        answer=right,
        hint=(
            "A shift by D to the right leaves H·(W − D) pairs, a shift down (H − D)·W: the last "
            "columns or rows have no partner."
        ),
        worked=solution(("pairs", right.text, formula)),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(height * width), "the pixels without a partner are counted"),
                (integer(swapped), "rows and columns are swapped"),
                (integer((height - shift) * (width - shift)), "both axes are shortened"),
                (integer(height * width - shift), "only one row or column is shortened"),
            ],
        ),
    )


def bits(rng: SeededRandom, level: int) -> Task:
    """Ask for the bits of a picture that is stored as differences."""
    height = rng.between(4, 16) if level < 2 else rng.between(16, 64 * level)
    width = rng.between(4, 16) if level < 2 else rng.between(16, 64 * level)
    small = rng.between(3, 6)
    saved = level > 2 and bool(rng.between(0, 1))
    stored, plain = height * (8 + (width - 1) * small), height * width * 8
    right = integer(plain - stored if saved else stored)
    asked = (
        "How many bits does that save, compared with 8 bits for every pixel?"
        if saved
        else "How many bits does the picture take?"
    )
    rows = [("stored", figure(stored), f"{height}·(8 + ({width} − 1)·{small})")]
    if saved:
        rows.append(("plain", figure(plain), f"{height}·{width}·8"))
        rows.append(("saved", right.text, f"{figure(plain)} − {figure(stored)}"))
    return Task(
        question=(
            f"Neighbors are alike, so a gray picture of {sides(height, width)} (height×width) is "
            "stored like this: of each row the first pixel in 8 bits, and for every further pixel "
            f"the difference to the one before it in {small} bits. {asked}"
        ),
        answer=right,
        hint="A row of W pixels takes 8 bits for the first and B bits for each of W − 1 others.",
        worked=solution(*rows),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(plain), "every pixel is counted with 8 bits"),
                (integer(height * width * small), "the first pixels are counted as differences"),
                (
                    integer(height * (8 + width * small)),
                    "every pixel of a row is counted with a difference, the first one too",
                ),
                (
                    integer(8 + (height * width - 1) * small),
                    "only the first pixel of the picture is stored in 8 bits",
                ),
                (integer(stored), "the bits that are stored are given"),
                (integer(width * (8 + (height - 1) * small)), "height and width are swapped"),
            ],
        ),
    )


FIXED = ()
GENERATORS = (difference, pairs, unexplained, bits)
