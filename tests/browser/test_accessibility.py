"""Every screen of the lab is read by assistive technology without a serious fault."""

from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed")

SCREENS = {
    "network": ("/look/{network}/{image}", "#stage svg"),
    "maps": ("/look/{network}/{image}/conv2", "#stage canvas"),
    "unit": ("/look/{network}/{image}/conv2/3/2,2", ".ledger"),
    "what if": ("/look/{network}/{image}/conv2/3/2,2", ".what-if .slide-one"),
    "pixel": ("/look/{network}/{image}/image/0/3,3", ".what-if .paint"),
    "why": ("/look/{network}/{image}?why=default", ".board.heat"),
    "training": ("/train", "form"),
    "network table": ("/train?model=a+table+of+your+own", ".editable .text"),
    "lessons": ("/learn", "main a"),
    "walk": ("/learn/volumes", ".walk"),
}


@pytest.mark.parametrize("name", SCREENS)
def test_nothing_serious_stands_in_the_way(lab: Any, page: Any, name: str) -> None:
    network = page.request.get(f"{lab.address}/api/networks").json()["networks"][0]["id"]
    image = page.request.get(f"{lab.address}/api/networks/{network}").json()["images"][0]["id"]
    path, shown = SCREENS[name]
    page.goto(path.format(network=network, image=image))
    page.locator(shown).first.wait_for(timeout=60_000)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((told) => told.violations)")
    assert [
        (one["id"], one["nodes"][0]["html"])
        for one in found
        if one["impact"] in ("serious", "critical")
    ] == []
