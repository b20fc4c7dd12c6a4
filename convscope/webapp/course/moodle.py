"""Exercises as a question bank for Moodle: XML, a category for each exercise of a lesson.

Format: https://docs.moodle.org/en/Moodle_XML_format. A quiz that draws one random question of each
category gives every student another variant.
"""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from convscope.lessons.exercises import Exercise
from convscope.webapp.course.exported_question import (
    accepted,
    name_of,
    question_html,
    solution_html,
    tolerance,
)
from convscope.webapp.course.homework import Bank
from convscope.words import escape_html

_TYPES = {"volume": "shortanswer", "size": "shortanswer", "whole": "numerical",
          "number": "numerical", "choice": "multichoice"}  # fmt: skip

_TABLE = '<table border="1" cellpadding="4">'


def moodle_xml(bank: Bank) -> str:
    """All exercises; the lecture's own, which have no variants, once."""
    quiz = ET.Element("quiz")
    for number_of, items in categories(bank):
        category = ET.SubElement(quiz, "question", type="category")
        _text(ET.SubElement(category, "category"), f"$course$/top/convscope/{number_of}")
        for item in items:
            quiz.append(_question(item))
    ET.indent(quiz)
    return ET.tostring(quiz, encoding="unicode", xml_declaration=True) + "\n"


def categories(bank: Bank) -> Iterator[tuple[str, list[Exercise]]]:
    """By lesson and number the variants, each question once."""
    for lesson, variants in bank.items():
        for numbers in zip(*variants, strict=True):
            different = {_key(item): item for item in reversed(numbers)}
            items = sorted(different.values(), key=lambda item: item.seed)
            yield f"{lesson}/{numbers[0].number:02d}", items


def _key(item: Exercise) -> object:
    return item.task.question, item.task.grids, item.task.table, item.task.choices


def _question(item: Exercise) -> ET.Element:
    task = item.task
    kind, hint = _TYPES[task.answer.kind], f"Not yet. {task.hint}"
    question = ET.Element("question", type=kind)
    _text(ET.SubElement(question, "name"), name_of(item))
    _html(question, "questiontext", question_html(task).replace("<table>", _TABLE))
    _html(question, "generalfeedback", solution_html(task))
    ET.SubElement(question, "defaultgrade").text = "1"
    ET.SubElement(question, "penalty").text = "0.3333333"
    ET.SubElement(question, "hidden").text = "0"
    if kind == "shortanswer":
        ET.SubElement(question, "usecase").text = "0"
    if kind == "multichoice":
        ET.SubElement(question, "single").text = "true"
        ET.SubElement(question, "shuffleanswers").text = "false"
        ET.SubElement(question, "answernumbering").text = "abc"
    said = {one.text: one for one in accepted(task)}
    offered = task.choices if kind == "multichoice" else said
    for text in offered:
        one = said.get(text)
        answer = ET.SubElement(
            question,
            "answer",
            fraction="100" if one and one.right else "0",
            format="html" if kind == "multichoice" else "moodle_auto_format",
        )
        ET.SubElement(answer, "text").text = (
            text.replace("*", "\\*") if kind == "shortanswer" else text
        )
        if kind == "numerical":
            limit = tolerance(task.answer) if one and one.right else 0
            ET.SubElement(answer, "tolerance").text = f"{limit:.6g}"
        _html(answer, "feedback", escape_html(one.feedback if one else hint))
    if kind != "multichoice":
        answer = ET.SubElement(question, "answer", fraction="0", format="moodle_auto_format")
        ET.SubElement(answer, "text").text = "*"
        if kind == "numerical":
            ET.SubElement(answer, "tolerance").text = "0"
        _html(answer, "feedback", escape_html(hint))
    return question


def _html(parent: ET.Element, tag: str, text: str) -> None:
    _text(ET.SubElement(parent, tag, format="html"), text)


def _text(parent: ET.Element, text: str) -> None:
    ET.SubElement(parent, "text").text = text
