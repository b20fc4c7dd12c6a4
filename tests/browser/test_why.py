"""Why a network answers so, changes and computed pictures, as a person sees and presses them."""

import re
from itertools import pairwise
from typing import Any

import pytest

SLOW = 90_000
"""Milliseconds that computations may take on a busy machine."""


@pytest.fixture
def digits(lab: Any, page: Any) -> tuple[Any, str, str]:
    """The page, and the ids of the run of digits and of its first image."""
    network = page.request.get(f"{lab.address}/api/networks").json()["networks"][0]["id"]
    image = page.request.get(f"{lab.address}/api/networks/{network}").json()["images"][0]["id"]
    return page, network, image


def number_of(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").replace("+", ""))


def is_within_window(page: Any) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def at_390(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    page.set_viewport_size({"width": 1440, "height": 900})


def test_why_is_read_with_the_keyboard_and_its_parts_add_up(digits: tuple[Any, str, str]) -> None:
    page, network, image = digits
    page.goto(f"/look/{network}/{image}?why=default")
    heat = page.locator(".board.heat")
    heat.wait_for(timeout=SLOW)
    assert page.locator("#stage h2").inner_text().startswith("Why ")
    said = page.locator(".why-left .spoken")
    before = said.inner_text()
    heat.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert said.inner_text() != before

    page.get_by_label("and not", exact=True).select_option(index=3)
    page.wait_for_function("() => location.search.includes('not=')")
    card = page.locator(".why-card", has=page.get_by_text("How much of the answer this explains"))
    card.locator(".total").first.wait_for(timeout=SLOW)
    figures = [number_of(text) for text in card.locator(".total data").all_inner_texts()]
    assert figures[-1] == pytest.approx(sum(figures[:-1]), abs=0.002)
    assert is_within_window(page)
    at_390(page)

    page.locator(".board.heat").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".ledger")
    assert re.search(rf"/look/{network}/{image}/\w+/\d+/\d+,\d+\?why=", page.url)


def test_a_change_says_what_becomes_of_the_answers_and_why(digits: tuple[Any, str, str]) -> None:
    page, network, image = digits
    page.goto(f"/look/{network}/{image}/conv2/3/2,2")
    changer = page.locator("details.changer")
    changer.locator("summary").focus()
    page.keyboard.press("Enter")
    changer.get_by_label("How it is changed").select_option("scale")
    changer.get_by_label("factor").fill("-3")
    changer.get_by_role("button", name="Apply").click()
    changer.locator(".verdict").wait_for()
    rows = changer.locator("ul[aria-label='Answers before and after'] li")
    assert rows.count() >= 3

    terms = changer.locator(".changed .parts data")
    changes = [float(one.get_attribute("title").replace("−", "-")) for one in terms.all()]
    totals = [
        float(one.get_attribute("title").replace("−", "-"))
        for one in changer.locator(".changed .total data").all()
    ]
    rest, total, after = totals
    assert total == pytest.approx(sum(changes) + rest, abs=1e-5)
    was = number_of(changer.get_by_text(" was ").inner_text().split(" was ")[1])
    assert after == pytest.approx(was + total, abs=1e-3)
    lefts = {round(row.bounding_box()["x"]) for row in changer.locator(".changed .parts li").all()}
    assert len(lefts) == 1  # one below the other

    changer.get_by_role("button", name="Over all test images").click()
    table = changer.locator("table")
    table.wait_for(timeout=SLOW)
    assert "all images" in table.inner_text()
    at_390(page)
    page.locator("details.changer").get_by_role("button", name=re.compile("^Undo")).click()
    page.locator("details.changer .verdict").wait_for(state="detached")


def test_what_a_layer_still_knows_is_computed_and_stays(digits: tuple[Any, str, str]) -> None:
    page, network, image = digits
    page.goto(f"/look/{network}/{image}/conv2")
    card = page.locator(".exciting", has_text="still knows of this image")
    card.get_by_role("button", name="Compute it").click()
    card.get_by_text("Its values in conv2 differ by").wait_for(timeout=SLOW)
    picture = card.get_by_alt_text("A computed image with the same values in conv2")
    assert picture.evaluate("one => one.naturalWidth") > 0
    own, gray = re.findall(r"by (\d+\.\d)%", card.inner_text())
    assert float(own) < float(gray) / 4
    at_390(page)  # the screen is drawn again on the way
    assert page.get_by_text("Its values in conv2 differ by").count() == 1


def test_long_names_of_classes_stay_within_the_page(digits: tuple[Any, str, str]) -> None:
    """The names come from the lab; here they are made long on their way to the page."""
    page, network, image = digits
    page.route(f"**/api/networks/{network}", lengthen)
    page.goto(f"/look/{network}/{image}?why=default&not=4")
    page.wait_for_selector(".board.heat", timeout=SLOW)
    assert "a medium-sized dog" in page.locator("#stage h2").inner_text()
    assert is_within_window(page)
    sizes = (
        "(all, s) => [...document.querySelectorAll(s)].map(e => e.getBoundingClientRect().right)"
    )
    rights = page.locator("body").evaluate(sizes, ".picture > *")
    assert max(rights) <= page.locator("#stage").bounding_box()["x"] + 4  # an outline
    controls = page.locator(".why-controls select").all()
    boxes = sorted((one.bounding_box() for one in controls), key=lambda box: (box["y"], box["x"]))
    for one, other in pairwise(boxes):
        assert other["y"] > one["y"] or other["x"] >= one["x"] + one["width"]


def lengthen(route: Any) -> None:
    answer = route.fetch()
    told = answer.json()
    told["classes"] = [f"{one}: soft-coated terrier, a medium-sized dog" for one in told["classes"]]
    route.fulfill(response=answer, json=told)
