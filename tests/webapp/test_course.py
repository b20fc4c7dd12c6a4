"""The lessons that a page computes without Python answer as Python does."""

import ast
import itertools
import json
import random
import shutil
from typing import Any

import pytest

from convscope.errors import RequestError
from convscope.lessons.course import LESSONS as LAB
from convscope.lessons.course import lesson
from convscope.lessons.exercises import check, exercise
from convscope.webapp.course import baked
from convscope.webapp.course.expressions import Expressions, TranslationError
from convscope.webapp.course.homework import draw_exercises, exercise_to_dict
from convscope.webapp.course.modules import LESSONS
from convscope.webapp.course.variants import variant_of
from convscope.words.json_text import to_json
from tests.webapp.course_in_node import difference, run_all, write_modules
from tests.webapp.course_settings import EVERY_SETTING, SIDES, State

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node runs the page's scripts")


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baked, "SIDES", SIDES)
        return write_modules(tmp_path_factory.mktemp("course"))


def answer(name: str, state: State) -> Any:
    """Python's answer, as the server sends it."""
    try:
        return json.loads(to_json(lesson(name).compute(state)))
    except RequestError as error:
        return {"error": str(error)}


def check_lesson(modules, name: str, states: list[State]) -> None:
    calls = [(f"convscope.lessons.{name}", "compute", state, True) for state in states]
    for state, found in zip(states, run_all(modules, calls), strict=True):
        expected = answer(name, state)
        if name == "maps":
            check_counts(expected, found)
        assert difference(expected, found) is None, state


def check_counts(expected: Any, found: Any) -> None:
    """Compare, and take out, counts of units at zero: rounding decides where a unit belongs."""
    for share in ("below", "zero"):
        assert abs(expected.pop(share) - found.pop(share)) <= 3 / found["map"] ** 2
    one, other = expected.pop("histograms"), found.pop("histograms")
    for when in ("before", "after"):
        bars = zip(one[when]["below"], other[when]["below"], strict=True)
        assert all(abs(a - b) <= 3 for a, b in bars)


@needs_node
def test_lessons_are_computed_as_python_computes_them(modules):
    for name in LESSONS:
        states = [*EVERY_SETTING[name](random.Random(1))]
        check_lesson(modules, name, random.Random(2).sample(states, 4))


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_lessons_are_computed_as_python_computes_them_for_every_setting(modules, name):
    check_lesson(modules, name, [*EVERY_SETTING[name](random.Random(0))])


@needs_node
def test_what_python_refuses_is_refused_in_the_same_words(modules):
    state = {"image": [0] * 36, "kernel": 8, "padding": "0", "filter": "sum", "bias": 0}
    state |= {"at": 0, "layers": 1}
    assert "does not fit" in answer("padding", state)["error"]
    check_lesson(modules, "padding", [state, {**state, "kernel": 9}, {**state, "kernel": 2.5}])
    check_lesson(
        modules, "padding", [{**state, "padding": "none"}, {**state, "image": [None] * 36}]
    )


@needs_node
def test_a_student_has_the_same_variant_in_python_and_in_the_page(modules):
    names = ["Ada Lovelace", " ada  LOVELACE", "7", "0", "101", "Zoë", "李雷", "🦉", ""]
    names += ["Jörg Groß", "STRAẞE", "İpek", "ΣΟΦΟΣ", "١٧", "１７", "0" * 70 + "5"]
    calls = [
        ("convscope.webapp.course.variants", "variant_of", [name, 100], False) for name in names
    ]
    found = run_all(modules, calls)
    assert found == [variant_of(name, 100) for name in names]
    assert found[0] == found[1]
    assert found[2] == 7
    assert all(1 <= variant <= 100 for variant in found)


@needs_node
def test_answers_are_read_and_explained_as_in_the_lab(modules):
    items = [exercise(item.name, seed=3, number=number) for item in LAB for number in (2, 9, 16)]
    calls: list[Any] = []
    expected: list[Any] = []
    for item in items:
        right = item.task.answer.text
        typed = [
            right,
            f"= {right}",
            right.replace("×", " x "),
            "",
            "abc",
            "1e400",
            "½",
            "1,5",
            "50%",
        ]
        typed += [
            "28x28",
            "6@28x28",
            "3/0",
            "12k",
            "b",
            *(m.answer.text for m in item.task.mistakes),
        ]
        for tries, text in zip(itertools.cycle((1, 2, 3)), typed, strict=False):
            verdict = check(item.task, text, tries=tries)
            calls.append(("homework", "check", [exercise_to_dict(item), text, tries], False))
            expected.append([verdict.right, verdict.sentence, verdict.worked is not None])
    assert run_all(modules, calls) == expected
    assert len({sentence for _, sentence, _ in expected}) > 100


def test_variants_are_about_equally_frequent():
    counts = [0] * 10
    for number in range(3000):
        counts[variant_of(f"student {number}", 10) - 1] += 1
    assert 200 < min(counts) <= max(counts) < 400


def test_python_outside_the_subset_is_not_translated():
    for code in ("await x", "1j", "b'x'", "[*a] + (yield)"):
        with pytest.raises(TranslationError, match="cannot translate"):
            Expressions().expression(ast.parse(code, mode="eval").body)


def test_an_exercise_of_a_variant_is_the_labs_exercise_of_that_seed():
    bank = draw_exercises(2, lambda _done, _total: None)
    assert bank["stride"][1][6] == exercise("stride", seed=2, number=7)
    assert {len(numbers) for of in bank.values() for numbers in of} == {16}
