"""Lessons on filters, volumes, stride and padding: edit a cell, and read what becomes of it."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convscope.lessons.course import LESSONS
from convscope.lessons.walk import compute_walk
from tests.repetition import first_fast

ROWS = ("517781", "725781", "535442", "443321", "334781", "578231")
IMAGE = np.array([[int(digit) for digit in row] for row in ROWS])
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
LATE = """
const { fetch } = window;
window.fetch = async (...asked) => {
  await new Promise((go) => setTimeout(go, 400));
  return fetch(...asked);
};
"""
Open = Callable[..., Any]


@pytest.fixture
def lesson(page: Any) -> Open:
    """Open a lesson, with what its address asks for, once its scene is drawn."""

    def show(name: str, asking: str = "") -> Any:
        page.goto(f"/learn/{name}?{asking}")
        page.wait_for_selector(".scenes > *")
        return page

    return show


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def values(page: Any, label: str) -> list[float]:
    """The figures of a lattice, row by row."""
    cells = page.locator(f'.lattice[aria-label="{label}"] .cell')
    texts = cells.evaluate_all("all => all.map((one) => one.value || one.textContent)")
    return [number(text) for text in texts]


def field(page: Any, label: str, row: int, column: int) -> Any:
    return page.locator(f'input[aria-label="{label} row {row}, column {column}"]')


def wait_for_map(page: Any, wanted: Any) -> None:
    """Wait until the map shows these numbers; else the assertion says what it shows."""
    for _ in range(100):
        if values(page, "map") == pytest.approx([*np.ravel(wanted)], abs=0.006):
            return
        page.wait_for_timeout(50)
    assert values(page, "map") == pytest.approx([*np.ravel(wanted)], abs=0.006)


def correlated(image: Any, weights: Any, stride: int = 1) -> list[float]:
    side, kernel = len(image), len(weights)
    starts = range(0, side - kernel + 1, stride)
    return [
        float((image[y : y + kernel, x : x + kernel] * weights).sum())
        for y in starts
        for x in starts
    ]


def test_the_lectures_sums_stand_on_the_page_and_in_the_sentence(lesson: Open) -> None:
    page = lesson("convolution")
    assert values(page, "map")[:3] == [2, -17, -6]
    page.get_by_label("map row 0, column 1").click()
    page.wait_for_selector("text== −17")
    assert "The sum is −17." in page.locator("#said").text_content()
    told = page.locator(".sentence").inner_text()
    terms = re.findall(r"(\d+)×\(?(−?\d+)\)?", told)
    assert len(terms) == 9
    assert sum(number(value) * number(weight) for value, weight in terms) == -17
    assert "would give 17 here" in page.inner_text(".scenes")


def test_a_cell_that_is_typed_changes_the_map_and_the_caret_stays(lesson: Open) -> None:
    page = lesson("convolution")
    cell = field(page, "image", 1, 1)
    cell.focus()
    page.keyboard.type("-12,5")
    image = IMAGE.astype(float)
    image[1, 1] = -12.5
    wait_for_map(page, correlated(image, SOBEL))
    assert cell.input_value() == "-12,5"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    image[1, 1] = -2.5
    wait_for_map(page, correlated(image, SOBEL))
    caret = "() => [document.activeElement.value, document.activeElement.selectionStart]"
    assert page.evaluate(caret) == ["-2,5", 1]
    page.reload()
    page.wait_for_selector(".scenes .lattice")
    wait_for_map(page, correlated(image, SOBEL))
    assert number(field(page, "image", 1, 1).input_value()) == -2.5


@pytest.mark.parametrize(
    "typed", first_fast(2, ["-", "", "1e9", "1e", "1.2.3", "0x10", "Infinity", "--1"])
)
def test_what_is_no_number_yet_is_waited_for_and_then_forgotten(lesson: Open, typed: str) -> None:
    page = lesson("convolution")
    cell = field(page, "image", 2, 2)
    cell.fill("4")
    image = IMAGE.copy()
    image[2, 2] = 4
    wait_for_map(page, correlated(image, SOBEL))
    before = page.url
    cell.evaluate(
        "(one, text) => { one.value = text; one.dispatchEvent(new Event('input')); }", typed
    )
    assert cell.get_attribute("aria-invalid") == "true"
    page.keyboard.press("Tab")
    assert cell.input_value() == "4"
    assert cell.get_attribute("aria-invalid") is None
    assert page.url == before
    wait_for_map(page, correlated(image, SOBEL))


def test_cells_typed_while_answers_come_late_are_all_kept(lesson: Open, page: Any) -> None:
    lesson("convolution")
    page.evaluate(LATE)
    image = IMAGE.copy()
    for column in range(6):
        field(page, "image", 0, column).focus()
        page.keyboard.type(str(20 + column))
        image[0, column] = 20 + column
    wait_for_map(page, correlated(image, SOBEL))
    assert values(page, "image")[:6] == [20, 21, 22, 23, 24, 25]


def test_tab_leads_to_one_cell_of_a_lattice_and_the_arrows_to_the_others(lesson: Open) -> None:
    page = lesson("convolution")
    name = "() => document.activeElement.getAttribute('aria-label')"
    field(page, "image", 0, 0).focus()
    for key, wanted in (("ArrowRight", (0, 1)), ("ArrowDown", (1, 1)), ("ArrowLeft", (1, 0))):
        page.keyboard.press(key)
        assert page.evaluate(name) == "image row {}, column {}".format(*wanted)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(name) == "image row 1, column 0"
    page.keyboard.press("Tab")
    assert page.evaluate(name) == "filter row 0, column 0"
    page.keyboard.press("Tab")
    assert page.evaluate(name) == "map row 0, column 0: 2"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("text== −17")
    assert page.evaluate(name) == "map row 0, column 1: −17"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(name) == "image row 1, column 0"


def test_filters_of_1_and_of_6_fit_and_a_stepper_keeps_the_focus_at_its_end(lesson: Open) -> None:
    page = lesson("convolution")
    more = page.get_by_label("Filter size more")
    more.focus()
    for _ in range(4):  # once too often
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
    left = np.zeros((6, 6))
    left[:, 0], left[:, -1] = 1, -1
    wait_for_map(page, correlated(IMAGE, left))
    assert page.evaluate("() => document.activeElement.ariaLabel") == "Filter size more"
    for _ in range(6):
        page.get_by_label("Filter size less").press("Enter")
        page.wait_for_timeout(200)
    wait_for_map(page, IMAGE)
    page.get_by_text("Start again").click()
    wait_for_map(page, correlated(IMAGE, SOBEL))
    assert "?" not in page.url


def test_the_filter_slides_over_all_places_pauses_and_stops_when_left(lesson: Open) -> None:
    page = lesson("convolution", "kernel=5&filter=" + "_".join(["1"] * 25))
    page.get_by_label("Slide the filter, or pause").click()
    page.wait_for_selector("text=Pause")
    reached = (
        "() => [document.querySelectorAll('.lattice[aria-label=map] button').length,"
        " parseInt(document.querySelector('.slide + .caption').textContent)]"
    )
    filled, place = page.evaluate(reached)
    assert filled == place < 4  # the map is filled as far as the filter has come
    page.wait_for_selector("text=4 of 4")
    page.wait_for_selector("text=▶ Slide the filter")
    wait_for_map(page, correlated(IMAGE, np.ones((5, 5))))
    page.get_by_label("Slide the filter, or pause").click()
    page.wait_for_selector("text=2 of 4")
    page.get_by_label("Slide the filter, or pause").click()
    page.wait_for_selector("text=▶ Slide the filter")
    paused = page.evaluate(reached)
    page.wait_for_timeout(1000)
    assert page.evaluate(reached) == paused
    assert paused[0] == 4  # the whole map again
    page.get_by_label("Slide the filter, or pause").click()
    page.get_by_role("link", name="An image is a volume →").click()
    page.wait_for_selector("text=A layer of these filters")
    page.wait_for_timeout(1000)
    assert page.url.endswith("/learn/volumes")


def test_with_reduced_motion_a_press_is_one_step(lesson: Open, page: Any) -> None:
    page.emulate_media(reduced_motion="reduce")
    lesson("convolution")
    page.get_by_label("Next position of the filter").click()
    page.wait_for_selector("text=2 of 16")
    page.wait_for_timeout(1000)
    assert "2 of 16" in page.inner_text(".controls")


def test_a_state_that_python_refuses_is_told_and_can_be_left(lesson: Open) -> None:
    page = lesson("convolution", "kernel=9")
    assert "kernel must be a whole number from 1 to 6, not 9." in page.inner_text(".refusal")
    page.locator(".refusal button").click()
    wait_for_map(page, correlated(IMAGE, SOBEL))
    assert page.locator(".refusal").count() == 0


def test_three_sums_and_the_bias_add_up_to_the_number_of_the_map(lesson: Open) -> None:
    page = lesson("volumes")
    field(page, "green", 1, 1).fill("-4")
    field(page, "bias", 0, 0).fill("2.5")
    page.get_by_label("map row 1, column 1").click()
    page.wait_for_selector("text=row 1, column 1 of the map")
    total = 2.5
    for color, shown in zip(
        ("red", "green", "blue"), page.locator(".slices .sum").all_inner_texts(), strict=True
    ):
        image = np.reshape(values(page, color), (5, 5))
        weights = np.reshape(values(page, f"filter for {color}"), (3, 3))
        part = (image[1:4, 1:4] * weights).sum()
        assert number(shown) == part
        total += part
    assert number(page.inner_text(".slices .all")) == total
    assert values(page, "map")[4] == total


def test_the_lectures_760_parameters_stand_whatever_the_side(lesson: Open) -> None:
    page = lesson("volumes")
    for side in (32, 64, 256):
        page.get_by_label(f"Image side {side}").click()
        page.wait_for_selector(f"text=10@{side}×{side}")
        assert "(5·5·3 + 1)·10 = 760 parameters" in page.inner_text(".scenes")
    page.get_by_label("Channels 16").click()
    page.wait_for_selector("text=(5·5·16 + 1)·10 = 4,010 parameters")
    drawn = page.locator(".boxes svg").get_attribute("aria-label")
    assert drawn == "16@256×256 and 10 filters of 16@5×5 give 10@256×256"


def test_two_filters_walk_over_a_volume_step_by_step(lesson: Open) -> None:
    page = lesson("volumes")
    steps = compute_walk()["steps"]
    region = page.get_by_role("region", name="Two filters over a volume")
    for at in range(10):
        step = steps[at]
        page.get_by_text(f"Step {at + 1} of 18: filter {step['filter'] + 1} at").wait_for()
        assert number(region.locator(".walk-total").inner_text()) == step["total"]
        shown = [
            text for text in region.locator(".walk-sums b").all_inner_texts() if ":" not in text
        ]
        assert [number(text) for text in shown] == [part["sum"] for part in step["parts"]]
        if at < 9:
            page.get_by_role("button", name="Next ▶").press("Enter")
    assert region.get_by_label("map 2").locator(".outside").count() == 8, "not computed yet"
    page.get_by_role("button", name="◀ Back").click()
    page.get_by_text("Step 9 of 18").wait_for()
    page.get_by_role("button", name="▶ Play").click()
    page.get_by_text("Step 11 of 18").wait_for()
    page.get_by_role("button", name="❚❚ Pause").click()


def test_what_a_stride_never_reads_is_hatched_and_changes_nothing(lesson: Open) -> None:
    page = lesson("stride")
    assert values(page, "map") == [2, -6, 1, -1]
    hatched = page.locator('.lattice[aria-label="image"] .missed input')
    assert hatched.count() == 11
    assert "The last row and column are never read: 11 of 36 cells" in page.inner_text(".scenes")
    field(page, "image", 5, 2).fill("900")
    field(page, "image", 2, 2).fill("6")
    image = IMAGE.copy()
    image[2, 2] = 6
    wait_for_map(page, correlated(image, SOBEL, stride=2))
    page.get_by_role("button", name="Take 7×7").click()
    page.wait_for_selector("text=Every cell is read")
    assert len(values(page, "map")) == 9


def test_a_frame_of_zeros_is_hatched_and_gives_the_lectures_map(lesson: Open) -> None:
    page = lesson("padding")
    assert values(page, "map")[:6] == [-4, -2, -17, -5, 18, 24]
    assert page.locator('.lattice[aria-label="image"] .outside').count() == 28
    assert page.locator('.lattice[aria-label="image"] input').count() == 36
    page.get_by_label("Padding valid").click()
    wait_for_map(page, correlated(IMAGE, SOBEL))
    assert values(page, "times read")[:3] == [1, 2, 3]
    assert "A corner is read once, a pixel in the middle 9 times" in page.inner_text(".pair")
    page.get_by_label("Padding 5").click()
    page.wait_for_selector("text=see only zeros")
    field(page, "bias", 0, 0).fill("-7")
    framed = np.pad(IMAGE, 5)
    wait_for_map(page, np.subtract(correlated(framed, SOBEL), 7))
    assert "132 windows of 196 see only zeros" in page.inner_text(".scenes")
    assert "the bias: −7" in page.inner_text(".scenes")


EXTREME = (
    "convolution?kernel=6&filter=" + "_".join(["-1000000"] * 36),
    "volumes?channels=16&filters=16&kernel=7&padding=3&side=256",
    "padding?padding=same&kernel=8&layers=16",
    "convolution?image=" + "_".join(["0"] * 36) + "&filter=" + "_".join(["0"] * 9),
    "volumes?channels=1&filters=1&kernel=1",
    "stride?side=12&kernel=1&stride=1",
    "stride?side=12&kernel=12&stride=8",
    "stride?side=5&kernel=1&stride=8",
    "padding?padding=6&kernel=1",
    "padding?padding=valid&kernel=6&layers=16",
    "backprop?image=a corner&rate=10&step=50",
    "backprop?image=a cross&right=horizontal&rate=2&step=9",
    "detector?right=-5&down=5&turn=90&pool=28&at=783",
)


OVERFULL = """() => [...document.querySelectorAll('.scenes .lattice .cell')]
  .filter((one) => one.scrollWidth > one.clientWidth + 2)
  .map((one) => one.value || one.textContent)"""


@pytest.mark.parametrize("asking", first_fast(1, EXTREME))
def test_extreme_cases_are_drawn_without_sideways_scrolling(page: Any, asking: str) -> None:
    for width, theme in ((1440, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(f"/learn/{asking}")
        page.wait_for_selector(".scenes .lattice")
        page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
        assert page.locator(".refusal").count() == 0
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERFULL) == []


def test_every_lesson_of_the_course_opens_from_the_list(page: Any) -> None:
    page.goto("/learn")
    page.wait_for_selector(".course a")
    ways = page.locator(".course a").evaluate_all("all => all.map((one) => one.pathname)")
    assert ways == [f"/learn/{one.name}" for one in LESSONS]
    for way in ways:
        page.goto(way)
        page.wait_for_selector(".scenes > *")
        assert page.locator(".refusal").count() == 0, way
