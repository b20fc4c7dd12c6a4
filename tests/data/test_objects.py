"""Data handed over as objects become the data set that the same images as files would be."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import one_hot
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
)
from torchvision import datasets, transforms

from convscope.card import Card
from convscope.data.dataset import ImageSource
from convscope.data.depth import DeepImage
from convscope.data.loading import load_images
from convscope.data.objects import describe_data
from convscope.data.source import open_source
from convscope.errors import RequestError

RANDOM = np.random.default_rng(0)
COLOR = RANDOM.integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)
GRAY = RANDOM.integers(0, 256, (6, 5, 7), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
CHANNELS_FIRST = torch.from_numpy(COLOR).permute(0, 3, 1, 2)
CARD = Card(
    classes=("0", "1", "2"),
    input_size=(5, 7),
    in_channels=3,
    resize_mode="pad",
    mean=(0.5,) * 3,
    std=(0.5,) * 3,
)


def pixels(images: ImageSource) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(images.image(index)) for index in range(len(images))]


@pytest.mark.parametrize(
    "images",
    [
        COLOR,
        COLOR.transpose(0, 3, 1, 2),
        COLOR / 255,
        COLOR.astype(np.float32),
        COLOR.astype(np.int64),
        CHANNELS_FIRST,
        CHANNELS_FIRST.float() / 255,
        (CHANNELS_FIRST / 255).double(),
        torch.from_numpy(COLOR),
        list(COLOR),
        [Image.fromarray(image) for image in COLOR],
        list(CHANNELS_FIRST / 255),
    ],
    ids=lambda images: f"{type(images).__name__}-{getattr(images, 'dtype', '')}",
)
def test_every_layout_and_type_of_the_same_pixels_is_the_same_images(images: Any):
    data = open_source((images, LABELS))
    assert np.array_equal(pixels(data.images), COLOR)
    assert data.classes == ("0", "1", "2")
    assert data.labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("images", [GRAY, GRAY[..., None], GRAY[:, None], torch.from_numpy(GRAY)])
def test_grayscale_has_no_or_one_channel(images: Any):
    assert np.array_equal(pixels(open_source((images, LABELS)).images), GRAY)


def test_alpha_is_composited_on_white():
    transparent = np.concatenate([COLOR, np.full((6, 5, 7, 1), 51, np.uint8)], axis=3)
    found = pixels(open_source((transparent, LABELS)).images)
    assert np.array_equal(found, np.round((COLOR * 51.0 + 255 * 204) / 255))
    two = np.stack([GRAY, np.zeros_like(GRAY)], axis=3)
    assert np.all(pixels(open_source((two, LABELS)).images)[0] == 255)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_integers_beyond_bytes_are_deep_images(dtype: Any):
    data = open_source(((COLOR.astype(np.uint16) * 16).astype(dtype) + 9, LABELS))
    image = data.images.image(0)
    assert isinstance(image, DeepImage)
    assert np.array_equal(image.pixels, COLOR[0].astype(int) * 16 + 9)
    assert load_images(data, replace(CARD, value_range=(0, 4095))).problems == ()


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (["owl", "cat", "owl", "cat", "dog", "dog"], ("cat", "dog", "owl"), [2, 0, 2, 0, 1, 1]),
        (np.array([10, 9, 10, 9, 9, 9]), ("9", "10"), [1, 0, 1, 0, 0, 0]),
        (LABELS[:, None], ("0", "1", "2"), [0, 1, 2, 0, 1, 2]),
        (one_hot(torch.tensor(LABELS)), ("0", "1", "2"), [0, 1, 2, 0, 1, 2]),
        (LABELS.astype(np.float32), ("0", "1", "2"), [0, 1, 2, 0, 1, 2]),
        ([b"a", b"b", b"a", b"b", b"a", b"b"], ("a", "b"), [0, 1, 0, 1, 0, 1]),
        ([True, False, True, False, True, False], ("0", "1"), [1, 0, 1, 0, 1, 0]),
    ],
)
def test_labels_are_integers_strings_or_one_hot(
    labels: Any, classes: tuple[str, ...], expected: list[int]
):
    data = open_source((COLOR, labels))
    assert (data.classes, data.labels.tolist()) == (classes, expected)


def test_class_names_name_integers_and_order_strings():
    names = ["zebra", "ant", "moth", "never"]
    data = open_source((COLOR, LABELS), class_names=names)
    assert data.classes == ("zebra", "ant", "moth")
    assert "no images of 'never'" in data.warnings[0]
    strings = ["ant", "zebra"] * 3
    assert open_source((COLOR, strings), class_names=names[:2]).labels.tolist() == [1, 0] * 3
    with pytest.raises(RequestError, match="label 2, and there are 2 class names"):
        open_source((COLOR, LABELS), class_names=["a", "b"])
    with pytest.raises(RequestError, match="label 'ant', which is not among"):
        open_source((COLOR, strings), class_names=["zebra", "bee"])
    with pytest.raises(RequestError, match="must be a list of names"):
        open_source((COLOR, LABELS), class_names="abc")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (COLOR, r"one array of shape \(6, 5, 7, 3\), without labels"),
        ((COLOR, LABELS[:5]), "6 images and 5 labels"),
        ((COLOR - 200.0, LABELS), "values from -200 to .*before any normalization"),
        ((COLOR * np.nan, LABELS), "not finite"),
        ((COLOR[..., :1].repeat(5, 3), LABELS), r"shape \(6, 5, 7, 5\)"),
        ((COLOR, LABELS / 2), "not integers, such as 0.5"),
        ((COLOR, np.full((6, 3), 1 / 3)), "not one-hot; row 0"),
        ((COLOR, ["a", None] * 3), "image 1 has no label"),
        ((COLOR[:0], LABELS[:0]), "no images"),
        (({1: 2}, LABELS), "no images|not an image|shape"),
        (7, "A builtins.int is not taken as data"),
        ({}, "not taken as data"),
        ({"train": (COLOR, LABELS), "extra": (COLOR, LABELS)}, "'extra' is not the name of"),
        ({"val": (COLOR, LABELS), "Validation": (COLOR, LABELS)}, "'val' twice"),
        ((COLOR, np.zeros(6, int)), "a single class"),
    ],
)
def test_what_is_no_data_is_refused_in_a_sentence(data: Any, message: str):
    with pytest.raises(RequestError, match=message):
        open_source(data)


@pytest.mark.parametrize(
    "data",
    [
        ((COLOR, LABELS[:, None]), (COLOR[:3], LABELS[:3, None])),
        {"Train": (COLOR, LABELS), "test": (COLOR[:3], LABELS[:3])},
        (
            TensorDataset(CHANNELS_FIRST, torch.tensor(LABELS)),
            TensorDataset(CHANNELS_FIRST[:3], torch.tensor(LABELS[:3])),
        ),
    ],
)
def test_splits_come_as_a_dictionary_or_in_order(data: Any):
    opened = open_source(data)
    assert opened.counts("train").tolist() == [2, 2, 2]
    assert opened.counts("test").tolist() == [1, 1, 1]
    assert (opened.images.key(0), opened.images.key(8)) == ("train/00000", "test/00002")


class Pairs(Dataset[Any]):
    """A data set of someone's own, which counts how often an item is read."""

    def __init__(self, items: list[Any]) -> None:
        self.items, self.reads = items, 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        self.reads += 1
        return self.items[index]


