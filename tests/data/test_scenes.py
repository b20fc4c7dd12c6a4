"""Scenes of digits: what is in them, that splits share no digit, and that a seed decides all."""

import numpy as np
import pytest

from convscope.data import scenes
from convscope.data.dataset import ArrayImages, Dataset
from convscope.data.digits import digit_images
from convscope.data.source import NAMES, is_here, open_source

FEW = {"train": 40, "val": 10, "test": 20}


@pytest.fixture(scope="module")
def dataset():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "COUNTS", FEW)
        return open_source("scenes")


def pixels(dataset, index):
    return np.asarray(dataset.images.image(index)).astype(int)


def test_splits_and_boxes_are_there(dataset):
    assert [len(dataset.indices(split)) for split in FEW] == [40, 10, 20]
    assert dataset.has_published_splits
    counts = np.diff(dataset.objects.starts)
    assert set(counts) == {1, 2, 3, 4}
    assert (dataset.objects.images == 64).all()
    assert is_here("scenes")
    assert f"{sum(scenes.COUNTS.values()):,} scenes" in NAMES["scenes"]


def test_every_box_is_the_smallest_around_bright_pixels(monkeypatch):
    """Of scenes of one digit without noise: around those of a quarter of the brightest."""
    for name, value in (("_NOISE", 0), ("_FRAGMENTS", 0), ("_DIGITS", (1, 1))):
        monkeypatch.setattr(scenes, name, value)
    random = np.random.default_rng(0)
    for _ in range(40):
        image, [box], _ = scenes.scene(scenes.Digits(*digit_images()), random)
        rows, columns = np.nonzero(image >= 0.25 * image.max())
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box.tolist() == edges
        assert max(box[2] - box[0], box[3] - box[1]) <= 30


def test_what_is_outside_of_boxes_is_noise_or_small(dataset):
    for index in range(10):
        image = pixels(dataset, index)
        for left, top, right, bottom in dataset.objects.boxes[dataset.objects.of_image(index)]:
            rows = slice(max(0, int(top) - 4), int(bottom) + 4)
            image[rows, max(0, int(left) - 8) : int(right) + 8] = 0
        assert (image > 40).sum() <= 3 * 36


def test_labels_are_those_of_the_digits(dataset):
    """One digit fills the canvas of a scene with it alone."""
    digit, labels = digit_images()
    one = scenes.Digits(digit[5:6], labels[5:6])
    _, boxes, shown = scenes.scene(one, np.random.default_rng(1))
    assert len(boxes) == len(shown) >= 1
    assert set(shown) == {labels[5]}
    assert dataset.targets.sum(1).min() >= 1
    for index in range(20):
        objects = dataset.objects.labels[dataset.objects.of_image(index)]
        assert set(np.flatnonzero(dataset.targets[index])) == set(objects)


def test_a_seed_decides_all(dataset, monkeypatch):
    monkeypatch.setattr(scenes, "COUNTS", FEW)
    again = scenes.read_scenes()
    assert (again.objects.boxes == dataset.objects.boxes).all()
    assert all((pixels(again, i) == pixels(dataset, i)).all() for i in range(70))
    assert (pixels(again, 0) != pixels(again, 1)).any()


def test_no_digit_is_in_two_splits(monkeypatch):
    pools = {}
    monkeypatch.setattr(scenes, "make_scenes", lambda name, given: pools.update(given))
    scenes.read_scenes()
    digits, _ = digit_images()
    sizes = [len(pools[split].labels) for split in ("train", "val", "test")]
    assert sum(sizes) == len(digits) == 1797
    assert sizes == [1198, 199, 400]
    assert (np.concatenate([pools[split].pixels for split in pools]) == digits).all()


def test_scenes_of_mnist_test_with_the_digits_of_its_test_split(monkeypatch):
    monkeypatch.setattr(scenes, "COUNTS", {"train": 4, "val": 2, "test": 3})
    images = np.zeros((28, 28, 28), np.uint8)
    images[:, 6:22, 10:18] = np.arange(100, 128)[:, None, None] + 100
    labels = np.arange(28) % 10
    split = np.array(["train"] * 21 + ["test"] * 7)
    mnist = Dataset(
        name="mnist", classes=tuple("0123456789"), images=ArrayImages(images), labels=labels,
        split=split,
    )  # fmt: skip
    found = scenes.scenes_of(mnist)
    shown = {
        name: set(found.objects.subset(found.indices(name)).labels)
        for name in ("train", "val", "test")
    }
    assert shown["train"] <= set(labels[:18])
    assert shown["val"] <= set(labels[18:21])
    assert shown["test"] <= set(labels[21:])
