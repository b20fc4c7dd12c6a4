"""The site: built without a warning, its notebooks executed, and without outside requests."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import convscope
from tests.docs.examples import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, out],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


class _Requests(HTMLParser):
    """The addresses that a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img", "iframe", "source", "video", "audio"} and values.get("src"):
            self.addresses.append(values["src"] or "")
        fetched = {"stylesheet", "preload", "icon", "preconnect", "dns-prefetch", "modulepreload"}
        if tag == "link" and fetched & set((values.get("rel") or "").split()):
            self.addresses.append(values.get("href") or "")


@pytest.mark.slow
def test_no_page_asks_another_host_for_anything(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        parser = _Requests()
        parser.feed(page.read_text())
        outside = [url for url in parser.addresses if re.match(r"(https?:)?//", url)]
        assert not outside, page.relative_to(site)
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text()), sheet.name


@pytest.mark.slow
def test_the_notebooks_show_what_their_cells_return(site: Path) -> None:
    train = (site / "notebooks" / "train.html").read_text()
    assert "95% interval" in train
    assert "<svg" in train
    assert "−17" in (site / "notebooks" / "arithmetic.html").read_text()


def test_every_public_name_is_in_the_reference() -> None:
    reference = (DOCS / "api.md").read_text()
    listed = set(re.findall(r"auto(?:function|class|exception):: (\w+)", reference))
    assert listed == set(convscope.__all__)


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (DOCS / "index.md").read_text()
    pages = [
        path.relative_to(DOCS).with_suffix("")
        for kind in ("*.md", "*.ipynb")
        for path in DOCS.rglob(kind)
    ]
    missing = [
        str(page) for page in pages if f"\n{page}\n" not in contents and str(page) != "index"
    ]
    assert not missing


def test_notebooks_are_kept_without_outputs() -> None:
    for path in DOCS.rglob("*.ipynb"):
        text = path.read_text()
        assert '"execution_count": null' in text, path.name
        assert not re.search(r'"outputs": \[\s*\{', text), path.name
