"""A page in a file, opened from disk, offline: its figures are Python's, and it asks nobody."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from tests.browser.axe import needs_axe, serious_faults

NAMES = ["<img src=x onerror=alert(1)>", "cat & co", "</script>"]
NOT_THERE = "conv/1/9,9"


class Small(nn.Module):
    """A convolution of which not all units fit, a pool, classes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(4 * 10 * 10, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.pool(self.conv(x).relu()).flatten(1))


class File(NamedTuple):
    """The page, and what it was made of."""

    address: str
    net: nn.Module
    image: Path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> File:
    folder = tmp_path_factory.mktemp("page")
    image = folder / "a<b>.png"
    y, x, c = np.mgrid[:24, :24, :3]
    Image.fromarray(((9 * y + 5 * x * c + y * x) % 256).astype(np.uint8)).save(image)
    torch.manual_seed(1)
    net = Small().eval()
    other = folder / "two.png"
    Image.open(image).rotate(90).save(other)
    target = convscope.save_lab(
        net,
        folder / "page.html",
        image=[image, other],
        input_size=24,
        class_names=NAMES,
        max_size=0.34,
    )
    return File(target.as_uri(), net, image)


@pytest.fixture(scope="module")
def offline(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, offline=True)
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def page(offline: Any, file: File) -> Iterator[Any]:
    """The page; nothing but the file itself is requested, and there is no error."""
    page = offline.new_page()
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    page.goto(file.address)
    page.wait_for_selector("#stage h2")
    yield page
    page.close()
    assert {url for url in asked if not url.startswith("blob:")} == {file.address}
    assert told == []


def go(page: Any, path: str) -> None:
    """To a layer, map or unit of the open image."""
    start = page.evaluate("location.hash.split('/').slice(0, 4).join('/').split('?')[0]")
    page.evaluate(f"location.hash = '{start}/{path}'")
    page.wait_for_function("(end) => location.hash.endsWith(end)", arg=path)
    page.wait_for_timeout(50)
    page.wait_for_selector("#stage h2, #stage .note")


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def test_a_unit_adds_up_as_python_explains_it(page: Any, file: File) -> None:
    go(page, "fc/1/0,0")
    page.wait_for_selector("#stage h2 .result")
    told = convscope.explain(file.net, file.image, at="fc[1]")
    assert np.float32(number(page.get_attribute("#stage h2 .result", "title"))) == np.float32(
        told.model_value
    )
    sums = [
        number(one.get_attribute("title")) for one in page.query_selector_all(".ledger .sum[title]")
    ]
    largest = sorted(told.terms.products.tolist(), key=abs, reverse=True)[: len(sums)]
    assert len(sums) == 8
    assert np.array_equal(np.float32(sums), np.float32(largest))
    assert "cat & co" in page.inner_text("#stage")


def test_following_the_largest_product_ends_at_a_pixel(page: Any) -> None:
    go(page, "softmax/0/0,0")
    layers = [page.inner_text("#stage h2").split("[")[0]]
    while layers[-1] != "Pixel" and len(layers) < 9:
        before = page.inner_text("#stage h2")
        page.click(".follow")
        page.wait_for_function(
            "(before) => (document.querySelector('#stage h2')?.innerText ?? before) !== before",
            arg=before,
        )
        layers.append(re.split(r"[\[ ]", page.inner_text("#stage h2"))[0])
    assert layers == ["softmax", "fc", "pool", "conv", "Pixel"]


def test_a_unit_that_is_not_there_says_so_and_leads_to_one_that_is(page: Any, file: File) -> None:
    go(page, NOT_THERE)
    page.wait_for_selector("#stage .note")
    said = page.inner_text("#stage .note")
    assert "is not in this file" in said
    value = convscope.explain(file.net, file.image, at="conv[1,9,9]").model_value
    assert np.float32(number(re.search(r"\] is (\S+)\.", said)[1])) == np.float32(max(value, 0.0))
    page.click("#stage .pill.main")
    page.wait_for_selector("#stage h2 .result")
    assert page.inner_text("#stage h2").startswith("conv[1,")


def test_maps_ranks_and_images_change_as_in_the_lab(page: Any) -> None:
    go(page, "conv")
    page.wait_for_selector(".map")
    assert len(page.query_selector_all(".map")) == 4
    for question in page.query_selector_all("#stage .row .pill[aria-pressed=false]"):
        name = question.inner_text()
        page.click(f"#stage .pill:text-is('{name}')")
        page.wait_for_selector(f"#stage .pill[aria-pressed=true]:text-is('{name}')")
        assert not page.query_selector_all("#stage [role=alert]")
    page.click(".choose button[aria-pressed=false]")
    page.wait_for_selector(".choose button[aria-pressed=true][title='two.png']")
    page.go_back()
    page.wait_for_selector(".choose button[aria-pressed=true][title='a<b>.png']")


def test_names_are_shown_and_not_obeyed(page: Any) -> None:
    said = page.inner_text("#picture")
    assert all(name in said for name in NAMES)
    assert page.query_selector_all("#picture img[src=x]") == []


@needs_axe
@pytest.mark.parametrize("path", ["", "conv", "fc/1/0,0", NOT_THERE])
def test_nothing_serious_stands_in_the_way_of_assistive_technology(page: Any, path: str) -> None:
    if path:
        go(page, path)
    assert serious_faults(page) == []
