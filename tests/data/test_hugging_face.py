"""Hugging Face data sets are opened by their features, whatever their columns are called."""

import importlib
import importlib.util
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tests.data.fake_datasets
from convscope.data.source import open_source
from convscope.errors import RequestError

if importlib.util.find_spec("datasets"):
    hugging = importlib.import_module("datasets")
else:
    hugging = tests.data.fake_datasets

IMAGES = [Image.fromarray(np.full((8, 9, 3), 40 * n, np.uint8)) for n in range(6)]
CATS = hugging.ClassLabel(names=["cat", "dog"])


def make(columns: dict[str, Any], features: dict[str, Any]) -> Any:
    return hugging.Dataset.from_dict(columns, features=hugging.Features(features))


def animals(labels: list[int], column: str = "label") -> Any:
    images = IMAGES[: len(labels)]
    return make({"image": images, column: labels}, {"image": hugging.Image(), column: CATS})


def test_images_and_names_come_from_the_features():
    data = open_source(animals([0, 1, 0, 1, 1, 0]))
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 1, 0, 1, 1, 0]
    assert np.array_equal(np.asarray(data.images.image(3)), np.asarray(IMAGES[3]))
    assert set(data.split.tolist()) == {""}


def test_splits_of_a_dictionary_are_matched_by_name():
    data = open_source(
        hugging.DatasetDict({"train": animals([0, 1, 0]), "validation": animals([1, 0])})
    )
    assert data.counts("train").tolist() == [2, 1]
    assert data.counts("val").tolist() == [1, 1]
    assert (data.images.key(0), data.images.key(4)) == ("train/00000", "val/00001")


def test_withheld_labels_are_left_out_and_said():
    some = open_source(animals([0, 1, -1, 1]))
    assert some.labels.tolist() == [0, 1, 1]
    assert np.asarray(some.images.image(2))[0, 0, 0] == 120
    assert "1 images have no label" in some.warnings[0]
    data = open_source(hugging.DatasetDict({"train": animals([0, 1]), "test": animals([-1, -1])}))
    assert set(data.split.tolist()) == {"train"}
    assert "The images of test have no labels" in data.warnings[0]
    with pytest.raises(RequestError, match="none of the images has a label"):
        open_source(animals([-1, -1]))


def test_several_columns_of_labels_are_asked_about():
    fine = hugging.ClassLabel(names=["persian", "siamese", "poodle"])
    data = make(
        {"img": IMAGES[:3], "fine_label": [0, 1, 2], "coarse_label": [0, 0, 1]},
        {"img": hugging.Image(), "fine_label": fine, "coarse_label": CATS},
    )
    with pytest.raises(RequestError, match=r"\(fine_label, coarse_label\).*`label_column`"):
        open_source(data)
    assert open_source(data, label_column="coarse_label").classes == ("cat", "dog")
    with pytest.raises(RequestError, match="no column 'label'; its columns are img"):
        open_source(data, label_column="label")


def test_lists_of_labels_are_several_labels_of_an_image():
    many = {"image": hugging.Image(), "tags": hugging.Sequence(CATS)}
    data = open_source(make({"image": IMAGES[:4], "tags": [[0, 1], [], [1], [0]]}, many))
    assert data.classes == ("cat", "dog")
    assert data.targets.tolist() == [[1, 1], [0, 0], [0, 1], [1, 0]]


def test_a_column_of_strings_is_found_by_its_name():
    data = make(
        {"image": IMAGES[:3], "label": ["dog", "cat", "dog"], "age": [1, 2, 3]},
        {
            "image": hugging.Image(),
            "label": hugging.Value("string"),
            "age": hugging.Value("int64"),
        },
    )
    assert open_source(data).classes == ("cat", "dog")
    only_age = make(
        {"image": IMAGES[:3], "age": [1, 2, 3]},
        {"image": hugging.Image(), "age": hugging.Value("int64")},
    )
    with pytest.raises(RequestError, match=r"no column of labels; its columns are age \(Value\)"):
        open_source(only_age)


def test_a_format_is_not_used_and_this_is_said():
    data = open_source(animals([0, 1, 1]).with_format("torch"))
    assert data.labels.tolist() == [0, 1, 1]
    assert data.images.image(1).size == (9, 8)
    assert "format or transform" in data.warnings[0]


def test_a_stream_is_refused():
    with pytest.raises(RequestError, match=r"streamed.*streaming=False"):
        open_source(animals([0, 1]).to_iterable_dataset())
