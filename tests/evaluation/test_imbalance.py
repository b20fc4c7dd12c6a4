"""Where accuracy misleads it is said, with what always answering the largest class scores."""

import re

import numpy as np
import pytest

import convscope
from convscope.evaluation.imbalance import imbalance_of_result, imbalance_of_training
from convscope.evaluation.metrics import Metrics
from convscope.training.events import Message


def scores(confusion: list[list[int]]) -> Metrics:
    counts = np.array(confusion)
    return Metrics(
        classes=tuple("abc"[: len(counts)]), confusion=counts, loss=0.5, num_correct_top5=None
    )


@pytest.mark.parametrize(
    ("counts", "is_said"),
    [([200, 10], True), ([199, 10], False), ([10, 200, 30], True), ([0, 200, 30], False)],
)
def test_it_is_said_from_20_to_1_among_the_classes_that_have_images(counts, is_said):
    assert bool(imbalance_of_training("abc", np.array(counts))) == is_said


def test_a_network_that_always_answers_the_largest_class_is_seen_through():
    said = imbalance_of_result(scores([[990, 0], [10, 0]]))
    assert said.startswith(
        "The classes are imbalanced: 'a' has 990 images, 'b' has 10. Always answering 'a' is right "
        "for 99.0% of them"
    )
    assert "accuracy of this network is 99.0%" in said
    assert "balanced accuracy (the mean recall of the classes) 50.0%" in said


def test_one_class_and_classes_of_like_sizes_are_passed_over():
    assert imbalance_of_result(scores([[990, 0], [0, 0]])) == ""
    assert imbalance_of_result(scores([[9, 1], [1, 9]])) == ""


def test_train_and_evaluate_say_it_and_show_the_balanced_accuracy(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (630, 8, 8), dtype=np.uint8)
    labels = np.repeat(["no", "yes"], [600, 30])
    messages: list[str] = []

    class Listen(convscope.Callback):
        def on_message(self, message: Message) -> None:
            messages.append(message.text)

    result = convscope.train(
        (images, labels), out=tmp_path / "run", epochs=1, threads=1, engine="torch",
        progress=False, callbacks=[Listen()],
    )  # fmt: skip
    before, after = (text for text in messages if "imbalanced" in text)
    assert "'no' has 420 training images, 'yes' has 21" in before
    assert "`metric='balanced'`" in before
    assert "'no' has 120 images, 'yes' has 6" in after
    recalls = [row["recall"] for row in result.test.per_class]
    balanced = sum(recalls) / 2
    assert f"mean recall of the classes) {balanced:.1%}." in after
    found = convscope.evaluate(result, (images, labels))
    assert any("'no' has 600 images, 'yes' has 30" in note for note in found.notes)
    expected = sum(row["recall"] for row in found.per_class) / 2
    assert f"balanced  {expected:.2%}" in str(found)
    page = (result.run / "report.html").read_text("utf-8")
    assert re.search(rf"Balanced accuracy</\w+><td[^>]*>{balanced:.2%}", page)
