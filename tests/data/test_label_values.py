"""Labels handed over as values: lists of names and of numbers, against rows of 0 and 1."""

from typing import Any

import numpy as np
import pytest
import torch

from convscope.data.label_values import read_label_values
from convscope.data.source import open_source
from convscope.errors import RequestError

NAMES = {"class_names": ["cat", "dog", "owl"]}
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 5, 5), np.uint8)
ROWS = [[1, 1, 0], [0, 0, 0], [0, 1, 0], [1, 0, 1]]  # of cat, dog, owl


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ([["dog", "cat"], [], ["dog"], ["owl", "cat"]], {}),
        ([("dog", "cat"), (), ("dog", "dog"), {"owl", "cat"}], {}),
        ([np.array(["dog", "cat"]), np.array([], str), ["dog"], ["cat", "owl"]], {}),
        (["cat;dog", "", "dog", "owl; cat"], {"task": "multi-label"}),
        (np.array(["cat|dog", None, "dog", "owl|cat"], object), {"task": "multi-label"}),
        ([[0, 1], [], [1], [2, 0]], NAMES),
        (
            [torch.tensor(row).nonzero()[:, 0] for row in ROWS],
            {"class_names": ["cat", "dog", "owl"]},
        ),
        (ROWS, NAMES),
    ],
)
def test_every_form_says_the_same(labels: Any, options: Any):
    data = open_source((IMAGES, labels), for_training=False, **options)
    assert data.classes == ("cat", "dog", "owl")
    assert data.targets.tolist() == ROWS


def test_splits_need_not_have_the_same_labels():
    train, test = [["cat"], ["dog", "owl"]], [["ant", "dog"], []]
    data = open_source(
        {"train": (IMAGES[:2], train), "test": (IMAGES[2:], test)}, for_training=False
    )
    assert data.classes == ("ant", "cat", "dog", "owl")
    assert data.targets.tolist() == [[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]]


class Tagged(torch.utils.data.Dataset[Any]):
    classes = ("cat", "dog", "owl")

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> Any:
        return IMAGES[index], np.flatnonzero(ROWS[index])


def test_items_of_a_torch_dataset_may_have_lists():
    data = open_source(Tagged(), for_training=False)
    assert (data.classes, data.targets.tolist()) == (Tagged.classes, ROWS)


def test_lists_of_one_label_are_the_label_unless_several_are_asked_for():
    labels = [["b"], ["a"], ["b"], ["a"]]
    assert open_source((IMAGES, labels)).labels.tolist() == [1, 0, 1, 0]
    data = open_source((IMAGES, labels), task="multi-label")
    assert data.targets.tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([["a", "b"], ["a"]], {"task": "ordinal"}, "image 0 has 2 labels"),
        ([[0, 1, 3], [1]], {"names": ["a", "b"]}, "the label 3, which is not among the 2"),
        ([[0, -1], [1]], {}, "-1 of image 0 is not a label"),
        ([["a", 1], [2]], {}, "'a' of image 0 is not a label"),
        ([[0.5, 1.0], [1]], {}, "0.5 of image 0 is not a label"),
        ([[], []], {}, "no image has a label"),
    ],
)
def test_what_is_no_list_of_labels(labels: Any, options: Any, message: str):
    with pytest.raises(RequestError, match=message):
        read_label_values(labels, where="x", **options)
