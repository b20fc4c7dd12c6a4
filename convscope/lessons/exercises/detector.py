"""Exercises on a filter that finds a pattern anywhere: matches, shifts and pooling."""

from convscope.lessons.exercises.answer import choice, integer
from convscope.lessons.exercises.matrix import dot, flat, products, under
from convscope.lessons.exercises.seeded_random import Rows, SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, sides

_PATTERNS: tuple[Rows, ...] = (
    ((1, -1), (-1, 1)),
    ((1, 1), (-1, -1)),
    ((1, -1), (1, -1)),
    ((1, 1, 1), (-1, -1, -1), (0, 0, 0)),
    ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    ((-1, -1, -1), (1, 1, 1), (0, 0, 0)),
    ((1, -1, 0), (1, -1, 0), (1, -1, 0)),
)


def best_patch(rng: SeededRandom, level: int) -> Task:
    """Ask which of several patches the filter responds to most."""
    pattern = rng.pick(_PATTERNS[:3] if level < 2 else _PATTERNS[3:])
    side = len(pattern)
    while True:
        patches = [rng.rows(side, side, 0, 5 if level < 3 else 9) for _ in range(3)]
        sums = [dot(patch, pattern) for patch in patches]
        if len(set(sums)) == len(sums):
            break
    names = tuple(f"Patch {letter}" for letter in "ABC")
    right = names[sums.index(max(sums))]
    brightest = [sum(flat(patch)) for patch in patches]
    return Task(
        question="To which of the three patches does the filter respond most?",
        answer=choice(right),
        hint="Multiply each cell of a patch by the weight above it, add up, and compare the sums.",
        worked=solution(
            *[
                (name, figure(total), products(patch, pattern))
                for name, total, patch in zip(names, sums, patches, strict=True)
            ]
        ),
        mistakes=distinct_mistakes(
            choice(right),
            [
                (choice(names[sums.index(min(sums))]), "the most negative sum is taken"),
                (
                    choice(names[brightest.index(max(brightest))]),
                    "the cells are added without the weights",
                ),
            ],
        ),
        grids=(
            Grid("Filter", pattern),
            *[Grid(name, patch) for name, patch in zip(names, patches, strict=True)],
        ),
        choices=names,
    )


