"""What `train` does about images with equal pixels in two splits, and in one."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.data.dataset import ArrayImages, Dataset
from convscope.data.split import fill_splits
from convscope.errors import RequestError
from convscope.training.events import Message

COUNT = 12  # images of each class


@pytest.fixture
def write(tmp_path):
    """Write different images of two classes into a folder, of one split or of all three."""

    def write(*splits: str) -> Path:
        rng = np.random.default_rng(0)
        for split in splits:
            for label in "ab":
                folder = tmp_path / "data" / split / label
                folder.mkdir(parents=True)
                for index in range(COUNT):
                    pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / f"{index:02d}.png")
        return tmp_path / "data"

    return write


def train(data, out, **settings):
    messages: list[str] = []

    class Listen(convscope.Callback):
        def on_message(self, message: Message) -> None:
            messages.append(message.text)

    result = convscope.train(
        data, out=out, model="lenet5", epochs=1, threads=1, engine="torch", augment="none",
        progress=False, callbacks=[Listen()], **settings,
    )  # fmt: skip
    return result, "\n".join(messages)


def splits_of(run: Path) -> dict[str, str]:
    with (run / "splits.csv").open() as file:
        return {row["key"]: row["split"] for row in csv.DictReader(file)}


def saved_again(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.save(target)


def test_copies_across_given_splits_stop_train_unless_they_are_allowed(write, tmp_path):
    data = write("train", "val", "test")
    saved_again(data / "train/a/00.png", data / "test/a/copy.bmp")
    saved_again(data / "train/a/01.png", data / "val/b/copy.tiff")
    with pytest.raises(RequestError) as caught:
        train(data, tmp_path / "run")
    assert str(caught.value).startswith(
        "data has 1 image of val also in train: 'train/a/01.png' (a) = 'val/b/copy.tiff' (b); "
        "1 image of test also in train: 'train/a/00.png' = 'test/a/copy.bmp'."
    )
    assert "`duplicates='drop'`" in str(caught.value)
    assert "`duplicates='allow'`" in str(caught.value)
    assert not (tmp_path / "run").exists()
    result, said = train(data, tmp_path / "run", duplicates="allow")
    assert "1 image of test also in train: 'train/a/00.png'" in said
    assert "1 image also under another label" in said
    assert result.test.num_images == 2 * COUNT + 1
    assert convscope.evaluate(result, data).in_training == 1


def test_they_can_be_dropped_from_the_earlier_split(write, tmp_path):
    data = write("train", "val", "test")
    saved_again(data / "train/a/00.png", data / "test/a/copy.bmp")
    saved_again(data / "val/a/00.png", data / "test/a/again.png")
    saved_again(data / "train/b/00.png", data / "val/b/copy.png")
    result, said = train(data, tmp_path / "run", duplicates="drop")
    splits = splits_of(result.run)
    dropped = {key for key, split in splits.items() if not split}
    assert dropped == {"train/a/00.png", "val/a/00.png", "train/b/00.png"}
    assert "3 images left out of the earlier split" in said
    found = convscope.evaluate(result, data)
    assert (found.in_training, found.in_validation) == (0, 0)
    longer = convscope.resume(result, epochs=2, progress=False)
    assert splits_of(longer.run) == splits
    assert convscope.evaluate(longer).metrics.num_images == 2 * COUNT + 2


def test_no_class_loses_its_last_image(write, tmp_path):
    data = write("train", "test")
    for index in range(COUNT):
        saved_again(data / f"train/a/{index:02d}.png", data / f"test/a/{index}.bmp")
    with pytest.raises(RequestError, match="no image of 'a' remains in train"):
        train(data, tmp_path / "run", duplicates="drop", val=0)


def test_splits_that_train_makes_keep_copies_together(write, tmp_path):
    data = write("")
    names = [f"{index:02d}" for index in range(COUNT)]
    for name in names[:6]:
        for ending in ("bmp", "tiff"):
            saved_again(data / f"a/{name}.png", data / f"a/{name}-copy.{ending}")
    result, said = train(data, tmp_path / "run", val=0.2, test=0.3)
    splits = splits_of(result.run)
    for name in names[:6]:
        same = {splits[f"a/{name}{end}"] for end in (".png", "-copy.bmp", "-copy.tiff")}
        assert len(same) == 1
    assert "data: images with equal pixels are kept in one split: 'a/" in said
    assert "images repeated within a class and split" in said
    assert set(splits.values()) == {"train", "val", "test"}
    assert convscope.evaluate(result, split="test").in_training in (0, None)


def test_without_copies_splits_are_as_they_always_were(write, tmp_path):
    """The hash of names decides, so that runs of earlier versions are comparable."""
    data = write("")
    splits = splits_of(train(data, tmp_path / "run")[0].run)
    held_out = sorted(key for key, split in splits.items() if split != "train")
    assert held_out == ["a/02.png", "a/03.png", "a/10.png", "b/01.png", "b/07.png", "b/11.png"]


def test_arrays_follow_the_same_rule(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 8, 8), dtype=np.uint8)
    labels = np.arange(24) % 2
    data = {"train": (images, labels), "test": (images[4:10], labels[4:10])}
    with pytest.raises(RequestError, match="6 images of test also in train"):
        train(data, tmp_path / "run", val=0)
    assert train(data, tmp_path / "run", val=0, allow_duplicates=True)[0].test.num_images == 6


def test_splits_that_a_publisher_made_are_left_as_they_are(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 8, 8), dtype=np.uint8)
    images[20] = images[0]
    published = Dataset(
        name="mnist",
        classes=("0", "1"),
        images=ArrayImages(images),
        labels=np.arange(24) % 2,
        split=np.repeat(["train", "test"], [18, 6]),
        has_published_splits=True,
    )
    monkeypatch.setattr("convscope.training.start.open_source", lambda *_, **__: published)
    result, said = train("mnist", tmp_path / "run", val=0)
    assert result.test.num_images == 6
    assert "mnist, as it was published, has 1 image of test also in train" in said


def test_copies_join_groups_and_follow_those_that_the_source_has_placed():
    pixels = np.zeros((14, 1, 1), np.uint8)
    split = ["test"] + [""] * 13
    data = Dataset(
        name="made",
        classes=("a",),
        images=ArrayImages(pixels),
        labels=np.zeros(14, np.int64),
        split=np.array(split, dtype="<U5"),
        groups=[f"patient {index // 2}" for index in range(14)],
    )
    copies = [[0, 13], [3, 4], [5, 7]]
    filled = fill_splits(data, val=0.4, copies=copies).split
    assert filled[13] == "test"
    for group in ([2, 3, 4, 5, 6, 7], [8, 9], [10, 11]):
        assert len({*filled[group]}) == 1
    assert {*filled[2:12]} == {"train", "val"}
