"""An exercise for another program: its question as HTML, and what it takes for an answer."""

from dataclasses import dataclass
from fractions import Fraction

from convscope.lessons.exercises import Exercise
from convscope.lessons.exercises.answer import Answer
from convscope.lessons.exercises.task import Task
from convscope.words import escape_html

_ROUNDED = 2000  # an answer with endless decimals may differ by this part of it


@dataclass(frozen=True)
class Accepted:
    """A spelling of an answer that another program compares, and what is said of it."""

    text: str
    feedback: str
    right: bool = False


def name_of(item: Exercise) -> str:
    """A name that sorts by lesson, exercise and variant."""
    return f"{item.lesson} {item.number:02d}, variant {item.seed:03d}"


def question_html(task: Task) -> str:
    """The question with its matrices and its table, and an example of how to answer."""
    form = task.answer.form.partition(" or ")[0]
    return statement_html(task) + (f"<p>For example: {escape_html(form)}</p>" if form else "")


def statement_html(task: Task) -> str:
    """The question with its matrices and its table."""
    grids = (f"<p>{escape_html(grid.title)}</p>{_table(grid.rows)}" for grid in task.grids)
    table = _table(task.table.rows, task.table.head) if task.table else ""
    return f"<p>{escape_html(task.question)}</p>{''.join(grids)}{table}"


def solution_html(task: Task) -> str:
    """The answer, and the formulas with their numbers."""
    rows = "".join(
        f"<li>{escape_html(' '.join(filter(None, (name, value, formula and f'({formula})'))))}</li>"
        for name, value, formula in task.worked.rows
    )
    remarks = "".join(f"<p>{escape_html(remark)}</p>" for remark in task.worked.remarks)
    return f"<p>{escape_html(task.answer.text)}</p><ul>{rows}</ul>{remarks}"


def accepted(task: Task) -> list[Accepted]:
    """The right answer, then what mistakes lead to, each in all spellings; none twice."""
    found: dict[str, Accepted] = {}
    for spelling in spellings(task.answer):
        found.setdefault(spelling, Accepted(spelling, "Right.", right=True))
    for mistake in task.mistakes:
        for spelling in spellings(mistake.answer):
            said = f"Not yet. You get {mistake.answer.text} if {mistake.step}."
            found.setdefault(spelling, Accepted(spelling, said))
    return [*found.values()]


def spellings(answer: Answer) -> list[str]:
    """How an answer may be typed where a program compares texts; of a number, its decimals."""
    match answer.value:
        case str() as text:
            return [text]
        case Fraction() as value:
            return [decimal(value)]
        case (height, width):
            return [f"{height}{sign}{width}" for sign in "x×*"]
        case (channels, height, width):
            signs = [f"{height}{sign}{width}" for sign in "x×*"]
            before = [f"{channels}@{sides}" for sides in signs]
            after = [f"{height}{sign}{width}{sign}{channels}" for sign in "x×*"]
            return [*before, *after]
        case _:
            raise ValueError(f"{answer.value} is no answer")


def decimal(value: Fraction) -> str:
    """A number in decimals, exact where they end before the twelfth digit."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.12g}"


def tolerance(answer: Answer) -> float:
    """By how much a typed number may differ: nothing, unless its decimals are endless."""
    if not answer.endless or not isinstance(answer.value, Fraction):
        return 0.0
    return abs(float(answer.value)) / _ROUNDED


def _table(rows: tuple[tuple[object, ...], ...], head: tuple[str, ...] = ()) -> str:
    above = f"<thead>{_row(head, 'th')}</thead>" if head else ""
    return f"<table>{above}<tbody>{''.join(_row(row, 'td') for row in rows)}</tbody></table>"


def _row(cells: tuple[object, ...], tag: str) -> str:
    texts = (str(cell).replace("-", "−", 1) for cell in cells)
    return f"<tr>{''.join(f'<{tag}>{escape_html(text)}</{tag}>' for text in texts)}</tr>"
