"""Folders of class folders: what is a class, what is a split, and what is said of the rest."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convscope.data.dataset import Dataset
from convscope.data.folder import read_folder
from convscope.errors import RequestError

Plant = Callable[..., Path]


def keys(data: Dataset) -> list[str]:
    return [data.images.key(index) for index in range(len(data))]


def test_class_folders_become_classes_in_sorted_order(plant: Plant):
    data = read_folder(plant("dog/b.png", "cat/z/deep/er.JPG", "cat/a.jpeg", "dog/a.tif"))
    assert data.name == "root"
    assert data.classes == ("cat", "dog")
    assert keys(data) == ["cat/a.jpeg", "cat/z/deep/er.JPG", "dog/a.tif", "dog/b.png"]
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.split.tolist() == ["", "", "", ""]
    assert data.warnings == ()
    assert data.images.image(0).size == (2, 2)
    assert len(data.images.read(0)[1]) == 16


@pytest.mark.parametrize("valid", ["val", "valid", "Validation", "VAL"])
def test_split_folders_are_splits_tied_by_class_name(plant: Plant, valid: str):
    root = plant(
        "Train/a/1.png", "Train/b/1.png", "Train/c/1.png", f"{valid}/c/1.png", "test/b/1.png"
    )
    data = read_folder(root)
    assert data.classes == ("a", "b", "c")
    assert data.labels[data.indices("val")].tolist() == [2]
    assert data.labels[data.indices("test")].tolist() == [1]
    assert data.counts("train").tolist() == [1, 1, 1]
    message = " ".join(data.warnings)
    assert "val has no images of 'a', 'b'" in message
    assert "test has no images of 'a', 'c'" in message


def test_a_class_may_be_called_train(plant: Plant):
    data = read_folder(plant("bus/1.png", "train/1.png"))
    assert data.classes == ("bus", "train")


def test_folders_beside_the_splits_are_named(plant: Plant):
    data = read_folder(plant("train/a/1.png", "train/b/1.png", "extra/a/1.png"))
    assert len(data) == 2
    assert "ignored folders beside the splits: 'extra'" in data.warnings[0]


def test_what_is_no_image_is_counted(plant: Plant):
    root = plant(
        "a/1.png", "b/1.png", "a/notes.txt", "b/deep/list.csv", "loose.png", "b/.hidden.png"
    )
    (root / "__MACOSX" / "a").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "a" / "Thumbs.db").touch()
    data = read_folder(root)
    assert keys(data) == ["a/1.png", "b/1.png"]
    assert data.classes == ("a", "b")
    loose, others = data.warnings
    assert "ignored images outside the class folders: 1" in loose
    assert "ignored files that are not read as images: 1 .txt, 1 .csv" in others


def test_loose_images_in_a_split_are_counted(plant: Plant):
    data = read_folder(plant("train/a/1.png", "train/b/1.png", "train/x.png", "val/y.png"))
    assert "ignored images outside the class folders: 1" in data.warnings[0]
    assert "val has no class folders, so its images have no labels and are not" in data.warnings[1]


def test_every_ending_counts_in_any_case(plant: Plant):
    endings = ["jpg", "jpeg", "jpe", "png", "webp", "bmp", "dib", "tif", "tiff", "gif"]
    endings += ["ppm", "pgm", "pbm", "pnm", "jfif", "mpo", "apng", "avif", "jp2"]
    names = [f"{n}.{end}" for n, end in enumerate([*endings, *map(str.upper, endings)])]
    data = read_folder(plant("b/1.png", *(f"a/{name}" for name in names), "a/x.svg", "a/png"))
    assert data.counts("").tolist() == [2 * len(endings) + 1, 1]  # one by its content


def test_the_order_does_not_depend_on_the_file_system(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
):
    root = plant(*(f"{c}/{c}{d}/{n}.png" for c in "abc" for d in "xy" for n in range(9)))
    once, scandir = keys(read_folder(root)), os.scandir

    class Otherwise:
        def __init__(self, path: Path):
            with scandir(path) as found:
                self.entries = list(found)
            self.entries.sort(key=lambda entry: entry.name[::-1], reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_: object):
            return None

    monkeypatch.setattr(os, "scandir", Otherwise)
    assert keys(read_folder(root)) == once


def test_links_are_followed_and_loops_survived(plant: Plant, tmp_path: Path):
    root = plant("a/1.png", "b/1.png")
    far = plant("2.png", "deep/3.png", root="far")
    (root / "a" / "far").symlink_to(far)
    (root / "a" / "again").symlink_to(far)  # the same folder by another name counts once
    (far / "deep" / "loop").symlink_to(far)
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "top").symlink_to("/")
    (root / "b" / "self").symlink_to("self")
    (root / "b" / "one.png").symlink_to(tmp_path / "far" / "2.png")
    (root / "b" / "two.png").symlink_to("nowhere")
    data = read_folder(root)
    assert data.counts("").tolist() == [3, 3]
    assert {"b/one.png", "b/two.png"} <= set(keys(data))


def test_pipes_are_not_images(plant: Plant):
    root = plant("a/1.png", "b/1.png")
    os.mkfifo(root / "a" / "pipe.png")
    assert len(read_folder(root)) == 2


def test_names_of_any_letters_work(plant: Plant):
    odd = os.fsdecode(b"\xff\xfe-\x80")
    names = ["Ж ясно", "日本/ネコ", "a'b\"c", "new\nline", "<b>&", odd, "=1+1", " "]
    data = read_folder(plant(*(f"{n}/{odd}{place}.png" for place, n in enumerate(names))))
    assert len(data) == len(names) == len(data.classes)
    assert all(data.images.image(index).size == (2, 2) for index in range(len(data)))


def test_class_names_are_one_in_either_unicode_form(plant: Plant):
    composed, taken_apart = "\u00e9t\u00e9", "e\u0301te\u0301"
    data = read_folder(
        plant(f"train/{composed}/1.png", "train/b/1.png", f"val/{taken_apart}/1.png")
    )
    assert data.classes == ("b", composed)
    assert data.counts("val").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        (["train/a/1.png", "train/b/1.png", "val/c/1.png"], "images of 'c', train has none"),
        (["a/1.png"], "has a single class, 'a'"),
        (["a.png", "b.png"], "has 2 images, but not in class folders. Put each class's images in"),
        (["a/x.txt"], "has no images in class folders"),
        (["train/1.png", "test/2.png"], "no folder 'train' with class folders"),
        (["test/a/1.png", "val/b/1.png"], "no folder 'train' with class folders"),
        (["train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png"], "'val' and 'valid'"),
        (["train/1.png", "test/2.png", "more/3.png"], "no folder 'train' with class folders"),
        (["data/a/1.png"], "has a single class, 'a'"),
        (["a/1.png", "b/1.png", "c/x.txt", "d/y/z.txt"], "has no images of 'c', 'd'"),
    ],
)
def test_an_unsuitable_folder_is_explained(plant: Plant, planted: list[str], message: str):
    root = plant(*planted)
    with pytest.raises(RequestError) as caught:
        read_folder(root)
    assert message in str(caught.value)
    assert str(root) in str(caught.value)


def test_a_class_empty_in_train_is_missing_there(plant: Plant):
    root = plant("train/a/1.png", "train/b/1.png", "val/c/1.png")
    (root / "train" / "c").mkdir()
    with pytest.raises(RequestError, match="images of 'c', train has none"):
        read_folder(root)


def test_a_path_that_is_not_there_is_told_its_neighbor(plant: Plant, tmp_path: Path):
    plant("a/1.png", root="fundus")
    with pytest.raises(RequestError, match=r"fundos does not exist\. Did you mean 'fundus'\?"):
        read_folder(tmp_path / "fundos")
    with pytest.raises(RequestError, match=r"does not exist\.$"):
        read_folder(tmp_path / "no" / "where")
    with pytest.raises(RequestError, match="is a file"):
        read_folder(tmp_path / "fundus" / "a" / "1.png")
    for hopeless in ("a\0b", "x" * 5000):
        with pytest.raises(RequestError, match=r"does not exist|is not a path"):
            read_folder(tmp_path / hopeless)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_forbidden_folder_is_named(plant: Plant):
    root = plant("a/1.png", "b/1.png")
    (root / "a").chmod(0)
    try:
        with pytest.raises(RequestError, match="cannot be listed: Permission denied"):
            read_folder(root)
    finally:
        (root / "a").chmod(0o700)


def test_a_refusal_to_list_is_named(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    root, scandir = plant("a/1.png", "b/1.png"), os.scandir

    def refuse(path: Path):
        if path.name == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(RequestError, match="root/a cannot be listed: Permission denied"):
        read_folder(root)


def test_nothing_in_the_folder_changes(plant: Plant):
    root = plant("a/1.png", "b/1.png")
    before = {path: path.stat() for path in root.rglob("*")}
    read_folder(root)
    after = {path: path.stat() for path in root.rglob("*")}
    assert before.keys() == after.keys()
    assert all(before[path].st_mtime_ns == after[path].st_mtime_ns for path in before)


def test_twelve_thousand_files_take_a_moment(tmp_path: Path):
    for name in "abcdef":
        (tmp_path / name).mkdir()
        for number in range(2000):
            (tmp_path / name / f"{number}.png").touch()
    start = time.perf_counter()
    data = read_folder(tmp_path)
    assert time.perf_counter() - start < 2  # 0.03 s on a quiet machine
    assert np.bincount(data.labels).tolist() == [2000] * 6
