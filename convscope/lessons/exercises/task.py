"""A question with its answer, its solution, and what common mistakes lead to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convscope.arithmetic import Derivation
from convscope.lessons.exercises.answer import Answer
from convscope.lessons.exercises.seeded_random import Rows

CommonMistake = tuple[Answer | None, str]
"""The answer that a mistake leads to (None if it leads to none), and the mistake as a clause."""


@dataclass(frozen=True)
class Grid:
    """A matrix that is part of the question."""

    title: str
    rows: Rows


@dataclass(frozen=True)
class Table:
    """A table that is part of the question, such as a lecture's table of layers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Mistake:
    """An answer that is wrong in a known way; `step` completes "You get ... if"."""

    answer: Answer
    step: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question with its answer, its solution, and the answers that common mistakes lead to.

    Attributes:
        hint: the general formula, with every letter defined, without the result.
        worked: the formula with the numbers inserted.
        mistakes: none equals the answer, no two are equal.
        choices: the options in the order in which they are shown.
    """

    question: str
    answer: Answer
    hint: str
    worked: Derivation
    mistakes: tuple[Mistake, ...] = ()
    grids: tuple[Grid, ...] = ()
    table: Table | None = None
    choices: tuple[str, ...] = ()


def distinct_mistakes(right: Answer, mistakes: Iterable[CommonMistake]) -> tuple[Mistake, ...]:
    """Drop mistakes that lead to the correct answer, and merge those that lead to the same one."""
    steps_by_answer: dict[Answer, list[str]] = {}
    for answer, step in mistakes:
        if answer is None or answer == right:
            continue
        steps = steps_by_answer.setdefault(answer, [])
        if step not in steps:
            steps.append(step)
    return tuple(
        Mistake(answer, ", or if ".join(steps)) for answer, steps in steps_by_answer.items()
    )


def solution(*rows: tuple[str, str, str], remarks: Sequence[str] = ()) -> Derivation:
    """Return a solution of rows (quantity, value, formula with its numbers)."""
    return Derivation(rows, tuple(remarks))
