"""A worksheet: questions with space for answers, and the solutions on a separate page."""

from dataclasses import dataclass

from convscope.errors import RequestError
from convscope.lessons.course import LESSONS, lesson
from convscope.lessons.exercises.catalog import Exercise, exercise
from convscope.lessons.exercises.seeded_random import SeededRandom

MAX_EXERCISES = 60
"""The largest number of exercises on one sheet."""

_EASY, _HARD = 3, 18  # the first and last exercise number on a sheet of all lessons: levels 1 to 4


@dataclass(frozen=True)
class Sheet:
    """A title and its exercises."""

    title: str
    exercises: tuple[Exercise, ...]


def sheet(name: str, *, seed: int, count: int) -> Sheet:
    """Return the first `count` exercises of a lesson, or of all lessons in turn for "all".

    Raises RequestError for an unknown lesson, and for a count below 1 or above MAX_EXERCISES.
    """
    title = "Exercises from all lessons" if name == "all" else lesson(name).title
    if not 1 <= count <= MAX_EXERCISES:
        raise RequestError(f"A sheet has 1 to {MAX_EXERCISES} exercises, not {count}.")
    if name == "all":
        return Sheet(title, tuple(_mixed(seed, count)))
    return Sheet(
        title, tuple(exercise(name, seed=seed, number=index + 1) for index in range(count))
    )


def _mixed(seed: int, count: int) -> list[Exercise]:
    """Cycle through the lessons in the order of the course; exercises become harder."""
    names = [entry.name for entry in LESSONS]
    full, rest = divmod(count, len(names))
    chosen = SeededRandom(f"sheet/{seed}").shuffled(names)[:rest]
    order = names * full + [name for name in names if name in chosen]
    steps = max(1, count - 1)
    numbers = (_EASY + (_HARD - _EASY) * index // steps for index in range(count))
    return [
        exercise(name, seed=seed, number=number)
        for name, number in zip(order, numbers, strict=True)
    ]
