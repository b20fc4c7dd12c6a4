"""Which questions belong to which lesson, and which of them has which number."""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from convscope.errors import RequestError
from convscope.lessons.course import LESSONS, lesson
from convscope.lessons.exercises import (
    convolution,
    filters,
    lenet5,
    maps,
    padding,
    pooling,
    sharing,
    size,
    stride,
    training,
    vgg,
    volumes,
)
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task

LAST = 999
"""The highest number of an exercise; other seeds give others."""

LEVELS = (1, 5, 10, 16)
"""The first number of each level."""

_BLOCK = 30  # exercises that follow each other and are all different
_MAX_DRAWS = 40  # from one kind, before another has its turn

Generator = Callable[[SeededRandom, int], Task]
"""Makes a question out of chance and a level from 1 to 4."""

_MODULES = (
    convolution,
    volumes,
    stride,
    padding,
    size,
    maps,
    pooling,
    sharing,
    lenet5,
    vgg,
    training,
    filters,
)
GENERATORS: dict[str, tuple[Generator, ...]] = {
    entry.name: module.GENERATORS for entry, module in zip(LESSONS, _MODULES, strict=True)
}
FIXED: dict[str, tuple[Callable[[], Task], ...]] = {
    entry.name: module.FIXED for entry, module in zip(LESSONS, _MODULES, strict=True)
}
"""The lecture's own exercises: a lesson starts with them, whatever the seed."""


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A task and where it stands: the same for the same lesson, seed and number, everywhere."""

    lesson: str
    seed: int
    number: int
    level: int
    task: Task


def exercise(name: str, *, seed: int, number: int) -> Exercise:
    """Exercise `number` of a lesson, from 1 to LAST; any whole number is a seed.

    Difficulty rises with the number. Thirty exercises that follow each other differ.

    Raises RequestError for a lesson or a number that does not exist.
    """
    lesson(name)
    if not 1 <= number <= LAST:
        raise RequestError(
            f"There is no exercise {number}: they go from 1 to {LAST}. Another seed has others."
        )
    block, index = divmod(number - 1, _BLOCK)
    task = _block(name, seed, block)[index]
    return Exercise(lesson=name, seed=seed, number=number, level=level_of(number), task=task)


@lru_cache(maxsize=128)
def _block(name: str, seed: int, block: int) -> tuple[Task, ...]:
    """Thirty tasks; what they may not repeat stands in this block and in the one before."""
    before = _block(name, seed, block - 1)[1:] if block else ()
    asked = deque(map(key_of, before), maxlen=_BLOCK - 1)
    tasks: list[Task] = []
    for number in range(block * _BLOCK + 1, (block + 1) * _BLOCK + 1):
        task = _task(name, seed, number, asked)
        asked.append(key_of(task))
        tasks.append(task)
    return tuple(tasks)


def level_of(number: int) -> int:
    """The level of an exercise, from 1 to 4."""
    return sum(number >= first for first in LEVELS)


def key_of(task: Task) -> object:
    """What makes two questions the same."""
    return task.question, task.grids, task.table


def _task(name: str, seed: int, number: int, asked: deque[object]) -> Task:
    """The task of that number: of the lecture, or the first draw that was not asked lately."""
    first, kinds = FIXED[name], GENERATORS[name]
    if number <= len(first):
        return first[number - 1]()
    turn = number + int(hashlib.sha256(f"{name}/{seed}".encode()).hexdigest(), 16)
    for draw in range(_MAX_DRAWS * len(kinds)):
        make = kinds[(turn + draw // _MAX_DRAWS) % len(kinds)]
        task = make(SeededRandom(f"{name}/{seed}/{number}/{draw}"), level_of(number))
        if key_of(task) not in asked:
            return task
    raise RequestError(
        f"There is no new exercise {number} for the lesson {name}. Choose another seed."
    )
