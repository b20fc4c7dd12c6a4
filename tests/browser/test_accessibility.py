"""Every screen of the lab is read by assistive technology without a serious fault."""

from typing import Any

import pytest

from tests.browser.axe import needs_axe, serious_faults

pytestmark = needs_axe

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
    assert serious_faults(page) == []
