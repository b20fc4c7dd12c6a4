"""`convscope data`: the named data sets, one of them described, and drawn as it is augmented."""

import json

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.boxes.truth import Objects
from convscope.data.augmentation.draws import Draws
from convscope.data.augmentation.geometry import Affine, warp
from convscope.data.dataset import ArrayImages, Dataset
from convscope.data.source import NAMES
from convscope.errors import RequestError
from convscope.training import augmentation_sheet

CELL, GAP, LINE = 128, 6, 18


def cell(sheet, row, column, size):
    """What a cell of a sheet shows, in the image's own size."""
    left, top = GAP + column * (size + GAP), LINE + GAP + row * (size + GAP + LINE)
    pixels = np.asarray(sheet)[top : top + size, left : left + size]
    return pixels.reshape(8, size // 8, 8, size // 8, 3)[:, 0, :, 0, 0]


def test_without_data_the_names_are_listed(command):
    lines = command("data").stdout.splitlines()
    assert [line.split()[0] for line in lines[: len(NAMES)]] == list(NAMES)
    assert json.loads(command("data", "--json").stdout).keys() == NAMES.keys()
    refused = command("data", "--show-augmented", "x.png", code=2).stderr
    assert "needs the data" in refused


def test_data_are_described_by_classes_splits_sizes_and_colors(command, image_folder):
    text = command("data", image_folder).stdout
    assert "36 images in 3 classes" in text
    assert "10x12; color" in text or "12x10; color" in text
    facts = json.loads(command("data", image_folder, "--test", "0.5", "--json").stdout)
    assert facts["classes"] == ["apple", "leaf", "plum"]
    assert sum(sum(row.values()) for row in facts["counts"].values()) == 36
    assert sum(row["test"] for row in facts["counts"].values()) == pytest.approx(18, abs=5)
    assert sum(each["images"] for each in facts["sizes"]) == 36


def test_a_sheet_shows_what_a_training_is_shown(tmp_path):
    """Cell by cell: the image, as it is evaluated, and as an independent warp has it."""
    how = dict(augment="none", rotation=40, translation=0.2, input_size=8)
    sheet = convscope.show_augmented("digits", tmp_path / "a.png", count=3, shown_epochs=2, **how)
    assert sheet.size == (GAP + 4 * (CELL + GAP), GAP + LINE + 3 * (CELL + GAP + LINE))
    with Image.open(tmp_path / "a.png") as written:
        assert np.array_equal(np.asarray(written), np.asarray(sheet))
    import torch  # noqa: PLC0415

    from convscope.data.digits import digit_images  # noqa: PLC0415

    pixels = digit_images()[0]
    for row in range(3):
        original = cell(sheet, row, 0, CELL)
        assert np.array_equal(original, cell(sheet, row, 1, CELL))
        [index] = [k for k, image in enumerate(pixels) if np.array_equal(image, original)][:1]
        for epoch in (0, 1):
            maps = Affine(40, 0.2).maps(Draws(0, epoch, np.array([index])), (8, 8))
            image = torch.from_numpy(original.copy())[None, :, :, None]
            expected = warp(image, np.linalg.inv(maps), (8, 8))[0, :, :, 0].numpy()
            assert np.array_equal(cell(sheet, row, 2 + epoch, CELL), expected)


def test_boxes_are_drawn_where_their_objects_are_shown(monkeypatch):
    """Around all of a bright square, whose frame is the only color: also once it is moved."""
    pixels = np.zeros((12, 32, 32), np.uint8)
    pixels[:, 8:20, 10:26] = 255
    boxes = [np.array([[10, 8, 26, 20.0]])] * 12
    sizes = np.full((12, 2), 32)
    dataset = Dataset(
        name="squares", classes=("a", "b"), images=ArrayImages(pixels), labels=np.zeros(12, int),
        split=np.full(12, "train", dtype="<U5"),
    )  # fmt: skip
    labels = [np.array([k % 2]) for k in range(12)]
    dataset = dataset.with_objects(Objects.of(boxes, labels, images=sizes))
    monkeypatch.setattr(augmentation_sheet, "open_data", lambda *_args: dataset)
    sheet = convscope.show_augmented(
        "squares", count=2, shown_epochs=3, horizontal_flip=0.5, translation=0.2, zoom=(0.8, 1.2),
        input_size=32, test=0.25, val=0.25,
    )  # fmt: skip
    seen = []
    for row in range(2):
        for column in range(5):
            left, top = GAP + column * (128 + GAP), LINE + GAP + row * (128 + GAP + LINE)
            shown = np.asarray(sheet.crop((left, top, left + 128, top + 128))).astype(int)
            is_line = shown.max(2) - shown.min(2) > 40
            rows, columns = np.nonzero(is_line)
            bright_rows, bright_columns = np.nonzero((shown > 127).all(2) & ~is_line)
            frame = rows.min(), columns.min(), rows.max(), columns.max()
            square = (
                bright_rows.min(), bright_columns.min(), bright_rows.max(), bright_columns.max()
            )  # fmt: skip
            assert np.abs(np.subtract(frame, square)).max() <= 5  # a line of 2, a pixel of 4
            seen.append(frame)
    assert len({*seen}) > 4  # it is moved


def test_a_sheet_of_photographs_is_drawn_by_the_command(command, image_folder, tmp_path):
    out = tmp_path / "sheet.png"
    words = ("data", image_folder, "--show-augmented", out, "--augment", "photo", "--seed", 3)
    assert "sheet.png shows" in command(*words, "--count", 2, "--pca-color", 0.1).stdout
    with Image.open(out) as sheet:
        assert sheet.mode == "RGB"
    refused = command(*words, "--count", 0, code=2).stderr
    assert "--count must be between 1 and 64, not 0" in refused
    assert "--shown-epochs" in command(*words, "--epochs", 3, code=2).stderr


def test_a_function_of_ones_own_is_shown_too():
    sheet = convscope.show_augmented(
        "digits", count=1, shown_epochs=1, input_size=8, augment=lambda x: 255 - x
    )
    assert np.array_equal(cell(sheet, 0, 2, CELL), 255 - cell(sheet, 0, 1, CELL))
    with pytest.raises(RequestError, match="`shown_epochs` must be between 1 and 64"):
        convscope.show_augmented("digits", shown_epochs=65)
