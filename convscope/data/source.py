"""Open a data set by name or path."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from convscope.data import cifar, emnist, idx
from convscope.data.boxes.faults import refuse_faults
from convscope.data.classes import check_classes
from convscope.data.dataset import Dataset
from convscope.data.digits import read_digits
from convscope.data.download import DownloadCallback, RemoteFile, cache_dir, fetch
from convscope.data.options import DataOptions
from convscope.data.path_source import open_path, refuse_options
from convscope.data.patients import group_by_patient
from convscope.data.scenes import read_scenes, scenes_of
from convscope.data.task_error import TaskError
from convscope.data.urls import REMOTE_FILES
from convscope.errors import ConvscopeError, RequestError, WorkError, nearest

NAMES = {
    "digits": "1,797 handwritten digits, grayscale 8 x 8, no download",
    "scenes": "5,500 scenes with the boxes of up to 4 digits, grayscale 64 x 64, no download",
    "scenes-mnist": "the same with the digits of MNIST, grayscale 64 x 64, 12 MB",
    "mnist": "70,000 handwritten digits, grayscale 28 x 28, 12 MB",
    "fashion-mnist": "70,000 images of clothing in 10 classes, grayscale 28 x 28, 31 MB",
    "kmnist": "70,000 cursive Japanese characters in 10 classes, grayscale 28 x 28, 21 MB",
    "emnist": "131,600 digits and letters in 47 classes (Balanced), grayscale 28 x 28, 562 MB",
    "emnist-byclass": "814,255 digits and letters in 62 classes, grayscale 28 x 28, 562 MB",
    "emnist-bymerge": "814,255 digits and letters in 47 classes, grayscale 28 x 28, 562 MB",
    "emnist-balanced": "131,600 digits and letters in 47 classes, grayscale 28 x 28, 562 MB",
    "emnist-letters": "145,600 letters in 26 classes, grayscale 28 x 28, 562 MB",
    "emnist-digits": "280,000 handwritten digits, grayscale 28 x 28, 562 MB",
    "emnist-mnist": "70,000 handwritten digits, as mnist, grayscale 28 x 28, 562 MB",
    "cifar10": "60,000 photographs of 10 things, color 32 x 32, 170 MB",
    "cifar100": "60,000 photographs of 100 things, color 32 x 32, 169 MB",
}
"""The named sources: what each contains, and the size of its download."""


BUNDLED = ("digits", "scenes")
"""Those that are part of the package."""

_SCENES_OF = "scenes-"


class IndexedData(Protocol):
    """What hands out items by index: a data set of PyTorch or of Hugging Face."""

    def __getitem__(self, index: Any, /) -> Any: ...


class BatchedData(Protocol):
    """A DataLoader, of which only the data set is used."""

    @property
    def dataset(self) -> IndexedData: ...


DataLike = str | Path | Mapping[str, Any] | Sequence[Any] | IndexedData | BatchedData
"""What is taken as data: a name, a path, (images, labels), a data set of PyTorch or Hugging Face,
or a dictionary of splits of these."""

Reader = Callable[[], Dataset]


@dataclass(frozen=True)
class Source:
    """How one named source is read.

    Attributes:
        subfolder: of the cache, for its download; all selections of EMNIST share one.
        remotes: the files to download.
        find: a reader for a folder in which the source is, downloaded or unpacked; else None.
    """

    subfolder: str
    remotes: tuple[RemoteFile, ...]
    find: Callable[[Path], Reader | None]


def open_source(
    data: DataLike,
    *,
    data_dir: Path | None = None,
    on_progress: DownloadCallback | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    group_pattern: str | None = None,
    class_names: Sequence[str] | None = None,
    default_names: Sequence[str] | None = None,
    task: str = "auto",
    for_training: bool = True,
    with_faults: bool = False,
) -> Dataset:
    """Open a data set: a name in NAMES, the path of a folder or a CSV file, or an object.

    An object is (images, labels), a torch Dataset or DataLoader, a Hugging Face data set, or a
    dictionary of splits of these; `class_names` names its integer labels, see `ObjectReader`.

    A name takes precedence over a path of the same spelling; write ./mnist for the folder. A named
    source is looked for in `data_dir`, in $CONVSCOPE_DATA and in the cache, in each of them and its
    subfolder of that name. If it is nowhere, it is downloaded into the cache, where damaged files
    are replaced. The columns and the pattern say how a folder or a table is read, and `task` how
    labels are, see `DataOptions`. Boxes with swapped edges, or of a class that nothing names, are
    refused, unless `with_faults`: they are then among the data's `box_faults`.

    Raises RequestError for anything else and for invalid data, WorkError if a download fails.
    """
    options: DataOptions = {
        "image_column": image_column,
        "label_column": label_column,
        "group_column": group_column,
        "group_pattern": group_pattern,
        "task": task,
        "for_training": for_training,
    }
    dataset = _opened(data, options, data_dir, on_progress, (class_names, default_names))
    if task == "detection" and dataset.objects is None:
        raise RequestError(
            f"`task='detection'` needs boxes, and {dataset.name} has none. They are read from "
            "a folder as Pascal VOC's (JPEGImages, Annotations), COCO's or YOLO's (data.yaml, "
            "images, labels), and from a CSV file with xmin, ymin, xmax, ymax; scenes have some."
        )
    if not with_faults:
        refuse_faults(dataset.box_faults, dataset.name)
        if dataset.objects is not None and not len(dataset.objects.labels):
            raise RequestError(f"{dataset.name} has no object with a box that can be taken.")
    if task not in ("auto", "detection"):
        dataset = replace(dataset, objects=None)
    if task == "multi-label" and not dataset.is_multi_label:
        fault = f"{dataset.name} says one class for each"
        raise TaskError(
            f"`task='multi-label'` needs images that may have several labels, and {fault}. Name "
            "them in a table, with a column for each label or lists such as a;b, or pass lists of "
            "names or rows of 0 and 1 in Python.",
            fault=fault,
        )
    return dataset


def _opened(
    data: DataLike,
    options: DataOptions,
    data_dir: Path | None,
    on_progress: DownloadCallback | None,
    names: tuple[Sequence[str] | None, Sequence[str] | None],
) -> Dataset:
    class_names, default_names = names
    for_training = options.get("for_training", True)
    if not isinstance(data, str | Path):
        from convscope.data.objects import ObjectReader, describe_data  # noqa: PLC0415  need torch

        refuse_options(describe_data(data), options, ("group_column", "group_pattern"))
        reader = ObjectReader(class_names=class_names, default_names=default_names, options=options)
        dataset = reader.read(data)
        return check_classes(dataset, where=dataset.name, for_training=for_training)
    data = str(data)
    if data.startswith("<") and data.endswith(">"):  # from `describe_data`
        raise RequestError(
            f"The data {data} were handed over in Python and are not kept. Pass them as `data`."
        )
    try:
        if data in NAMES:
            refuse_options(data, options, options)
        if data == "digits":
            return read_digits()
        if data == "scenes":
            return read_scenes()
        if data == "scenes-mnist":
            return scenes_of(_open_named("mnist", data_dir, on_progress))
        if data in NAMES:
            return _open_named(data, data_dir, on_progress)
        dataset = _open_path(data, options, default_names)
        is_grouped = dataset.groups is not None or options.get("group_column") is not None
        return dataset if is_grouped or not for_training else group_by_patient(dataset)
    except PermissionError as error:
        raise RequestError(f"{error.filename} cannot be read: permission denied.") from error


def is_here(name: str, *, data_dir: Path | None = None) -> bool:
    """Whether a named source can be opened without a download."""
    if name in BUNDLED:
        return True
    source, _, folders = _locations(name.removeprefix(_SCENES_OF), data_dir)
    try:
        return any(source.find(folder) is not None for folder in folders)
    except (ConvscopeError, OSError):  # damaged files are downloaded again
        return False


def _locations(name: str, data_dir: Path | None) -> tuple[Source, Path, list[Path]]:
    """A named source, its folder in the cache, and all folders in which it may be."""
    source, cache = _source(name), cache_dir()
    roots = [cache] if data_dir is None else [data_dir, cache]
    subfolders = ("", name, source.subfolder)
    return source, cache / source.subfolder, [root / sub for root in roots for sub in subfolders]


def _source(name: str) -> Source:
    name = name.removeprefix(_SCENES_OF)
    if name.startswith("emnist"):
        return Source(
            "emnist", REMOTE_FILES["emnist"], partial(_find_emnist, emnist.selection(name))
        )
    find = _find_cifar if name in cifar.LAYOUTS else _find_idx
    return Source(name, REMOTE_FILES[name], partial(find, name))


def _find_emnist(part: emnist.Selection, folder: Path) -> Reader | None:
    if part in emnist.find_emnist(folder):
        return partial(emnist.read_emnist_folder, folder, part)
    archive = folder / REMOTE_FILES["emnist"][0].name
    return partial(emnist.read_emnist_zip, archive, part) if archive.is_file() else None


def _find_cifar(name: str, folder: Path) -> Reader | None:
    if cifar.find_cifar(folder) == name:
        return partial(cifar.read_cifar_folder, folder, name)
    archive = folder / REMOTE_FILES[name][0].name
    return partial(cifar.read_cifar_archive, archive, name) if archive.is_file() else None


def _find_idx(name: str, folder: Path) -> Reader | None:
    is_here = idx.find_idx(folder) is not None and idx.identify(folder) in {name, None}
    return partial(idx.read_idx_folder, folder, name) if is_here else None


def _open_named(name: str, data_dir: Path | None, on_progress: DownloadCallback | None) -> Dataset:
    if data_dir is not None and not data_dir.is_dir():
        raise RequestError(f"The data directory {data_dir} does not exist or is not a folder.")
    source, download_dir, folders = _locations(name, data_dir)
    for folder in folders:
        reader = source.find(folder)
        if reader is None:
            continue
        try:
            return reader()
        except ConvscopeError:
            if folder != download_dir:
                raise
            break  # a damaged download: fetch replaces it
    for remote in source.remotes:
        fetch(remote, download_dir, on_progress=on_progress)
    reader = source.find(download_dir)
    if reader is None:
        raise WorkError(
            f"{download_dir} does not contain {name} after its download. "
            "Delete the folder and try again."
        )
    return reader()


def _open_path(data: str, options: DataOptions, default_names: Sequence[str] | None) -> Dataset:
    try:
        path = Path(data).expanduser()
        exists = path.exists()
    except PermissionError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise RequestError(f"{data!r} is not a path: {error}.") from error
    if not data or (not exists and "/" not in data and "\\" not in data and "." not in data):
        raise RequestError(
            f"{data!r} is neither a named source nor a path.{nearest(data.lower(), NAMES)} "
            f"Sources: {', '.join(NAMES)}; or the path of a folder of class folders or a CSV file."
        )
    return open_path(path, options, default_names)
