"""The frame of the lab's page: the network drawn, search, keys, images, themes."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def network(page: Any) -> Any:
    """The first screen, drawn."""
    page.goto("/")
    page.wait_for_selector("#stage .box")
    return page


def rows(lab: Any, page: Any) -> list[dict[str, Any]]:
    return page.request.get(f"{lab.address}/api/networks/digits").json()["rows"]


def test_every_volume_is_a_box_and_a_row_of_the_table(lab: Any, network: Any) -> None:
    names = [row["name"] for row in rows(lab, network)]
    labels = [box.get_attribute("aria-label") for box in network.locator("#stage .box").all()]
    assert [label.split(",")[0].split(":")[0] for label in labels] == names
    table = network.locator("#stage table tbody th").all_inner_texts()
    assert [text.strip() for text in table] == names
    assert "61,706 parameters" in network.inner_text("#stage")


def test_the_first_screen_has_few_scripts(page: Any) -> None:
    page.goto("/")
    page.wait_for_selector("#stage .box")
    page.wait_for_load_state("networkidle")
    sizes = page.evaluate(
        """() => Object.fromEntries(performance.getEntriesByType("resource")
            .filter((file) => file.name.endsWith(".js"))
            .map((file) => [file.name, file.decodedBodySize]))"""
    )
    own = [path for path in sizes if "/static/" in path]
    assert len(own) > 15
    assert sum(sizes.values()) <= 120_000
    assert not any("chart" in path for path in own)


def test_a_layer_is_found_by_its_name_and_esc_leads_back(network: Any) -> None:
    network.keyboard.press("/")
    network.wait_for_selector("dialog input")
    network.keyboard.type("conv2")
    network.keyboard.press("Enter")
    network.wait_for_function("() => location.pathname.endsWith('/conv2')")
    network.wait_for_selector("#stage .map")
    network.keyboard.press("Escape")
    network.wait_for_selector("#stage .box")
    network.go_back()
    network.wait_for_selector("#stage .map")


def test_brackets_go_from_layer_to_layer(network: Any) -> None:
    network.locator("#stage table a", has_text="conv1").click()
    network.wait_for_function("() => location.pathname.endsWith('/conv1')")
    network.wait_for_selector("#stage .map")
    network.keyboard.press("]")
    network.wait_for_function("() => location.pathname.endsWith('/pool1')")


def test_an_image_that_is_chosen_is_looked_at(lab: Any, network: Any) -> None:
    kept = io.BytesIO()
    pixels = np.random.default_rng(5).integers(0, 256, (32, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(kept, "PNG")
    before = network.url
    network.get_by_text("Other…").click()
    network.locator("input[type=file]").set_input_files(
        {"name": "ünknown.png", "mimeType": "image/png", "buffer": kept.getvalue()}
    )
    network.wait_for_function("before => location.href !== before", arg=before)
    shown = "title => document.querySelector('#picture').innerText.includes(title)"
    network.wait_for_function(shown, arg="ünknown.png")
    image = network.url.split("/")[5].split("?")[0]
    told = network.request.get(f"{lab.address}/api/networks/digits/images/{image}").json()
    assert told["title"] == "ünknown.png"
    best = told["predictions"][0]
    wanted = min(f"{100 * best['probability']:.2f}%", "99.99%")
    assert wanted in network.inner_text("#picture")


def test_what_is_no_image_is_told_in_a_sentence(network: Any) -> None:
    network.get_by_text("Other…").click()
    network.locator("input[type=file]").set_input_files(
        {"name": "no.png", "mimeType": "image/png", "buffer": b"no image"}
    )
    network.wait_for_function("() => document.body.innerText.includes('Give an image file')")


def test_the_theme_is_kept(network: Any) -> None:
    def theme() -> str:
        return network.evaluate("document.documentElement.dataset.theme")

    first = theme()
    network.get_by_label("Light or dark").click()
    assert theme() != first
    network.reload()
    network.wait_for_selector("#stage .box")
    assert theme() != first


def test_the_lectures_sheet_is_one_click(network: Any) -> None:
    with network.expect_download() as waited:
        network.get_by_text("as PNG").click()
    with Image.open(waited.value.path()) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 6 * 128  # maps of the first convolution, side by side
        assert sheet.height > 3 * 128  # the image and two convolutions with maps


def test_elements_write_out_what_commands_or_turns_text(page: Any):
    page.goto("/look")
    made = page.evaluate(
        "import('/static/element.js').then(({ el }) =>"
        r" el('p', { title: '\u202ea', 'data-name': '\u202eb' }, 'x\u001b[1m<b>\u2028').outerHTML)"
    )
    assert made == r'<p title="\u202ea" data-name="' + '\u202eb">' + r"x\x1b[1m&lt;b&gt;\u2028</p>"
