"""The routes of exercises: questions, answers, and worksheets to print."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from convscope.errors import RequestError
from convscope.lessons.exercises import Exercise, check, exercise, sheet
from convscope.lessons.exercises.question import question_to_dict, solution_to_dict

_LESSON = "/api/lessons/{lesson}"
_DIGITS = 30  # of a seed
_LINES = 2  # of space to write, and one more for each row of the solution


class Answer(BaseModel):
    """An answer as typed, and the number of the attempt, from 1."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(max_length=1000)
    tries: int = Field(default=1, ge=0, le=1_000_000)


def add_exercises(app: FastAPI) -> None:
    """Add the routes of exercises and worksheets."""

    @app.get(_LESSON + "/exercises/{number}")
    def question(lesson: str, number: str, seed: str = "1") -> dict[str, Any]:
        """One question, without its solution."""
        return question_to_dict(_exercise(lesson, number, seed))

    @app.post(_LESSON + "/exercises/{number}/answer")
    def answer(lesson: str, number: str, body: Answer, seed: str = "1") -> dict[str, Any]:
        """Whether an answer is correct; if not, which step went wrong."""
        task = _exercise(lesson, number, seed).task
        verdict = check(task, body.answer, tries=body.tries)
        return {
            "right": verdict.right,
            "counted": verdict.counted,
            "message": verdict.sentence,
            "worked": None if verdict.worked is None else solution_to_dict(verdict.worked),
        }

    @app.get(_LESSON + "/sheet")
    def worksheet(lesson: str, seed: str = "1", count: str = "8") -> dict[str, Any]:
        """Exercises with space to write, and their solutions."""
        printed = sheet(lesson, seed=_integer(seed, "seed"), count=_integer(count, "count"))
        return {
            "title": printed.title,
            "lesson": lesson,
            "seed": _integer(seed, "seed"),
            "exercises": [
                {**question_to_dict(item), "space": _LINES + len(item.task.worked.rows)}
                for item in printed.exercises
            ],
            "solutions": [
                {"answer": item.task.answer.text, "worked": solution_to_dict(item.task.worked)}
                for item in printed.exercises
            ],
        }


def _exercise(lesson: str, number: str, seed: str) -> Exercise:
    return exercise(lesson, seed=_integer(seed, "seed"), number=_integer(number, "exercise"))


def _integer(text: str, name: str) -> int:
    """An integer in the address. Raises RequestError for anything else."""
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS):
        raise RequestError(
            f"The {name} {text[:40]!r} is not an integer of up to {_DIGITS} digits. Write, for "
            f"example, {name}=7."
        )
    return int(text)
