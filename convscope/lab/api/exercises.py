"""The routes of exercises: a question, what becomes of an answer, a sheet to print."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from convscope.errors import RequestError
from convscope.geometry import Derivation
from convscope.lessons.exercises import LAST, LEVELS, Exercise, check, exercise, sheet

_LESSON = "/api/lessons/{lesson}"
_DIGITS = 30  # of a seed
_LINES = 2  # of room to write, and one more for each row of the solution


class Answer(BaseModel):
    """What a person typed, and on which try, from 1."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(max_length=1000)
    tries: int = Field(default=1, ge=0, le=1_000_000)


def add_exercises(app: FastAPI) -> None:
    """Add what the card beside a lesson and the sheet ask."""

    @app.get(_LESSON + "/exercises/{number}")
    def question(lesson: str, number: str, seed: str = "1") -> dict[str, Any]:
        """One question, without its answer."""
        return question_json(_exercise(lesson, number, seed))

    @app.post(_LESSON + "/exercises/{number}/answer")
    def answer(lesson: str, number: str, given: Answer, seed: str = "1") -> dict[str, Any]:
        """Whether an answer is right, and where not, which step went wrong."""
        task = _exercise(lesson, number, seed).task
        verdict = check(task, given.answer, tries=given.tries)
        return {
            "right": verdict.right,
            "counted": verdict.counted,
            "message": verdict.sentence,
            "worked": None if verdict.worked is None else solution_json(verdict.worked),
        }

    @app.get(_LESSON + "/sheet")
    def printed(lesson: str, seed: str = "1", count: str = "8") -> dict[str, Any]:
        """Exercises with room to write, and their solutions apart."""
        found = sheet(lesson, seed=_whole(seed, "seed"), count=_whole(count, "count"))
        return {
            "title": found.title,
            "lesson": lesson,
            "seed": _whole(seed, "seed"),
            "exercises": [
                {**question_json(one), "space": _LINES + len(one.task.worked.rows)}
                for one in found.exercises
            ],
            "solutions": [
                {"answer": one.task.answer.text, "worked": solution_json(one.task.worked)}
                for one in found.exercises
            ],
        }


def _exercise(lesson: str, number: str, seed: str) -> Exercise:
    return exercise(lesson, seed=_whole(seed, "seed"), number=_whole(number, "exercise"))


def _whole(text: str, name: str) -> int:
    """A whole number of the address. Raises RequestError for what is none."""
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _DIGITS):
        raise RequestError(
            f"The {name} {text[:40]!r} is no whole number of up to {_DIGITS} digits. Write, for "
            f"example, {name}=7."
        )
    return int(text)


def question_json(one: Exercise) -> dict[str, Any]:
    """What the page shows of an exercise before it is answered."""
    task = one.task
    return {
        "lesson": one.lesson,
        "seed": str(one.seed),  # as text: a number of script is exact to 2^53 only
        "number": one.number,
        "last": LAST,
        "level": one.level,
        "levels": len(LEVELS),
        "question": task.question,
        "kind": task.answer.kind,
        "form": task.answer.form,
        "choices": list(task.choices),
        "grids": [{"title": grid.title, "rows": grid.rows} for grid in task.grids],
        "table": None if task.table is None else {"head": task.table.head, "rows": task.table.rows},
    }


def solution_json(worked: Derivation) -> dict[str, Any]:
    """A solution as rows of quantity, value, formula, and remarks."""
    return {"rows": worked.rows, "remarks": worked.remarks}
