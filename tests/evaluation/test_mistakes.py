"""The mistakes that are shown are those that are worst, and their captions are escaped."""

from html.parser import HTMLParser

import numpy as np
import pytest

import convscope
from convscope.card import Card
from convscope.evaluation.gallery import mistakes_page
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.mistakes import find_mistakes


def outputs_of(logits, truth, classes, task="single-label"):
    import torch  # noqa: PLC0415

    card = Card(classes=tuple(classes), input_size=(1, 1), in_channels=1, resize_mode="pad",
                mean=(0.0,), std=(1.0,), task=task)  # fmt: skip
    return compute_metrics(torch.tensor(logits, dtype=torch.float32), np.array(truth), card)


def test_the_lists_are_in_order():
    logits = [[3, 0, 0], [0, 9, 0], [5, 4, 0], [0, 1, 0.9], [0, 0, 5.1], [0, 5, 0]]
    found = find_mistakes(
        outputs_of(logits, [0, 0, 0, 1, 0, 0], "abc"), np.array([0, 0, 0, 1, 0, 0])
    )
    assert found.wrong == 3
    assert found.confident.tolist() == [1, 4, 5]
    assert found.uncertain.tolist()[:2] == [3, 2]  # margins of 0.1 and of 1
    assert [(pair.title, pair.indices.tolist()) for pair in found.pairs] == [
        ("a taken for b", [1, 5]),
        ("a taken for c", [4]),
    ]


def test_of_several_labels_what_was_missed_and_what_was_wrongly_given_are_pairs():
    truth = np.array([[1, 0], [0, 0], [1, 1]])
    logits = [[-3, -4], [-4, 6], [0.1, 5]]
    found = find_mistakes(outputs_of(logits, truth, "ab", "multi-label"), truth)
    assert found.confident.tolist() == [1, 0]  # the larger loss first
    assert {pair.title: pair.indices.tolist() for pair in found.pairs} == {
        "b wrongly given": [1],
        "a missed": [0],
    }
    assert found.uncertain[0] == 2


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def evaluated():
    """A network with random answers, on images of classes with names that would command a page."""
    rng = np.random.default_rng(0)
    names = ["<script>alert(1)</script>", "a very long name of a class" * 6]
    images = rng.integers(0, 255, (12, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(12) % 2
    card = Card(classes=tuple(names), input_size=(32, 32), in_channels=3, resize_mode="pad",
                mean=(0.5,) * 3, std=(0.2,) * 3)  # fmt: skip
    net = convscope.create_model("tinyvgg", num_classes=2, input_size=32)
    return convscope.evaluate(net, (images, labels), card=card)


def test_the_page_is_whole_escaped_and_requests_nothing(evaluated):
    page = mistakes_page(evaluated)
    parsed = Page(page)
    assert not parsed.open
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert "&lt;script&gt;alert(1)" in page
    sources = [attrs["src"] for tag, attrs in parsed.tags if tag == "img"]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    shown = [attrs for tag, attrs in parsed.tags if tag == "figure"]
    wrong = evaluated.mistakes.wrong
    assert sum("wrong" in attrs["class"] for attrs in shown) >= wrong
    assert f"{wrong} of 12 images are wrong" in page
