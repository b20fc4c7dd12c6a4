"""Open the data set at a path, by what lies there: the one table of what is read."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from convscope.data import cifar, emnist, idx
from convscope.data.archive_folder import ArchiveFolder
from convscope.data.archives import open_archive
from convscope.data.arrow_schema import is_saved
from convscope.data.boxes.sheet import has_boxes as is_box_sheet
from convscope.data.boxes.table import read_box_table
from convscope.data.boxes.yolo import find_yolo, read_yolo
from convscope.data.coco import find_coco, read_coco
from convscope.data.dataset import Dataset
from convscope.data.file_patterns import files_of, is_pattern
from convscope.data.folder import read_folder
from convscope.data.group_pattern import grouped_by_pattern
from convscope.data.imagenet import find_imagenet, read_imagenet
from convscope.data.options import INDEPENDENT, DataOptions
from convscope.data.part_files import files_in
from convscope.data.synsets import name_synsets
from convscope.data.table import NOT_CSV, SAVE_AS_CSV, read_table
from convscope.data.urls import REMOTE_FILES
from convscope.data.voc import find_voc, read_voc
from convscope.errors import RequestError

YAML = (".yaml", ".yml")
TABLES = (".csv", ".tsv", ".txt")
ARCHIVES = (".tar", ".zip", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zst")
PARTS = (".tar", ".parquet")
"""Endings of files that may be several."""
UNREAD_ARCHIVES = (".7z", ".rar")
_FOLDER_OR_TABLE = "a folder of class folders or a table"
_COLUMNS = ("image_column", "label_column")


def open_path(
    path: Path, options: DataOptions, default_names: Sequence[str] | None = None
) -> Dataset:
    """Open a file, a folder, or the files of a pattern.

    `default_names` name integer labels that nothing else names. Raises RequestError for anything
    else, and for options that the data cannot obey.
    """
    if path.is_dir():
        return _open_folder(path, options, default_names)
    if path.exists():
        return _open_file(path, options, default_names)
    if path.suffix.lower() in {".csv", ".tsv"}:
        return read_table(path, **options)  # which says that it does not exist
    if is_pattern(str(path)):
        return _open_files(files_of(str(path)), str(path), options, default_names)
    refuse_options(str(path), options, (*_COLUMNS, "group_column"))
    return read_folder(path)


def has_boxes(path: Path) -> bool:
    """Whether boxes can be read from what lies at a path."""
    if path.is_dir():
        voc = find_voc(path)
        with_boxes = (voc is not None and (voc / "Annotations").is_dir()) or bool(find_coco(path))
        return with_boxes or find_yolo(path) is not None
    suffix = path.suffix.lower()
    is_table = suffix in TABLES and path.is_file() and is_box_sheet(path)
    return is_table or suffix == ".json" or find_yolo(path) is not None


def refuse_options(data: str, options: DataOptions, names: Iterable[str]) -> None:
    """Raise RequestError if one of these options is given, for these data cannot obey it."""
    for name in names:
        if name == "task":  # `open_source` says which data cannot have it
            continue
        if options.get(name) not in (None, INDEPENDENT, True, False):
            what = _FOLDER_OR_TABLE if name == "group_pattern" else "a CSV file"
            raise RequestError(f"`{name}` is for {what}, and {data} is not one.")


class _How(TypedDict):
    """The options that every reader has."""

    task: str
    for_training: bool


def _how(options: DataOptions) -> _How:
    return {"task": options.get("task", "auto"), "for_training": options.get("for_training", True)}


def _open_folder(
    folder: Path, options: DataOptions, default_names: Sequence[str] | None
) -> Dataset:
    for_training = options.get("for_training", True)
    if dataset := _open_known(folder):
        refuse_options(str(folder), options, options)
        return dataset
    if dataset := _open_published(folder, options):
        return _grouped_boxes(dataset, str(folder), options)
    for ending in PARTS:
        if files := files_in(folder, ending):
            return _open_files(files, str(folder), options, default_names, root=folder)
    if dataset := _open_arrays(folder, options, default_names):
        return dataset
    refuse_options(str(folder), options, (*_COLUMNS, "group_column"))
    pattern = options.get("group_pattern")
    dataset = read_folder(folder, group_pattern=pattern, for_training=for_training)
    return name_synsets(dataset, folder)


def _grouped_boxes(dataset: Dataset, where: str, options: DataOptions) -> Dataset:
    """The data with groups by the names of files, of boxes alone. Raises RequestError for other
    options.
    """
    pattern = options.get("group_pattern")
    if dataset.objects is None or pattern is None:
        refuse_options(where, options, options)
        return dataset
    refuse_options(where, options, (*_COLUMNS, "group_column"))
    return grouped_by_pattern(dataset, pattern, where=where)


def _open_published(folder: Path, options: DataOptions) -> Dataset | None:
    """The data set of a folder as Pascal VOC, COCO, YOLO or ImageNet comes; None for any other."""
    how = _how(options)
    if voc := find_voc(folder):
        return read_voc(voc, **how)
    if files := find_coco(folder):
        name = folder.resolve().name
        return read_coco(files, folder, name=name, **how)
    if yolo := find_yolo(folder):
        return read_yolo(yolo, **how)
    if found := find_imagenet(folder):
        return read_imagenet(found, for_training=how["for_training"])
    return None


def _open_arrays(
    folder: Path, options: DataOptions, default_names: Sequence[str] | None
) -> Dataset | None:
    """The data set of a folder of npy files or of `save_to_disk`; None for any other."""
    if is_saved(folder):
        from convscope.data.arrow_dataset import read_saved  # noqa: PLC0415  needs torch

        return read_saved(folder, options=options, default_names=default_names)
    if any(folder.glob("*.npy")):
        from convscope.data.array_files import (  # noqa: PLC0415  need torch
            is_array_folder,
            read_array_folder,
        )

        if is_array_folder(folder):
            refuse_options(str(folder), options, options)
            return read_array_folder(folder, default_names=default_names, **_how(options))
    return None


def _open_files(
    files: Sequence[Path],
    where: str,
    options: DataOptions,
    default_names: Sequence[str] | None,
    root: Path | None = None,
) -> Dataset:
    """Several files that are one data set."""
    root = root or _common_folder(files)
    endings = {path.suffix.lower() for path in files}
    if len(endings) > 1 or not endings.issubset(PARTS):
        raise RequestError(
            f"{where} matches {files[0]}; several files are read if all are shards (.tar) or all "
            "are Parquet files (.parquet)."
        )
    if endings == {".parquet"}:
        from convscope.data.arrow_dataset import read_parquet  # noqa: PLC0415  needs torch

        return read_parquet(root, files, where=where, options=options, default_names=default_names)
    refuse_options(where, options, ("group_column",))
    from convscope.data.shards import read_shards  # noqa: PLC0415  needs torch

    return read_shards(root, files, where=where, options=options, default_names=default_names)


def _common_folder(files: Sequence[Path]) -> Path:
    folder = files[0].parent
    while not all(path.is_relative_to(folder) for path in files):
        folder = folder.parent
    return folder


def _open_file(path: Path, options: DataOptions, default_names: Sequence[str] | None) -> Dataset:
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return _open_table(path, options)
    for name, layout in cifar.LAYOUTS.items():
        if path.name == REMOTE_FILES[layout.name][0].name:
            return cifar.read_cifar_archive(path, name)
    if suffix in UNREAD_ARCHIVES:
        raise RequestError(f"{path} is an archive. Unpack it and pass the folder.")
    if suffix == ".parquet":
        return _open_files([path], str(path), options, default_names, root=path.parent)
    if suffix in (".npz", ".json", *YAML):
        dataset = _open_described(path, options, default_names)
        return _grouped_boxes(dataset, str(path), options)
    if suffix in ARCHIVES:
        return _open_archive(path, options, default_names)
    if other := NOT_CSV.get(suffix):
        raise RequestError(f"{path} is {other}; a table is read from a CSV file. {SAVE_AS_CSV}")
    raise RequestError(
        f"{path} is a single file. Pass a folder of class folders, or a CSV of paths and labels."
    )


def _open_table(path: Path, options: DataOptions) -> Dataset:
    if options.get("task") != "detection":
        return read_table(path, **options)
    return read_box_table(
        path,
        image_column=options.get("image_column"),
        label_column=options.get("label_column"),
        group_column=options.get("group_column"),
        group_pattern=options.get("group_pattern"),
    )


def _open_described(
    path: Path, options: DataOptions, default_names: Sequence[str] | None
) -> Dataset:
    """The data set of one file that has, or names, all of it."""
    how = _how(options)
    if path.suffix.lower() == ".npz":
        from convscope.data.array_files import read_npz  # noqa: PLC0415  needs torch

        return read_npz(path, default_names=default_names, **how)
    if path.suffix.lower() in YAML:
        return read_yolo(path, **how)
    above = path.parent.parent if path.parent.name == "annotations" else path.parent
    return read_coco([path], above, name=path.stem, **how)


def _open_archive(path: Path, options: DataOptions, default_names: Sequence[str] | None) -> Dataset:
    from convscope.data.shards import is_shard  # noqa: PLC0415  needs torch

    archive = open_archive(path)
    if is_shard(archive):
        return _open_files([path], str(path), options, default_names, root=path.parent)
    refuse_options(str(path), options, (*_COLUMNS, "group_column"))
    return read_folder(
        ArchiveFolder.of(archive),
        group_pattern=options.get("group_pattern"),
        for_training=options.get("for_training", True),
    )


def _open_known(folder: Path) -> Dataset | None:
    """The data set of a folder with files of a known format; None for any other folder."""
    if name := cifar.find_cifar(folder):
        return cifar.read_cifar_folder(folder, name)
    if parts := emnist.find_emnist(folder):
        part, *others = parts
        if others:
            raise RequestError(
                f"{folder} has several selections of EMNIST ({', '.join(parts)}). Name one and "
                f"the folder: emnist-{part} and `data_dir={folder}`."
            )
        return emnist.read_emnist_folder(folder, part)
    if idx.find_idx(folder):
        return idx.read_idx_folder(folder, idx.identify(folder) or folder.resolve().name)
    return None
