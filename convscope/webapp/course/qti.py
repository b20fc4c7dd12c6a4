"""Exercises as items of IMS QTI 2.1: a package that other learning platforms import.

Each item has one interaction, the right spellings, and feedback for known mistakes. Specification:
https://www.imsglobal.org/question/qtiv2p1/imsqti_infov2p1.html
"""

import io
import zipfile
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from convscope.lessons.exercises import Exercise
from convscope.webapp.course.exported_question import (
    Accepted,
    accepted,
    name_of,
    question_html,
    tolerance,
)
from convscope.webapp.course.homework import Bank
from convscope.webapp.course.moodle import categories

_ITEM = "http://www.imsglobal.org/xsd/imsqti_v2p1"
_PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
_DATE = (2020, 1, 1, 0, 0, 0)  # of the files in the archive: the same exercises, the same bytes


def qti_package(bank: Bank) -> bytes:
    """A zip file with a manifest and one file for each exercise."""
    items = [item for _, of in categories(bank) for item in of]
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as package:
        _write(package, "imsmanifest.xml", _manifest(items))
        for item in items:
            _write(package, f"{_identifier(item)}.xml", qti_item(item))
    return data.getvalue()


def _write(package: zipfile.ZipFile, name: str, root: ET.Element) -> None:
    text = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    package.writestr(zipfile.ZipInfo(name, _DATE), text, zipfile.ZIP_DEFLATED)


def _identifier(item: Exercise) -> str:
    return f"{item.lesson}-{item.number:02d}-{item.seed:03d}"


def _manifest(items: Iterable[Exercise]) -> ET.Element:
    root = ET.Element("manifest", xmlns=_PACKAGE, identifier="convscope-course")
    metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, "schema").text = "QTIv2.1 Package"
    ET.SubElement(metadata, "schemaversion").text = "1.0.0"
    ET.SubElement(root, "organizations")
    resources = ET.SubElement(root, "resources")
    for item in items:
        name = f"{_identifier(item)}.xml"
        resource = ET.SubElement(
            resources,
            "resource",
            identifier=f"RES-{_identifier(item)}",
            type="imsqti_item_xmlv2p1",
            href=name,
        )
        ET.SubElement(resource, "file", href=name)
    return root


def qti_item(item: Exercise) -> ET.Element:
    """One `assessmentItem`: declarations, the body, the processing of the response, feedback."""
    task = item.task
    is_choice, is_number = task.answer.kind == "choice", task.answer.kind in ("whole", "number")
    said = accepted(task)
    root = ET.Element("assessmentItem", xmlns=_ITEM, identifier=_identifier(item),
                      title=name_of(item), adaptive="false", timeDependent="false")  # fmt: skip
    kind = "float" if is_number else "identifier" if is_choice else "string"
    response = ET.SubElement(
        root, "responseDeclaration", identifier="RESPONSE", cardinality="single", baseType=kind
    )
    names = {text: f"C{place}" for place, text in enumerate(task.choices)}
    right = next(one for one in said if one.right)
    correct = ET.SubElement(response, "correctResponse")
    ET.SubElement(correct, "value").text = names.get(right.text, right.text)
    _outcome(root, "SCORE", "float", "0")
    _outcome(root, "FEEDBACK", "identifier", None)
    body = ET.SubElement(root, "itemBody")
    body.append(ET.fromstring(f"<div>{question_html(task)}</div>"))  # noqa: S314 -- our own text
    _interaction(body, names)
    _processing(root, said, names, kind, tolerance(task.answer))
    for place, one in enumerate(said):
        _feedback(root, f"F{place}", one.feedback)
    _feedback(root, "OTHER", f"Not yet. {task.hint}")
    return root


def _outcome(root: ET.Element, name: str, kind: str, start: str | None) -> None:
    outcome = ET.SubElement(
        root, "outcomeDeclaration", identifier=name, cardinality="single", baseType=kind
    )
    if start is not None:
        ET.SubElement(ET.SubElement(outcome, "defaultValue"), "value").text = start


def _interaction(body: ET.Element, names: dict[str, str]) -> None:
    if not names:
        paragraph = ET.SubElement(body, "p")
        ET.SubElement(
            paragraph, "textEntryInteraction", responseIdentifier="RESPONSE", expectedLength="15"
        )
        return
    choice = ET.SubElement(
        body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle="false", maxChoices="1"
    )
    for text, name in names.items():
        ET.SubElement(choice, "simpleChoice", identifier=name).text = text


def _processing(
    root: ET.Element, said: list[Accepted], names: dict[str, str], kind: str, limit: float
) -> None:
    """Compare the response with each spelling in turn; what none of them is gets the hint."""
    condition = ET.SubElement(ET.SubElement(root, "responseProcessing"), "responseCondition")
    for place, one in enumerate(said):
        branch = ET.SubElement(condition, "responseElseIf" if place else "responseIf")
        _comparison(branch, names.get(one.text, one.text), kind, limit if one.right else 0)
        _set(branch, "SCORE", "float", "1" if one.right else "0")
        _set(branch, "FEEDBACK", "identifier", f"F{place}")
    _set(ET.SubElement(condition, "responseElse"), "FEEDBACK", "identifier", "OTHER")


def _comparison(branch: ET.Element, value: str, kind: str, limit: float) -> None:
    if kind == "float":
        mode = {"toleranceMode": "absolute", "tolerance": f"{limit:.6g}"}
        test = ET.SubElement(branch, "equal", mode if limit else {"toleranceMode": "exact"})
    elif kind == "string":
        test = ET.SubElement(branch, "stringMatch", caseSensitive="false")
    else:
        test = ET.SubElement(branch, "match")
    ET.SubElement(test, "variable", identifier="RESPONSE")
    ET.SubElement(test, "baseValue", baseType=kind).text = value


def _set(branch: ET.Element, name: str, kind: str, value: str) -> None:
    outcome = ET.SubElement(branch, "setOutcomeValue", identifier=name)
    ET.SubElement(outcome, "baseValue", baseType=kind).text = value


def _feedback(root: ET.Element, name: str, text: str) -> None:
    feedback = ET.SubElement(
        root, "modalFeedback", outcomeIdentifier="FEEDBACK", identifier=name, showHide="show"
    )
    feedback.text = text
