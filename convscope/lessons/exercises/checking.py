"""Is an answer right, and where not, which step went wrong?"""

from dataclasses import dataclass

from convscope.geometry import Derivation
from convscope.lessons.exercises.answer import Answer
from convscope.lessons.exercises.reading import UnreadableError, read
from convscope.lessons.exercises.task import Task

SOLUTION_TRY = 3
"""From this try on, the solution is shown, right or wrong."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of an answer.

    Attributes:
        right: whether it is right.
        sentence: what a person reads.
        counted: whether it was an answer at all; what cannot be read is no try.
        worked: the solution; None before it is found or given away.
    """

    right: bool
    sentence: str
    counted: bool = True
    worked: Derivation | None = None


def check(task: Task, text: str, *, tries: int = 1) -> Verdict:
    """Judge what a person typed on try number `tries`, counted from 1.

    A wrong answer that a known mistake comes to is told that mistake; any other gets the formula
    in letters. From the third try on the solution comes along; to ask for it is to answer nothing
    on such a try.
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
    """The step that went wrong, or else the formula."""
    for reading in readings:
        for mistake in task.mistakes:
            if mistake.answer == reading:
                return f"Not yet. You get {reading.text} if {mistake.step}."
    return f"Not yet. {task.hint}"
