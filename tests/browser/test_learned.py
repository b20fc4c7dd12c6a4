"""What the page shows of a data set: patches that lead to their image and unit, levels, the map."""

import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def learned(lab: Any, digits_run: Path, page: Any) -> tuple[Any, str]:
    """A run of its own in the lab, open: the page, and the network's id."""
    run = lab.runs / "learned_digits"
    if not run.exists():
        shutil.copytree(digits_run, run)
    opened = page.request.post(f"{lab.address}/api/runs/{run.name}/open").json()
    return page, opened["network"]


def at_390(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_timeout(100)  # the page is drawn again, and what is pressed before that is gone
    page.wait_for_load_state("networkidle")


def test_levels_lead_to_parts_patches_to_units_and_units_to_patches(
    lab: Any, learned: tuple[Any, str]
) -> None:
    page, network = learned
    api = f"{lab.address}/api/networks/{network}"
    page.goto(f"/learned/{network}")
    page.get_by_role("button", name="Look through the images").click()
    page.wait_for_selector(".level")
    assert page.locator(".level h3").all_inner_texts()[0] == "Classes"
    at_390(page)

    page.get_by_role("button", name="Fit classifiers").click()
    page.wait_for_selector(".probes")
    probed = page.request.get(f"{api}/learned/probes").json()["labels"][0]
    rows = page.locator(".probes tbody tr").all_inner_texts()
    assert [row.split()[1] for row in rows[:-2]] == [
        f"{100 * each['accuracy']:.1f}%" for each in probed["layers"]
    ]
    assert page.locator(".level", has=page.get_by_text("conv2, level")).locator(".kernel").count()
    at_390(page)

    part = page.locator("#level-3-3 .part").first
    said = part.get_attribute("aria-label")
    part.focus()
    page.keyboard.press("Enter")
    if said.endswith("Go to it."):
        page.wait_for_function("() => document.activeElement?.id.startsWith('level-2-')")

    page.goto(f"/learned/{network}")
    strip = page.locator(".level", has=page.get_by_text("conv2, level")).locator(".patch-list")
    filter_ = page.request.get(f"{api}/learned/levels").json()["levels"][1]["filters"][0]
    strip.first.locator(".patch-button").nth(1).click()
    page.wait_for_selector(".ledger")
    patch = filter_["patches"][1]
    place = "{}/{},{}".format(*patch["unit"])
    assert page.url.endswith(f"/conv2/{place}")
    shown = page.get_attribute("#stage h2 .result", "title").replace("−", "-")
    assert float(shown) == pytest.approx(patch["value"], abs=1e-5)

    page.wait_for_selector(".over-data .patch-button")
    own = page.locator(".over-data .patch-button")
    assert own.count() == len(filter_["patches"])
    assert patch["image"] in own.nth(1).get_attribute("aria-label")
    at_390(page)


@pytest.mark.slow
def test_twins_are_not_concluded_from_one_image_and_a_point_opens_its_image(
    lab: Any, learned: tuple[Any, str]
) -> None:
    page, network = learned
    api = f"{lab.address}/api/networks/{network}"
    image = page.request.get(api).json()["images"][0]["id"]
    correlated = f"/look/{network}/{image}/conv2?rank=correlated"
    page.goto(correlated)
    page.get_by_text("These groups are of this one image.").wait_for()
    page.get_by_role("link", name="Twins and dead filters over the data set").click()
    page.get_by_role("button", name="Compare the maps").click()
    page.wait_for_selector("table.rows")
    redundancy = page.request.get(f"{api}/learned/redundancy").json()
    row = page.locator("table.rows tbody tr", has_text="conv2").first.inner_text().split()
    assert row[1:5] == [
        "16",
        *(str(len(redundancy["layers"][1][k])) for k in ("dead", "groups", "redundant")),
    ]
    page.get_by_text("How alike every two of the 16 maps are").click()
    every = page.request.get(f"{api}/learned/similarity/conv2").json()["order"]
    page.locator(".every-two canvas").focus()
    page.keyboard.press("ArrowDown")
    said = page.locator(".every-two [role=status]")
    assert said.inner_text().startswith(f"Maps {every[1]} and {every[0]}: correlation ")
    at_390(page)
    page.keyboard.press("Enter")
    page.wait_for_selector(".ledger, .maps, canvas")
    page.wait_for_url("**/look/**")

    page.goto(correlated)
    over = f"Over {redundancy['images']} images (the test split of digits), not this one image"
    page.get_by_text(over).wait_for()

    page.goto(f"/learned/{network}/map")
    page.get_by_role("button", name="Draw the map").click()
    page.wait_for_selector(".image-map")
    at_390(page)
    page.locator(".image-map").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.getElementById('said')?.textContent")
    name = page.inner_text("#said").split(", ")[-1]
    page.keyboard.press("Enter")
    page.wait_for_selector("#picture img")
    titles = [one["title"] for one in page.request.get(api).json()["images"]]
    assert any(title.endswith(name) for title in titles)
    assert "/look/" in page.url
