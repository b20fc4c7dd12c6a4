"""How long the lab's page takes from a click on an operand to the picture of its arithmetic.

    python benchmarks/lab_paint.py --network resnet50 --clicks 40

Chromium clicks its way back through the network: from a class it steps to the operand that
contributes most, again and again to the image, then from the next class. Timed in the page: from
the click to the second frame after the heading says the new unit. The first click in each layer
also reads that layer's maps; both are printed. No other program shows the arithmetic of a unit, so
there is no peer.
"""

import argparse
import shutil
import statistics

from playwright.sync_api import Page, sync_playwright
from rounds import machine, spread

import convscope

BUDGET = 100.0  # milliseconds

CLICK = """(before) => new Promise((done) => {
  const begin = performance.now();
  const watch = new MutationObserver(() => {
    const now = document.querySelector("#stage h2")?.textContent;
    if (!now || now === before) return;
    watch.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begin)));
  });
  const all = { childList: true, subtree: true, characterData: true };
  watch.observe(document.getElementById("stage"), all);
  document.querySelector(".follow").click();
})"""


def clicks(page: Page, start: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of the first click into each layer, and of the others."""
    first: list[float] = []
    again: list[float] = []
    seen: set[str] = set()
    unit = 0
    while len(again) < count:
        page.goto(start.format(unit))
        page.wait_for_selector(".follow")
        while page.locator(".follow").count() and len(again) < count:
            before = page.inner_text("#stage h2")
            took = page.evaluate(CLICK, page.locator("#stage h2").text_content())
            name = page.inner_text("#stage h2").split("[")[0]
            (again if name in seen else first).append(took)
            seen.add(name)
            if before == page.inner_text("#stage h2"):
                break
            page.wait_for_timeout(30)
        unit += 1
    return first, again


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--network", default="resnet50")
    options.add_argument("--clicks", type=int, default=40)
    chosen = options.parse_args()
    print(machine())
    with convscope.lab(chosen.network, open=False, port=18720) as lab, sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        told = page.request.get(f"{lab.address}api/networks/{chosen.network}").json()
        image, answer = told["images"][0]["id"], told["answer"]
        start = f"{lab.address}look/{chosen.network}/{image}/{answer}/{{}}/0,0"
        first, again = clicks(page, start, chosen.clicks)
        browser.close()
    print(f"{chosen.network}: from click to paint {spread(again, '.0f')} ms")
    within = sum(took < BUDGET for took in again) / len(again)
    print(f"{within:.0%} of {len(again)} within {BUDGET:.0f} ms")
    print(f"the first in each layer {spread(first, '.0f')} ms")
    print(f"95th of a hundred: {statistics.quantiles(again, n=20)[-1]:.0f} ms")


if __name__ == "__main__":
    main()
