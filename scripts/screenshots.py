#!/usr/bin/env python
"""Take the pictures of the lab that the documentation shows: docs/images/*.png.

Needs Chromium (Debian's package `chromium`). The network is trained anew, with one seed, so the
pictures change only where the page does.
"""

import io
import json
import shutil
import tempfile
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import convscope

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"

SCREENS = {
    "network": ("/look/{run}/{image}", "light"),
    "unit": ("/look/{run}/{image}/conv2/5/3,7", "light"),
    "why": ("/look/{run}/{image}?why=default&class=3&not=8", "light"),
    "what_if": ("/look/{run}/{image}/conv2/5/3,7", "dark"),
    "training": ("/train/{run}", "dark"),
    "lesson": ("/learn/convolution", "light"),
}
"""The pictures: what is opened, and on which background."""

SHARP = ("network", "unit", "why", "what_if")
"""Those that README and docs show large."""


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "digits")
        convscope.train("digits", out=run, epochs=8, progress=False)
        with convscope.lab(run, runs=folder, open=False) as lab:
            with urllib.request.urlopen(f"{lab.address}api/networks/digits") as answer:  # noqa: S310 -- our own
                images = json.load(answer)["images"]
            image = next(one["id"] for one in images if one["title"].startswith("3"))
            with sync_playwright() as player:
                browser = player.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                for name, (path, scheme) in SCREENS.items():
                    address = lab.address.rstrip("/") + path.format(run="digits", image=image)
                    _take(browser, address, scheme, name)
                    print(IMAGES / f"{name}.png")


def _take(browser: Browser, address: str, scheme: str, name: str) -> None:
    page = browser.new_page(
        viewport={"width": 1440, "height": 900},
        color_scheme=scheme,
        device_scale_factor=1.5 if name in SHARP else 1,
    )
    page.goto(address, wait_until="load")
    if name == "why":
        page.get_by_text("weights in random order").first.wait_for(timeout=120_000)
    if name == "what_if":
        page.get_by_label("Which weight").or_(page.locator(".one-weight .cell.lit")).wait_for()
        page.locator(".slide-one input[type=range]").evaluate(
            "(slider) => { slider.value = slider.max; slider.dispatchEvent(new Event('input')); }"
        )
        page.locator(".followers figure").first.wait_for()
        page.locator(".what-if").evaluate("(card) => card.scrollIntoView()")
    page.wait_for_timeout(4000)  # for the last pictures
    picture = Image.open(io.BytesIO(page.screenshot()))
    smaller = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    smaller.save(IMAGES / f"{name}.png", optimize=True)
    page.close()


if __name__ == "__main__":
    main()
