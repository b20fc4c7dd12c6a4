"""The course: its lessons, their names, and what each is asked through."""

import re
from pathlib import Path

import pytest

import convscope.lessons
from convscope.errors import RequestError
from convscope.lessons.course import LESSONS, lesson

ROOT = Path(convscope.lessons.__file__).parent
PAGE = ROOT.parent / "webapp/static/lessons"


def test_the_course_has_twelve_lessons_with_names_and_titles_of_their_own():
    assert len(LESSONS) == 12
    assert len({one.name for one in LESSONS}) == len({one.title for one in LESSONS}) == 12


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
