"""Random resized crops: the windows are torchvision's, their pixels Pillow's within 1 of 255."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from convscope.card import Card
from convscope.data.augment import random_bits
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.dataset import ArrayImages, ConcatImages, Dataset, FileImages
from convscope.data.larger import larger_side, whole_image
from convscope.data.loading import KeptBatchSource, StreamingBatchSource, load_images
from convscope.data.reduced import ReducedImage
from convscope.data.resized_crops import TRIES, ResizedCrops, draw_boxes
from convscope.training.batches import TrainingBatches

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)


def card(size=(8, 8), channels=3, **more):
    return Card(
        classes=("a", "b"),
        input_size=size,
        in_channels=channels,
        resize_mode="crop",
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        **more,
    )


def picture(height, width, channels=3, seed=0):
    """Smooth, with edges: (height, width, channels)."""
    random = np.random.default_rng([seed, height, width])
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(y / 5 + k) * np.cos(x / 7) for k in range(channels)]
    noisy = np.stack(waves, -1) + random.normal(0, 20, (height, width, channels))
    return noisy.clip(0, 255).astype(np.uint8)


def windows_of(size, images, indices, *, seed, epoch, kind="resized-crop-flip", **more):
    """What `epoch` shows of images, as the training has it."""
    crops = ResizedCrops(size, SCALE, RATIO, **more)
    return Augmentation(kind, 0, seed, crops).cut(images, indices, epoch=epoch)


def slow_box(words, height, width, scale, ratio):
    """RandomResizedCrop.get_params of torchvision 0.28, with these numbers in place of its own."""
    unit = [int(word >> np.uint64(11)) / 2**53 for word in words[3:]]
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for turn in range(10):
        area = height * width * (scale[0] + (scale[1] - scale[0]) * unit[2 * turn])
        aspect = math.exp(low + (high - low) * unit[2 * turn + 1])
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(words[0]) % (height - h + 1), int(words[1]) % (width - w + 1), h, w
    if width / height < ratio[0]:
        w, h = width, round(width / ratio[0])
    elif width / height > ratio[1]:
        w, h = round(height * ratio[1]), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize(
    ("scale", "ratio"),
    [(SCALE, RATIO), ((0.9, 1.0), RATIO), ((1.0, 1.0), (1.0, 1.0)), ((0.01, 0.02), (0.5, 3.0))],
)
def test_windows_are_those_of_torchvision(scale, ratio):
    random = np.random.default_rng(0)
    sizes = np.concatenate([random.integers(1, 300, (300, 2)), [[1, 1], [1, 200], [200, 1]]])
    numbers = random_bits(3, 4, np.arange(len(sizes)), 3 + 2 * TRIES)
    boxes = draw_boxes(numbers, sizes, scale=scale, ratio=ratio)
    slow = [
        slow_box(row, *size, scale, ratio)
        for row, size in zip(numbers, sizes.tolist(), strict=True)
    ]
    assert boxes.tolist() == [list(map(int, box)) for box in slow]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(24, 24), (64, 50)])
def test_a_window_is_what_pillow_makes_of_it(channels, interpolation, size):
    images = [picture(40 + 7 * k, 90 - 5 * k, channels) for k in range(10)]
    indices = np.arange(10)
    made = windows_of(size, images, indices, seed=1, epoch=2, interpolation=interpolation).numpy()
    numbers = random_bits(1, 2, indices, 3 + 2 * TRIES)
    flips = numbers[:, 2] >> np.uint64(63)
    assert 0 < flips.sum() < 10
    for window, image, row, flip in zip(made, images, numbers, flips, strict=True):
        top, left, height, width = slow_box(row, *image.shape[:2], SCALE, RATIO)
        cut = Image.fromarray(image[top : top + height, left : left + width].squeeze())
        scaled = cut.resize(size[::-1], getattr(Image.Resampling, interpolation.upper()))
        expected = np.asarray(scaled.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else scaled)
        difference = window.astype(int) - expected.reshape(window.shape)
        assert np.abs(difference).max() <= (1 if interpolation == "bilinear" else 2)
        assert np.abs(difference).mean() < 0.1


def test_a_window_depends_on_seed_epoch_and_image_alone():
    images = [picture(20 + k, 30, seed=k) for k in range(12)]
    size, words = (8, 9), dict(seed=3, epoch=5)
    whole = windows_of(size, images, np.arange(12), **words).numpy()
    order = np.random.default_rng(0).permutation(12)
    for piece in np.array_split(order, 5):
        alone = windows_of(size, [images[index] for index in piece], piece, **words).numpy()
        assert np.array_equal(alone, whole[piece])
    for other in (dict(seed=4, epoch=5), dict(seed=3, epoch=6)):
        assert (
            (windows_of(size, images, np.arange(12), **other).numpy() != whole).any((1, 2, 3)).all()
        )
    straight = windows_of(size, images, np.arange(12), **words, kind="resized-crop")
    same = (straight.numpy() == whole).all((1, 2, 3))
    assert 0 < same.sum() < 12
    assert np.array_equal(straight.numpy()[~same][:, :, ::-1], whole[~same])


def test_images_are_kept_whole_a_seventh_larger_than_the_input_and_never_enlarged():
    assert larger_side(card((224, 224))) == 256
    assert larger_side(card((32, 64))) == 73
    assert larger_side(card((224, 224), resize_size=232)) == 232
    for size, kept in [((300, 400), (256, 341)), ((400, 300), (341, 256)), ((90, 700), (90, 700))]:
        image = Image.fromarray(picture(*size))
        made = whole_image(image, card((224, 224)), 256)
        assert made.shape == (*kept, 3)
        scaled = image.resize(kept[::-1], Image.Resampling.BILINEAR)
        assert np.abs(made.astype(int) - np.asarray(scaled)).max() <= 1
    assert whole_image(Image.fromarray(picture(30, 20)), card((8, 8), 1), 9).shape == (14, 9, 1)


def dataset():
    """Images of two sizes, every third of them for validation."""
    parts = tuple(
        ArrayImages(np.stack([picture(*size, seed=k) for k in range(9)]), str(size))
        for size in [(30, 20), (13, 26)]
    )
    return Dataset(
        name="two sizes",
        images=ConcatImages(parts),
        labels=np.arange(18) % 2,
        classes=("a", "b"),
        split=np.where(np.arange(18) % 3, "train", "val"),
    )


def test_what_is_cut_and_what_is_evaluated_does_not_depend_on_memory():
    data, known, everything = dataset(), card((8, 8)), [np.arange(9), np.arange(9, 18)]
    fed = load_images(data, known)
    assert fed.larger is None
    kept = load_images(data, known, larger_side=9)
    streamed = load_images(data, known, larger_side=9, cache_fraction=0.0)
    for loaded, kind in ((kept, KeptBatchSource), (streamed, StreamingBatchSource)):
        assert isinstance(loaded.batch_source, kind)
        assert isinstance(loaded.larger, kind)
        assert loaded.fingerprint == fed.fingerprint
        assert np.array_equal(loaded.pixel_digests, fed.pixel_digests)
        sources = (loaded.batch_source.batches(everything), fed.batch_source.batches(everything))
        for one, other in zip(*sources, strict=True):  # also what is not in memory as it is fed
            assert np.array_equal(one, other)
        images = [image for batch in loaded.larger.images(everything) for image in batch]
        for index, image in enumerate(images):
            assert np.array_equal(image, whole_image(data.images.image(index), known, 9))
    assert set(kept.larger.kept) == {index for index in range(18) if index % 3}
    assert set(kept.batch_source.kept) == {index for index in range(18) if not index % 3}


def test_beyond_the_budget_nothing_is_kept(monkeypatch):
    monkeypatch.setattr("convscope.data.loaded.free_memory", lambda: 3000)
    loaded = load_images(dataset(), card((8, 8)), larger_side=9, cache_fraction=0.5)
    assert isinstance(loaded.larger, StreamingBatchSource)
    assert isinstance(loaded.batch_source, StreamingBatchSource)


@pytest.mark.parametrize("memory", [0.5, 0.0])
@pytest.mark.parametrize(
    ("size", "mode"),
    [((8, 8), "letterbox"), ((8, 8), "pad"), ((2, 16), "stretch"), ((2, 16), "crop")],
)
def test_windows_are_not_cut_from_what_was_reduced_to_less_than_is_kept(
    size, mode, memory, tmp_path
):
    """A panorama is decoded at an eighth for the network's input: six pixels high, not nine."""
    known = card(size, reading="fast")
    known = replace(known, resize_mode=mode)
    Image.fromarray(picture(48, 480)).save(tmp_path / "panorama.jpg", quality=95)
    images = FileImages(tmp_path, ("panorama.jpg",))
    data = Dataset(
        name="panorama", images=images, labels=np.zeros(1, int), classes=("a", "b"),
        split=np.array(["train"]),
    )  # fmt: skip
    side = larger_side(known)
    assert min(images.image(0, known).image.size) < side
    loaded = load_images(data, known, larger_side=side, cache_fraction=memory)
    [[kept]] = loaded.larger.images([np.arange(1)])
    assert np.array_equal(kept, whole_image(images.image(0), known, side))
    assert isinstance(images.image(0, known), ReducedImage)


def test_windows_are_not_silently_left_out():
    crops = ResizedCrops((8, 8), SCALE, RATIO)
    loaded = load_images(dataset(), card((8, 8)))
    batches = TrainingBatches(loaded, Augmentation("resized-crop-flip", 0, 0, crops), 4)
    with pytest.raises(ValueError, match="larger side"):
        next(batches(0))
