"""Exercises: selected by number, checked in many notations, with worked solutions.

`exercise` generates the same question from the same lesson, seed and number on every machine;
`check` reads an answer and explains which step of a wrong one went wrong. Nothing here needs torch.
"""

from convscope.lessons.exercises.catalog import LAST, LEVELS, Exercise, exercise
from convscope.lessons.exercises.checking import Verdict, check
from convscope.lessons.exercises.sheet import Sheet, sheet

__all__ = ["LAST", "LEVELS", "Exercise", "Sheet", "Verdict", "check", "exercise", "sheet"]
