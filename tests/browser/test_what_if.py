"""What if, as a person uses it: a weight moved, an image painted on, a stride that does not fit."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convscope.explanation.loading import preprocess
from convscope.inference import probabilities


@pytest.fixture
def unit(lab: Any, page: Any) -> Any:
    told = page.request.get(f"{lab.address}/api/networks/digits").json()
    [image] = [one["id"] for one in told["images"] if one["title"] == "one.png"]
    page.goto(f"/look/digits/{image}/conv2/5/2,4")
    page.wait_for_selector(".what-if")
    return page


def after(page: Any) -> dict[str, str]:
    """The classes that are listed, with what is said of each."""
    rows = page.locator(".what-if .answers li")
    rows.first.wait_for()
    return dict(text.split("\n")[:: len(text.split("\n")) - 1] for text in rows.all_inner_texts())


def percents(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"(\d+\.\d+)%", text)]


def test_a_weight_is_moved_and_all_that_follows_is_the_networks(lab: Any, unit: Any) -> None:
    card, net = lab.digits.card, lab.digits.net
    chosen = unit.locator(".what-if .cell.lit").get_attribute("aria-label")
    name, *index = re.findall(r"[\w.]+", chosen.split(", ", 1)[1])
    assert name == "conv2.weight"
    exact = unit.get_by_label(re.compile("Exact value of conv2.weight"))
    exact.fill("-3")
    exact.press("Tab")
    unit.wait_for_function("() => document.querySelectorAll('.followers figure').length === 6")
    layer = net.conv2.weight
    kept = layer.detach().clone()
    with torch.no_grad():
        layer[tuple(map(int, index))] = -3.0
        wanted = probabilities(net(lab.digits.read)[0], card)
        layer.copy_(kept)
    for told, text in after(unit).items():
        assert abs(percents(text)[-1] - 100 * wanted[card.classes.index(told)].item()) < 0.01
    assert unit.locator(".what-if .cell.lit").inner_text() == "−3.00"
    said = after(unit)
    unit.reload()
    assert after(unit) == said  # the address holds it, and so does a link that is sent
    unit.get_by_role("button", name=re.compile("^Undo conv2.weight")).click()
    unit.get_by_text("Nothing is different yet").wait_for()
    assert "if=" not in unit.url


def test_a_stride_that_does_not_fit_is_followed_as_far_as_it_goes(lab: Any, unit: Any) -> None:
    unit.get_by_label("stride", exact=True).fill("3")
    unit.get_by_text("conv3 gets a volume that is smaller than its window.").wait_for()
    layer, values = lab.digits.net.conv2, lab.digits.values()
    with torch.no_grad():
        high, wide = F.conv2d(values["pool1"][None], layer.weight, layer.bias, stride=3).shape[2:]
    first = unit.locator(".followers figure").first
    assert first.inner_text().endswith(f"16@{high}×{wide}, was 16@10×10")
    drawn = first.locator("canvas").nth(1)
    assert drawn.evaluate("c => [c.height, c.width]") == [high, wide]


def test_painted_pixels_are_what_the_network_reads(lab: Any, unit: Any) -> None:
    board = unit.locator(".board.paint")
    board.focus()
    for key in ("ArrowLeft", "ArrowUp", "Space"):
        unit.keyboard.press(key)
    unit.get_by_text("1 dot painted").wait_for()
    pixels = np.array(lab.bytes)[..., None]
    pixels[15, 15] = 255
    card = lab.digits.card
    with torch.no_grad():
        wanted = probabilities(lab.digits.net(preprocess(pixels, card))[0], card)
    for told, text in after(unit).items():
        assert abs(percents(text)[-1] - 100 * wanted[card.classes.index(told)].item()) < 0.01
    said = after(unit)
    unit.goto(unit.url)
    assert after(unit) == said
    unit.get_by_text("1 dot painted").wait_for()
    unit.set_viewport_size({"width": 390, "height": 844})
    unit.wait_for_function("() => document.documentElement.scrollWidth <= 390")
