"""Exercises on top-1 and top-5 errors. Their networks and figures are made up."""

from fractions import Fraction

from convscope.lessons.exercises.answer import integer, number
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Table, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure

_CLASSES = ("ant", "bear", "cat", "dog", "eel", "fox", "goat", "hen", "ibis", "jay", "lynx")


def counted(rng: SeededRandom, level: int) -> Task:
    """Ask for the error over a few images, given their five answers."""
    images = 4 if level < 2 else rng.between(5, 6 + level)
    allowed = rng.pick((1, 5)) if level < 3 else rng.pick((2, 3, 5))
    rows: list[tuple[str, ...]] = []
    places: list[int | None] = []
    for _ in range(images):
        order = rng.shuffled(_CLASSES)
        place = rng.between(0, 6)
        rows.append((order[place], ", ".join(order[:5])))
        places.append(place if place < 5 else None)
    wrong = _wrong(places, allowed)
    right = number(Fraction(wrong, images))
    return Task(
        question=(
            f"Of each image, the table has its class and the five answers of a network, the most "
            f"probable first. What is the top-{allowed} error? Give a fraction, or three digits of "
            "a decimal or percentage."
        ),
        answer=right,
        hint=(
            "The top-k error is the share of images whose class is not among the first k answers."
        ),
        worked=solution(
            ("wrong", str(wrong), _listed(places, allowed)),
            (f"top-{allowed} error", right.text, f"{wrong}/{images}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (number(Fraction(images - wrong, images)), "the images that are right are counted"),
                (number(Fraction(_wrong(places, 1), images)), "only the first answer counts"),
                (number(Fraction(_wrong(places, 5), images)), "all five answers count"),
                (number(wrong), "the number is not divided by the number of images"),
            ],
        ),
        table=Table(("class", "answers"), tuple(rows)),
    )


def _wrong(places: list[int | None], allowed: int) -> int:
    return sum(place is None or place >= allowed for place in places)


def _listed(places: list[int | None], allowed: int) -> str:
    rows = [str(row) for row, place in enumerate(places, 1) if place is None or place >= allowed]
    return f"row {', '.join(rows)}" if rows else "every class is among them"


def images_wrong(rng: SeededRandom, level: int) -> Task:
    """Ask how many images are wrong, or how many fewer than before."""
    images = 1000 * rng.between(1, 10 if level < 2 else 100)
    before, after = sorted((rng.between(20, 399), rng.between(20, 399)))[::-1]
    after = after if after != before else before - 10
    high, low = Fraction(before, 1000), Fraction(after, 1000)
    fewer = level > 1 and bool(rng.between(0, 1))
    right = integer(int(images * (high - low) if fewer else images * high))
    if fewer:
        question = (
            f"On {images:,} images one network has a top-5 error of {figure(100 * high)}%, another "
            f"{figure(100 * low)}%. For how many fewer images does the second one miss the class?"
        )
        rows = [
            ("fewer", right.text, f"{images:,}·({figure(100 * high)} − {figure(100 * low)})/100")
        ]
    else:
        question = (
            f"On {images:,} images a network has a top-5 error of {figure(100 * high)}%. For how "
            "many images is the class not among its first five answers?"
        )
        rows = [("wrong", right.text, f"{images:,}·{figure(100 * high)}/100")]
    return Task(
        question=question,
        answer=right,
        hint="An error of e% is e of 100 images: multiply the number of images by e/100.",
        worked=solution(*rows),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(images - int(images * high)), "the images that are right are counted"),
                (integer(int(images * high / 5)), "the error is divided by the five answers"),
                (integer(int(images * low)) if fewer else None, "only the second is counted"),
                (integer(int(images * high)), "only the first is counted"),
                (integer(int(images * high * 10)), "per mille are taken for percent"),
            ],
        ),
    )


def guessed(rng: SeededRandom, level: int) -> Task:
    """Ask for the error of guessing."""
    classes = rng.pick((10, 20, 50) if level < 2 else (25, 40, 80, 100, 200, 250, 500, 1000, 2000))
    allowed = rng.pick((1, 2, 5)) if level < 3 else rng.between(2, 8)
    right = number(1 - Fraction(allowed, classes))
    guesses = "one class" if allowed == 1 else f"{allowed} different classes"
    return Task(
        question=(
            f"There are {classes:,} classes, each with equally many images. What is the "
            f"top-{allowed} error of guessing {guesses} for every image? Give a fraction or an "
            "exact decimal."
        ),
        answer=right,
        hint="Of C classes, k guesses hit with probability k/C; the error is 1 − k/C.",
        worked=solution(("error", right.text, f"1 − {allowed}/{classes}")),
        mistakes=distinct_mistakes(
            right,
            [
                (number(Fraction(allowed, classes)), "the accuracy is given"),
                (number(1 - Fraction(1, classes)), "only one guess counts"),
                (number(Fraction(1, classes)), "the accuracy of one guess is given"),
                (number(1 - Fraction(1, allowed)), "the classes are forgotten"),
            ],
        ),
    )


def reduced(rng: SeededRandom, level: int) -> Task:
    """Ask by which fraction an error fell."""
    before = rng.between(10, 40) if level < 2 else rng.between(50, 399)
    after = rng.between(1, before - 1)
    scale = 1 if level < 2 else 10
    right = number(Fraction(before - after, before))
    high, low = figure(Fraction(before, scale)), figure(Fraction(after, scale))
    return Task(
        question=(
            f"From one year to the next the top-5 error falls from {high}% to {low}%. What "
            "fraction of the errors is gone? Give a fraction, or three digits of a decimal or "
            "percentage."
        ),
        answer=right,
        hint="Divide the difference by the error before: (a − b)/a.",
        worked=solution(("gone", right.text, f"({high} − {low})/{high}")),
        mistakes=distinct_mistakes(
            right,
            [
                (number(Fraction(after, before)), "the fraction that is left is given"),
                (number(Fraction(before - after, 100 * scale)), "the difference is not divided"),
                (
                    number(Fraction(before - after, after)),
                    "the difference is divided by the error afterwards",
                ),
            ],
        ),
    )  # fmt: skip


FIXED = ()
GENERATORS = (counted, images_wrong, guessed, reduced)
