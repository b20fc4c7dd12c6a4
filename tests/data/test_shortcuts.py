"""Planted shortcuts are found by the headers of files, random properties raise no alarm."""

import os
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from PIL import Image

from convscope.data.dataset import ConcatImages, FileImages, SubsetImages
from convscope.data.exact_test import fisher_exact
from convscope.data.file_properties import properties_of, read_properties
from convscope.data.folder import read_folder
from convscope.data.shortcuts import find_shortcuts, shortcuts_in
from convscope.data.source import open_source

RANDOM = np.random.default_rng(0)


def picture(width=24, height=16, mode="RGB"):
    channels = {"RGB": (3,), "L": ()}[mode]
    return Image.fromarray(RANDOM.integers(0, 256, (height, width, *channels), dtype=np.uint8))


def exif(make="", model="", orientation=1):
    tags = Image.Exif()
    for tag, value in ((0x010F, make), (0x0110, model), (0x0112, orientation)):
        if value:
            tags[tag] = value
    return tags


def folder(root, save, per_class=30, classes=("cat", "dog")):
    """Images that `save(path, label, number)` writes, without an ending."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            save(root / name / f"{number:03d}", label, number)
    return read_folder(root)


def in_format(kind, **options):
    return lambda path, image: image.save(path.with_suffix(f".{kind.lower()}"), kind, **options)


PLAIN = in_format("PNG")
PLANTED = {
    "size": (
        lambda path, label, _: PLAIN(path, picture(24 + 8 * label)),
        "32x16",
    ),
    "camera": (
        lambda path, label, _: in_format("JPEG", exif=exif("Eye", f"M{label}"))(path, picture()),
        "Eye M1",
    ),
    "format": (
        lambda path, label, _: in_format(("PNG", "BMP")[label])(path, picture()),
        "BMP",
    ),
    "channels": (
        lambda path, label, _: PLAIN(path, picture(mode=("RGB", "L")[label])),
        "L",
    ),
    "compression": (
        lambda path, label, _: in_format("JPEG", quality=(75, 90)[label])(path, picture()),
        "quality 90 4:2:0",
    ),
    "metadata": (
        lambda path, label, _: in_format("JPEG", comment=b"scan" * label)(path, picture()),
        "comment",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_property_is_found_and_told(name, tmp_path):
    save, example = PLANTED[name]
    best = find_shortcuts(folder(tmp_path, save))[0]
    told = {rule.name: rule.values[0] for rule in best.classes}
    first, (value, *_) = next(iter(told.items()))
    assert best.name == name
    assert (best.accuracy, best.largest, best.youden) == (1.0, 0.5, 1.0)
    assert best.describe() == (
        f"The {name} of an image alone tells its class for 100% (the largest class: 50%): "
        f"100% of {first!r} and 0% of all others have {value}."
    )
    assert told.keys() == {"cat", "dog"}
    assert told["dog"] == (example, 1.0, 0.0)


def test_deep_pngs_are_told_from_others_though_their_mode_may_be_one(tmp_path):
    deep = Image.fromarray(RANDOM.integers(0, 65536, (8, 8), dtype=np.uint16))
    deep.save(tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as image:
        assert "16" in properties_of(image)["channels"]


def test_the_size_is_that_of_the_upright_image(tmp_path):
    picture(24, 16).save(tmp_path / "a.jpg", exif=exif(orientation=6))
    picture(16, 24).save(tmp_path / "b.jpg")
    images = FileImages(tmp_path, ("a.jpg", "b.jpg"))
    assert [each["size"] for each in read_properties(images, [0, 1]).values()] == ["16x24"] * 2


@pytest.mark.parametrize("quality", [30, 50, 75, 92, 100])
def test_the_quality_is_that_of_libjpeg(quality, tmp_path):
    picture().save(tmp_path / "a.jpg", quality=quality)
    [found] = read_properties(FileImages(tmp_path, ("a.jpg",)), [0]).values()
    assert abs(int(found["compression"].split()[1]) - quality) <= 1


def test_what_cannot_be_read_is_left_out_and_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    os.mkfifo(tmp_path / "pipe.jpg")
    picture().save(tmp_path / "good.png")
    paths = ("text.jpg", "pipe.jpg", "missing.jpg", "good.png")
    assert read_properties(FileImages(tmp_path, paths), range(4)).keys() == {3}


def test_joined_and_chosen_images_have_their_files(tmp_path):
    picture(9, 7).save(tmp_path / "a.png")
    picture(5, 7).save(tmp_path / "b.png")
    first, second = (FileImages(tmp_path, (name,)) for name in ("a.png", "b.png"))
    images = SubsetImages(ConcatImages((first, second)), np.array([1, 0]))
    sizes = [each["size"] for each in read_properties(images, [0, 1]).values()]
    assert sizes == ["5x7", "9x7"]


def columns(n, rng):
    return {
        "size": [f"{w}x{h}" for w, h in rng.integers(100, 140, (n, 2))],
        "camera": [f"model {number}" for number in rng.zipf(1.5, n)],
        "format": [f"{kind}" for kind in rng.integers(0, 2, n)],
        "compression": [f"quality {quality}" for quality in rng.integers(60, 95, n)],
    }


def test_properties_without_a_relation_to_the_class_raise_no_alarm():
    alarms = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        n, classes = int(rng.integers(20, 400)), int(rng.integers(2, 9))
        labels = rng.choice(classes, n, p=rng.dirichlet(np.ones(classes)))
        alarms += bool(shortcuts_in(columns(n, rng), labels, [f"{c}" for c in range(classes)]))
    assert alarms == 0


@pytest.mark.parametrize(("share", "is_found"), [(0.5, False), (0.58, False), (0.83, True)])
def test_the_accuracy_is_the_share_that_was_planted(share, is_found):
    """Of two equal classes, a share has the camera of its class."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 2000)
    cameras = np.where(rng.random(2000) < share, labels, 1 - labels)
    found = shortcuts_in({"camera": [f"{c}" for c in cameras]}, labels, ["well", "ill"])
    assert bool(found) == is_found
    if found:
        assert abs(found[0].accuracy - share) < 0.02
        assert abs(found[0].youden - (2 * share - 1)) < 0.04


