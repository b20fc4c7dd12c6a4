"""Exercises beside a lesson and on a sheet, as a person does them."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.repetition import first_fast


@pytest.fixture
def card(page: Any) -> Any:
    """The lecture's question for 760 parameters."""
    page.goto("/learn/volumes?exercise=2&seed=7")
    page.wait_for_selector(".asking form")
    return page


def query(page: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def answer(page: Any, text: str) -> str:
    """Type an answer, press Enter, and read the verdict."""
    before = page.url
    field = page.get_by_label("Your answer")
    field.fill(text)
    field.press("Enter")
    page.wait_for_function("before => location.href !== before", arg=before)
    page.wait_for_selector(".asking .verdict:not(:empty)")
    return page.inner_text(".asking [role=status]")


def test_a_right_answer_is_said_to_be_right_and_worked_out(card: Any) -> None:
    assert "10 filters of size 5×5" in card.inner_text(".asking")
    assert answer(card, "760 parameters") == "Right: 760."
    assert "10·(5·5·3 + 1)" in card.inner_text(".asking .solution")
    assert not card.get_by_role("button", name="Show the solution").is_visible()


def test_a_wrong_answer_is_explained_by_its_step(card: Any) -> None:
    assert "the biases are forgotten" in answer(card, "750")
    assert card.locator(".asking .solution").count() == 0


def test_the_third_wrong_try_shows_the_solution(card: Any) -> None:
    for text in ("1", "2"):
        assert "760" not in answer(card, text)
    assert "The answer is 760." in answer(card, "3")
    assert card.locator(".asking .solution").is_visible()


def test_what_cannot_be_read_is_no_try(card: Any) -> None:
    assert "expected" in answer(card, "many")
    assert "tries" not in query(card)


def test_an_empty_answer_asks_for_one(card: Any) -> None:
    card.get_by_role("button", name="Check").click()
    card.wait_for_selector(".asking .verdict:not(:empty)")
    assert "no answer yet" in card.inner_text(".asking [role=status]")
    assert card.locator(".asking .solution").count() == 0


def test_the_address_holds_question_answer_and_verdict(card: Any) -> None:
    said = answer(card, "260")
    held = query(card)
    assert (held["exercise"], held["answer"], held["tries"]) == (["2"], ["260"], ["1"])
    question = card.inner_text(".asking p >> nth=0")
    card.reload()
    card.wait_for_selector(".asking .verdict:not(:empty)")
    assert card.inner_text(".asking p >> nth=0") == question
    assert card.inner_text(".asking [role=status]") == said
    assert card.get_by_label("Your answer").input_value() == "260"


def test_the_solution_can_be_asked_for(card: Any) -> None:
    card.get_by_role("button", name="Show the solution").click()
    card.wait_for_selector(".asking .solution")
    assert "The answer is 760." in card.inner_text(".asking [role=status]")


def test_the_next_exercise_begins_without_an_answer(card: Any) -> None:
    answer(card, "750")
    card.get_by_role("button", name="Next exercise").click()
    card.wait_for_function("() => document.querySelector('.asking h3').innerText.includes('3')")
    assert query(card)["exercise"] == ["3"]
    assert card.get_by_label("Your answer").input_value() == ""
    assert card.inner_text(".asking [role=status]") == ""


def test_the_focus_stays_in_the_field_after_enter(card: Any) -> None:
    answer(card, "750")
    card.wait_for_timeout(200)
    assert card.evaluate("document.activeElement.getAttribute('aria-label')") == "Your answer"


def test_every_control_of_the_card_is_reached_by_tab(card: Any) -> None:
    card.get_by_label("Your answer").focus()
    reached = []
    for _ in range(4):
        card.keyboard.press("Tab")
        reached.append(card.evaluate("document.activeElement.innerText"))
    assert reached == ["Check", "Next exercise", "Show the solution", "Print a sheet"]


def test_a_choice_is_made_by_pointing(page: Any) -> None:
    told = next(
        asked
        for number in range(1, 30)
        if (asked := page.request.get(f"/api/lessons/filters/exercises/{number}?seed=7").json())[
            "kind"
        ]
        == "choice"
    )
    page.goto(f"/learn/filters?exercise={told['number']}&seed=7")
    page.wait_for_selector(".asking fieldset")
    assert page.locator(".asking .given").count() == len(told["grids"])
    for choice in told["choices"]:
        page.get_by_role("radio", name=choice, exact=True).check()
        page.get_by_role("button", name="Check").click()
        page.wait_for_function(
            "text => new URLSearchParams(location.search).get('answer') === text", arg=choice
        )
        page.wait_for_selector(".asking .verdict:not(:empty)")
        page.wait_for_timeout(100)
        if "Right" in page.inner_text(".asking [role=status]"):
            return
    pytest.fail("none of the choices was right")


def test_an_exercise_that_does_not_exist_is_told(page: Any) -> None:
    page.goto("/learn/volumes?exercise=4000")
    page.wait_for_selector(".exercise [role=alert]")
    assert "from 1 to 999" in page.inner_text(".exercise")
    page.get_by_role("button", name="Back to the first exercise").click()
    page.wait_for_selector(".asking form")


def test_a_sheet_has_questions_room_and_solutions_apart(page: Any) -> None:
    page.goto("/learn/volumes?seed=9")
    page.wait_for_selector(".asking form")
    page.get_by_role("button", name="Print a sheet").click()
    page.wait_for_selector(".sheet")
    assert urlsplit(page.url).path == "/learn/volumes/sheet"
    told = page.request.get("/api/lessons/volumes/sheet?seed=9&count=8").json()
    exercises = page.locator(".sheet section").nth(0)
    solutions = page.locator(".sheet section").nth(1)
    assert exercises.locator("ol > li").count() == 8
    for asked, solved in zip(told["exercises"], told["solutions"], strict=True):
        assert asked["question"] in exercises.inner_text()
        assert solved["answer"] in solutions.inner_text()
    assert exercises.locator(".room").count() == 8
    assert "760" not in exercises.inner_text()


def test_another_sheet_has_another_seed_in_the_address(page: Any) -> None:
    page.goto("/learn/all/sheet?seed=9&count=4")
    page.wait_for_selector(".sheet")
    first = page.inner_text(".sheet section >> nth=0")
    page.get_by_role("button", name="Another sheet").click()
    page.wait_for_function("() => !location.search.includes('seed=9&')")
    page.wait_for_function(
        "first => document.querySelector('.sheet section').innerText !== first", arg=first
    )
    assert query(page)["count"] == ["4"]
    page.go_back()
    page.wait_for_function(
        "first => document.querySelector('.sheet section').innerText === first", arg=first
    )


def test_on_paper_there_is_no_frame_and_nothing_but_black_on_white(page: Any) -> None:
    page.goto("/learn/convolution/sheet?seed=2&count=4")
    page.wait_for_selector(".sheet")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print")
    for hidden in (".bar", ".sheet .unprinted"):
        assert not page.locator(hidden).is_visible()
    style = page.evaluate(
        "() => { const s = getComputedStyle(document.querySelector('.sheet p'));"
        " const t = getComputedStyle(document.querySelector('.sheet .solutions'));"
        " const c = getComputedStyle(document.querySelector('.sheet .given td'));"
        " return [s.color, t.breakBefore, c.backgroundColor]; }"
    )
    assert style == ["rgb(0, 0, 0)", "page", "rgb(255, 255, 255)"]
    broken = page.evaluate(
        "[...document.querySelectorAll('.sheet ol > li')]"
        ".filter((li) => getComputedStyle(li).breakInside !== 'avoid').length"
    )
    assert broken == 0


@pytest.mark.parametrize(
    "path", first_fast(1, ["/learn/vgg?exercise=1", "/learn/all/sheet?seed=3&count=12"])
)
def test_a_narrow_screen_does_not_scroll_sideways(page: Any, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(path)
    page.wait_for_selector(".asking form, .sheet")
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
