"""Boxes go where pixels go: as images are fitted to an input, and as they are augmented."""

import numpy as np
import pytest
import torch

from convscope.boxes.truth import DIFFICULT, Objects
from convscope.card import Card
from convscope.data.augmentation.geometry import Affine
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.dataset import ArrayImages, Dataset
from convscope.data.fit import in_pixels
from convscope.data.fit_objects import fitted
from convscope.data.resize import resize_image
from convscope.data.resized_crops import ResizedCrops, ScaledCrops
from convscope.errors import RequestError

WIDTH, HEIGHT = 60, 40


def card(mode, size, **more):
    return Card(
        classes=("a", "b"), task="detection", input_size=size, in_channels=1, resize_mode=mode,
        mean=(0.0,), std=(1.0,), **more,
    )  # fmt: skip


def one_object(box, size=(HEIGHT, WIDTH), label=1):
    """A white rectangle on black, and its box."""
    image = np.zeros((1, *size), np.uint8)
    left, top, right, bottom = box
    image[0, top:bottom, left:right] = 255
    dataset = Dataset(
        name="one", classes=("a", "b"), images=ArrayImages(image), labels=np.zeros(1, np.int64),
        split=np.array(["train"]),
    )  # fmt: skip
    objects = Objects.of(
        [np.array([box], float)], [np.array([label])], images=np.array([size[::-1]])
    )
    return dataset.with_objects(objects)


def seen_box(pixels, level=127):
    """The rectangle in an image, as shares of it."""
    rows, columns = np.nonzero(pixels > level)
    height, width = pixels.shape
    edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return np.array(edges) / (width, height, width, height)


@pytest.mark.parametrize("size", [(40, 60), (64, 64), (20, 48), (120, 90)])
@pytest.mark.parametrize("mode", ["pad", "crop", "letterbox", "stretch"])
def test_a_box_is_where_its_pixels_are(mode, size):
    dataset = one_object((22, 10, 38, 30))
    how = card(mode, size)
    pixels = resize_image(dataset.images.image(0), how)[..., 0]
    box = fitted(dataset, how).objects.boxes[0]
    height, width = size
    near = 1.01 / np.array([width, height, width, height])
    assert (np.abs(box - seen_box(pixels)) <= near).all(), (box, seen_box(pixels))


def test_a_crop_with_a_resize_size_moves_boxes_too():
    dataset = one_object((22, 10, 38, 30))
    how = card("crop", (32, 32), resize_size=36)
    pixels = resize_image(dataset.images.image(0), how)[..., 0]
    assert fitted(dataset, how).objects.boxes[0] == pytest.approx(seen_box(pixels), abs=1.01 / 32)


def test_a_box_ends_at_the_edge_and_one_that_is_mostly_outside_need_not_be_found():
    how = card("crop", (40, 40))  # columns 10 to 50
    cut = fitted(one_object((2, 10, 14, 20)), how).objects  # 4 of 12 columns are left
    assert cut.boxes[0].tolist() == pytest.approx([0, 0.25, 0.1, 0.5])
    assert cut.states.tolist() == [0]
    gone = fitted(one_object((0, 10, 12, 20)), how).objects  # 2 of 12
    assert gone.states.tolist() == [DIFFICULT]
    assert gone.sizes.tolist() == [[12, 10]]


@pytest.mark.parametrize("size", [(40, 60), (64, 64), (20, 48), (120, 90)])
@pytest.mark.parametrize("mode", ["pad", "crop", "letterbox", "stretch"])
def test_a_box_that_the_network_sees_is_found_again_in_the_image(mode, size):
    box = (22, 10, 38, 30)
    dataset = one_object(box)
    how = card(mode, size)
    seen = seen_box(resize_image(dataset.images.image(0), how)[..., 0])
    (again,) = in_pixels(seen[None], (WIDTH, HEIGHT), how)
    pixel = max(1, WIDTH / size[1], HEIGHT / size[0])
    assert np.abs(again - box).max() <= 1.01 * pixel
    exact = in_pixels(fitted(dataset, how).objects.boxes, (WIDTH, HEIGHT), how)
    assert exact[0].tolist() == pytest.approx(box)


def test_what_was_found_beyond_the_image_ends_at_its_edges():
    how = card("letterbox", (60, 60))  # rows 10 to 49 are the image's
    boxes = in_pixels(np.array([[0, 0, 1, 1], [0.5, 0, 1, 0.1]]), (WIDTH, HEIGHT), how)
    assert boxes.tolist() == [[0, 0, 60, 40], [30, 0, 60, 0]]


def test_images_of_unknown_size_are_refused():
    dataset = one_object((2, 10, 14, 20))
    objects = Objects.of([np.array([[2, 10, 14, 20]], float)], [np.array([1])])
    with pytest.raises(RequestError, match="sizes of the images of one are not known"):
        fitted(dataset.with_objects(objects), card("crop", (40, 40)))


