"""The course: its lessons, their names, and what each is asked through."""

import re
from pathlib import Path

import pytest

import convscope.lessons
from convscope.errors import RequestError
from convscope.lessons.course import LESSONS, lesson

ROOT = Path(convscope.lessons.__file__).parent
PAGE = ROOT.parent / "webapp/static/lessons"


def test_lessons_have_names_and_titles_of_their_own():
    names, titles = {one.name for one in LESSONS}, {one.title for one in LESSONS}
    assert len(names) == len(titles) == len(LESSONS)


def test_the_documents_say_how_many_lessons_there_are():
    words = {20: "twenty", 21: "twenty-one", 22: "twenty-two"}
    for name in ("README.md", "docs/lab.md", "docs/tutorials/lecture.md"):
        text = (ROOT.parents[1] / name).read_text(encoding="utf-8").lower()
        assert f"{words[len(LESSONS)]} lessons" in text, name


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_every_lesson_has_its_numbers_and_its_page(one):
    assert "def compute(" in (ROOT / f"{one.name}.py").read_text(encoding="utf-8")
    assert "export const lesson" in (PAGE / f"{one.name}.js").read_text(encoding="utf-8")
    assert re.fullmatch(r"[a-z0-9]+", one.name), "a name is part of an address"


@pytest.mark.parametrize("one", LESSONS, ids=lambda one: one.name)
def test_every_lesson_refuses_a_state_that_holds_nothing(one):
    with pytest.raises(RequestError):
        one.compute({})


def test_a_lesson_is_found_by_its_name_and_a_slip_is_guessed():
    assert lesson("padding").title == "A border of zeros"
    with pytest.raises(RequestError, match=r"no lesson 'paddin'\. Did you mean 'padding'"):
        lesson("paddin")