def moved_peak(rng: SeededRandom, level: int) -> Task:
    """Ask where the maximum of the map is after the picture has moved."""
    side = rng.between(12, 20) if level < 2 else rng.between(24, 64 * level)
    row, column = rng.between(4, side - 6), rng.between(4, side - 6)
    down, right_by = rng.between(-3, 3) or 2, rng.between(-3, 3) or 1
    stride = 1 if level < 3 else rng.pick((2, 4))
    down, right_by = down * stride, right_by * stride
    if level < 3:
        asks_row = bool(rng.between(0, 1))
        where = integer(row + down) if asks_row else integer(column + right_by)
    else:
        asks_row = False
        where = integer(column + right_by // stride)
    shift = f"{_steps(down, 'down', 'up')} and {_steps(right_by, 'to the right', 'to the left')}"
    axis = "row" if asks_row else "column"
    before, by = (row, down) if asks_row else (column, right_by)
    moved = by // stride
    return Task(
        question=(
            f"A filter slides over a picture with stride {stride}. Its map has its maximum, an "
            f"eye, in row {row}, column {column}. The picture moves by {shift}; the eye stays "
            f"inside. In which {axis} of the map is the maximum now?"
        ),
        answer=where,
        hint=(
            "A convolution moves its map along with the picture: by D pixels at stride 1, by D/S "
            "units at stride S. Right and down count up."
        ),
        worked=solution(
            ("shift of the map", figure(moved), f"{figure(by)}/{stride}"),
            (axis, where.text, f"{before} + {_bracketed(moved)}"),
        ),
        mistakes=distinct_mistakes(
            where,
            [
                (integer(before), "the map is assumed to stay"),
                (integer(before - moved), "the direction is reversed"),
                (integer(before + by), "the stride is forgotten"),
                (integer((column if asks_row else row) + moved), "row and column are swapped"),
                (integer(before + (right_by if asks_row else down)), "the other shift is taken"),
            ],
        ),
    )


def _steps(by: int, forward: str, back: str) -> str:
    return f"{abs(by)} pixel{'' if abs(by) == 1 else 's'} {forward if by >= 0 else back}"


def _bracketed(value: int) -> str:
    return f"({figure(value)})" if value < 0 else figure(value)


def pooled_place(rng: SeededRandom, level: int) -> Task:
    """Ask in which pooled row a maximum is, or how far it may move without a change."""
    window = rng.pick((2, 3, 4) if level < 3 else (2, 3, 4, 5, 7, 8))
    units = rng.between(4, 8 * level)
    place = rng.between(0, window * units - 1)
    side = window * units
    room = window - 1 - place % window
    asks_room = level > 1 and bool(rng.between(0, 1))
    right = integer(room if asks_room else place // window)
    asked = (
        "By how many columns can it move to the right at most and stay in the same column of the "
        "pooled map?"
        if asks_room
        else "In which column of the pooled map is it?"
    )
    first = place // window * window
    rows = [("window", str(place // window), f"columns {first} to {first + window - 1}")]
    if asks_room:
        rows.append(("room", right.text, f"{first + window - 1} − {place}"))
    return Task(
        question=(
            f"The map of a filter has {sides(side, side)} units and its maximum in column {place}, "
            f"counted from 0. Max pooling of {sides(window, window)} with stride {window} follows. "
            f"{asked}"
        ),
        answer=right,
        hint=(
            "Window w of pooling has the columns w·S to w·S + S − 1, for stride S: as long as a "
            "value stays among them, it stays in the same unit."
        ),
        worked=solution(*rows),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(place % window), "the place within the window is given"),
                *(_room_mistakes(window, room) if asks_room else _place_mistakes(window, place)),
            ],
        ),
    )


def _place_mistakes(window: int, place: int) -> list[CommonMistake]:
    return [
        (integer(place // window + 1), "the columns are counted from 1"),
        (integer(place), "the column of the map is given"),
        (integer(place - window + 1), "the windows are assumed to overlap, with stride 1")
        if place >= window
        else (None, ""),
    ]


def _room_mistakes(window: int, room: int) -> list[CommonMistake]:
    return [
        (integer(window - 1), "the maximum is assumed to be in the first column of its window"),
        (integer(room + 1), "the step out of the window is counted"),
        (integer(window), "the size of the window is given"),
    ]


def response(rng: SeededRandom, level: int) -> Task:
    """Ask for the response at the pattern's own place in a picture."""
    pattern = rng.pick(_PATTERNS[:3] if level < 2 else _PATTERNS[3:])
    side = 5 if level < 3 else 6
    picture = rng.rows(side, side, 0, 4 if level < 3 else 9)
    last = side - len(pattern)
    row, column = rng.between(0, last), rng.between(0, last)
    patch = under(picture, row, column, len(pattern), len(pattern))
    total = dot(patch, pattern)
    right = integer(total)

    def there(y: int, x: int) -> int | None:
        inside = 0 <= y <= last and 0 <= x <= last
        return dot(under(picture, y, x, len(pattern), len(pattern)), pattern) if inside else None

    found = [
        (there(column, row), "row and column are swapped"),
        (there(row - 1, column - 1), "row and column are counted from 1"),
        (there(row, column + 1), "the window is one position too far to the right"),
        (there(row + 1, column), "the window is one position too low"),
        (sum(flat(patch)), "the cells are added without the weights"),
        (-total if total else None, "the sign of the sum is lost"),
    ]
    return Task(
        question=(
            "This filter looks for its pattern in the picture, stride 1, no padding. What does it "
            f"respond where its top left corner is at row {row}, column {column}? Rows and columns "
            "count from 0."
        ),
        answer=right,
        hint="Lay the filter on the cells, multiply cell by cell, and add up.",
        worked=solution(
            ("patch", ", ".join(map(figure, flat(patch))), f"from row {row}, column {column}"),
            ("response", right.text, products(patch, pattern)),
        ),
        mistakes=distinct_mistakes(
            right, [(None if value is None else integer(value), text) for value, text in found]
        ),
        grids=(Grid("Picture", picture), Grid("Filter", pattern)),
    )


FIXED = ()
GENERATORS = (best_patch, moved_peak, response, pooled_place)
