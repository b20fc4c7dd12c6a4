"""An exercise as the page shows it: the question without its answer, and the solution."""

from typing import Any

from convscope.arithmetic import Derivation
from convscope.lessons.exercises.catalog import LAST, LEVELS, Exercise


def question_to_dict(item: Exercise) -> dict[str, Any]:
    """An exercise as the page shows it before it is answered."""
    task = item.task
    return {
        "lesson": item.lesson,
        "seed": str(item.seed),  # as text: JavaScript's numbers are exact to 2^53 only
        "number": item.number,
        "last": LAST,
        "level": item.level,
        "levels": len(LEVELS),
        "question": task.question,
        "kind": task.answer.kind,
        "form": task.answer.form,
        "choices": list(task.choices),
        "grids": [{"title": grid.title, "rows": grid.rows} for grid in task.grids],
        "table": None if task.table is None else {"head": task.table.head, "rows": task.table.rows},
    }


def solution_to_dict(worked: Derivation) -> dict[str, Any]:
    """A solution as rows of quantity, value, formula, and remarks."""
    return {"rows": worked.rows, "remarks": worked.remarks}
