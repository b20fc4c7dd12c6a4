"""The lessons on whole networks and on learning show what Python counts, and keep what was set."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.repetition import first_fast

LESSONS = ("lenet5", "vgg", "training", "filters")
LONG = 120_000  # milliseconds that the training of a small network may take

Show = Callable[[str], Any]


def number(text: str) -> float:
    """A figure of the page as a number."""
    return float(text.replace("−", "-").replace(",", ""))


@pytest.fixture
def learn(page: Any) -> Show:
    """Open an address below /learn, and wait for its scene."""

    def show(path: str) -> Any:
        page.goto(f"/learn/{path}")
        page.wait_for_selector(".scenes .card")
        if path.startswith("filters"):
            page.wait_for_selector(".learned-filters", timeout=LONG)
        return page

    return show


def cells(page: Any, label: str) -> list[float]:
    """The figures of a lattice."""
    return [
        number(text) for text in page.locator(f'[aria-label="{label}"] .cell').all_inner_texts()
    ]


def count_of(page: Any, layer: str, column: int) -> float:
    row = page.locator(".layer-table tbody tr", has=page.get_by_label(f"layer {layer}", exact=True))
    return number(row.locator("td").nth(column).inner_text())


def test_lenet5_shows_its_counts_and_works_the_chosen_row_out(learn: Show) -> None:
    page = learn("lenet5")
    assert number(page.inner_text(".layer-table tfoot .parameters")) == 61_706
    assert count_of(page, "conv2", 7) == 2_416
    page.get_by_label("layer conv3", exact=True).click()
    page.wait_for_selector("h3:has-text('conv3, worked out')")
    text = page.inner_text(".formulas")
    assert "120·(5·5·16 + 1) = 48,120" in text
    page.get_by_role("button", name=re.compile("^fc1")).first.press("Enter")
    page.wait_for_selector("h3:has-text('fc1, worked out')")
    page.get_by_label("Network of 1998").click()
    page.wait_for_selector("h3:has-text('F6, worked out')")
    assert number(page.inner_text(".layer-table tfoot .parameters")) == 60_000
    page.get_by_label("C3 map 8", exact=True).click()
    page.wait_for_selector("text=Filter 8 of C3 reads the maps 2, 3, 4, 5 of S2")
    assert page.locator(".link-grid td.on").count() == 60
    page.reload()
    page.wait_for_selector("text=Filter 8 of C3 reads the maps 2, 3, 4, 5 of S2")
    assert page.get_by_label("Network of 1998").get_attribute("aria-pressed") == "true"


def test_lenet5_says_what_another_image_changes_and_which_is_too_small(learn: Show) -> None:
    page = learn("lenet5")
    page.get_by_label("Image side 36").click()
    page.wait_for_selector("text=fc1 has 40,404 parameters instead of 10,164")
    page.get_by_label("Image side 28").click()
    page.wait_for_selector(".note:has-text('its input is only 4×4')")
    assert page.locator(".layer-table tbody tr").count() == 4
    assert page.locator(".layer-table tfoot").count() == 0


def test_volumes_are_drawn_to_scale(learn: Show) -> None:
    page = learn("lenet5")
    fronts = page.eval_on_selector_all(
        ".volume-row .front", "nodes => nodes.map(n => Number(n.getAttribute('height')))"
    )
    image, conv1, pool1, conv2, *_ = fronts
    assert conv1 / image == pytest.approx(28 / 32)
    assert pool1 / conv1 == pytest.approx(14 / 28)
    assert conv2 / image == pytest.approx(10 / 32)
    conv3, fc1, fc2 = fronts[5:]
    assert (fc1 / conv3, fc2 / conv3) == (pytest.approx(84 / 120), pytest.approx(10 / 120))


def test_vgg_compares_networks_and_stacks_small_filters(learn: Show) -> None:
    page = learn("vgg")
    totals = [
        number(text) for text in page.locator(".totals strong").all_inner_texts() if "B" not in text
    ]
    assert totals == [62_378_344, 1_135_256_096, 138_357_544, 15_470_264_320]
    page.get_by_label("Right VGG E").click()
    page.wait_for_selector("h3:has-text('VGG E')")
    assert "143,667,240" in page.locator(".network-card").nth(1).inner_text()
    page.get_by_label("Layers of 3×3 more").click()
    page.wait_for_selector("h3:has-text('Three 3×3 filters stacked see 7×7')")
    page.get_by_label("Channels C").fill("512")
    page.wait_for_selector("text=27·512² = 7,077,888")
    page.wait_for_selector("text=49·512² = 12,845,056")
    assert page.locator("svg.nested").first.locator(".grain").count() == 7 + 5 + 3 + 1
    page.reload()
    page.wait_for_selector("text=49·512² = 12,845,056")


def test_a_step_moves_the_weights_as_the_page_has_said(learn: Show) -> None:
    page = learn("training?image=noise&at=4")
    foretold = page.locator(".ledger-step strong").last.inner_text()
    page.get_by_role("button", name="1 step", exact=True).click()
    page.wait_for_selector("text=After 1 step the loss is")
    assert cells(page, "weights")[4] == pytest.approx(number(foretold), abs=0.006)
    before = page.locator("strong.loss").inner_text()
    page.get_by_role("button", name="100 steps").click()
    page.wait_for_selector("text=After 101 steps the loss is")
    assert number(page.inner_text("strong.loss")) < number(before)
    weights = cells(page, "weights")
    page.reload()
    page.wait_for_selector("text=After 101 steps the loss is")
    assert cells(page, "weights") == weights


def test_an_edited_target_is_learned(learn: Show) -> None:
    page = learn("training?image=noise&step=300")
    page.get_by_label("target row 1, column 1").fill("-3")
    page.wait_for_selector('[aria-label="weights row 1, column 1: −3.00"]')
    expected = [1, 0, -1, 2, -3, -2, 1, 0, -1]
    assert cells(page, "weights") == pytest.approx(expected, abs=0.01)
    assert (
        page.evaluate("document.activeElement.getAttribute('aria-label')")
        == "target row 1, column 1"
    )


def test_a_rate_above_the_limit_diverges_and_says_so(learn: Show) -> None:
    page = learn("training?momentum=0")
    page.get_by_label(re.compile("^Try .*too large")).click()
    page.wait_for_selector("text=is above this limit")
    for _ in range(20):
        button = page.get_by_role("button", name="100 steps")
        if button.is_disabled():
            break
        with page.expect_response(lambda answer: "/api/lessons/training" in answer.url):
            button.click()
        page.wait_for_timeout(50)
    page.wait_for_selector("text=training was stopped")
    assert page.get_by_role("button", name="1 step", exact=True).is_disabled()


def test_softmax_follows_the_logits(learn: Show) -> None:
    page = learn("training")
    page.get_by_label("logit of five").fill("3.5")
    page.get_by_label("true class eight").click()
    logits = torch.tensor([[2, 3.5, -1]], dtype=torch.float64)
    loss = F.cross_entropy(logits, torch.tensor([2])).item()
    page.wait_for_selector(f"strong.cross-entropy:has-text('{loss:.3f}')")
    gradient = [number(text) for text in page.locator(".shares strong").all_inner_texts()]
    expected = logits.softmax(1)[0].numpy() - np.array([0, 0, 1])
    assert gradient == pytest.approx(expected.tolist(), abs=1e-4)


def test_filters_are_trained_shown_and_removed(learn: Show) -> None:
    page = learn("filters")
    assert page.locator(".learned-filters li").count() == 6
    whole = number(page.locator(".scores strong").first.inner_text())
    tested = 359  # a fifth of 1,797, class by class
    assert 0.9 * tested < whole <= tested
    for place in range(6):
        page.get_by_label(f"remove filter {place}", exact=True).click()
        page.wait_for_selector(f'[aria-label="remove filter {place}"][aria-pressed="true"]')
    left = number(page.inner_text("strong.left"))
    assert left < 0.2 * tested
    page.reload()
    page.wait_for_selector(".learned-filters")
    assert page.locator(".learned-filters .gone").count() == 6
    assert number(page.inner_text("strong.left")) == left
    page.get_by_role("button", name="Restore all").click()
    page.wait_for_selector("text=nothing removed")
    page.get_by_label("Layer second convolution").click()
    page.wait_for_selector('[aria-label="filter 15"]')
    page.get_by_label("filter 15", exact=True).click()
    page.wait_for_selector("h3:has-text('What activates filter 15 most')")
    assert page.locator(".patches canvas").first.evaluate("canvas => canvas.width") == 14


@pytest.mark.parametrize("lesson", first_fast(2, LESSONS))
@pytest.mark.parametrize("theme", first_fast(1, ["dark", "light"]))
def test_nothing_scrolls_sideways_on_a_phone(
    learn: Show, page: Any, lesson: str, theme: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    learn(lesson)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


EXTREMES = (
    "lenet5?network=1998&classes=100&side=64&row=6&column=15",
    "lenet5?side=28&row=6",
    "vgg?left=E&right=E&deep=5&channels=1024",
    "vgg?left=A&right=towers&deep=1&channels=1",
    "training?image=gray&target=0_0_0_0_0_0_0_0_0&step=2000&decay=1",
    "training?target=1000000_0_0_0_-1000000_0_0_0_0.001&rate=1000&step=5",
    "training?logits=1000000_-1000000_0&right=1",
    "filters?layer=conv2&removed=0_1_2_3_4_5_6_7_8_9_10_11_12_13_14_15",
)


@pytest.mark.parametrize("path", first_fast(1, EXTREMES))
def test_extreme_states_are_drawn(learn: Show, page: Any, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    learn(path)
    assert page.locator(".refusal").count() == 0
    assert page.locator(".scenes .card").count() >= 3
    assert "NaN" not in page.inner_text(".scenes")
    assert "undefined" not in page.inner_text(".scenes")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("lesson", first_fast(1, LESSONS))
def test_every_control_has_a_name_of_its_own(learn: Show, lesson: str) -> None:
    page = learn(lesson)
    controls = page.locator(".scenes :is(button, input, [role=button])")
    names = controls.evaluate_all(
        "nodes => nodes.map(n => n.getAttribute('aria-label') ?? n.textContent)"
    )
    assert len(names) > 10
    assert all(names)
    assert len(set(names)) == len(names)


def test_the_keyboard_chooses_rows_and_filters(learn: Show) -> None:
    page = learn("lenet5")
    page.get_by_label("layer fc2", exact=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("h3:has-text('fc2, worked out')")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "layer fc2"


def test_an_image_of_another_size_breaks_the_flattened_end_alone(learn: Show) -> None:
    page = learn("anysize")
    ends = page.locator(".ends .card")
    assert "1,600 arrive" in ends.nth(0).inner_text()
    assert "10@5×5" in ends.nth(2).inner_text()
    page.get_by_label("Try as built", exact=True).click()
    page.wait_for_function(
        "() => document.querySelectorAll('.ends .note').length === 0"
        " && document.querySelectorAll('.ends .card').length === 3"
    )
    page.get_by_label("Try too small", exact=True).click()
    page.wait_for_selector(".note:has-text('pool2 has a window of 2×2')")


def test_answers_that_count_change_the_error(learn: Show) -> None:
    page = learn("ilsvrc?answers=2")
    assert page.locator(".answers tbody b").all_inner_texts().count("wrong") == 3
    page.get_by_label("Answers that count more").click()
    page.wait_for_selector("text=2 images of 6 are wrong: the top-3 error is 33.33%")
    assert "3.57%" in page.inner_text("[aria-label='Winners by year']")


def test_towers_show_the_papers_counts_and_groups_of_ones_own(learn: Show) -> None:
    page = learn("towers")
    assert number(page.inner_text(".layer-table tfoot .parameters")) == 60_965_224
    assert page.locator(".layer-table .chosen th").all_inner_texts() == ["conv2", "conv4", "conv5"]
    assert page.locator(".towers .crossing").count() == 6
    page.get_by_label("Groups more").click()
    page.wait_for_selector("text=3 groups")
    page.get_by_label("Groups", exact=True).locator("input").fill("5")
    page.wait_for_selector(".refusal")


def test_a_step_of_the_small_network_goes_against_its_gradient(learn: Show) -> None:
    page = learn("backprop?rate=0.5")
    before = np.array(cells(page, "Filter"))
    slope = np.array(cells(page, "Gradient by the filter"))
    loss = number(page.inner_text("strong.loss"))
    page.get_by_role("button", name="1 step", exact=True).click()
    page.wait_for_selector("h3:has-text('Forward, after 1 step')")
    assert np.abs(np.array(cells(page, "Filter")) - (before - 0.5 * slope)).max() < 0.011
    assert f"{loss:.4f}" in page.inner_text("[aria-label='Forward']")
    assert number(page.inner_text("strong.loss")) < loss
    page.get_by_label("Gradient by the filter row 1, column 0", exact=False).click()
    page.wait_for_selector("text=filter, row 1, column 0")