AUGMENTATIONS = {
    "shift": dict(kind="crop", padding=8),
    "shift and mirror": dict(kind="crop-flip", padding=8),
    "upside down": dict(kind="none", padding=0, vertical_flip=0.5),
    "zoom": dict(kind="none", padding=0, affine=Affine(zoom=(0.6, 1.4))),
    "move": dict(kind="crop-flip", padding=4, affine=Affine(translation=0.2, zoom=(0.8, 1.2))),
    "reflect": dict(kind="crop", padding=6, border_mode="reflect", affine=Affine(zoom=(1, 1.2))),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_box_moves_along_with_its_pixels(name):
    n, size = 64, (48, 64)
    image = np.zeros((n, *size, 1), np.uint8)
    image[:, 16:30, 20:44] = 255
    box = np.array([20 / 64, 16 / 48, 44 / 64, 30 / 48])
    objects = Objects.of([box[None]] * n, [np.array([1])] * n)
    augmentation = Augmentation(seed=3, input_size=size, **AUGMENTATIONS[name])
    indices = np.arange(n)
    shown = augmentation(torch.from_numpy(image), indices, epoch=2).numpy()[..., 0]
    moved = augmentation.moved(objects.padded(indices), indices, epoch=2)
    near = 1.05 / np.array([64, 48, 64, 48])
    offsets = [np.abs(row[0, 1:5] - seen_box(one)) for row, one in zip(moved, shown, strict=True)]
    assert (np.array(offsets) <= near).all(), np.max(offsets, 0) / near
    assert len({tuple(row[0, 1:5]) for row in moved}) > (1 if name == "upside down" else 8)
    assert (moved[..., 0] == 1).all()


def test_the_box_of_a_turned_object_is_upright_and_holds_it():
    n, size = 32, (64, 64)
    image = np.zeros((n, *size, 1), np.uint8)
    image[:, 24:40, 20:44] = 255
    objects = Objects.of([np.array([[20, 24, 44, 40]]) / 64] * n, [np.array([0])] * n)
    augmentation = Augmentation(
        kind="none", padding=0, seed=1, input_size=size, affine=Affine(rotation=30)
    )
    indices = np.arange(n)
    shown = augmentation(torch.from_numpy(image), indices, epoch=0).numpy()[..., 0]
    moved = augmentation.moved(objects.padded(indices), indices, epoch=0)[:, 0, 1:5]
    for box, one in zip(moved, shown, strict=True):
        assert np.abs(box - seen_box(one)).max() <= 1.6 / 64


WINDOWS = {
    "area": dict(kind="resized-crop", crops=ResizedCrops((48, 64), (0.3, 1), (0.75, 4 / 3))),
    "area, mirrored": dict(
        kind="resized-crop-flip", crops=ResizedCrops((64, 64), (0.08, 1), (0.75, 4 / 3)),
        vertical_flip=0.5,
    ),
    "scale": dict(kind="scaled-crop-flip", crops=ScaledCrops((40, 40), (44, 80))),
    "area, moved": dict(
        kind="resized-crop-flip", crops=ResizedCrops((64, 48), (0.5, 1), (0.9, 1.1)),
        affine=Affine(translation=0.1, zoom=(0.8, 1.2)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_a_box_moves_along_with_a_window_of_a_larger_image(name):
    """It is painted white, cut as the image is, and looked for; also where little of it is left."""
    n, how = 96, WINDOWS[name]
    height, width = how["crops"].size
    random = np.random.default_rng(7)
    images, boxes = [], []
    for _ in range(n):
        size = random.integers(70, 130, 2)
        high, wide = random.integers(12, 50, 2)
        top, left = random.integers(0, size - (high, wide))
        image = np.zeros((*size, 1), np.uint8)
        image[top : top + high, left : left + wide] = 255
        images.append(image)
        boxes.append(np.array([left, top, left + wide, top + high]) / np.tile(size[::-1], 2))
    objects = Objects.of([box[None] for box in boxes], [np.array([1])] * n)
    augmentation = Augmentation(**{"padding": 0, "seed": 5, "input_size": (height, width), **how})
    indices, sizes = np.arange(n), np.array([image.shape[:2] for image in images])
    shown = augmentation.cut(images, indices, epoch=1).numpy()[..., 0]
    moved = augmentation.moved(objects.padded(indices), indices, epoch=1, sizes=sizes)[:, 0]
    near, seen, lost = 1.6 / np.array([width, height, width, height]), 0, 0
    for row, one in zip(moved, shown, strict=True):
        if (one > 127).any():
            assert (np.abs(row[1:5] - seen_box(one)) <= near).all(), (row[1:5], seen_box(one))
            seen += 1
        else:
            assert ((row[3:5] - row[1:3]) <= near[:2]).any()
        lost += row[5] == DIFFICULT
    assert seen > n // 2
    assert lost > 0 or name == "scale"


def test_windows_need_the_sizes_of_their_images():
    augmentation = Augmentation(padding=0, seed=0, input_size=(40, 40), **WINDOWS["scale"])
    objects = Objects.of([np.array([[0.1, 0.2, 0.3, 0.4]])], [np.array([0])]).padded(np.arange(1))
    with pytest.raises(ValueError, match="need the sizes"):
        augmentation.moved(objects, np.arange(1), epoch=0)


def test_images_that_windows_are_cut_from_have_boxes_as_shares_of_themselves():
    whole = fitted(one_object((2, 10, 14, 20)), card("crop", (40, 40)), whole=np.array([True]))
    assert whole.objects.boxes[0].tolist() == pytest.approx([2 / 60, 10 / 40, 14 / 60, 20 / 40])


def test_nothing_moves_where_nothing_is_asked_for():
    objects = Objects.of([np.array([[0.1, 0.2, 0.3, 0.4]])], [np.array([0])]).padded(np.arange(1))
    still = Augmentation(kind="none", padding=0, seed=0, input_size=(8, 8))
    assert still.moved(objects, np.arange(1), epoch=0) is objects
