"""A course opened from disk, offline: its figures are Python's, and it asks nobody."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import convscope
from convscope.lessons.course import LESSONS
from convscope.lessons.exercises import exercise
from convscope.lessons.lenet5 import compute as lenet5
from convscope.lessons.training import compute as training
from convscope.webapp.course import baked
from convscope.webapp.course.variants import variant_of
from tests.browser.axe import AXE, serious_faults

VARIANTS = 3
_NUMBER = re.compile(r"−?[0-9]+\.?[0-9]*")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small course: few sizes of LeNet-5's image, few filters to remove."""
    folder: Path = tmp_path_factory.mktemp("course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baked, "SIDES", (28, 32, 40))
        patch.setattr(baked, "MOST_REMOVED", 1)
        return convscope.save_course(folder / "out", variants=VARIANTS).as_uri()


@pytest.fixture
def page(chromium: Any, address: str) -> Iterator[Any]:
    """A new student's browser; only the page itself is requested, and there is no error."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, offline=True)
    context.set_default_timeout(15_000)
    page = context.new_page()
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    go(page, address, "/learn")
    yield page
    context.close()
    assert {url.split("#")[0] for url in asked} == {address}
    assert told == []


def go(page: Any, address: str, path: str) -> None:
    page.goto(f"{address}#{path}")
    page.wait_for_selector("#stage h2")
    if path.count("/") == 2:
        page.wait_for_selector(".scenes > *")


@pytest.mark.parametrize("width", [1440, 390])
def test_every_lesson_opens_without_serious_faults(page: Any, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    for name in ("", *(f"/{item.name}" for item in LESSONS), "/stride/exercises"):
        go(page, address, f"/learn{name}")
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert page.locator(".refusal").count() == 0, name
        if AXE.exists():
            assert serious_faults(page) == [], name


def test_a_typed_cell_changes_the_sums(page: Any, address: str) -> None:
    go(page, address, "/learn/convolution")
    before = page.inner_text(".scenes")
    page.locator(".scenes input").first.fill("7.5")
    page.keyboard.press("Enter")
    page.wait_for_function(
        "(old) => document.querySelector('.scenes').innerText !== old", arg=before
    )
    assert "7.5×" in page.inner_text(".scenes")


def test_figures_of_tables_and_of_steps_are_pythons(page: Any, address: str) -> None:
    go(page, address, "/learn/lenet5?classes=26&side=40")
    state = {"network": "lecture", "classes": 26, "side": 40, "row": 0, "column": 0}
    assert f"{lenet5(state)['parameters']:,}" in page.inner_text(".scenes")
    go(page, address, "/learn/training?step=25&weights_seed=7&batch=10")
    state = {
        "image": "ring", "target": [1, 0, -1, 2, 0, -2, 1, 0, -1], "weights_seed": 7, "step": 25,
        "rate": 0.05, "momentum": 0.9, "decay": 0, "batch": 10, "at": 0, "logits": [2, 1, -1],
        "right": 0,
    }  # fmt: skip
    expected = training(state)["weights"]
    shown = page.locator(".scenes [title]").evaluate_all("(all) => all.map((one) => one.title)")
    found = [float(text.replace("−", "-")) for text in shown if _NUMBER.fullmatch(text)]
    assert all(any(abs(value - weight) < 1e-5 for value in found) for weight in expected)


def test_removing_filters_counts_what_python_counted(page: Any, address: str) -> None:
    go(page, address, "/learn/filters?layer=conv2&removed=3")
    assert "without 3" in page.inner_text(".scenes")
    go(page, address, "/learn/filters?layer=conv2&removed=3_4")
    page.wait_for_selector(".refusal")
    assert "up to 1 filter" in page.inner_text(".refusal")


def test_a_name_chooses_the_variant_and_progress_stays(page: Any, address: str) -> None:
    page.get_by_label("Your name or number").fill("Ada Lovelace")
    page.get_by_role("button", name="Use this name").click()
    variant = variant_of("Ada Lovelace", VARIANTS)
    page.get_by_text(f"You have variant {variant} of {VARIANTS}").wait_for()
    go(page, address, "/learn/stride/exercises?exercise=6")
    task = exercise("stride", seed=variant, number=6).task
    page.get_by_text(task.question).wait_for()
    assert page.locator(".scenes").count() == 0
    assert page.locator(".solution").count() == 0
    page.get_by_label("Your answer").fill(task.answer.text)
    page.get_by_role("button", name="Check").click()
    page.get_by_text(f"Right: {task.answer.text}.").wait_for()
    page.get_by_role("button", name="6 ✓ solved").wait_for()
    page.reload()
    go(page, address, "/learn")
    page.get_by_text(f"1 of {16 * len(LESSONS)} exercises solved").wait_for()
    page.get_by_text("A result to hand in").click()
    result = page.get_by_label("Result to hand in").input_value()
    assert result == f"Ada Lovelace, variant {variant}: stride 1/16"
    page.get_by_label("Your name or number").fill(str(variant % VARIANTS + 1))
    page.get_by_role("button", name="Use this name").click()
    page.get_by_text(f"0 of {16 * len(LESSONS)} exercises solved").wait_for()
    page.get_by_text(f"Also solved in this browser: 1 of variant {variant}.").wait_for()


def test_a_wrong_answer_is_explained_and_a_shown_solution_is_not_solved(
    page: Any, address: str
) -> None:
    task = exercise("padding", seed=2, number=9).task
    go(page, address, "/learn/padding/exercises?exercise=9&seed=2")
    mistake = task.mistakes[0]
    if task.answer.kind == "choice":
        page.get_by_label(mistake.answer.text, exact=True).check()
    else:
        page.get_by_label("Your answer").fill(mistake.answer.text)
    page.get_by_role("button", name="Check").click()
    page.get_by_text(f"You get {mistake.answer.text} if {mistake.step}.").wait_for()
    page.get_by_role("button", name="Show the solution").click()
    page.get_by_role("button", name="9 – solution shown").wait_for()


def test_an_exercise_beyond_the_last_is_refused_with_a_way_back(page: Any, address: str) -> None:
    go(page, address, "/learn/padding/exercises?exercise=99")
    page.get_by_text("There is no exercise 99.").wait_for()
    page.get_by_role("button", name="Back to the first exercise").click()
    page.get_by_role("heading", name="Exercise 1").wait_for()
