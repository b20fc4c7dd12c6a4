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


def test_of_very_many_classes_the_worst_are_listed_first(
    lab: Any, digits_run: Path, page: Any
) -> None:
    run = lab.runs / "results_many"
    shutil.copytree(digits_run, run, dirs_exist_ok=True)
    network = page.request.post(f"{lab.address}/api/runs/{run.name}/open").json()["network"]
    page.goto(f"/results/{network}")
    page.get_by_role("button", name="Evaluate the network").click()
    page.wait_for_selector(".confusion")
    found = page.request.get(f"{lab.address}/api/networks/{network}/learned/results").json()
    one = found["per_class"][0]
    found["per_class"] = [
        {
            **one,
            "name": f"class {n}",
            "images": n % 10,
            "recall": {**one["recall"], "value": n / 500},
        }
        for n in reversed(range(500))
    ]
    page.route("**/learned/results*", lambda route: route.fulfill(json=found))
    page.reload()
    rows = page.get_by_role("region", name="Classes", exact=True).locator("tbody th")
    rows.first.wait_for()
    with_images = [f"class {n}" for n in range(500) if n % 10]
    assert rows.all_inner_texts() == with_images[:40]
    page.get_by_text("50 have no images.").wait_for()
    page.get_by_role("button", name="Show 320 more of 410 others").click()
    assert rows.all_inner_texts() == with_images[:360]
