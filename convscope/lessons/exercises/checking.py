"""Check an answer, and find the step that went wrong."""

from dataclasses import dataclass

from convscope.arithmetic import Derivation
from convscope.lessons.exercises.answer import Answer
from convscope.lessons.exercises.reading import UnreadableError, read
from convscope.lessons.exercises.task import Task

SOLUTION_TRY = 3
"""From this try on, the solution is shown even if the answer is wrong."""


@dataclass(frozen=True)
class Verdict:
    """The result of checking an answer.

    Attributes:
        right: whether it is correct.
        sentence: the feedback for the student.
        counted: whether it counts as a try; an unreadable answer does not.
        worked: the solution; None until the answer is correct or the solution is shown.
    """

    right: bool
    sentence: str
    counted: bool = True
    worked: Derivation | None = None


def check(task: Task, text: str, *, tries: int = 1) -> Verdict:
    """Check what a student typed on try number `tries`, counted from 1.

    A wrong answer that a common mistake leads to is answered with that mistake, any other with the
    general formula. From the third try on the solution is included; an empty answer on such a try
    asks for it.
    """
    given_away = tries >= SOLUTION_TRY
    worked = task.worked if given_away else None
    try:
        readings = read(text, task.answer, task.choices)
    except UnreadableError as unread:
        if text.strip() or not given_away:
            return Verdict(right=False, sentence=str(unread), counted=False)
        text = f"The answer is {task.answer.text}."
        return Verdict(right=False, sentence=text, counted=False, worked=worked)
    if task.answer in readings:
        return Verdict(right=True, sentence=f"Right: {task.answer.text}.", worked=task.worked)
    text = _feedback(task, readings)
    if given_away:
        text += f" The answer is {task.answer.text}."
    return Verdict(right=False, sentence=text, worked=worked)


def _feedback(task: Task, readings: list[Answer]) -> str:
    """Name the step that went wrong, or else the formula."""
    for reading in readings:
        for mistake in task.mistakes:
            if mistake.answer == reading:
                return f"Not yet. You get {reading.text} if {mistake.step}."
    return f"Not yet. {task.hint}"
