"""Exercises on the backward pass: scores, dense weights, pooling, ReLU, the filter."""

from fractions import Fraction
from itertools import pairwise

from convscope.lessons.exercises.answer import Answer, integer, number
from convscope.lessons.exercises.matrix import flat, products, under
from convscope.lessons.exercises.seeded_random import Rows, SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import bracketed, figure

_LETTERS = "ABCD"


def _shares(rng: SeededRandom, classes: int) -> list[Fraction]:
    """Draw probabilities with one or two decimals, none of them 0."""
    parts = 10 if classes == 2 else 20
    cuts = sorted(rng.shuffled(range(1, parts))[: classes - 1])
    ends = [0, *cuts, parts]
    return [Fraction(b - a, parts) for a, b in pairwise(ends)]


def _output(rng: SeededRandom, level: int) -> tuple[str, list[Fraction], int, int]:
    """Draw an output: a sentence about it, the shares, the right class and the one asked for."""
    classes = 2 if level < 2 else rng.between(3, 4)
    shares = _shares(rng, classes)
    right, asked = rng.between(0, classes - 1), rng.between(0, classes - 1)
    listed = ", ".join(
        f"{name} {figure(share)}" for name, share in zip(_LETTERS, shares, strict=False)
    )
    text = (
        f"The softmax of a network gives the classes these probabilities: {listed}. The image is "
        f"of class {_LETTERS[right]}, and the loss is the cross-entropy."
    )
    return text, shares, right, asked


def score_gradient(rng: SeededRandom, level: int) -> Task:
    """Ask for the gradient of the loss by a score."""
    text, shares, right_class, asked = _output(rng, level)
    share, is_right = shares[asked], asked == right_class
    right = number(share - is_right)
    return Task(
        question=f"{text} What is the gradient of the loss by the score of {_LETTERS[asked]}?",
        answer=right,
        hint="By the score of a class it is p − y: y is 1 for the right class and 0 for others.",
        worked=solution(("gradient", right.text, f"{figure(share)} − {int(is_right)}")),
        mistakes=distinct_mistakes(
            right,
            [
                (number(share), "y is forgotten"),
                (number(share - 1), "y is taken as 1 for a class that is not the right one"),
                (number(is_right - share), "the sign is reversed: it is p − y, not y − p"),
                (number(shares[right_class] - 1), "the gradient of the right class is given"),
            ],
        ),
    )


def dense_weight(rng: SeededRandom, level: int) -> Task:
    """Ask for the gradient of a weight of the last layer, or for the weight after a step."""
    text, shares, right_class, asked = _output(rng, level)
    value = Fraction(rng.between(1, 9), 1 if level < 2 else 2)
    wanted = int(asked == right_class)
    slope = shares[asked] - wanted
    gradient = slope * value
    rows = [
        (
            "gradient of the score",
            figure(slope),
            f"{figure(shares[asked])} − {wanted}",
        ),
        ("gradient of the weight", figure(gradient), f"{bracketed(slope)}·{figure(value)}"),
    ]
    name = _LETTERS[asked]
    if level < 3:
        right = number(gradient)
        question = (
            f"{text} A weight leads from a unit of value {figure(value)} to the score of {name}. "
            "What is the gradient of the loss by this weight?"
        )
        mistakes: list[CommonMistake] = [(number(slope), "the value of the unit is forgotten")]
    else:
        weight, rate = Fraction(rng.between(-20, 20), 10), Fraction(1, rng.pick((2, 5, 10)))
        right = number(weight - rate * gradient)
        rows.append(
            ("weight", right.text, f"{figure(weight)} − {figure(rate)}·{bracketed(gradient)}")
        )
        question = (
            f"{text} A weight of {figure(weight)} leads from a unit of value {figure(value)} to "
            f"the score of {name}. What is it after a step of gradient descent with a learning "
            f"rate of {figure(rate)}?"
        )
        mistakes = [
            (number(weight + rate * gradient), "the step goes up the gradient instead of down"),
            (number(weight - gradient), "the learning rate is forgotten"),
            (number(weight - rate * slope), "the value of the unit is forgotten"),
            (number(gradient), "the gradient is given instead of the weight"),
        ]
    mistakes += [
        (number(shares[asked] * value) if level < 3 else None, "y is forgotten"),
        (number(-gradient) if level < 3 else None, "the sign is reversed"),
        (number(slope + value) if level < 3 else None, "the factors are added"),
    ]
    return Task(
        question=question,
        answer=right,
        hint=(
            "The gradient by a weight is the gradient by the score that it leads to, p − y, times "
            "the value that it multiplies. A step subtracts the learning rate times the gradient."
        ),
        worked=solution(*rows),
        mistakes=distinct_mistakes(right, mistakes),
    )  # fmt: skip


