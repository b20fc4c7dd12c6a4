"""The lessons on size, maps, pooling and sharing show Python's numbers, and keep what was set."""

import re
from typing import Any

import numpy as np
import pytest

from tests.repetition import first_fast

UPRIGHT = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


def number(text: str) -> float:
    """A figure of the page as a number."""
    return float(text.replace("−", "-").replace(",", ""))


def opened(page: Any, path: str) -> Any:
    page.goto(f"/learn/{path}")
    page.wait_for_selector(".scenes > *")
    return page


def reads(page: Any, selector: str, text: str) -> None:
    """Wait until some text stands there."""
    page.wait_for_function(
        "([at, text]) => document.querySelector(at)?.textContent.includes(text)",
        arg=[selector, text],
    )


def test_numbers_typed_into_the_formula_give_alexnets_54_and_a_reload_keeps_them(page: Any) -> None:
    opened(page, "size")
    for name, value, told in (
        ("Input size", "224", "(224 −"),
        ("Stride", "4", "/4 +"),
        ("Filter size", "11", "− 11 +"),
    ):
        page.get_by_label(name, exact=True).locator("input").fill(value)
        reads(page, ".axis-card .sentence", told)
    reads(page, ".axis-card .sentence", "(224 − 11 + 2·0)/4 + 1 = 54.25, rounded down to 54")
    assert page.inner_text(".axis-card strong") == "54"
    page.reload()
    reads(page, ".axis-card .sentence", "54.25")
    assert page.get_by_label("Input size", exact=True).locator("input").input_value() == "224"
    assert "input of 227" in page.inner_text(".axis-card .remark")


