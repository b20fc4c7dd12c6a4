"""The screen Results: figures, and images that open in Look inside."""

import shutil
from pathlib import Path
from typing import Any


def test_a_cell_of_the_confusion_matrix_lists_its_images_and_each_opens(
    lab: Any, digits_run: Path, page: Any
) -> None:
    run = lab.runs / "results_digits"
    if not run.exists():
        shutil.copytree(digits_run, run)
    network = page.request.post(f"{lab.address}/api/runs/{run.name}/open").json()["network"]
    page.goto(f"/results/{network}")
    page.get_by_role("button", name="Evaluate the network").click()
    page.wait_for_selector(".confusion")
    found = page.request.get(f"{lab.address}/api/networks/{network}/learned/results").json()
    assert page.locator(".distrust li").all_inner_texts() == found["distrust"]
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    page.set_viewport_size({"width": 1440, "height": 900})

    wrong = found["correct"].index(False)
    truth, predicted = found["truths"][wrong], found["answers"][wrong]
    pairs = list(zip(found["truths"], found["answers"], strict=True))
    count = pairs.count((truth, predicted))
    page.get_by_role("button", name=f"{count} of {truth} predicted as {predicted}").click()
    page.get_by_text(f"{truth}, predicted as {predicted}: {count} image").wait_for()
    assert page.locator(".answer").count() == count
    key = page.locator(".answer").first.get_attribute("title")
    assert pairs[found["names"].index(key)] == (truth, predicted)
    page.locator(".answer").first.click()
    page.wait_for_function("() => location.pathname.startsWith('/look/')")
    page.get_by_text(f"{truth}: {key}").first.wait_for()