PAIRS = Pairs(list(zip(COLOR, LABELS, strict=True)))


@pytest.mark.parametrize(
    "data",
    [
        PAIRS,
        Pairs(
            [{"image": image, "label": label} for image, label in zip(COLOR, LABELS, strict=True)]
        ),
        Pairs(list(zip(CHANNELS_FIRST / 255, torch.tensor(LABELS), range(6), strict=True))),
        TensorDataset(CHANNELS_FIRST, torch.tensor(LABELS)),
        Subset(Subset(PAIRS, range(5, -1, -1)), range(5, -1, -1)),
        ConcatDataset([Subset(PAIRS, range(2)), Subset(PAIRS, range(2, 6))]),
        DataLoader(PAIRS, batch_size=2, shuffle=True),
    ],
    ids=lambda data: type(data).__name__,
)
def test_torch_data_sets_are_read_by_index(data: Any):
    opened = open_source(data)
    assert np.array_equal(pixels(opened.images), COLOR)
    assert opened.labels.tolist() == LABELS.tolist()


def test_labels_are_not_read_from_images_where_the_data_set_lists_them():
    data = Pairs(list(zip([GRAY[0]] * 500, [0, 1] * 250, strict=True)))
    data.targets = [0, 1] * 250
    assert open_source(data).labels.tolist() == data.targets
    assert data.reads < 20
    data.targets = [1, 0] * 250  # it lists something else than it returns
    assert open_source(data).labels.tolist() == [0, 1] * 250


