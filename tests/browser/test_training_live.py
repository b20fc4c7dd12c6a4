"""A training seen from inside: layers as they move, epochs, own images, the rate by hand."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from convscope.explanation.loading import preprocess
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.network import load_state, rebuild
from convscope.training.epoch_weights import EpochWeights
from tests.browser.axe import needs_axe, serious_faults

NARROW = {"width": 390, "height": 844}
INSIDE = "section.inside"


@pytest.fixture(scope="module")
def running(lab: Any) -> Iterator[str]:
    """The name of a training that lasts as long as the tests of this module."""
    from urllib.request import Request, urlopen  # noqa: PLC0415

    def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = Request(  # noqa: S310 -- our own server
            f"{lab.address}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.loads(answer.read())

    settings = {"epochs": 20_000, "engine": "torch", "lr_schedule": "constant"}
    name = post("/api/runs", {"data": "digits", "settings": settings, "name": "inside"})["run"]
    yield name
    post(f"/api/runs/{name}/commands", {"command": "stop"})


@pytest.fixture
def ended(lab: Any, digits_run: Path, request: pytest.FixtureRequest) -> Run:
    """A run that is done, with all that its training has left."""
    lab.runs.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    return Run.open(shutil.copytree(digits_run, lab.runs / name))


def look(page: Any, name: str) -> Any:
    page.goto(f"/train/{name}")
    page.locator(INSIDE).wait_for(timeout=120_000)
    page.locator(INSIDE).scroll_into_view_if_needed()
    page.locator(f"{INSIDE} .layer canvas").first.wait_for(timeout=120_000)
    return page.locator(INSIDE)


def step_of(inside: Any) -> int:
    text = inside.locator("output").inner_text()
    return int(text.rpartition("step ")[2].replace(",", ""))


def drawn(page: Any, label: str) -> list[int]:
    """The pixels of a picture, as bytes."""
    return page.evaluate(
        "label => { const c = document.querySelector(`canvas[aria-label='${label}']`);"
        " return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }",
        label,
    )


def test_layers_move_as_they_are_trained_for_the_digit_that_was_chosen(
    page: Any, running: str
) -> None:
    inside = look(page, running)
    names = ("Activations", "Gradient of the activations", "Weights", "Gradient of the weights")
    assert [
        label.partition(" of conv1")[0]
        for label in inside.locator("section[aria-label=conv1] canvas").evaluate_all(
            "all => all.map((one) => one.ariaLabel)"
        )
    ] == list(names)
    assert inside.locator("section[aria-label=pool1] canvas").count() == 2, "it has no weights"
    first, weights = step_of(inside), drawn(page, "Weights of conv1")
    inside.get_by_label("3: validation image").click()
    inside.get_by_text("True class 3.").wait_for()
    assert inside.get_by_label("3: validation image").get_attribute("aria-pressed") == "true"
    page.wait_for_function(
        "([selector, first]) => Number(document.querySelector(`${selector} output`).textContent"
        ".split('step ')[1].replaceAll(',', '')) > first",
        arg=[INSIDE, first],
    )
    assert drawn(page, "Weights of conv1") != weights
    facts = page.locator(".fact", has=page.get_by_text("Throughput", exact=True)).inner_text()
    assert "steps per second" in facts
    assert "over the last seconds" in facts


def test_nothing_is_asked_of_the_training_while_nobody_sees_its_layers(
    lab: Any, page: Any, running: str
) -> None:
    look(page, running)
    page.evaluate("scrollTo(0, 0)")
    page.set_viewport_size({"width": 1440, "height": 500})
    watched = lab.runs / running / "live" / "watched_layers"
    page.wait_for_timeout(1000)
    before = watched.stat().st_mtime_ns
    page.wait_for_timeout(4500)  # two signs would have come
    assert watched.stat().st_mtime_ns == before
    page.locator(INSIDE).scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    assert watched.stat().st_mtime_ns > before


def test_the_rate_is_set_by_hand_and_the_run_says_so(lab: Any, page: Any, running: str) -> None:
    page.goto(f"/train/{running}")
    form = page.get_by_role("form", name="Change the learning rate")
    form.wait_for(timeout=120_000)
    form.get_by_label("From the next step on").fill("abc")
    form.get_by_role("button", name="Set").click()
    page.get_by_text("“abc” is not a number. Enter one such as 0.01.").wait_for()
    form.get_by_label("From the next step on").fill("0")
    form.get_by_role("button", name="Set").click()
    page.get_by_text("must be above 0 and at most 1,000,000, not 0").wait_for()
    form.get_by_label("From the next step on").fill("0.004")
    form.get_by_label("From the next step on").press("Enter")
    page.get_by_text("to 0.004 after step").first.wait_for()
    form.get_by_role("button", name="halve the learning rate").click()
    page.get_by_text("0.004 to 0.002 after step").first.wait_for()
    path = lab.runs / running
    now = Live(path).read_now()
    assert now["lr"] in (0.002, 0.004), "half a second old"
    assert now["lr_changes"].endswith(tuple("0123456789"))
    assert "changed from 0.004 to 0.002 from the lab" in (path / "log.txt").read_text("utf-8")


def test_who_is_taken_for_whom_is_told_after_each_epoch(page: Any, running: str) -> None:
    page.goto(f"/train/{running}")
    matrix = page.get_by_role("region", name="Confusion matrix of the validation images")
    matrix.wait_for(timeout=120_000)
    epoch = "document.body.innerText.match(/images are right after epoch ([\\d,]+)/)[1]"
    first = page.evaluate(epoch)
    page.wait_for_function(f"first => {epoch} !== first", arg=first)
    cells = matrix.locator("td.hit, td.miss").all_inner_texts()
    assert len(cells) == 100
    assert sum(int(cell) for cell in cells if cell != "·") == 179, "the validation images"


def test_the_epochs_are_gone_through_by_keys(page: Any, ended: Run) -> None:
    """What stands there is what Python computes with the weights of that epoch."""
    inside = look(page, ended.path.name)
    slider = inside.get_by_label("Epoch")
    card = ended.read_card()
    net, _ = rebuild(ended, ended.read_config(), card)
    image = Live(ended.path).read_snapshot("examples").tensors["pixels"][0].numpy()
    for key, place, words in (("Home", 0, "before the first step"), ("End", -1, "after epoch 6")):
        slider.press(key)
        inside.locator("output", has_text=words).wait_for()
        step = EpochWeights(ended.path).steps()[place]
        stored = EpochWeights(ended.path).read(step)
        load_state(net, stored.tensors, where="", card=card)
        with torch.no_grad():
            shares = net.eval()(preprocess(image, card))[0].softmax(0)
        best = int(shares.argmax())
        told = min(f"{100 * shares[best]:.2f}%", "99.99%")
        first = inside.locator(".chance").first
        first.get_by_text(told[:-2]).wait_for()
        assert first.locator(".class").inner_text() == str(best)
    assert page.url.endswith(f"at={EpochWeights(ended.path).steps()[-1]}")
    assert inside.get_by_label("Epoch").get_attribute("aria-valuetext").startswith("after epoch 6")
    inside.get_by_role("button", name="Play the epochs").click()
    inside.get_by_role("button", name="Stop").wait_for()
    inside.get_by_role("button", name="Play the epochs").wait_for()


def test_a_drawing_and_a_photo_are_looked_at(page: Any, ended: Run) -> None:
    inside = look(page, ended.path.name)
    inside.get_by_role("button", name="Draw").click()
    board = page.locator("dialog canvas")
    box = board.bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] - 40, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Use this drawing").click()
    inside.get_by_text("An image of yours").wait_for()
    pixels = Live(ended.path).read_snapshot("example").tensors["pixels"][0, :, :, 0]
    assert pixels.shape == (32, 32)
    lit = pixels[16].nonzero().flatten()
    assert pixels[16, 16] > 200
    assert 2 <= len(lit) <= 6, "a stroke"

    inside.get_by_role("button", name="Camera").click()
    page.get_by_role("button", name="Take the photo").click()
    for _ in range(100):
        example = Live(ended.path).read_snapshot("example")
        if example.metadata["name"] == "from the camera":
            break
        page.wait_for_timeout(100)
    assert example.metadata["name"] == "from the camera"
    assert example.tensors["pixels"].float().std() > 5, "the test picture of the browser"


@needs_axe
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_accessible_and_fits_a_narrow_page(page: Any, ended: Run, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    look(page, ended.path.name)
    assert serious_faults(page) == []
    page.set_viewport_size(NARROW)
    page.wait_for_function(  # the charts were drawn for half of a wide page, 687 pixels
        "(width) => document.documentElement.scrollWidth === width", arg=NARROW["width"]
    )


def test_a_network_is_edited_row_by_row_and_trained(lab: Any, page: Any) -> None:
    page.goto("/train")
    page.select_option("#set-model", "a table of your own")
    table = page.get_by_role("region", name="Table of layers")
    table.get_by_role("row", name="conv3").get_by_text("48,120").wait_for()
    page.get_by_text("61,706 parameters in all.").wait_for()
    page.get_by_label("size of row 3").fill("25")
    page.get_by_text("A 25x25 filter does not fit a 14x14 map").wait_for()
    assert table.locator("tr.is-wrong").count() == 1
    page.get_by_label("size of row 3").fill("3")
    page.get_by_label("padding of row 3").fill("same")
    page.get_by_label("filters of row 3").fill("4")
    table.get_by_text("4@14×14").wait_for()
    page.get_by_label("Remove conv3").click()
    table.get_by_role("row", name="Remove fc1").get_by_text("16,548").wait_for()  # 84·(4·7·7 + 1)
    page.get_by_label("dilation of row 3").fill("2")
    page.get_by_label("groups of row 3").fill("2")
    page.get_by_text("17,666 parameters in all.").wait_for()  # 156 + 112 + 16,548 + 850
    page.reload()
    page.get_by_text("17,666 parameters in all.").wait_for()
    page.fill("#set-epochs", "1")
    page.fill("#set-name", "edited")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/train/edited")
    page.get_by_text("Test accuracy", exact=True).wait_for(timeout=120_000)
    net, _ = rebuild(run := Run.open(lab.runs / "edited"), run.read_config(), run.read_card())
    names = [name for name, _ in net.named_children()]
    assert [name for name in names if name in ("conv1", "conv2", "conv3", "fc1", "fc2")] == [
        *("conv1", "conv2", "fc1", "fc2")
    ]
    assert net.conv2.weight.shape == (4, 3, 3, 3)
    assert (net.conv2.dilation, net.conv2.groups) == ((2, 2), 2)
