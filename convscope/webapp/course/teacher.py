"""The teacher's sheet: for each variant or student the answers to all exercises."""

from collections.abc import Sequence

from convscope.lessons.course import LESSONS
from convscope.webapp.course.exported_question import statement_html
from convscope.webapp.course.homework import Bank
from convscope.webapp.course.variants import variant_of
from convscope.words import escape_html

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 24px; color: #1b1c1e; background: #fff; }
table { border-collapse: collapse; margin: 8px 0 24px; }
th, td { border: 1px solid #84878c; padding: 2px 8px; text-align: left; vertical-align: top; }
p { margin: 2px 0; }
td table { margin: 2px 0 6px; }
summary { cursor: pointer; padding: 4px 0; }
"""


def teacher_html(bank: Bank, students: Sequence[str]) -> str:
    """Solutions by student, if there are any, else by variant."""
    variants = len(bank[LESSONS[0].name])
    if students:
        people = [(student, variant_of(student, variants)) for student in students]
    else:
        people = [("", variant + 1) for variant in range(variants)]
    parts = "".join(_person(bank, name, variant) for name, variant in people)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Solutions for the teacher</title><style>{_STYLE}</style></head><body>"
        "<h1>Solutions for the teacher</h1><p>Not for students. A variant follows from the name "
        f"that a student types; {len(people)} of them are below.</p>{parts}</body></html>\n"
    )


def _person(bank: Bank, name: str, variant: int) -> str:
    title = f"{name}: variant {variant}" if name else f"Variant {variant}"
    lessons = "".join(_lesson(bank, entry.name, entry.title, variant) for entry in LESSONS)
    return f"<details><summary>{escape_html(title)}</summary>{lessons}</details>\n"


def _lesson(bank: Bank, lesson: str, title: str, variant: int) -> str:
    rows = "".join(
        f"<tr><td>{item.number}</td><td>{statement_html(item.task)}</td>"
        f"<td><b>{escape_html(item.task.answer.text)}</b></td>"
        f"<td>{escape_html('; '.join(formula for *_, formula in item.task.worked.rows if formula))}"
        "</td></tr>"
        for item in bank[lesson][variant - 1]
    )
    return (
        f"<h2>{escape_html(title)}</h2><table><thead><tr><th>No.</th><th>Question</th>"
        f"<th>Answer</th><th>How</th></tr></thead><tbody>{rows}</tbody></table>"
    )
