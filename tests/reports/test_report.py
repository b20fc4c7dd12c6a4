"""The report is one page that fetches nothing, and says what the scores say."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import convscope
from convscope.reports.chart import _ticks, curves
from convscope.runs.folder import Run
from tests.conftest import make_image_folder


class Balance(HTMLParser):
    """Every tag that is opened is closed, in order."""

    VOID = frozenset({"meta", "img", "line", "circle", "polyline"})

    def __init__(self, page):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in self.VOID or self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(digits_run):
    page = (digits_run / "report.html").read_text()
    parsed = Balance(page)
    assert not parsed.open
    assert "script" not in {tag for tag, _ in parsed.tags}
    for _, attrs in parsed.tags:
        assert "href" not in attrs
        assert attrs.get("src", "data:").startswith("data:image/png;base64,") or "src" not in attrs
    assert not re.search(r"https?://", page)


def test_the_page_has_the_test_metrics(digits_run):
    page, scores = (
        (digits_run / "report.html").read_text(),
        convscope.evaluate(digits_run).metrics,
    )
    assert f"{scores.top1:.2%}" in page
    cells = [int(n) for n in re.findall(r'class="correct"[^>]*>(\d+)<', page)]
    assert cells == np.diag(scores.confusion).tolist()
    assert page.count('class="mistake"') == min(24, scores.num_images - scores.num_correct)


def test_names_cannot_write_into_the_page(tmp_path):
    evil = "<script>alert(1)<script>"
    root = make_image_folder(tmp_path / "fruit", ("apple", evil), each=5)
    run = convscope.train(str(root), out=tmp_path / "run", model="tinyvgg", epochs=1).run
    page = (run / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert Run.open(run).read_card().classes == (evil, "apple")


@pytest.mark.parametrize(
    "values", [[1.0], [0.0, 0.0], [1e-9, 2e-9], [5.0, -3.0, 100.0], [0.97, 0.98, 0.99], [1e6, 1.0]]
)
def test_ticks_enclose_the_values(values):
    ticks = _ticks(min(values), max(values))
    assert ticks[0] <= min(values) + 1e-12
    assert ticks[-1] >= max(values) - 1e-12
    assert 2 <= len(ticks) <= 8
    assert not Balance(curves("Loss", {"a": values, "b": []})).open
