"""The generators of each lesson's exercises, and how exercises are numbered."""

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from convscope.errors import RequestError
from convscope.lessons.course import LESSONS, lesson
from convscope.lessons.exercises import (
    anysize,
    backprop,
    bird,
    convolution,
    detector,
    filters,
    ilsvrc,
    lenet5,
    maps,
    padding,
    pooling,
    redundancy,
    sharing,
    size,
    stride,
    subsampling,
    towers,
    training,
    vgg,
    volumes,
)
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task

LAST = 999
"""The highest number of an exercise; another seed gives other exercises."""

LEVELS = (1, 5, 10, 16)
"""The first number of each level."""

_BLOCK = 30  # this many consecutive exercises are all different
_MAX_DRAWS = 40  # from one generator, before the next one is tried

Generator = Callable[[SeededRandom, int], Task]
"""Generates a task from a random source and a level from 1 to 4."""

_MODULES = (
    bird,
    redundancy,
    subsampling,
    convolution,
    volumes,
    stride,
    padding,
    size,
    maps,
    pooling,
    sharing,
    detector,
    anysize,
    lenet5,
    ilsvrc,
    towers,
    vgg,
    backprop,
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
    """A task with its lesson, seed and number, which determine it on every machine."""

    lesson: str
    seed: int
    number: int
    level: int
    task: Task


def exercise(name: str, *, seed: int, number: int) -> Exercise:
    """Return exercise `number` of a lesson, from 1 to LAST; any integer is a seed.

    Difficulty rises with the number. Any thirty consecutive exercises are all different.

    Raises RequestError for a lesson or a number that does not exist.
    """
    lesson(name)
    if not 1 <= number <= LAST:
        raise RequestError(
            f"There is no exercise {number}. Choose a number from 1 to {LAST}, or another seed."
        )
    block, index = divmod(number - 1, _BLOCK)
    task = _block(name, seed, block)[index]
    return Exercise(lesson=name, seed=seed, number=number, level=level_of(number), task=task)


@lru_cache(maxsize=128)
def _block(name: str, seed: int, block: int) -> tuple[Task, ...]:
    """Generate thirty tasks that repeat none of this block or of the block before."""
    before = _block(name, seed, block - 1)[1:] if block else ()
    recent = deque(map(key_of, before), maxlen=_BLOCK - 1)
    tasks: list[Task] = []
    for number in range(block * _BLOCK + 1, (block + 1) * _BLOCK + 1):
        task = _task(name, seed, number, recent)
        recent.append(key_of(task))
        tasks.append(task)
    return tuple(tasks)


def level_of(number: int) -> int:
    """The level of an exercise, from 1 to 4."""
    return sum(number >= first for first in LEVELS)


def key_of(task: Task) -> object:
    """Return a key that is equal for equal questions."""
    return task.question, task.grids, task.table


def _task(name: str, seed: int, number: int, recent: deque[object]) -> Task:
    """Return the task of that number: the lecture's, or the first draw that is not in `recent`."""
    first, kinds = FIXED[name], GENERATORS[name]
    if number <= len(first):
        return first[number - 1]()
    turn = number + int(hashlib.sha256(f"{name}/{seed}".encode()).hexdigest(), 16)
    for draw in range(_MAX_DRAWS * len(kinds)):
        make = kinds[(turn + draw // _MAX_DRAWS) % len(kinds)]
        task = make(SeededRandom(f"{name}/{seed}/{number}/{draw}"), level_of(number))
        if key_of(task) not in recent:
            return task
    raise RequestError(
        f"There is no new exercise {number} for the lesson {name}. Choose another seed."
    )
