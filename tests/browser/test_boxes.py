"""Boxes on the image: drawn where Python has them, each leading to the units of its cell."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.explanation.boxes.recorded_boxes import RecordedBoxes
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from tests.browser.axe import needs_axe, serious_faults
from tests.browser.conftest import is_fault
from tests.explanation.test_boxes import anchored

EDGES = ("left", "top", "right", "bottom")


class Finder(NamedTuple):
    """A lab over a network that finds objects, the same lab as a file, and what Python has."""

    address: str
    start: str
    file: str
    boxes: RecordedBoxes


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finder]:
    uvicorn = pytest.importorskip("uvicorn")
    from convscope.webapp.server import make_app  # noqa: PLC0415 -- fastapi may be absent

    folder = tmp_path_factory.mktemp("finder")
    net, net.card = anchored()
    with torch.no_grad():
        net.boxes.bias[4 :: 5 + 3] += 1.5  # of the confidences
    pixels = np.random.default_rng(4).integers(0, 256, (32, 32), np.uint8)
    Image.fromarray(pixels).save(folder / "noise.png")
    store = ModelStore()
    model = store.open(net)
    image = store.add(model, "noise", folder / "noise.png")
    boxes = convscope.explain_boxes(net, folder / "noise.png", card=net.card)
    assert len(boxes.above(0.5)) > 2
    file = convscope.save_lab(net, folder / "page.html", image=folder / "noise.png")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    app = make_app(
        store, TrainingJobs(folder / "runs"), hosts=frozenset({f"127.0.0.1:{port}"})
    )  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield Finder(
        f"http://127.0.0.1:{port}", f"/look/{model.id}/{image.id}", file.as_uri(), boxes
    )  # fmt: skip
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def context(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture(params=["lab", "file"])
def page(context: Any, finder: Finder, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The first screen, of the lab or of the file; there is no error."""
    page, told = context.new_page(), list[str]()
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if is_fault(line) else None)
    page.goto(finder.file if request.param == "file" else finder.address + finder.start)
    page.wait_for_selector("#stage .boxes table")
    yield page
    page.close()
    assert told == []


def drawn(page: Any, place: str) -> dict[str, list[float]]:
    """The edges of the boxes that are drawn, by what they are called."""
    found = page.eval_on_selector_all(
        f"{place} .boxes-over a",
        """(links) => links.map((link) => {
          const { x, y, width, height } = link.querySelector("rect:not(.halo)").getBBox();
          return [link.getAttribute("aria-label"), x, y, x + width, y + height];
        })""",
    )
    return {name: edges for name, *edges in found}


@pytest.mark.parametrize("place", ["#picture", "#stage"])
def test_boxes_lie_where_python_has_them(page: Any, finder: Finder, place: str) -> None:
    page.wait_for_selector(f"{place} .boxes-over a")
    found = drawn(page, place)
    shown = finder.boxes.above(0.5)
    assert {name.partition(":")[0] for name in found} == {*shown}
    for label, edges in found.items():
        box = finder.boxes[label.partition(":")[0]]
        assert f": {box.label}, " in label
        assert edges == pytest.approx(box.edges, abs=1e-3)


def test_a_box_on_the_image_leads_to_its_numbers_and_these_to_units(
    page: Any, finder: Finder
) -> None:
    name = finder.boxes.above(0.5)[-1]
    box = finder.boxes[name]
    page.locator(f'#picture .boxes-over a[aria-label^="{name}:"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f'#picture .boxes-over a[aria-current][aria-label^="{name}:"]')
    page.locator("#stage .boxes h4", has_text=f"{name}: class {box.label}").wait_for()
    rows = page.locator(".boxes table tr")
    told = {row.split("\t")[0]: row.split("\t") for row in rows.all_inner_texts()}
    for edge in EDGES:
        value = float(told[edge][1].replace("−", "-"))
        assert value == pytest.approx(box.explain(edge).model_value, rel=1e-4, abs=1e-4)
    links = page.locator(".boxes table a")
    units = {number: text for number, text, _ in box.steps}
    of_class = box.origin(box.explain("classes"))
    assert links.all_inner_texts() == [
        *(units[number] for number in ("x", "u", "y", "v")), of_class, units["o"],
    ]  # fmt: skip
    links.last.click()
    page.wait_for_selector("#stage .ledger")
    assert page.inner_text("#stage h2").replace("\u2009", "").startswith(units["o"])
    page.wait_for_selector("#picture .boxes-over a")  # they stay beside the unit


def test_a_box_that_is_not_there_is_told_in_words(page: Any) -> None:
    page.evaluate(
        """() => {
          const address = location.hash ? location.hash : location.pathname;
          const other = `${address.split("?")[0]}?box=box99`;
          if (location.hash) location.hash = other; else location.assign(other);
        }"""
    )
    page.wait_for_selector("#stage .boxes .note")
    assert "box99" in page.inner_text("#stage .boxes .note")


@needs_axe
def test_nothing_serious_stands_in_the_way(page: Any) -> None:
    page.wait_for_selector("#picture .boxes-over a")
    assert serious_faults(page) == []


def test_the_file_asks_nobody(context: Any, finder: Finder) -> None:
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(finder.file)
    page.wait_for_selector("#stage .boxes table")
    page.close()
    assert {url for url in asked if not url.startswith(("blob:", "data:"))} == {finder.file}
    assert Path(finder.file.removeprefix("file://")).stat().st_size < 3_000_000