def test_torchvisions_folder_keeps_its_paths_and_names(image_folder: Path):
    folder = datasets.ImageFolder(image_folder)
    opened = open_source(Subset(folder, [0, 12, 13, 30]))
    assert (opened.name, opened.classes) == ("fruit", ("apple", "leaf", "plum"))
    assert opened.images.key(1) == "leaf/00.png"
    assert opened.labels.tolist() == [0, 1, 1, 2]
    same = open_source(image_folder)
    assert np.array_equal(pixels(opened.images)[1], np.asarray(same.images.image(12)))


def test_a_transform_to_floats_gives_the_same_bytes_and_normalized_ones_are_refused():
    plain = datasets.FakeData(8, (3, 6, 6), 2)
    floats = datasets.FakeData(8, (3, 6, 6), 2, transform=transforms.ToTensor())
    opened = open_source(floats)
    assert np.array_equal(pixels(opened.images), pixels(open_source(plain).images))
    normalized = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    with pytest.raises(RequestError, match="FakeData: the images have values from -1 to"):
        open_source(datasets.FakeData(8, (3, 6, 6), 2, transform=normalized))


def test_a_random_transform_is_warned_about():
    flips = datasets.FakeData(8, (3, 6, 6), 2, transform=transforms.RandomHorizontalFlip())
    assert "its transform is random" in open_source(flips).warnings[0]


def test_data_sets_that_cannot_be_indexed_or_have_no_labels_are_refused():
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Any:
            yield PAIRS[0]

    with pytest.raises(RequestError, match="can only be iterated"):
        open_source(Stream())
    with pytest.raises(RequestError, match="Item 0 of Pairs is a Tensor, not a pair"):
        open_source(Pairs(list(CHANNELS_FIRST)))
    with pytest.raises(RequestError, match="no second tensor"):
        open_source(TensorDataset(CHANNELS_FIRST))


def test_an_item_that_fails_is_left_out_with_its_reason():
    class Broken(Pairs):
        targets = LABELS

        def __getitem__(self, index: int) -> Any:
            if index == 4:
                raise KeyError("no such file")
            return super().__getitem__(index)

    loaded = load_images(open_source(Broken(PAIRS.items)), CARD)
    assert loaded.problems == (("00004", "raised KeyError: 'no such file'"),)


def test_the_fingerprint_is_of_the_content():
    def fingerprint(images: Any, labels: Any) -> str:
        return load_images(
            open_source(Pairs(list(zip(images, labels, strict=True)))), CARD
        ).fingerprint

    first = fingerprint(COLOR, LABELS)
    assert fingerprint(CHANNELS_FIRST / 255, LABELS) == first
    assert fingerprint(COLOR[::-1], LABELS[::-1]) != first
    assert fingerprint(COLOR, LABELS[::-1]) != first


def test_the_fingerprint_of_files_does_not_depend_on_the_size_at_which_they_are_decoded():
    """Two networks with inputs of two sizes are trained on the same data."""
    file = BytesIO()
    Image.fromarray(np.arange(40 * 30 * 3, dtype=np.uint8).reshape(40, 30, 3)).save(file, "JPEG")
    data = open_source(([file.getvalue()] * 2, ["a", "b"]))
    cards = [replace(CARD, reading="fast", input_size=(side, side)) for side in (2, 4, 30)]
    cards.append(replace(CARD, reading="whole"))
    assert len({load_images(data, card).fingerprint for card in cards}) == 1


def test_splits_of_different_kinds_all_count_in_the_fingerprint():
    def fingerprint(test: Any) -> str:
        data = open_source({"train": (COLOR, LABELS), "test": test})
        return load_images(data, CARD).fingerprint

    assert fingerprint(PAIRS) != fingerprint(Pairs(list(zip(255 - COLOR, LABELS, strict=True))))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ((COLOR, LABELS), "<arrays>"),
        ({"train": PAIRS, "test": PAIRS}, "<Pairs, a torch Dataset>"),
        (DataLoader(PAIRS), "<Pairs, a torch Dataset>"),
        (((COLOR, LABELS), (COLOR, LABELS)), "<arrays>"),
    ],
)
def test_data_are_described_by_their_kind(data: Any, text: str):
    assert describe_data(data) == text
    with pytest.raises(RequestError, match="handed over in Python"):
        open_source(text)
