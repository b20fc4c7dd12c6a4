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

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

import convscope

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"

SCREENS = {
    "network": ("/look/{run}/{image}", "light"),
    "unit": ("/look/{run}/{image}/conv2/5/3,7", "light"),
    "training": ("/train/{run}", "dark"),
    "lesson": ("/learn/convolution", "light"),
}
"""The pictures: what is opened, and on which background."""


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "digits")
        convscope.train("digits", out=run, epochs=8, progress=False)
        digit = Path(folder, "three.png")
        Image.fromarray(_three()).save(digit)
        with convscope.lab(run, image=digit, runs=folder, open=False) as lab:
            with urllib.request.urlopen(f"{lab.address}api/networks/digits") as answer:  # noqa: S310 -- our own
                image = json.load(answer)["images"][0]["id"]
            with sync_playwright() as player:
                browser = player.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                for name, (path, scheme) in SCREENS.items():
                    address = lab.address.rstrip("/") + path.format(run="digits", image=image)
                    _take(browser, address, scheme, IMAGES / f"{name}.png")
                    print(IMAGES / f"{name}.png")


def _take(browser: Browser, address: str, scheme: str, path: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    page.goto(address, wait_until="load")
    page.wait_for_timeout(2500)  # for the last pictures
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    page.close()


def _three() -> np.ndarray:
    """A three drawn of two arcs, 28 x 28."""
    y, x = np.mgrid[:28, :28]
    upper = np.abs(np.hypot(y - 9.0, x - 13.0) - 4.5) < 1.6
    lower = np.abs(np.hypot(y - 18.0, x - 13.0) - 5.0) < 1.6
    right = x > 11
    return np.where((upper | lower) & right, 255, 0).astype(np.uint8)


if __name__ == "__main__":
    main()
