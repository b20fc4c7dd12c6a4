"""`evaluate` recognizes the images that a run was trained on, whatever files they are in."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.data.digits import read_digits
from convscope.errors import RequestError

USED = 300


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    digits = read_digits()
    return np.stack([np.asarray(digits.images.image(index)) for index in range(USED)])


@pytest.fixture(scope="module")
def splits(digits_run) -> list[str]:
    """The split of each of the first images, from the run's own list."""
    with (digits_run / "splits.csv").open() as file:
        rows = sorted((row["key"], row["split"]) for row in csv.DictReader(file))
    return [split for _, split in rows[:USED]]


@pytest.fixture(params=["arrays", "bmp", "color png", "table"])
def data(request, pixels, tmp_path):
    """The same images in different forms."""
    labels = read_digits().labels[:USED]
    if request.param == "arrays":
        return pixels, labels
    root = tmp_path / "files"
    ending = ".bmp" if request.param == "bmp" else ".png"
    lines = ["path,label"]
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image)
        picture = picture.convert("RGB") if request.param == "color png" else picture
        picture.save(root / str(label) / f"{number}{ending}")
        lines.append(f"{label}/{number}{ending},{label}")
    if request.param != "table":
        return root
    (root / "list.csv").write_text("\n".join(lines))
    return root / "list.csv"


def test_images_in_training_and_validation_are_counted(digits_run, splits, data):
    found = convscope.evaluate(digits_run, data)
    assert found.in_training == splits.count("train") > 0
    assert found.in_validation == splits.count("val") > 0
    counts = f"Of {USED} images, {found.in_training} were in training and {found.in_validation} in"
    assert any(note.startswith(counts) for note in found.notes)
    assert any("`exclude_trained` leaves them out" in note for note in found.notes)


def test_they_are_left_out_on_request(digits_run, splits, pixels):
    labels = read_digits().labels[:USED]
    found = convscope.evaluate(digits_run, (pixels, labels), exclude_trained=True)
    rest = np.array(splits) == "test"
    same = convscope.evaluate(digits_run, (pixels[rest], labels[rest]))
    assert found.metrics.num_images == rest.sum()
    assert np.array_equal(found.metrics.confusion, same.metrics.confusion)
    assert (same.in_training, same.in_validation) == (0, 0)
    assert same.notes == ()
    trained = np.array(splits) == "train"
    with pytest.raises(RequestError, match="none is left"):
        convscope.evaluate(digits_run, (pixels[trained], labels[trained]), exclude_trained=True)


def test_a_changed_pixel_makes_another_image(digits_run, pixels):
    changed = pixels.copy()
    changed[:, 0, 0] ^= 1
    found = convscope.evaluate(digits_run, (changed, read_digits().labels[:USED]))
    assert (found.in_training, found.in_validation) == (0, 0)


def test_the_own_test_split_has_none_of_them(digits_run):
    found = convscope.evaluate(digits_run)
    assert (found.in_training, found.notes) == (0, ())
    assert convscope.evaluate(digits_run, split="train").in_training is None


def test_a_run_of_an_earlier_version_says_that_it_does_not_know(digits_run, pixels, tmp_path: Path):
    shutil.copytree(digits_run, tmp_path / "run")
    (tmp_path / "run" / "images.safetensors").unlink()
    data = pixels, read_digits().labels[:USED]
    found = convscope.evaluate(tmp_path / "run", data)
    assert found.in_training is None
    assert "may have been trained on these images" in found.notes[0]
    with pytest.raises(RequestError, match="Leave out `exclude_trained`"):
        convscope.evaluate(tmp_path / "run", data, exclude_trained=True)
