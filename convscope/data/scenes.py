"""Scenes: real handwritten digits in random places of a canvas, with their boxes; no download.

A scene is 64x64 pixels, grayscale, black with noise. It has one to four digits, each scaled to 16
to 30 pixels and drawn at 60 to 100% of full brightness, so that no two overlap by more than 15% of
the smaller one's square; and up to three fragments of digits of 6x6 pixels, which belong to
nothing. The box of a digit is the smallest that holds all its pixels of at least a quarter of its
largest brightness.

Splits share no digits: the training scenes have the first two thirds of the set, the validation
scenes the next ninth, the test scenes the rest. Everything follows from a seed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.boxes.truth import Objects
from convscope.data.dataset import SPLITS, ArrayImages, ConcatImages, Dataset, Split
from convscope.data.digits import digit_images

SIDE = 64
COUNTS: dict[Split, int] = {"train": 4000, "val": 500, "test": 1000}
"""Scenes of each split."""

_DIGITS, _SIDES, _BRIGHTNESS = (1, 4), (16, 30), (0.6, 1.0)
_FRAGMENTS, _FRAGMENT = 3, 6
_NOISE = 40  # the largest value of the background
_OVERLAP = 0.15  # of the area of the smaller square
_TRIALS = 20  # places that are tried for a digit
_INK = 0.25  # of a digit's brightest pixel
_SEED = 2016


class Digits(NamedTuple):
    """Pixels (n, height, width) and labels (n,) of digits."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_scenes() -> Dataset:
    """The scenes of the digits that are part of the package."""
    pixels, labels = digit_images()
    first, second = len(labels) * 6 // 9, len(labels) * 7 // 9
    parts = (slice(0, first), slice(first, second), slice(second, len(labels)))
    pools: dict[Split, Digits] = {
        split: Digits(pixels[part], labels[part]) for split, part in zip(SPLITS, parts, strict=True)
    }
    return make_scenes("scenes", pools)


def scenes_of(mnist: Dataset) -> Dataset:
    """The scenes of MNIST's digits: for testing those of its test split."""
    digits = {split: np.flatnonzero(mnist.split == split) for split in ("train", "test")}
    held_out = len(digits["train"]) // 7
    chosen: dict[Split, NDArray[np.int64]] = {
        "train": digits["train"][:-held_out],
        "val": digits["train"][-held_out:],
        "test": digits["test"],
    }
    pools: dict[Split, Digits] = {
        split: Digits(
            np.stack([np.asarray(mnist.images.image(int(index))) for index in indices]),
            mnist.labels[indices],
        )
        for split, indices in chosen.items()
    }
    return make_scenes("scenes-mnist", pools)


def make_scenes(
    name: str, pools: dict[Split, Digits], *, counts: dict[Split, int] | None = None
) -> Dataset:
    """A data set of scenes of some digits, those of each split from a pool of their own."""
    parts: list[ArrayImages] = []
    boxes: list[NDArray[np.float64]] = []
    labels: list[NDArray[np.int64]] = []
    splits: list[str] = []
    counts = COUNTS if counts is None else counts
    for number, split in enumerate(SPLITS):
        random = np.random.default_rng([_SEED, number])
        images = np.zeros((counts[split], SIDE, SIDE), np.uint8)
        for image in images:
            image[:], placed, shown = scene(pools[split], random)
            boxes.append(placed)
            labels.append(shown)
        parts.append(ArrayImages(images, f"{split}/"))
        splits += [split] * len(images)
    classes = tuple("0123456789")
    sizes = np.full((len(splits), 2), SIDE, np.int64)
    dataset = Dataset(
        name=name,
        classes=classes,
        images=ConcatImages(tuple(parts)),
        labels=np.zeros(len(splits), np.int64),
        split=np.array(splits, dtype="<U5"),
        has_published_splits=True,
    )
    return dataset.with_objects(Objects.of(boxes, labels, images=sizes))


def scene(
    digits: Digits, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.int64]]:
    """One scene (64, 64), the boxes (m, 4) of its digits in pixels, and their labels (m,)."""
    canvas = random.integers(0, _NOISE + 1, (SIDE, SIDE)).astype(np.uint8)
    for _ in range(int(random.integers(0, _FRAGMENTS + 1))):
        _put(canvas, *_fragment(digits, random))
    squares: list[tuple[int, int, int]] = []
    boxes: list[tuple[float, float, float, float]] = []
    labels: list[int] = []
    for _ in range(int(random.integers(_DIGITS[0], _DIGITS[1] + 1))):
        index, side = int(random.integers(len(digits.labels))), int(random.integers(*_SIDES)) + 1
        brightness = random.uniform(*_BRIGHTNESS)
        place = _free_place(squares, side, random)
        if place is None:
            continue
        ink = _scaled(digits.pixels[index], side, brightness)
        _put(canvas, ink, *place)
        squares.append((*place, side))
        boxes.append(_ink_box(ink, *place))
        labels.append(int(digits.labels[index]))
    return canvas, np.array(boxes).reshape(-1, 4), np.array(labels, np.int64)


def _free_place(
    squares: list[tuple[int, int, int]], side: int, random: np.random.Generator
) -> tuple[int, int] | None:
    """The left and top of a square that overlaps no other by much; None where none was found."""
    for _ in range(_TRIALS):
        left, top = (int(value) for value in random.integers(0, SIDE - side + 1, 2))
        if all(
            max(0, min(left + side, x + s) - max(left, x))
            * max(0, min(top + side, y + s) - max(top, y))
            <= _OVERLAP * min(side, s) ** 2
            for x, y, s in squares
        ):
            return left, top
    return None


def _scaled(pixels: NDArray[np.uint8], side: int, brightness: float) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    return np.rint(np.asarray(image) * brightness).astype(np.uint8)


def _fragment(digits: Digits, random: np.random.Generator) -> tuple[NDArray[np.uint8], int, int]:
    """A piece of a digit, and where it goes."""
    index, side = int(random.integers(len(digits.labels))), _SIDES[0]
    ink = _scaled(digits.pixels[index], side, random.uniform(*_BRIGHTNESS))
    row, column = (int(value) for value in random.integers(0, side - _FRAGMENT + 1, 2))
    left, top = (int(value) for value in random.integers(0, SIDE - _FRAGMENT + 1, 2))
    return ink[row : row + _FRAGMENT, column : column + _FRAGMENT], left, top


def _put(canvas: NDArray[np.uint8], ink: NDArray[np.uint8], left: int, top: int) -> None:
    """Draw on the canvas, which stays where it is brighter."""
    window = canvas[top : top + len(ink), left : left + ink.shape[1]]
    np.maximum(window, ink, out=window)


def _ink_box(ink: NDArray[np.uint8], left: int, top: int) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(ink >= max(1, _INK * ink.max()))
    return (
        float(left + columns.min()), float(top + rows.min()),
        float(left + columns.max() + 1), float(top + rows.max() + 1),
    )  # fmt: skip
