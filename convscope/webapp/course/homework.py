"""The exercises of a course: so many of each lesson, in so many variants."""

from collections.abc import Callable
from typing import Any

from convscope.lessons.course import LESSONS
from convscope.lessons.exercises import Exercise, exercise
from convscope.lessons.exercises.answer import Answer, AnswerKind
from convscope.lessons.exercises.question import question_to_dict, solution_to_dict

LENGTH = 16
"""Exercises of a lesson: those of all four levels."""

VARIANTS = 100
"""Variants, unless another number is asked for: variant 7 has the exercises of seed 7."""

EXPORTED = 10
"""Variants in files for other platforms: as many as their limits of size allow."""

Bank = dict[str, list[list[Exercise]]]
"""By lesson: of each variant, from 1, its exercises in their order."""


def draw_exercises(variants: int, on_progress: Callable[[int, int], None]) -> Bank:
    """Generate the exercises of all lessons."""
    bank: Bank = {}
    for done, entry in enumerate(LESSONS):
        on_progress(done, len(LESSONS))
        bank[entry.name] = [
            [exercise(entry.name, seed=seed, number=number + 1) for number in range(LENGTH)]
            for seed in range(1, variants + 1)
        ]
    return bank


def exercise_to_dict(item: Exercise) -> dict[str, Any]:
    """An exercise with its answer, for the page to check: see `static/course/homework.js`."""
    task = item.task
    question = {**question_to_dict(item), "last": LENGTH}
    del question["lesson"], question["seed"], question["number"], question["form"]
    kind = task.answer.kind
    return {
        **question,
        "answer": _answer(task.answer, kind),
        "hint": task.hint,
        "worked": solution_to_dict(task.worked),
        "mistakes": [[_answer(mistake.answer, kind), mistake.step] for mistake in task.mistakes],
    }


def _answer(answer: Answer, kind: AnswerKind) -> Any:
    """The value: a fraction as text, such as "3/4", sides as a list; a choice as {"choice": text}.

    If it is of another kind than the exercise's answer, {"kind", "value"} of it.
    """
    value = answer.value
    if isinstance(value, str):
        plain: Any = {"choice": value}
    else:
        plain = list(value) if isinstance(value, tuple) else str(value)
    return plain if answer.kind == kind else {"kind": answer.kind, "value": plain}