def test_every_drawn_window_covers_the_cells_under_it(page: Any) -> None:
    opened(page, "size?size=11&kernel=2&stride=3&padding=1&dilation=2")
    boxes = (
        "nodes => nodes.map(node => [...node.querySelectorAll('rect')].map(r => r.x.baseVal.value))"
    )
    cells = page.locator(".axis-cell").evaluate_all(
        "nodes => nodes.map(n => n.querySelector('rect').x.baseVal.value)"
    )
    wide = cells[1] - cells[0]
    windows = page.locator(".axis-window").evaluate_all(boxes)
    places = [[round((x - cells[0]) // wide) for x in taps] for taps in windows]
    assert places == [[start, start + 2] for start in range(0, 13 - 2, 3)]
    unread = page.locator(".axis-cell").evaluate_all(
        "nodes => nodes.flatMap((n, i) => n.classList.contains('unread') ? [i] : [])"
    )
    seen = {place for taps in places for place in taps}
    assert unread == [place for place in range(1, 12) if place not in seen]


def test_a_window_found_the_other_way_round_can_be_taken(page: Any) -> None:
    opened(page, "size?size=27&wanted=13")
    page.get_by_label("Take filter 3, stride 2, padding 0", exact=True).click()
    reads(page, ".axis-card strong", "13")
    assert "stride" not in page.url  # as at the start


def test_a_filter_that_does_not_fit_is_told_and_can_be_mended_in_its_field(page: Any) -> None:
    opened(page, "size?size=5&kernel=9")
    reads(page, ".scenes .note", "does not fit an input of 5")
    page.get_by_label("Input size", exact=True).locator("input").fill("50")
    page.wait_for_selector(".axis-card")
    assert page.get_by_label("Filter size", exact=True).locator("input").input_value() == "9"


def test_what_is_no_number_of_cells_waits_in_its_field(page: Any) -> None:
    opened(page, "size")
    field = page.get_by_label("Input size", exact=True).locator("input")
    field.fill("10001")
    assert field.get_attribute("aria-invalid") == "true"
    field.blur()
    assert field.input_value() == "10"


def pixels(page: Any) -> np.ndarray:
    """The bytes of the picture as the page paints them."""
    painted = page.evaluate(
        "() => { const c = document.querySelector('.pixels canvas');"
        "return [c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data] }"
    )
    return np.reshape(painted[1:], (painted[0], painted[0], 4))[..., 0]


def test_a_unit_of_the_feature_map_is_the_patch_of_the_picture_times_the_filter(page: Any) -> None:
    opened(page, "maps?bias=-0.5&activation=tanh&at=1000")
    page.get_by_label("filter row 0, column 1", exact=True).fill("-2.5")
    weights = UPRIGHT.astype(float)
    weights[0, 1] = -2.5
    row, column = divmod(1000, 62)
    page.get_by_label("Feature map. Arrow keys move the unit.").press("ArrowDown")
    reads(page, ".scene", f"row {row + 1}, column {column}")
    patch = pixels(page)[row + 1 : row + 4, column : column + 3] / 255
    total = float((patch * weights).sum())
    sums, after = page.locator(".reading b").all_inner_texts()
    assert number(sums) == pytest.approx(total, abs=6e-4)
    assert number(after) == pytest.approx(np.tanh(total - 0.5), abs=6e-4)
    written = page.inner_text(".sentence strong").removeprefix("= ")
    assert number(written) == pytest.approx(total - 0.5, abs=6e-3)


def test_the_bias_can_be_dragged_although_every_step_draws_the_scene_again(page: Any) -> None:
    opened(page, "maps")
    box = page.get_by_label("Bias", exact=True).bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(box["x"] + box["width"] / 2 - 11 * step, middle)
        page.wait_for_timeout(30)
    page.mouse.up()
    bias = float(re.search(r"bias=(-[\d.]+)", page.url)[1])
    assert bias == pytest.approx(-88 / (box["width"] - 16) * 8, abs=0.2)
    page.mouse.move(box["x"], middle)
    reads(page, ".slider output", f"−{-bias:.2f}")
    page.wait_for_timeout(100)
    assert f"bias={bias}".rstrip("0") in page.url


def test_a_click_into_the_activation_map_chooses_the_unit_under_it(page: Any) -> None:
    opened(page, "maps?picture=digit&at=0")
    board = page.get_by_label("Activation map. Arrow keys move the unit.")
    board.click(position={"x": 1 + 7 * 10 + 3, "y": 1 + 7 * 20 + 3})
    reads(page, ".scene", "row 20, column 10")
    assert "at=530" in page.url


def test_a_cell_of_the_map_that_is_typed_changes_what_is_pooled(page: Any) -> None:
    opened(page, "pooling?kind=average&window=3")
    page.get_by_label("map row 2, column 2", exact=True).fill("-40.5")
    reads(page, '[aria-label="pooled"]', "−")
    cells = page.locator('[aria-label="map"] input').evaluate_all(
        "nodes => nodes.map(node => node.value)"
    )
    image = np.reshape([number(text) for text in cells], (6, 6))
    assert image[2, 2] == -40.5
    pooled = [
        number(text) for text in page.locator('[aria-label="pooled"] .cell').all_inner_texts()
    ]
    by_hand = [image[y : y + 3, x : x + 3].mean() for y in (0, 2) for x in (0, 2)]
    assert pooled == pytest.approx(by_hand, abs=6e-3)
    page.reload()
    reads(page, '[aria-label="pooled"]', "−")
    assert page.get_by_label("map row 2, column 2", exact=True).input_value() == "−40.5"


@pytest.mark.parametrize(("which", "changed"), [("inside a window", 0), ("at a window's edge", 2)])
def test_a_point_that_moves_is_noticed_only_across_a_border(
    page: Any, which: str, changed: int
) -> None:
    opened(page, "pooling")
    page.get_by_role("button", name=f"Map a point {which}").click()
    reads(page, ".moved tr.now", f"{changed} of 9")
    assert page.locator('[aria-label="moved pooled"] .slot.in').count() == changed


def test_the_lectures_layer_is_counted_then_run(page: Any) -> None:
    opened(page, "sharing")
    reads(page, ".compared", "0 of 364 units differ")
    page.get_by_role("button", name="the lecture's").click()
    reads(page, ".three-layers", "27,657,000")
    row = page.locator(".three-layers tr", has_text="parameters").first
    assert [number(text) for text in row.locator("td").all_inner_texts()] == [
        280,
        252_000,
        27_657_000,
    ]
    page.get_by_role("button", name="Run and time the layers").click()
    reads(page, ".compared", "0 of 8,700 units differ")
    times = page.locator(".three-layers tr", has_text="time of one pass").locator("td")
    assert all(re.fullmatch(r"[\d.]+ ms", text) for text in times.all_inner_texts())
    others = page.locator(".compared .caption[data-said]").all_inner_texts()[1:]
    assert [text.startswith("0 of") for text in others] == [False, False]


EXTREME = [
    "size?size=10000&kernel=10000&stride=10000&padding=10000&wanted=10000",
    "size?size=1&kernel=1&stride=1&wanted=1",
    "size?size=40&kernel=1&stride=9&dilation=10000&rounding=up",
    "size?size=3&kernel=9&dilation=10000",
    "maps?filter=0_0_0_0_0_0_0_0_0&activation=sigmoid",
    "maps?picture=digit&filter=1e6_0_0_0_-1e6_0_0_0_0.5&bias=-4&activation=leaky%20ReLU&at=783",
    "pooling?side=8&window=8&stride=8&padding=4&kind=L2&map=" + "_".join(["-0.123"] * 64),
    "pooling?window=1&stride=6&kind=min",
    "pooling?map=" + "_".join(["1000000"] * 36),
    "sharing?side=64&channels=16&filters=16&kernel=7",
    "sharing?side=8&channels=1&filters=1&kernel=7",
    "sharing?side=64&channels=4&filters=4&kernel=1",
]


@pytest.fixture
def narrow(page: Any) -> Any:
    """A page as wide as a phone."""
    page.set_viewport_size({"width": 390, "height": 844})
    return page


@pytest.mark.parametrize("path", first_fast(2, ["size", "maps", "pooling", "sharing", *EXTREME]))
def test_on_a_narrow_screen_nothing_lies_beside_the_page(narrow: Any, path: str) -> None:
    opened(narrow, path)
    narrow.wait_for_timeout(100)
    assert narrow.locator(".scenes .refusal").count() == 0
    assert narrow.locator(".scenes").inner_text().count("NaN") == 0
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_state_that_cannot_be_meant_is_refused_with_a_sentence(page: Any) -> None:
    page.goto("/learn/sharing?side=7")
    reads(page, ".refusal", "side must be a whole number from 8 to 64, not 7")


def test_the_bird_has_edges_from_the_whole_picture_and_from_a_window(page: Any) -> None:
    opened(page, "bird")
    reads(page, ".counts", "196,608,000")
    page.get_by_label("Try 3@256×256, 8 of 5×5", exact=True).click()
    reads(page, ".counts", "38,102,400")
    assert page.locator(".bird .edge.many").count() == 256
    page.get_by_label("Its window is on the sky", exact=True).click()
    page.wait_for_selector(".bird[aria-label*='the sky']")
    window = page.locator(".bird .window").last
    [x, y, wide] = [float(window.get_attribute(name)) for name in ("x", "y", "width")]
    assert abs(wide - 5 / 256) < 1e-6
    assert abs(x + wide / 2 - 0.25) < 0.005
    assert abs(y + wide / 2 - 0.15) < 0.005


def test_shuffled_pixels_are_those_of_the_photograph_without_neighbors(page: Any) -> None:
    opened(page, "redundancy?shift=3")
    painted = page.evaluate(
        "() => [...document.querySelectorAll('.pixels canvas')].map((c) => "
        "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
    )
    plain, mixed = (np.reshape(one, (128, 128, 4))[..., 0].astype(float) for one in painted)
    assert np.array_equal(np.sort(plain, axis=None), np.sort(mixed, axis=None))
    for values, place in ((plain, 0), (mixed, 1)):
        r = np.corrcoef(values[:, :-3].ravel(), values[:, 3:].ravel())[0, 1]
        shown = page.locator(".halves .card p strong").nth(place).inner_text()
        assert number(shown) == pytest.approx(r, abs=0.0006)


def test_a_subsampled_picture_has_every_fourth_pixel(page: Any) -> None:
    opened(page, "subsampling?factor=4&hidden=10")
    sides = page.locator(".reduced canvas").evaluate_all("all => all.map((c) => c.width)")
    assert sides == [128, 32, 32, 32]
    painted = page.evaluate(
        "() => [...document.querySelectorAll('.reduced canvas')].slice(0, 2).map((c) => "
        "[...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
    )
    whole, small = (
        np.reshape(one, (side, side, 4)) for one, side in zip(painted, sides[:2], strict=True)
    )
    assert np.array_equal(whole[::4, ::4], small)
    assert page.inner_text(".figures .now").split("\t")[3:] == ["10,240", "153,600"]


def test_the_eye_is_found_where_the_face_has_moved(page: Any) -> None:
    opened(page, "detector")
    reads(page, ".scenes", "row 10, column 9 and row 10, column 17")
    page.get_by_label("Face down more").click()
    page.get_by_label("Face to the right less").click()
    reads(page, ".scenes", "row 11, column 8 and row 11, column 16")
    reads(page, ".scenes", "moved along")
    page.get_by_label("Max pooling of the whole map").click()
    reads(page, ".scenes", "there is an eye")
    page.get_by_label("The map. Arrow keys move the unit.").press("ArrowLeft")
    reads(page, ".sentence strong", "=")
