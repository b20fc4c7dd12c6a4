"""Feeding from memory and from files is the same; bad images are found before training."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convscope.card import Card
from convscope.data import streaming
from convscope.data.augment import augment, epoch_order, random_bits
from convscope.data.dataset import ArrayImages, ConcatImages, Dataset, SubsetImages
from convscope.data.folder import read_folder
from convscope.data.loading import MemoryBatchSource, StreamingBatchSource, load_images
from convscope.data.normalize import (
    Normalizer,
    normalize,
    pixel_statistics,
    scale_and_shift,
)
from convscope.data.resize import choose_resize_mode, resize_array, resize_image


def card(size=(8, 8), channels=3, rule="crop", mean=0.0, std=1.0):
    return Card(
        classes=("a", "b"),
        input_size=size,
        in_channels=channels,
        resize_mode=rule,
        mean=(mean,) * channels,
        std=(std,) * channels,
    )


def pixels(n=3, height=6, width=5, channels=3):
    shape = (n, height, width) if channels == 1 else (n, height, width, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("rule", ["pad", "crop", "letterbox", "stretch"])
@pytest.mark.parametrize("size", [(6, 5), (8, 8), (4, 9)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_rule_gives_the_cards_shape(rule, size, channels):
    for given_channels in (1, 3):
        image = Image.fromarray(pixels(channels=given_channels)[0])
        assert resize_image(image, card(size, channels, rule)).shape == (*size, channels)


def test_pad_puts_the_image_on_black_without_touching_it():
    image = pixels()[0]
    framed = resize_image(Image.fromarray(image), card((8, 9), rule="pad")).copy()
    assert np.array_equal(framed[1:7, 2:7], image)
    framed[1:7, 2:7] = 0
    assert not framed.any()


def test_crop_keeps_the_center_and_letterbox_the_whole():
    image = np.zeros((10, 30, 3), np.uint8)
    image[:, 10:20] = 255
    assert (resize_image(Image.fromarray(image), card((10, 10), rule="crop")) == 255).all()
    boxed = resize_image(Image.fromarray(image), card((30, 30), rule="letterbox"))
    assert not boxed[:10].any()
    assert not boxed[20:].any()
    assert np.array_equal(boxed[10:20], image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("source", [1, 3])
def test_arrays_are_fitted_as_their_images_are(channels, source):
    many = pixels(n=20, channels=source)
    wanted = card((8, 9), channels, "pad")
    together = resize_array(many, wanted)
    assert together is not None
    for one, image in zip(together, many, strict=True):
        assert np.array_equal(one, resize_image(Image.fromarray(image), wanted))
    assert resize_array(many, card((8, 9), channels, "crop")) is None


def test_the_rule_for_mnist_is_1998s_and_for_photographs_imagenets():
    assert choose_resize_mode([(28, 28)] * 3, (32, 32)) == "pad"
    assert choose_resize_mode([(8, 8)] * 3, (32, 32)) == "crop"
    assert choose_resize_mode([(28, 28), (28, 27)], (32, 32)) == "crop"
    assert choose_resize_mode([(400, 300)], (32, 32)) == "crop"


def dataset(images, labels=None):
    n = len(images)
    return Dataset(
        name="made",
        classes=("a", "b"),
        images=images,
        labels=np.zeros(n, np.int64) if labels is None else labels,
        split=np.full(n, "train"),
    )


class CountedImages:
    """White images; how many are decoded and not yet taken out, at most, is `most`."""

    def __init__(self, n):
        self.n, self.decoded, self.taken, self.most = n, 0, 0, 0
        self.lock = threading.Lock()

    def __len__(self):
        return self.n

    def key(self, index):
        return f"image {index}"

    def image(self, index, _card):
        with self.lock:
            self.decoded += 1
            self.most = max(self.most, self.decoded - self.taken)
        return Image.new("RGB", (4, 4), (index, index, index))


@pytest.mark.parametrize(("kib", "expected"), [(0, 2), (1, 5), (2, 10), (100, 20)])
def test_what_is_decoded_ahead_is_bounded_in_bytes(monkeypatch, kib, expected):
    """At least an image for each of two workers, at most four batches of five."""
    monkeypatch.setattr(streaming, "AHEAD", kib << 10)
    source = CountedImages(40)
    batches = np.array_split(np.random.default_rng(0).permutation(40), 8)
    stream = StreamingBatchSource(source, card((8, 8), rule="stretch"), workers=2)
    assert stream.look_ahead(batches) == expected
    assert replace(stream, side=16).look_ahead(batches) == (20 if kib == 100 else 2)
    shown = []
    for batch, images in zip(batches, stream.images(batches), strict=True):
        shown += [int(image[0, 0, 0]) for image in images]
        time.sleep(0.01)  # for the workers to run ahead as far as they may
        with source.lock:
            source.taken += len(batch)
    assert shown == np.concatenate(batches).tolist()
    assert source.most <= expected + len(batches[0])


def test_memory_and_files_feed_the_same_bytes(image_folder):
    data = read_folder(image_folder)
    kept = load_images(data, card((9, 9)))
    streamed = load_images(data, card((9, 9)), cache_fraction=0)
    assert isinstance(kept.batch_source, MemoryBatchSource)
    assert isinstance(streamed.batch_source, StreamingBatchSource)
    order = np.random.default_rng(1).permutation(len(data))
    batches = np.array_split(order, 7)
    for one, other in zip(
        kept.batch_source.batches(batches), streamed.batch_source.batches(batches), strict=True
    ):
        assert torch.equal(one, other)
    assert kept.fingerprint == streamed.fingerprint


def test_bad_images_are_listed_and_belong_to_no_split(image_folder):
    whole = (image_folder / "leaf" / "02.png").read_bytes()
    (image_folder / "leaf" / "02.png").write_bytes(whole[: len(whole) // 2])
    (image_folder / "plum" / "00.png").write_bytes(b"")
    data = read_folder(image_folder)
    loaded = load_images(data.with_split(np.full(len(data), "train")), card())
    assert [key for key, _ in loaded.problems] == ["leaf/02.png", "plum/00.png"]
    assert len(loaded.dataset.indices("train")) == 34


def test_the_fingerprint_depends_on_content_and_not_on_the_split(image_folder):
    data = read_folder(image_folder)
    before = load_images(data, card()).fingerprint
    assert (
        load_images(data.with_split(np.full(len(data), "val")), card((4, 4))).fingerprint == before
    )
    one, other = (image_folder / "leaf" / name for name in ("00.png", "01.png"))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert load_images(read_folder(image_folder), card()).fingerprint != before


def test_the_fingerprint_of_arrays_does_not_depend_on_how_they_are_fed():
    joined = ConcatImages((ArrayImages(pixels(4), "train/"), ArrayImages(pixels(3), "test/")))
    names = {
        load_images(dataset(joined), card((6, 5), rule=rule), cache_fraction=share).fingerprint
        for rule in ("pad", "crop", "stretch")
        for share in (0.0, 0.5)
    }
    assert len(names) == 1
    swapped = ConcatImages(joined.parts[::-1])
    assert load_images(dataset(swapped), card((6, 5))).fingerprint not in names


def test_an_image_that_goes_bad_while_training_is_named(image_folder):
    from convscope.errors import WorkError  # noqa: PLC0415

    loaded = load_images(read_folder(image_folder), card(), cache_fraction=0)
    (image_folder / "apple" / "05.png").unlink()
    with pytest.raises(WorkError, match=r"apple/05\.png"):
        list(loaded.batch_source.batches([np.arange(36)]))


def test_joined_and_chosen_arrays_are_prepared_whole():
    first, second = ArrayImages(pixels(4), "train/"), ArrayImages(pixels(3)[::-1], "test/")
    joined = ConcatImages((first, second))
    chosen = SubsetImages(joined, np.array([6, 0, 4]))
    loaded = load_images(dataset(chosen), card((6, 5), rule="pad"))
    feed = next(iter(loaded.batch_source.batches([np.arange(3)])))
    expected = np.stack([np.asarray(joined.image(index)) for index in (6, 0, 4)])
    assert np.array_equal(feed.numpy(), expected)


def test_statistics_are_those_of_numpy_and_normalizing_gives_zero_and_one():
    many = torch.from_numpy(pixels(40, 7, 6))
    mean, std = pixel_statistics([many[:13], many[13:]])
    assert np.allclose(mean, many.double().numpy().mean((0, 1, 2)) / 255)
    assert np.allclose(std, many.double().numpy().std((0, 1, 2)) / 255)
    known = Card(
        classes=("a", "b"), input_size=(7, 6), in_channels=3, resize_mode="pad", mean=mean, std=std
    )
    normal = normalize(many, known)
    assert normal.shape == (40, 3, 7, 6)
    assert normal.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(normal.std((0, 2, 3)), torch.ones(3), atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (7, 6), (32, 32), (5, 97)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_byte_is_scaled_and_shifted_in_one_rounding_wherever_it_lies(
    size, channels, channels_last
):
    bytes_ = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (5, *size, channels)))
    known = card(size, channels, mean=0.4821, std=0.2137)
    known = replace(known, mean=(*known.mean[:-1], 0.4465), std=(*known.std[:-1], 0.1994))
    scale, shift = scale_and_shift(known)
    exact = (
        bytes_.double() * scale.double() + shift.double()
    )  # 53 bits hold the product of 8 and 24
    pixel_by_pixel = torch.addcmul(shift, bytes_.float(), scale)
    for batch in (bytes_.byte(), bytes_.byte().flip(0)[::2].flip(0)):
        made = normalize(batch, known, channels_last=channels_last)
        expected = (exact if len(batch) == 5 else exact[::2]).permute(0, 3, 1, 2)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        assert made.is_contiguous(memory_format=layout)
        assert torch.allclose(made.double(), expected, rtol=2**-24, atol=2**-24)
        if len(batch) == 5:
            assert torch.equal(made, pixel_by_pixel.permute(0, 3, 1, 2))


@pytest.mark.parametrize("channels_last", [False, True])
def test_memory_that_is_used_again_leaves_nothing_of_the_batch_before(channels_last):
    many, known = torch.from_numpy(pixels(9, 7, 6)), card((7, 6), mean=0.3, std=0.2)
    again = Normalizer(known, channels_last=channels_last)
    for batch in (many[:4], many[4:], many[:2]):
        expected = normalize(batch, known, channels_last=channels_last)
        assert torch.equal(again(batch), expected)
        assert again(batch).stride() == expected.stride()


def test_a_channel_that_never_changes_is_left_alone():
    assert pixel_statistics([torch.full((2, 3, 3, 1), 51, dtype=torch.uint8)]) == ((0.2,), (1.0,))


@given(st.integers(0, 2**40), st.integers(0, 1000), st.integers(1, 60))
def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(seed, epoch, n):
    labels = np.arange(n) % 3
    order = epoch_order(np.arange(n) * 2, np.repeat(labels, 2), seed=seed, epoch=epoch)
    assert sorted(order) == list(range(0, 2 * n, 2))
    again = epoch_order(np.arange(n) * 2, np.repeat(labels, 2), seed=seed, epoch=epoch)
    assert np.array_equal(order, again)


def test_epochs_and_seeds_differ():
    orders = {
        tuple(epoch_order(np.arange(50), np.zeros(50, np.int64), seed=s, epoch=e))
        for s in range(5)
        for e in range(5)
    }
    assert len(orders) == 25


def test_balanced_sampling_shows_every_class_equally_often():
    labels = np.array([0] * 90 + [1] * 9 + [2] * 3)
    order = epoch_order(np.arange(102), labels, seed=0, epoch=0, sampling="balanced")
    assert np.bincount(labels[order]).tolist() == pytest.approx([34, 34, 34], abs=2)
    assert np.bincount(order[labels[order] == 2]).max() <= 12  # three images share 34 places


def test_what_becomes_of_an_image_does_not_depend_on_its_batch():
    many = torch.from_numpy(pixels(16, 8, 8))
    words = dict(kind="crop-flip", padding=2, seed=3, epoch=5)
    whole = augment(many, np.arange(16), **words)
    order = np.random.default_rng(0).permutation(16)
    for piece in np.array_split(order, 5):
        assert torch.equal(augment(many[piece], piece, **words), whole[piece])


def slow_augment(image, down, across, flip, padding):
    """The same by loops: pad, cut, mirror."""
    height, width, _ = image.shape
    out = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            source = width - 1 - column if flip else column
            y, x = row + down - padding, source + across - padding
            if 0 <= y < height and 0 <= x < width:
                out[row, column] = image[y, x]
    return out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["crop", "crop-flip"])
def test_crop_and_flip_are_what_loops_make(kind, channels):
    many, padding = pixels(24, 6, 7, channels).reshape(24, 6, 7, channels), 3
    made = augment(
        torch.from_numpy(many), np.arange(24), kind=kind, padding=padding, seed=1, epoch=2
    )
    numbers = random_bits(1, 2, np.arange(24), 3)
    flips = 0
    for place, image in enumerate(many):
        down, across = (int(word % np.uint64(7)) for word in numbers[place, :2])
        flip = kind == "crop-flip" and bool(numbers[place, 2] >> np.uint64(63))
        flips += flip
        expected = slow_augment(image, down, across, flip, padding)
        assert np.array_equal(made[place].numpy(), expected)
    assert (flips > 0) == (kind == "crop-flip")


def test_draws_are_uniform_and_independent():
    numbers = random_bits(0, 0, np.arange(100_000), 3)
    for column in (numbers % np.uint64(9)).T:
        counts = np.bincount(column.astype(int))
        assert ((counts - 100_000 / 9) ** 2 / (100_000 / 9)).sum() < 30  # chi-square, 8 degrees
    unit = numbers / 2.0**64
    assert np.abs(np.corrcoef(unit.T) - np.eye(3)).max() < 0.015
    assert np.abs(np.corrcoef(unit[1:, 0], unit[:-1, 0])[0, 1]) < 0.015
