"""The screen Training: a training is begun, watched and steered from the page."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.runs.folder import Run
from convscope.training.config import TrainConfig
from convscope.webapp.jobs.form import LEFT_OUT
from tests.browser import fake_runs
from tests.repetition import first_fast

NARROW = {"width": 390, "height": 844}


@pytest.fixture
def fake(lab: Any, digits_run: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    """A run that seems to be trained as long as the test holds its lock."""
    lab.runs.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))
    run = fake_runs.copied(digits_run, lab.runs, f"fake-{name}")
    run.write_metrics([])
    (run.path / "test.json").unlink()
    fake_runs.tell(run, np.linspace(2.5, 0.5, 600))
    with run.locked():
        yield run


@pytest.fixture
def form(page: Any) -> Any:
    page.goto("/train")
    page.wait_for_selector("form.start")
    return page


def watch(page: Any, run: Run) -> Any:
    page.goto(f"/train/{run.path.name}")
    page.wait_for_selector(".about h2")
    return page


def label(page: Any, title: str, part: str) -> str:
    """What the chart says of itself, once it says `part`."""
    plot = page.locator(f'.plot[aria-label^="{title}."]')
    page.wait_for_function(
        "([title, part]) => [...document.querySelectorAll('.plot')].some((plot) => "
        "(plot.ariaLabel ?? '').startsWith(`${title}.`) && plot.ariaLabel.includes(part))",
        arg=[title, part],
    )
    return plot.get_attribute("aria-label")


def figure(page: Any, name: str) -> str:
    return page.locator(".fact", has=page.get_by_text(name, exact=True)).locator("b").inner_text()


def test_a_training_is_begun_paused_watched_by_two_and_goes_on_to_its_end(
    lab: Any, form: Any
) -> None:
    form.fill("#set-epochs", "40")
    form.fill("#set-name", "steered")
    form.locator("summary", has_text="Machine").click()
    form.select_option("#set-engine", "torch")  # the compiled engine ends before a page looks twice
    form.get_by_role("button", name="Start training").click()
    form.wait_for_url("**/train/steered")
    form.get_by_role("button", name="Pause").click()
    form.get_by_role("button", name="Resume").wait_for()
    now = json.loads((lab.runs / "steered" / "live" / "now.json").read_text())
    step = int(figure(form, "Step").replace(",", ""))
    assert now["state"] == "paused"
    assert step == now["step"] < 1600

    form.reload()
    form.get_by_role("button", name="Resume").wait_for()
    assert figure(form, "Step") == f"{step:,}"
    other = form.context.new_page()
    other.goto(form.url)
    other.get_by_role("button", name="Resume").wait_for()
    form.get_by_role("button", name="Resume").click()
    other.get_by_role("button", name="Pause").wait_for()

    for page in (form, other):
        page.get_by_text("Test accuracy", exact=True).wait_for(timeout=120_000)
        test = json.loads((lab.runs / "steered" / "test.json").read_text())
        assert figure(page, "Test accuracy") == f"{100 * test['top1']:.2f}%"
        assert figure(page, "Step") == "1,600"
    lines = (lab.runs / "steered" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["val_loss"] for line in lines]
    said = label(form, "Loss", f"between {min(losses):.5f} and {max(losses):.3f}")
    assert f"validation from {losses[0]:.3f}" in said
    form.get_by_role("button", name="Look inside", exact=True).click()
    form.wait_for_selector("#stage .box")
    assert form.url.startswith(f"{lab.address}/look/")


def test_only_what_was_changed_is_sent_and_a_refusal_loses_nothing(lab: Any, form: Any) -> None:
    sent: list[Any] = []
    form.on("request", lambda one: sent.append(one.post_data_json) if one.post_data else None)
    before = form.request.get(f"{lab.address}/api/runs").json()
    form.fill("#set-epochs", "3")
    form.fill("#set-lr", "abc")
    form.locator("summary", has_text="Optimizer").click()
    form.fill("#set-lr_milestones", "0.25, 0.5")
    form.locator("summary", has_text="Machine").click()
    form.locator("#set-compile").check()
    form.get_by_role("button", name="Start training").click()
    alert = form.locator("form [role=alert]:visible")
    assert "lr must be a number" in alert.inner_text()
    settings = {"epochs": 3, "lr": "abc", "lr_milestones": [0.25, 0.5], "compile": True}
    assert sent == [{"data": "digits", "settings": settings, "name": None}]
    assert form.evaluate("document.activeElement.id") == "set-lr"

    form.reload()
    form.wait_for_selector("form.start")
    values = [form.input_value(f"#set-{name}") for name in ("epochs", "lr", "lr_milestones")]
    assert values == ["3", "abc", "0.25, 0.5"]
    assert form.locator("#set-compile").is_checked()
    assert form.request.get(f"{lab.address}/api/runs").json() == before


def test_every_setting_has_a_field_that_shows_its_default(form: Any) -> None:
    for setting in fields(TrainConfig):
        if setting.name in LEFT_OUT:
            continue
        field = form.locator(f"#set-{setting.name}")
        assert form.locator(f'label[for="set-{setting.name}"]').count() == 1
        if isinstance(setting.default, bool):
            assert field.is_checked() is setting.default
        elif isinstance(setting.default, tuple):
            assert tuple(map(float, field.input_value().split(", "))) == setting.default
        elif setting.default is None:
            assert field.input_value() == ""
        else:
            shown = field.input_value()
            assert shown == str(setting.default) or float(shown) == setting.default


@pytest.mark.slow
def test_steps_instead_of_epochs(form: Any) -> None:
    form.get_by_role("radio", name="Steps").check()
    form.fill("#set-steps", "2")
    form.fill("#set-name", "two-steps")
    with form.expect_request("**/api/runs") as asked:
        form.get_by_role("button", name="Start training").click()
    assert asked.value.post_data_json["settings"] == {"steps": 2}
    form.wait_for_url("**/train/two-steps")
    form.get_by_text("Test accuracy", exact=True).wait_for(timeout=60_000)
    assert figure(form, "Step") == "2"


def test_charts_follow_a_training_and_lose_no_extreme(page: Any, fake: Run) -> None:
    watch(page, fake)
    assert "between 0.5000 and 2.500" in label(page, "Loss", "0.5000")
    losses = np.full(5000, 1.25)
    losses[[17, 4321]] = 7.5, 0.03125
    fake_runs.tell(fake, losses)
    assert "between 0.03125 and 7.500" in label(page, "Loss", "7.500")
    assert "lowest to highest loss of every 8 steps" in page.inner_text(".charts")
    rows = page.request.get(page.url.replace("/train", "/api/runs", 1)).json()
    assert rows["now"]["step"] == 5000
    plot = page.locator('.plot[aria-label^="Loss."]')
    plot.focus()
    plot.press("Home")
    plot.press("ArrowRight")
    plot.press("ArrowRight")
    said = page.locator("#said").inner_text()
    assert said.startswith("steps 17 to 24: ")
    assert "highest 7.500 at step 18" in said
    mean = (7.5 + 7 * 1.25) / 8
    assert f"{mean:.3f} on average" in said


def test_the_pointer_reads_the_points_of_a_chart(page: Any, fake: Run) -> None:
    losses = np.full(400, 1.25)
    losses[200] = 7.5
    fake_runs.tell(fake, losses)
    watch(page, fake)
    label(page, "Loss", "7.500")
    plot = page.locator('.plot[aria-label^="Loss."]')
    tip = plot.locator(".tip")
    assert not tip.is_visible()
    grid = plot.locator(".grid").first.bounding_box()  # from step 0 to step 400
    page.mouse.move(grid["x"] + grid["width"] * 201 / 400, grid["y"] - 20)
    assert tip.inner_text() == "step 201: 7.500"
    assert plot.locator(".read .dot").count() == 1
    page.mouse.move(0, 0)
    assert not tip.is_visible()


def test_time_and_progress_are_told_in_words(page: Any, fake: Run) -> None:
    watch(page, fake)
    assert figure(page, "Time left") == "1 h 2 min"
    assert "1 min 15 s so far" in page.inner_text(".facts")
    assert page.locator(".about progress").evaluate("bar => bar.value") == pytest.approx(0.075)
    assert figure(page, "Throughput") == "5,000/s"


def test_a_wish_is_awaited_until_it_was_heard(page: Any, fake: Run) -> None:
    watch(page, fake)
    with page.expect_response("**/commands"):
        page.get_by_role("button", name="Pause").click()
    page.get_by_text("Pausing…").wait_for()
    stop = page.get_by_role("button", name="Stop")
    assert stop.get_attribute("aria-disabled") == "true"
    wish = json.loads((fake.path / "live" / "command.json").read_text())
    assert wish["command"] == "pause"
    fake_runs.tell(
        fake, [1.0], state="paused", message="Paused at step 1.", acknowledged=wish["id"]
    )
    page.get_by_role("button", name="Resume").wait_for()
    assert page.get_by_text("Pausing…").count() == 0
    assert "Paused at step 1." in page.inner_text(".about .lead")
    assert page.evaluate("document.activeElement.textContent") == "Resume"


def test_dead_layers_and_vanishing_gradients_are_named(page: Any, fake: Run) -> None:
    layers = {
        "first": {"zeros": 0.1, "gradient": 2e-6},
        "second": {"zeros": 0.97, "gradient": 1e-3},
        "third": {"zeros": 0.62, "gradient": 1e-2},
        "fourth": {"zeros": 0.0, "gradient": 0.0},
    }
    fake_runs.show_layers(fake, layers)
    watch(page, fake)
    page.wait_for_selector(".layers:visible")
    told = page.locator(".layers .told li").all_inner_texts()
    assert told == [
        "fourth: no gradient reaches it, so it does not learn.",
        "first: its gradient is 5,000 times smaller than that of third.",
        "second: 97% of its activations are 0; most units are dead.",
        "third: 62% of its activations are 0.",
    ]
    page.locator(".layers button", has_text="second").click()
    assert "layer=second" in page.url
    page.reload()
    page.locator(".layers [aria-pressed=true]", has_text="second").wait_for()


def test_wrong_images_are_drawn_byte_by_byte(page: Any, fake: Run) -> None:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    fake_runs.show_wrong(fake, pixels, [("4", "9", 0.987), ("one", "seven", 1.0)])
    watch(page, fake)
    page.wait_for_selector(".wrong canvas")
    drawn = page.evaluate(
        "[...document.querySelectorAll('.wrong:not(.many) canvas')].map((one) => "
        "[...one.getContext('2d').getImageData(0, 0, one.width, one.height).data])"
    )
    colors = np.array(drawn, dtype=np.uint8).reshape(2, 5, 7, 4)[..., :3]
    np.testing.assert_array_equal(colors, pixels)
    said = page.locator(".wrong figcaption").all_inner_texts()
    assert said == ["true 4 predicted 9 (98.70%)", "true one predicted seven (100%)"]


def test_filters_are_drawn_on_one_scale_zero_as_the_paper(page: Any, fake: Run) -> None:
    first, last = np.zeros((2, 2, 1, 3, 3), dtype=np.float32)
    first[0, 0, 1, 1], first[1, 0, 0, 0] = 0.05, -0.05
    last[0, 0, 1, 1], last[1, 0, 0, 0] = 0.5, -0.5
    fake_runs.show_filters(fake, {0: first, 600: last})
    watch(page, fake)
    page.wait_for_selector(".forming canvas")
    assert page.locator(".forming figcaption").all_inner_texts() == ["step 0", "step 600"]
    colors = page.evaluate(
        """[...document.querySelectorAll(".forming canvas")].map((one) => {
          const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
          const found = new Set();
          for (let i = 0; i < data.length; i += 4)
            if (data[i + 3] === 255) found.add([data[i], data[i + 1], data[i + 2]].join());
          return [...found];
        })"""
    )
    darkest = {"7,48,94", "107,47,4"}  # of the light theme's blue and orange
    assert "255,255,255" in colors[0]
    assert not darkest & set(colors[0])
    assert darkest <= set(colors[1])


def test_a_lab_that_is_gone_is_told_and_comes_back(page: Any, fake: Run) -> None:
    page.route("**/events*", lambda route: route.abort())
    watch(page, fake)
    page.get_by_text("The lab does not answer.").wait_for()
    fake_runs.tell(fake, [1.0, 1.0])
    page.unroute("**/events*")
    page.wait_for_function("() => document.querySelector('.fact:last-child b').textContent === '2'")
    assert page.locator(".lost").is_hidden()


def test_a_refused_stream_says_why_and_is_asked_for_again(page: Any, fake: Run) -> None:
    body = json.dumps({"message": "32 pages listen to trainings already."})
    refusal = {"status": 503, "content_type": "application/json", "body": body}
    page.route("**/events*", lambda route: route.fulfill(**refusal))
    watch(page, fake)
    page.get_by_text("32 pages listen to trainings already.").wait_for()
    fake_runs.tell(fake, [1.0, 1.0, 1.0])
    page.wait_for_function("() => document.querySelector('.fact:last-child b').textContent === '3'")
    page.unroute("**/events*")
    page.locator(".lost").wait_for(state="hidden")


def test_open_parts_and_logarithmic_axes_stay_after_a_reload(page: Any, fake: Run) -> None:
    watch(page, fake)
    page.get_by_role("button", name="Log axis: Loss").click()
    page.locator(".log summary").click()
    page.wait_for_function("() => location.search.includes('open=log')")
    page.reload()
    page.wait_for_selector(".log[open]")
    pressed = page.get_by_role("button", name="Log axis: Loss")
    assert pressed.get_attribute("aria-pressed") == "true"
    page.wait_for_selector(".chart .plot svg")
    ticks = page.locator(".chart").first.locator(".tick-y text").all_text_contents()
    assert ticks == ["0.5", "1", "2"]


def test_an_unknown_run_is_a_sentence(page: Any) -> None:
    page.goto("/train/nowhere")
    alert = page.locator("#stage [role=alert]")
    alert.wait_for()
    assert "nowhere" in alert.inner_text()


@pytest.mark.slow
def test_a_run_that_was_killed_can_be_trained_on(lab: Any, page: Any, digits_run: Path) -> None:
    run = fake_runs.copied(digits_run, lab.runs, "killed")
    (run.path / "test.json").unlink()
    fake_runs.tell(run, [1.0] * 240, saved_step=240)
    told = json.loads((run.path / "live" / "now.json").read_text())
    old = {**told, "updated_at": time.time() - 60}
    (run.path / "live" / "now.json").write_text(json.dumps(old))
    watch(page, run)
    assert page.inner_text(".about .lead").startswith("Interrupted")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Test accuracy", exact=True).wait_for(timeout=60_000)


@pytest.mark.parametrize("theme", first_fast(1, ["light", "dark"]))
def test_a_narrow_page_does_not_scroll_sideways(page: Any, fake: Run, theme: str) -> None:
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme=theme)
    for address in ("/train", f"/train/{fake.path.name}"):
        page.goto(address)
        page.wait_for_selector(".about h2, form.start")
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


def test_tab_reaches_every_control(page: Any, fake: Run) -> None:
    fake_runs.show_layers(fake, {"only": {"zeros": 0.0, "gradient": 0.1}})
    watch(page, fake)
    page.wait_for_selector(".layers:visible")
    page.wait_for_selector(".plot svg")
    page.locator("body").focus()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "(() => { const one = document.activeElement; return one.closest('#stage') && "
            "one.matches('button, a, summary') ? one.textContent + one.ariaLabel : null; })()"
        )
        reached |= {here} - {None}
    wanted = page.evaluate(  # now that all charts are drawn
        "[...document.querySelectorAll('#stage button, #stage a, #stage summary')]"
        ".filter((one) => one.checkVisibility() && !one.disabled)"
        ".map((one) => one.textContent + one.ariaLabel)"
    )
    assert sorted(reached) == sorted(wanted)
