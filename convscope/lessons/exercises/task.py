"""What an exercise asks, what is right, and what typical wrong steps come to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convscope.geometry import Derivation
from convscope.lessons.exercises.answer import Answer
from convscope.lessons.exercises.seeded_random import Rows

CommonMistake = tuple[Answer | None, str]
"""What a wrong step comes to (None: nothing that could be written), and the step as a clause."""


@dataclass(frozen=True)
class Grid:
    """A matrix that belongs to the question."""

    title: str
    rows: Rows


@dataclass(frozen=True)
class Table:
    """Rows of text that belong to the question, as a lecture's table of layers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Mistake:
    """An answer that is wrong in a known way; `step` completes "You get ... if"."""

    answer: Answer
    step: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question with its answer, its solution and the answers of typical wrong steps.

    Attributes:
        hint: the formula in letters, each of them defined, without the result.
        worked: the formula with the numbers put in.
        mistakes: none equals the answer, no two are equal.
        choices: what there is to choose from, in the order in which it is shown.
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
    """Keep the slips that show: those that come to the right answer do not, equal ones are one."""
    found: dict[Answer, list[str]] = {}
    for answer, step in mistakes:
        if answer is not None and answer != right and step not in found.setdefault(answer, []):
            found[answer].append(step)
    return tuple(Mistake(answer, ", or if ".join(steps)) for answer, steps in found.items())


def solution(*rows: tuple[str, str, str], remarks: Sequence[str] = ()) -> Derivation:
    """A solution of rows: quantity, value, formula with its numbers."""
    return Derivation(rows, tuple(remarks))
