"""The screen Compare: runs and networks beside one another."""

import json
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from torchvision import models

from convscope.runs.folder import Run
from tests.browser import fake_runs
from tests.repetition import first_fast

NARROW = {"width": 390, "height": 844}


@pytest.fixture
def pair(lab: Any, digits_run: Path) -> tuple[str, str]:
    """Two runs of which the second had another learning rate, and is said to be better."""
    lab.runs.mkdir(exist_ok=True)
    if not (lab.runs / "one").exists():
        fake_runs.copied(digits_run, lab.runs, "one")
        changed(fake_runs.copied(digits_run, lab.runs, "two"))
    return "one", "two"


def changed(run: Run) -> None:
    config = run.read_config()
    run.write("config.toml", tomli_w.dumps({**config, "lr": 0.125, "seed": 7}))
    lines = run.read_metrics()
    run.write_metrics([{**line, "val_top1": 0.875, "val_loss": 0.25} for line in lines])


@pytest.fixture
def compared(page: Any, pair: tuple[str, str]) -> Any:
    page.goto(f"/compare?runs={'~'.join(pair)}")
    page.wait_for_selector(".compare table")
    return page


def cells(page: Any, name: str) -> list[list[str]]:
    rows = page.get_by_role("region", name=name).locator("tr").all()
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]


def label(page: Any, title: str, part: str) -> str:
    plot = page.locator(f'.plot[aria-label^="{title}."][aria-label*="{part}"]')
    plot.wait_for()
    return plot.get_attribute("aria-label")


def test_results_are_those_of_the_test(lab: Any, compared: Any) -> None:
    test = json.loads((lab.runs / "one" / "test.json").read_text())
    head, *rows = cells(compared, "Results")
    assert [row[0].split()[-1] for row in rows] == ["one", "two"]
    hits = sum(line[i] for i, line in enumerate(test["confusion"]))
    low, high = (f"{100 * side:.2f}%" for side in test["top1_interval"])
    for row in rows:
        told = dict(zip(head, row, strict=True))
        assert told["Test accuracy"] == f"{100 * test['top1']:.2f}% ({hits} of 359)"
        assert told["95% interval"] == f"{low} to {high}"
        assert told["Parameters"] == "61,706"
        assert told["Multiply-adds"] == "416,520"


def test_settings_that_differ_come_first_and_alone(compared: Any) -> None:
    rows = cells(compared, "Settings")[1:]
    assert {row[0]: row[2:] for row in rows}["lr"][1] == "0.125"
    assert {"lr", "seed"} <= {row[0] for row in rows}
    assert all(row[2] != row[3] for row in rows)
    more = compared.get_by_role("button", name="Equal settings")
    number = int(more.inner_text().split()[1])
    more.click()
    compared.wait_for_function("() => location.search.includes('open=equal')")
    compared.wait_for_function(
        "(n) => document.querySelectorAll('[aria-label=Settings] tbody tr').length === n",
        arg=len(rows) + number,
    )
    equal = cells(compared, "Settings")[1 + len(rows) :]
    assert all(row[2] == row[3] for row in equal)


def test_curves_are_drawn_over_epochs_steps_or_seconds(compared: Any) -> None:
    label(compared, "Validation accuracy", "B two from 87.50% to 87.50%")
    for name, last in (("Epochs", "6"), ("Steps", "200"), ("Seconds", None)):
        compared.get_by_role("button", name=f"Drawn over: {name}").click()
        unit = "seconds of training" if name == "Seconds" else name.lower()
        title = compared.locator(".compare .chart").first.locator(".title-x")
        compared.wait_for_function(
            "(unit) => document.querySelector('.compare .title-x')?.textContent === unit", arg=unit
        )
        assert title.text_content() == unit
        ticks = compared.locator(".compare .chart").first.locator(".tick-x text")
        if last is not None:
            assert ticks.all_text_contents()[-1] == last
    assert "over=seconds" in compared.url
    compared.reload()
    pressed = compared.get_by_role("button", name="Drawn over: Seconds")
    pressed.wait_for()
    assert pressed.get_attribute("aria-pressed") == "true"


def test_each_run_has_its_letter_color_and_dashes(compared: Any) -> None:
    compared.wait_for_selector(".compare .chart .line")
    lines = compared.locator(".compare .chart").first.locator(".line")
    styles = lines.evaluate_all(
        "all => all.map((one) => [one.style.stroke, one.style.strokeDasharray])"
    )
    assert len({color for color, _ in styles}) == len({dash for _, dash in styles}) == 2
    said = compared.locator(".compare .chart").first.locator(".end").all_text_contents()
    assert sorted(text[0] for text in said) == ["A", "B"]


def test_runs_and_networks_are_added_and_removed(
    lab: Any, page: Any, pair: tuple[str, str]
) -> None:
    page.goto("/compare")
    page.get_by_label("Add a run").select_option(pair[0])
    page.get_by_text("Add one more").wait_for()
    page.get_by_label("Add a network").select_option("resnet18")
    page.wait_for_selector("[aria-label=Networks] tbody tr")
    assert page.url == f"{lab.address}/compare?runs={pair[0]}&networks=resnet18"
    row = cells(page, "Networks")[1]
    network = models.resnet18()
    assert row[1] == "3×224×224"
    assert f"{sum(p.numel() for p in network.parameters()):,}" in row
    page.get_by_role("button", name=f"Remove {pair[0]}").click()
    page.get_by_label("Add a network").select_option("lenet5")
    page.wait_for_function(
        "() => document.querySelectorAll('[aria-label=Networks] tbody tr').length === 2"
    )
    page.go_back()
    page.wait_for_function(
        "() => document.querySelectorAll('[aria-label=Networks] tbody tr').length === 0"
    )


def test_what_the_server_refuses_is_said(page: Any, pair: tuple[str, str]) -> None:
    page.goto(f"/compare?runs={pair[0]}~nowhere")
    alert = page.locator("#stage [role=alert]")
    alert.wait_for()
    assert "nowhere" in alert.inner_text()
    page.get_by_role("button", name="Remove nowhere").click()
    page.get_by_text("Add one more").wait_for()


def test_intervals_that_overlap_are_said_to(compared: Any) -> None:
    assert "The intervals overlap" in compared.locator(".told").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_colors_of_runs_can_be_read_as_text(page: Any, theme: str) -> None:
    """At least 4.5 to 1 on paper: contrast as WCAG 2.2 defines it."""
    page.emulate_media(color_scheme=theme)
    page.goto("/compare")
    page.wait_for_selector(".chooser")
    colors = page.evaluate(
        "['paper', ...Array.from({length: 8}, (_, i) => `run-${i + 1}`)].map((name) => "
        "getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim())"
    )
    paper, *runs = map(luminance, colors)
    assert len(set(colors)) == 9
    assert all((max(one, paper) + 0.05) / (min(one, paper) + 0.05) >= 4.5 for one in runs)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", first_fast(1, ["light", "dark"]))
def test_a_narrow_page_does_not_scroll_sideways(
    page: Any, pair: tuple[str, str], theme: str
) -> None:
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme=theme)
    page.goto(f"/compare?runs={'~'.join(pair)}&networks=resnet18")
    page.wait_for_selector(".compare .plot svg")
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