def test_one_class_of_many_from_a_camera_of_its_own_is_found_and_named():
    labels = np.repeat(np.arange(20), 40)
    cameras = ["phone" if label == 7 else "scanner" for label in labels]
    [found] = shortcuts_in({"camera": cameras}, labels, [f"class {n}" for n in range(20)])
    assert found.describe() == (
        "The camera of an image alone finds 100% of 'class 7' and takes 0% of all others for it: "
        "100% of 'class 7' and 0% of all others have phone."
    )


def test_many_sizes_that_are_all_different_are_told_by_their_resolution():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    sides = np.where(labels, rng.integers(900, 1100, 400), rng.integers(300, 360, 400))
    found = shortcuts_in(
        {
            "size": [f"{side}x{side + n}" for n, side in enumerate(sides)],
            "resolution": ["about 1024" if side > 600 else "about 362" for side in sides],
        },
        labels,
        ["cat", "dog"],
    )
    assert [each.name for each in found] == ["resolution"]


def test_of_a_patient_one_image_counts(tmp_path):
    """Sixty images of four patients are four cameras, which proves nothing."""
    save = PLANTED["camera"][0]
    dataset = folder(tmp_path, save)
    groups = [f"{label}-{n % 2}" for n, label in enumerate(dataset.labels)]
    assert find_shortcuts(dataset)
    assert find_shortcuts(replace(dataset, groups=groups)) == []


def test_splits_of_the_source_from_two_cameras_are_told(tmp_path):
    for split, make in (("train", "Eye"), ("test", "Lens")):
        folder(
            tmp_path / split,
            lambda path, *_, make=make: in_format("JPEG", exif=exif(make))(path, picture()),
        )
    [found] = find_shortcuts(read_folder(tmp_path))
    assert (found.subject, found.name, found.youden) == ("split", "camera", 1.0)


def test_data_that_are_no_files_have_no_shortcuts():
    assert find_shortcuts(open_source("digits")) == []


def test_fisher_is_the_tail_of_the_hypergeometric_distribution():
    """Counted, with integers: how many of all choices have at least as many of the class."""
    for inside, outside, size, total in ((3, 1, 4, 8), (5, 0, 5, 40), (2, 9, 6, 21), (0, 3, 2, 9)):
        taken = inside + outside
        ways = sum(comb(size, k) * comb(total - size, taken - k) for k in range(inside, taken + 1))
        assert fisher_exact(inside, outside, size, total) == pytest.approx(
            ways / comb(total, taken)
        )
    assert fisher_exact(10, 0, 10, 20) == pytest.approx(1 / comb(20, 10))
