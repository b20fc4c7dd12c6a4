"""NumPy files of images and labels: MedMNIST's npz, Keras's, and folders of npy files.

Arrays are known by their names: `train_images` and `train_labels`, `x_train` and `y_train`,
`images` and `labels`. Nothing is unpickled.
"""

import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from convscope.data.arrays import read_arrays
from convscope.data.classes import check_classes
from convscope.data.dataset import Dataset, Split
from convscope.data.labeled import LabeledImages, merge
from convscope.data.split_names import split_of
from convscope.errors import RequestError
from convscope.memory import free_memory
from convscope.regular_files import open_regular

MEDMNIST = re.compile(
    r"(path|chest|derma|oct|pneumonia|retina|breast|blood|tissue|organ[acs])mnist(_\d+)?"
)
"""Names of files whose splits were published: duplicates across them are left and counted."""
IMAGES = frozenset({"images", "image", "x", "data", "imgs", "pixels", "features"})
LABELS = frozenset({"labels", "label", "y", "targets", "target", "classes"})

_SplitName = Split | Literal[""]
_Kind = Literal["images", "labels"]
_Arrays = dict[str, NDArray[Any]]
_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def is_array_folder(folder: Path) -> bool:
    """Whether a folder has npy files of images and of labels."""
    kinds = {_parse(path.stem)[1] for path in folder.glob("*.npy")}
    return {"images", "labels"} <= kinds


def read_array_folder(
    folder: Path,
    *,
    default_names: Sequence[str] | None = None,
    task: str = "auto",
    for_training: bool = True,
) -> Dataset:
    """The data set of a folder of npy files, which stay on the disk. See `read_npz`."""
    files = {path.stem: path for path in sorted(folder.glob("*.npy"))}
    known = [name for name in files if _parse(name)[1]]
    arrays = {name: _load(files[name]) for name in known}
    dataset = _read(arrays, str(folder), default_names, task)
    dataset = replace(dataset, name=folder.resolve().name)
    return check_classes(dataset, where=str(folder), for_training=for_training)


def read_npz(
    path: Path,
    *,
    default_names: Sequence[str] | None = None,
    task: str = "auto",
    for_training: bool = True,
) -> Dataset:
    """The data set of an npz file: bytes (n, h, w[, c]), and (n,) or (n, 1) labels, or (n, labels)
    of 0 and 1, see `read_labels`.

    Raises RequestError for arrays by other names, objects, volumes, other numbers of labels than of
    images, and what does not fit into memory.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            sizes = {
                info.filename.removesuffix(".npy"): info.file_size for info in archive.filelist
            }
    except _BROKEN as error:
        raise RequestError(f"{path} is not an npz file, or is damaged ({error}).") from error
    known = [name for name in sizes if _parse(name)[1]]
    _check_memory(path, sum(sizes[name] for name in known))
    with _open(path) as file:
        arrays = {name: _array(path, file, name) for name in known}
    if not known:
        raise RequestError(
            f"{path} has the arrays {', '.join(sizes) or 'none'}. Images and labels are expected "
            "as train_images and train_labels (val_..., test_...), x_train and y_train, or images "
            "and labels."
        )
    dataset = _read(arrays, str(path), default_names, task)
    if others := [name for name in sizes if name not in known]:
        dataset = dataset.with_warnings([f"{path}: ignored arrays: {', '.join(others[:5])}."])
    is_published = bool(MEDMNIST.fullmatch(path.stem))
    dataset = replace(dataset, name=path.stem, has_published_splits=is_published)
    return check_classes(dataset, where=str(path), for_training=for_training)


def _open(path: Path) -> Any:
    return np.load(path, allow_pickle=False)


def _array(path: Path, file: Mapping[str, Any], name: str) -> NDArray[Any]:
    try:
        return np.asarray(file[name])
    except _BROKEN as error:
        raise _unread(path, name, error) from error


def _load(path: Path) -> NDArray[Any]:
    try:
        return cast("NDArray[Any]", np.load(path, mmap_mode="r", allow_pickle=False))
    except _BROKEN as error:
        raise _unread(path, path.stem, error) from error


def _unread(path: Path, name: str, error: Exception) -> RequestError:
    if "Object arrays" in str(error) or "Python objects" in str(error):
        return RequestError(
            f"{path}: {name} holds Python objects, whose reading could run code. Save it as an "
            "array of numbers."
        )
    return RequestError(f"{path}: {name} cannot be read ({error}). Copy or download it again.")


def _check_memory(path: Path, size: int) -> None:
    free = free_memory()
    if size > free:
        raise RequestError(
            f"The arrays of {path} take {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB of memory are "
            "free. Save each as an .npy file in one folder: those stay on the disk."
        )


def _parse(name: str) -> tuple[_SplitName | None, _Kind | None]:
    """The split and the kind of an array by its name; None for another one.

    >>> _parse("val_images"), _parse("x_train"), _parse("images"), _parse("train_mask")
    (('val', 'images'), ('train', 'images'), ('', 'images'), (None, None))
    """
    words = [word.casefold() for word in re.split(r"[_\W]+|(?<=[a-z])(?=[A-Z])", name) if word]
    splits = [split for split in map(split_of, words) if split is not None]
    rest = [word for word in words if not split_of(word)]
    if len(splits) > 1 or len(rest) != 1 or rest[0] not in IMAGES | LABELS:
        return None, None
    split = cast("_SplitName", splits[0] if splits else "")
    return split, "images" if rest[0] in IMAGES else "labels"


def _read(arrays: _Arrays, where: str, default_names: Sequence[str] | None, task: str) -> Dataset:
    by_split: dict[_SplitName, dict[str, str]] = {}
    for name in arrays:
        split, kind = _parse(name)
        if split is None or kind is None:
            continue
        known = by_split.setdefault(split, {})
        if kind in known:
            raise RequestError(f"{where} has both {known[kind]} and {name}. Keep one of them.")
        known[kind] = name
    for known in by_split.values():
        if len(known) < 2:
            (kind, name), *_ = known.items()
            missing = "labels" if kind == "images" else "images"
            raise RequestError(f"{where} has {name}, but no {missing} for it.")
    parts: dict[_SplitName, LabeledImages] = {
        split: read_arrays(
            _checked_images(arrays[known["images"]], f"{where}: {known['images']}"),
            arrays[known["labels"]],
            where=where,
            prefix=f"{split}/" if split else "",
            task=task,
        )
        for split, known in by_split.items()
    }
    return merge(parts, default_names=default_names)


def _checked_images(images: NDArray[Any], where: str) -> NDArray[Any]:
    """Images that are not volumes. Raises RequestError."""
    if images.ndim < 3:
        raise RequestError(
            f"{where} has the shape {images.shape}; images are (n, height, width[, channels])."
        )
    channels = {1, 2, 3, 4}
    is_volume = images.ndim == 5 or (
        images.ndim == 4 and not channels.intersection((images.shape[1], images.shape[3]))
    )
    if is_volume:
        raise RequestError(
            f"{where} has the shape {images.shape}: volumes (3D). Networks here read images (2D); "
            "save slices of them."
        )
    return images
