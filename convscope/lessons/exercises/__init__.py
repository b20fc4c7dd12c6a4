"""Exercises: asked by number, checked in many spellings, worked out as on the board.

`exercise` makes the same question from the same lesson, seed and number, on every machine;
`check` reads an answer, and says of a wrong one which step went wrong. Nothing here needs torch.
"""

from convscope.lessons.exercises.catalog import LAST, LEVELS, Exercise, exercise
from convscope.lessons.exercises.checking import Verdict, check
from convscope.lessons.exercises.sheet import Sheet, sheet

__all__ = ["LAST", "LEVELS", "Exercise", "Sheet", "Verdict", "check", "exercise", "sheet"]
