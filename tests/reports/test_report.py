"""The report is one page that fetches nothing, and says what the scores say."""

import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.reports.chart import Chart, _epoch_ticks, _ticks, figure
from convscope.reports.doubts import doubts
from convscope.runs.folder import Run
from tests.conftest import make_image_folder


class Balance(HTMLParser):
    """Every tag that is opened is closed, in order."""

    VOID = frozenset({"meta", "img", "line", "circle", "polyline", "input"})

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
        assert attrs.get("href", "#").startswith("#")
        assert "src" not in attrs or re.match("data:image/(png|jpeg);base64,", attrs["src"])
    assert not re.search(r"https?://", page)


def test_the_page_has_the_test_metrics(digits_run):
    page, scores = (
        (digits_run / "report.html").read_text(),
        convscope.evaluate(digits_run).metrics,
    )
    assert f"{scores.top1:.2%}" in page
    cells = [int(n) for n in re.findall(r'class="correct"[^>]*>(\d+)<', page)]
    assert cells == np.diag(scores.confusion).tolist()
    confident = page.partition("Most confident mistakes")[2].partition("</section>")[0]
    assert confident.count("<figure") == min(24, scores.num_images - scores.num_correct)


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
    assert not Balance(figure(Chart("Loss", {"a": values, "b": []}))).open


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 9), (1, 300), (51, 100), (91, 100)])
def test_epochs_are_marked_from_the_first_one_drawn(first, last):
    ticks = _epoch_ticks(first, last)
    assert ticks[0] == first
    assert ticks == sorted(set(ticks))
    assert ticks[-1] <= last
    assert len(ticks) <= 10


@pytest.fixture(scope="module")
def evaluated(digits_run):
    return convscope.evaluate(digits_run)


@pytest.fixture(scope="module")
def written(evaluated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "report"
    files = convscope.report(evaluated, folder, license="apache-2.0")
    assert {path.name for path in files} == {path.name for path in folder.iterdir()}
    return folder


def test_the_json_has_what_the_page_says(written, evaluated):
    page = (written / "report.html").read_text()
    assert not Balance(page).open
    values = json.loads((written / "report.json").read_text())
    assert values["evaluation"]["top1"] == evaluated.top1
    assert values["figures"]["Accuracy"]["value"] == pytest.approx(evaluated.top1)
    low, high = values["figures"]["Accuracy"]["interval"]
    assert f"{evaluated.top1:.2%}</td><td>{low:.2%} to {high:.2%}" in page
    assert len(values["training"]) == 6
    assert values["about"]["Parameters"] == "61,706"
    assert values["mistakes"]["wrong"] == (~evaluated.outputs.is_correct).sum()
    assert values["slices"]["found"] == []
    for text in values["distrust"]:
        assert html.escape(text) in page
    for heading in ("Thresholds", "Probabilities", "Slices", "last half"):
        assert heading in page


def test_the_model_card_is_read_by_the_library_of_the_hub(written, evaluated):
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard((written / "README.md").read_text())
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "convscope"
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert results["accuracy"] == pytest.approx(evaluated.top1)
    assert results["f1"] == pytest.approx(evaluated.metrics.value("f1"))
    assert {"roc_auc"} < set(results)
    assert "## What to distrust" in card.text


def test_leaks_imbalance_few_images_and_chance_are_named(digits_run):
    source = convscope.evaluate(digits_run, split="train")
    chosen = np.r_[np.flatnonzero(source.labels == 0), np.flatnonzero(source.labels == 1)[:3]]
    images = source.loaded.dataset.images
    pixels = np.stack(
        [np.asarray(images.image(index)) for index in source.indices[chosen].tolist()]
    )
    evaluated = convscope.evaluate(digits_run, (pixels, source.labels[chosen]))
    found = doubts(evaluated, [], thorough=False)
    said = " ".join(found)
    assert f"{len(chosen)} of the {len(chosen)} images were in training" in found[0]
    assert "The classes are imbalanced" in said
    assert "Few images of '1': of '1' there are 3" in said
    assert "Always answering '0' is right for" in said
    assert "Each image counts as independent" in said
    train = [{"epoch": 1, "best": True, "train_top1": 1.0}]
    assert not any(
        "training images better" in text for text in doubts(source, train, thorough=False)
    )


def test_a_shortcut_and_a_slice_are_named(tmp_path):
    rng, rows = np.random.default_rng(0), ["path,label,split"]
    for number in range(160):
        label = number % 2
        image = Image.fromarray(rng.integers(0, 255, (12, 12, 3), dtype=np.uint8))
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = ("Canon", "A") if label else ("Topcon", "B")
        image.save(tmp_path / f"{number}.jpg", exif=exif)
        rows.append(f"{number}.jpg,{'ab'[label]},{'train' if number < 60 else 'test'}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    run = convscope.train(str(tmp_path / "labels.csv"), out=tmp_path / "run", model="tinyvgg",
                          epochs=1).run  # fmt: skip
    found = doubts(convscope.evaluate(run), [], thorough=True)
    assert any(text.startswith("The camera of an image alone tells its class") for text in found)
