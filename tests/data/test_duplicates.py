"""Planted duplicates are found and reported with both keys."""

import numpy as np

from convscope.data.dataset import ArrayImages, Dataset
from convscope.data.duplicates import find_duplicates


def planted(values: list[int], labels: list[int], split: list[str]) -> Dataset:
    pixels = np.array(values, dtype=np.uint8).reshape(-1, 1, 1)
    return Dataset(
        name="planted",
        classes=("a", "b"),
        images=ArrayImages(pixels),
        labels=np.array(labels),
        split=np.array(split, dtype="<U5"),
    )


def digests(data: Dataset) -> list[bytes | None]:
    return [data.images.read(index)[1] for index in range(len(data))]


def test_images_in_two_splits_are_reported_with_both_keys():
    data = planted([1, 2, 3, 1, 2, 9], [0] * 6, ["train", "train", "val", "test", "val", "test"])
    assert find_duplicates(data, digests(data)) == (
        "planted: 1 image of val also in train: '00001' = '00004'.",
        "planted: 1 image of test also in train: '00000' = '00003'.",
    )


def test_repeats_within_a_split_are_nobodys_business_unless_labels_differ():
    data = planted([1, 1, 1], [0, 0, 0], ["train"] * 3)
    assert find_duplicates(data, digests(data)) == ()
    data = planted([1, 1, 2], [0, 1, 0], ["train"] * 3)
    (message,) = find_duplicates(data, digests(data))
    assert message == "planted: 1 image also under another label: '00000' = '00001'."


def test_many_are_counted_and_the_first_shown():
    data = planted(list(range(20)) * 2, [0] * 40, ["train"] * 20 + ["test"] * 20)
    (message,) = find_duplicates(data, digests(data))
    assert "20 images of test also in train" in message
    assert message.endswith("and 17 more.")


def test_what_could_not_be_read_is_no_duplicate():
    data = planted([1, 1, 1], [0, 1, 0], ["train", "test", ""])
    assert find_duplicates(data, [b"", b"", None]) == ()