def unit_gradient(rng: SeededRandom, level: int) -> Task:
    """Ask for the gradient of a unit that several units read."""
    count = 2 if level < 2 else rng.between(2, 2 + min(level, 2))
    weights = [rng.between(-5, 5) or 1 for _ in range(count)]
    scale = 1 if level < 3 else 10
    slopes = [Fraction(rng.between(-9, 9) or 2, scale) for _ in range(count)]
    value = rng.between(1, 9)
    right = number(sum((w * g for w, g in zip(weights, slopes, strict=True)), Fraction(0)))
    listed = "; ".join(
        f"weight {figure(w)}, gradient {figure(g)}" for w, g in zip(weights, slopes, strict=True)
    )
    summed = " + ".join(
        f"{bracketed(w)}·{bracketed(g)}" for w, g in zip(weights, slopes, strict=True)
    )
    return Task(
        question=(
            f"A unit has the value {value}. {count} units of a dense layer read it; given are the "
            f"weight and the gradient of the loss by the sum of each: {listed}. What is the "
            "gradient of the loss by the unit's value?"
        ),
        answer=right,
        hint="The gradient comes back on every way: the sum of weight·gradient over all readers.",
        worked=solution(("gradient", right.text, summed)),
        mistakes=distinct_mistakes(
            right,
            [
                (number(sum(slopes, Fraction(0))), "the weights are forgotten"),
                (number(weights[0] * slopes[0]), "only the first way is counted"),
                (number(value * sum(slopes, Fraction(0))), "the value is taken for the weights"),
                (number(sum(weights)), "the gradients are forgotten"),
            ],
        ),
    )


def routed(rng: SeededRandom, level: int) -> Task:
    """Ask for the gradient of a sum below ReLU and max pooling."""
    side = 2 if level < 2 else 4
    values = rng.shuffled([*range(-8, 0), *range(1, 9)])
    sums: Rows = tuple(tuple(values[side * y + x] for x in range(side)) for y in range(side))
    slopes = tuple(
        tuple(rng.between(-9, 9) or 5 for _ in range(side // 2)) for _ in range(side // 2)
    )
    row, column = rng.between(0, side - 1), rng.between(0, side - 1)
    if rng.between(0, 1):  # one that passes the gradient on, if there is one
        ways = _passing(sums)
        row, column = rng.pick(ways) if ways else (row, column)
    gradient = slopes[row // 2][column // 2]
    top, left = row // 2 * 2, column // 2 * 2
    window = flat(under(sums, top, left, 2, 2))
    value = sums[row][column]
    wins = value == max(window)
    right = integer(gradient if wins and value > 0 else 0)
    why = (
        "it is the maximum, and above 0"
        if right == integer(gradient)
        else ("ReLU passes nothing on below 0" if value < 0 else "another unit is the maximum")
    )
    return Task(
        question=(
            "The sums of a map go through ReLU, then through 2×2 max pooling with stride 2. Below "
            "them are the gradients of the loss by the pooled values. What is the gradient by the "
            f"sum at row {row}, column {column}? Rows and columns count from 0."
        ),
        answer=right,
        hint=(
            "The gradient of a pooled value goes to the maximum of its window alone, and through "
            "ReLU only where the sum is above 0."
        ),
        worked=solution(
            ("window", ", ".join(map(figure, window)), f"from row {top}, column {left}"),
            ("gradient", right.text, why),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(gradient), "every unit of the window gets the gradient"),
                (integer(0), "the maximum gets nothing"),
                (integer(value), "the sum is given instead of the gradient"),
                (integer(value * gradient), "the gradient is multiplied by the sum"),
            ],
        ),
        grids=(Grid("Sums", sums), Grid("Gradients of the pooled values", slopes)),
    )  # fmt: skip


def _passing(sums: Rows) -> list[tuple[int, int]]:
    """Return the places whose sums are maxima of their windows and above 0."""
    return [
        (y, x)
        for y, line in enumerate(sums)
        for x, value in enumerate(line)
        if value > 0 and value == max(flat(under(sums, y // 2 * 2, x // 2 * 2, 2, 2)))
    ]


def filter_weight(rng: SeededRandom, level: int) -> Task:
    """Ask for the gradient of a weight of a filter."""
    kernel, made = 2 if level < 3 else 3, 2 if level < 4 else 3
    side = kernel + made - 1
    image = rng.rows(side, side, 0, 4 if level < 3 else 9)
    slopes = rng.rows(made, made, -3, 3)
    row, column = rng.between(0, kernel - 1), rng.between(0, kernel - 1)
    patch = under(image, row, column, made, made)

    def gradient(y: int, x: int) -> Answer | None:
        if not (0 <= y < kernel and 0 <= x < kernel):
            return None
        there = under(image, y, x, made, made)
        return integer(sum(a * b for a, b in zip(flat(there), flat(slopes), strict=True)))

    right = gradient(row, column) or integer(0)
    return Task(
        question=(
            f"A filter of {kernel}×{kernel} slides over the image, stride 1, no padding. Below it "
            "are the gradients of the loss by the values of its map. What is the gradient by the "
            f"filter's weight at row {row}, column {column}? Rows and columns count from 0."
        ),
        answer=right,
        hint=(
            "The weight at row i and column j multiplies the pixel (y + i, x + j) for the unit "
            "(y, x): add up gradient·pixel over all units."
        ),
        worked=solution(
            ("pixels", ", ".join(map(figure, flat(patch))), f"from row {row}, column {column}"),
            ("gradient", right.text, products(patch, slopes)),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (gradient(column, row), "row and column are swapped"),
                (gradient(row - 1, column - 1), "row and column are counted from 1"),
                (gradient(0, 0), "the first weight is taken"),
                (integer(sum(flat(slopes))), "the pixels are forgotten"),
                (integer(slopes[0][0] * image[row][column]), "only the first unit is counted"),
            ],
        ),
        grids=(Grid("Image", image), Grid("Gradients of the map", slopes)),
    )


FIXED = ()
GENERATORS = (score_gradient, dense_weight, routed, unit_gradient, filter_weight)
