"""What axe-core says of a page."""

from typing import Any

import pytest

from tests.browser.conftest import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed")


def serious_faults(page: Any) -> list[tuple[str, str]]:
    """Rule and first element of each serious or critical fault."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return [
        (one["id"], one["nodes"][0]["html"])
        for one in page.evaluate("axe.run().then((told) => told.violations)")
        if one["impact"] in ("serious", "critical")
    ]
