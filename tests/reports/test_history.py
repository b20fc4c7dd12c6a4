"""The chart of ILSVRC's winners: bars as high as their errors, one's own with its interval."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.errors import RequestError
from convscope.evaluation.metrics import wilson_interval


def bars(svg, color):
    """Top and bottom of the rectangles of a color."""
    found = re.findall(rf'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" '
                       rf'fill="{color}"', svg)  # fmt: skip
    return [tuple(map(float, one)) for one in found]


def test_a_bar_is_as_high_as_its_error():
    found = convscope.history("ilsvrc")
    drawn = bars(found._repr_html_(), "#4f7cac")
    errors = [one.error for one in found.published.winners]
    heights = [height for *_, height in drawn]
    assert np.corrcoef(heights, errors)[0, 1] > 0.9999
    assert heights[0] / heights[5] == pytest.approx(28.2 / 3.57, rel=0.01)
    lines = found.lines
    assert lines[1].startswith("2010  NEC-UIUC")
    assert lines[1].count("█") == 40
    assert lines[6].count("█") == round(40 * 3.57 / 28.2)


def test_ones_own_figure_is_the_runs_test_with_wilsons_interval(digits_run, tmp_path):
    found = convscope.history(run=digits_run)
    test = json.loads((digits_run / "test.json").read_text())
    low, high = wilson_interval(round(test["top5"] * test["images"]), test["images"])
    assert found.own is not None
    assert found.own.error == pytest.approx(1 - test["top5"])
    assert found.own.interval == pytest.approx((1 - high, 1 - low))
    assert any("cannot be compared" in note for note in found.notes)
    for name in ("a.svg", "a.png", "a.html"):
        found.save(tmp_path / name)
    [own] = bars((tmp_path / "a.svg").read_text(), "#ea6a2a")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image)
        middle = pixels[:, round(2 * (own[0] + own[2] / 4))]
    is_own = (middle == (0xEA, 0x6A, 0x2A)).all(1)
    assert is_own.sum() == pytest.approx(2 * own[3], abs=2)
    page = (tmp_path / "a.html").read_text()
    assert "<svg" in page
    assert "arxiv.org/abs/1512.03385" in page


def test_an_evaluation_in_json_stands_for_any_network(tmp_path):
    path = tmp_path / "resnet.json"
    held = {"run": "resnet50", "classes": [str(n) for n in range(1000)], "images": 50_000,
            "top5": 0.93, "top5_interval": [0.927, 0.933]}  # fmt: skip
    path.write_text(json.dumps(held))
    found = convscope.history(run=path)
    assert found.own is not None
    assert found.own.interval == pytest.approx((0.067, 0.073))
    assert found.own.note == ""
    assert "own   resnet50" in str(found)
    assert "7.00% (6.70% to 7.30%)" in str(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "is no evaluation in JSON"),
        ("[]", "has no figures of an evaluation"),
        ('{"classes": ["a", "b"], "images": 9}', "no top-5 error: with 2 classes"),
    ],
)
def test_what_has_no_top5_error_is_refused(tmp_path, content, said):
    (tmp_path / "file.json").write_text(content)
    with pytest.raises(RequestError, match=said):
        convscope.history(run=tmp_path / "file.json")


def test_other_challenges_and_endings_are_refused(tmp_path):
    with pytest.raises(RequestError, match="`history` knows ilsvrc"):
        convscope.history("coco")
    with pytest.raises(RequestError, match=r"\.svg, \.png, \.html"):
        convscope.history().save(tmp_path / "chart.pdf")
    picture = io.BytesIO()
    convscope.history().save(tmp_path / "chart.png")
    picture.write((tmp_path / "chart.png").read_bytes())
    assert Image.open(picture).size == (1640, 840)
