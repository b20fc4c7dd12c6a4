"""The focus, the caret and what was typed outlive a redraw, on every screen."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.browser import fake_runs
from tests.repetition import first_fast

# Draw again; true once the element that had the focus is another one, with the same name.
_REDRAWN = """
() => {
  const before = window.focused;
  const after = document.activeElement;
  const name = (node) => node.getAttribute("aria-label") ?? node.textContent;
  return after !== before && after.tagName === before.tagName && name(after) === name(before);
}
"""


@pytest.fixture
def runs(lab: Any, digits_run: Path) -> None:
    """Two runs that can be compared."""
    lab.runs.mkdir(exist_ok=True)
    for name in ("left", "right"):
        if not (lab.runs / name).exists():
            fake_runs.copied(digits_run, lab.runs, name)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("path", "selector"),
    first_fast(
        8,  # a screen each
        [
            ("/", "#stage .box.current, #stage .box"),
            ("/look/digits/IMAGE/conv2", "#stage .map"),
            ("/look/digits/IMAGE/conv2/3/4,5", "#stage .cell[tabindex='0']"),
            ("/compare?runs=left~right", "button[aria-label='Equal settings']"),
            ("/learn", "#stage .course a >> nth=3"),
            ("/learn/convolution", ".scenes .lattice button >> nth=3"),
            ("/learn/lenet5", "[aria-label='layer C3'], .layer-table button"),
            ("/train", "#bar [aria-current=page]"),
            ("/", "#stage table a"),
            ("/", "#bar select"),
            ("/look/digits/IMAGE/conv2?rank=importance", "#stage .pill[aria-pressed=true]"),
            ("/look/digits/IMAGE/conv2/3/4,5", "#stage .side .board"),
            ("/look/digits/IMAGE/conv2/3/4,5", "#stage .follow"),
            ("/compare?runs=left~right", "select[aria-label='Add a run']"),
            ("/learn/convolution", "[aria-label='Filter size more']"),
            ("/learn/maps", "[aria-label='Bias']"),
        ],
    ),
)
def test_the_focus_stays_when_a_screen_is_drawn_again(
    lab: Any, page: Any, path: str, selector: str
) -> None:
    if "IMAGE" in path:
        images = page.request.get(f"{lab.address}/api/networks/digits").json()["images"]
        path = path.replace("IMAGE", images[0]["id"])
    page.goto(path)
    node = page.locator(selector).first
    node.wait_for()
    node.focus()
    page.evaluate("window.focused = document.activeElement; dispatchEvent(new Event('redraw'))")
    page.wait_for_function(_REDRAWN)


@pytest.mark.parametrize(
    ("path", "selector"),
    first_fast(
        2,
        [
            ("/learn/convolution", ".lattice[aria-label=filter] input >> nth=4"),
            ("/learn/size", "[aria-label='Input size'] input"),
            ("/learn/training", "input[aria-label='Learning rate']"),
            ("/learn/convolution", "input[aria-label='Your answer']"),
        ],
    ),
)
def test_a_field_keeps_its_text_and_its_caret(page: Any, path: str, selector: str) -> None:
    page.goto(path)
    field = page.locator(selector).first
    field.wait_for()
    field.focus()
    field.fill("12")  # drawn again by itself where the numbers depend on it
    page.wait_for_timeout(300)
    page.evaluate("document.activeElement.setSelectionRange(1, 2)")
    page.evaluate("window.focused = document.activeElement; dispatchEvent(new Event('redraw'))")
    page.wait_for_timeout(300)
    state = page.evaluate(
        "(({value, selectionStart, selectionEnd}) => [value, selectionStart, selectionEnd])"
        "(document.activeElement)"
    )
    assert state == ["12", 1, 2]


def test_what_is_no_number_yet_is_kept_and_marked(page: Any) -> None:
    page.goto("/learn/convolution")
    field = page.locator(".lattice[aria-label=image] input").first
    field.wait_for()
    field.fill("−")
    page.evaluate("dispatchEvent(new Event('redraw'))")
    page.wait_for_timeout(300)
    after = page.locator(".lattice[aria-label=image] input").first
    assert after.input_value() == "−"
    assert after.get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.value") == "−"


@pytest.mark.parametrize(
    "seconds", first_fast(1, [0.5, 0])
)  # after 0.3 the stage says what it waits for
def test_an_operand_that_is_followed_leaves_the_focus_on_the_stage(
    lab: Any, page: Any, seconds: float
) -> None:
    images = page.request.get(f"{lab.address}/api/networks/digits").json()["images"]
    page.goto(f"/look/digits/{images[0]['id']}/conv2/3/4,5")
    cell = page.locator("#stage button.cell[tabindex='0']").first
    cell.wait_for()
    cell.focus()

    def answer(route: Any) -> None:
        time.sleep(seconds)
        route.continue_()

    page.route("**/api/**", answer)
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.pathname.split('/')[4] === 'pool1'")
    page.locator("#stage h2", has_text="pool1").wait_for()
    page.wait_for_function(
        "() => document.querySelector('#stage').contains(document.activeElement)"
    )
