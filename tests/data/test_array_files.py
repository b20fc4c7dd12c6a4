"""NumPy files: MedMNIST's npz, Keras's, and folders of npy files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convscope.data.source import open_source
from convscope.errors import RequestError

RANDOM = np.random.default_rng(0)


def images(count: int, *shape: int) -> Any:
    return RANDOM.integers(0, 256, (count, *(shape or (6, 5))), dtype=np.uint8)


def medmnist(path: Path, *shape: int, columns: int = 1) -> dict[str, Any]:
    """Arrays as MedMNIST has them: labels are (n, 1), of several findings (n, 14)."""
    arrays: dict[str, Any] = {}
    for split, count in (("train", 6), ("val", 4), ("test", 2)):
        arrays[f"{split}_images"] = images(count, *shape)
        labels = np.arange(count * columns).reshape(count, columns) % 2
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
    np.savez_compressed(path, **arrays)
    return arrays


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3)])
def test_medmnists_files_are_read(tmp_path: Path, shape: tuple[int, ...]):
    arrays = medmnist(tmp_path / "bloodmnist.npz", *shape)
    data = open_source(tmp_path / "bloodmnist.npz")
    assert (data.name, data.classes, data.has_published_splits) == ("bloodmnist", ("0", "1"), True)
    assert data.split.tolist() == ["train"] * 6 + ["val"] * 4 + ["test"] * 2
    assert data.labels.tolist() == [0, 1] * 6
    assert np.array_equal(np.asarray(data.images.image(7)), arrays["val_images"][1])
    assert data.images.key(7) == "val/00001"


@pytest.mark.parametrize("task", ["auto", "multi-label"])
def test_rows_of_findings_are_several_labels(tmp_path: Path, task: str):
    """As ChestMNIST has them, (n, 14)."""
    arrays = medmnist(tmp_path / "chestmnist.npz", columns=14)
    data = open_source(tmp_path / "chestmnist.npz", task=task)
    assert data.targets is not None
    assert data.classes == tuple(map(str, range(14)))[1::2]  # the others are nowhere 1
    assert np.array_equal(data.targets[6:10], arrays["val_labels"][:, 1::2])
    with pytest.raises(RequestError, match="several labels need `task='multi-label'`"):
        open_source(tmp_path / "chestmnist.npz", task="ordinal")


def test_one_label_each_is_several_only_if_asked(tmp_path: Path):
    x, eye = images(3), np.eye(3, dtype=np.uint8)
    np.savez(tmp_path / "one.npz", images=x, labels=eye)
    assert open_source(tmp_path / "one.npz").labels.tolist() == [0, 1, 2]
    data = open_source(tmp_path / "one.npz", task="multi-label")
    assert data.targets is not None
    assert np.array_equal(data.targets, eye)
    for name, array in {"images": x, "labels": eye}.items():
        np.save(tmp_path / f"{name}.npy", array)
    assert open_source(tmp_path, task="multi-label").is_multi_label
    medmnist(tmp_path / "retinamnist.npz")
    assert not open_source(tmp_path / "retinamnist.npz", task="ordinal").is_multi_label
    with pytest.raises(RequestError, match="says one class for each"):
        open_source(tmp_path / "retinamnist.npz", task="multi-label")


def test_kerass_and_plain_names_are_read(tmp_path: Path):
    x, y = images(4), np.array([0, 1, 1, 2])
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
    data = open_source(tmp_path / "mnist.npz")
    assert data.counts("train").tolist() == [1, 2, 1]
    assert data.counts("test").tolist() == [1, 0, 0]
    np.savez(tmp_path / "plain.npz", images=x, labels=np.array(["b", "a", "a", "b"]), notes=y)
    data = open_source(tmp_path / "plain.npz")
    assert data.classes == ("a", "b")
    assert set(data.split.tolist()) == {""}
    assert "ignored arrays: notes" in data.warnings[-1]


def test_a_folder_of_npy_files_stays_on_the_disk(tmp_path: Path):
    x, y = images(4, 6, 5, 3), np.array([0, 1, 1, 0])
    for name, array in {"X_train": x, "y_train": y, "weights": np.ones(3)}.items():
        np.save(tmp_path / f"{name}.npy", array)
    data = open_source(tmp_path)
    assert data.counts("train").tolist() == [2, 2]
    assert np.array_equal(np.asarray(data.images.image(2)), x[2])
    array: Any = data.images
    assert np.shares_memory(array.pixels, array.pixels.base)
    assert isinstance(array.pixels.base, np.memmap)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": images(2), "b": [0, 1]}, "has the arrays a, b. Images and labels are expected"),
        ({"images": images(2)}, "has images, but no labels for it"),
        ({"images": images(2), "labels": [0, 1, 1]}, "has 2 images and 3 labels"),
        ({"images": images(2), "x": images(2), "y": [0, 1]}, "has both images and x"),
        ({"images": images(2, 9, 9, 9), "labels": [0, 1]}, r"\(2, 9, 9, 9\): volumes \(3D\)"),
        ({"images": images(2, 9, 9, 9, 1), "labels": [0, 1]}, r"volumes \(3D\)"),
        ({"images": images(2), "labels": [0.5, 1]}, "numbers that are not integers"),
        ({"images": images(2) - 300.5, "labels": [0, 1]}, "before any normalization"),
        ({"images": np.array(["a", "b"]), "labels": [0, 1]}, r"has the shape \(2,\)"),
    ],
)
def test_odd_arrays_are_explained(tmp_path: Path, arrays: dict[str, Any], message: str):
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(RequestError, match=message):
        open_source(tmp_path / "odd.npz")


def test_objects_are_never_unpickled(tmp_path: Path):
    np.savez(tmp_path / "o.npz", images=images(2), labels=np.array([{}, {}], dtype=object))
    with pytest.raises(RequestError, match="labels holds Python objects, whose reading could run"):
        open_source(tmp_path / "o.npz")
    np.save(tmp_path / "images.npy", images(2))
    np.save(tmp_path / "labels.npy", np.array([{}, {}], dtype=object))
    with pytest.raises(RequestError, match="labels holds Python objects"):
        open_source(tmp_path)


def test_cut_off_files_are_named(tmp_path: Path):
    medmnist(tmp_path / "m.npz")
    content = (tmp_path / "m.npz").read_bytes()
    (tmp_path / "m.npz").write_bytes(content[:-40])
    with pytest.raises(RequestError, match=r"m\.npz is not an npz file, or is damaged"):
        open_source(tmp_path / "m.npz")
    damaged = bytearray(content)
    damaged[120:160] = bytes(40)
    (tmp_path / "m.npz").write_bytes(damaged)
    with pytest.raises(RequestError, match=r"m\.npz: train_images cannot be read"):
        open_source(tmp_path / "m.npz")


def test_what_does_not_fit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    medmnist(tmp_path / "m.npz")
    monkeypatch.setattr("convscope.data.array_files.free_memory", lambda: 100.0)
    with pytest.raises(RequestError, match="file in one folder: those stay on the disk"):
        open_source(tmp_path / "m.npz")
