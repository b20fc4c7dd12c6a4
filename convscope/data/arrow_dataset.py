"""Data sets of Parquet files, and folders that Hugging Face's `save_to_disk` wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from convscope.data.arrow_files import ArrowFile, check_first, open_arrow, open_parquet
from convscope.data.arrow_schema import features_of
from convscope.data.classes import check_classes
from convscope.data.column_names import GROUPS, names_a_group, plain
from convscope.data.content_images import ContentImages
from convscope.data.dataset import ConcatImages, Dataset, ImageSource, Split, SubsetImages
from convscope.data.group_pattern import grouped_by_pattern
from convscope.data.hugging_face import (
    existing_column,
    find_image_column,
    find_label_columns,
    labeled_images,
    read_columns,
)
from convscope.data.labeled import LabeledImages, merge
from convscope.data.options import INDEPENDENT, DataOptions
from convscope.data.part_files import find_file_splits
from convscope.data.split_names import split_of
from convscope.errors import RequestError
from convscope.regular_files import read_regular

SplitName = Split | Literal[""]


def read_parquet(
    root: Path,
    paths: Sequence[Path],
    *,
    where: str,
    options: DataOptions,
    default_names: Sequence[str] | None = None,
) -> Dataset:
    """The data set of Parquet files; their names say the splits, as `find_file_splits` reads them.

    Raises RequestError for columns that are not plain, see `find_image_column`, and for files that
    are damaged or hold no images.
    """
    chosen, notes = find_file_splits(root, paths, where=where)
    files = {split: [open_parquet(path) for path in found] for split, found in chosen.items()}
    name = root.resolve().name if len(paths) > 1 else paths[0].stem
    dataset = _read(cast("dict[SplitName, list[ArrowFile]]", files), where, options, default_names)
    return replace(dataset, name=name, warnings=(*notes, *dataset.warnings))


def read_saved(
    folder: Path, *, options: DataOptions, default_names: Sequence[str] | None = None
) -> Dataset:
    """The data set of a folder that `save_to_disk` wrote, of one split or of several.

    Raises RequestError as `read_parquet`, and for files that are missing.
    """
    files: dict[SplitName, list[ArrowFile]] = {}
    if (folder / "dataset_dict.json").is_file():
        for name in _list(folder / "dataset_dict.json", "splits"):
            split = split_of(str(name))
            if split is None or split in files:
                raise RequestError(
                    f"{folder} has the split {name!r}; train, validation and test are read, each "
                    "once. Pass the folder of one split instead."
                )
            files[split] = _saved_files(folder / str(name))
    else:
        files[""] = _saved_files(folder)
    dataset = _read(files, str(folder), options, default_names)
    return replace(dataset, name=folder.resolve().name)


def _saved_files(folder: Path) -> list[ArrowFile]:
    names = [str(one["filename"]) for one in _list(folder / "state.json", "_data_files")]
    if outside := [name for name in names if Path(name).name != name]:
        raise RequestError(f"{folder / 'state.json'} names {outside[0]!r}, which is not beside it.")
    return [open_arrow(folder / name) for name in names]


def _list(path: Path, key: str) -> list[Any]:
    try:
        values = json.loads(read_regular(path))[key]
        return [*values] if isinstance(values, list) else []
    except FileNotFoundError as error:
        raise RequestError(f"{path} does not exist; the folder is not complete.") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RequestError(f"{path} cannot be read ({error}).") from error


def _read(
    files: Mapping[SplitName, list[ArrowFile]],
    where: str,
    options: DataOptions,
    default_names: Sequence[str] | None,
) -> Dataset:
    reader = _Reader.of([file for found in files.values() for file in found], where, options)
    parts: dict[SplitName, LabeledImages] = {}
    groups: list[str] = []
    for split, found in files.items():
        part, members = reader.part(split, found)
        if part is not None:
            parts[split] = part
            groups += members
    if not parts:
        raise RequestError(f"{where}: none of the images has a label.")
    dataset = merge(parts, default_names=default_names)
    if pattern := options.get("group_pattern"):
        dataset = grouped_by_pattern(dataset, pattern, where=where)
    elif reader.group is not None:
        dataset = replace(dataset, groups=tuple(groups))
    return check_classes(dataset, where=where, for_training=options.get("for_training", True))


@dataclass(frozen=True)
class _Reader:
    """Reads files by their columns of images, labels and groups."""

    where: str
    image: str
    labels: Sequence[str]
    group: str | None
    features: Mapping[str, Any]
    task: str

    @classmethod
    def of(cls, files: Sequence[ArrowFile], where: str, options: DataOptions) -> "_Reader":
        if not files:
            raise RequestError(f"{where} has no files with images.")
        features = features_of(files[0].schema)
        image = find_image_column(where, features, options.get("image_column"))
        labels = find_label_columns(where, features, options.get("label_column"), image)
        group = _group_column(where, features, options, {image, *labels})
        for file in files:
            if missing := {image, *labels} - set(file.schema.names):
                raise RequestError(
                    f"{file.path} has no column {missing.pop()!r}, as other files do."
                )
        return cls(where, image, labels, group, features, options.get("task") or "auto")

    def part(
        self, split: str, files: Sequence[ArrowFile]
    ) -> tuple[LabeledImages | None, list[str]]:
        """The images of a split, and their groups; None if all labels are withheld (-1)."""
        columns = {
            name: [value for file in files for value in file.column(name).to_pylist()]
            for name in self.labels
        }
        read = read_columns(columns, self.features, self.where, self.task)
        labels, notes = read.labels, read.notes
        groups: list[str] = [
            "" if value is None else str(value)
            for file in files
            for value in (file.column(self.group).to_pylist() if self.group else ())
        ]
        kept = labeled_images(labels)
        if not len(kept):
            return None, []
        images = self._images(split, files)
        if len(kept) < len(labels):
            count = len(labels) - len(kept)
            left_out = f"{self.where}: {count:,} images have no label (-1) and are left out."
            notes = (*notes, left_out)
            images, labels = SubsetImages(images, kept), labels[kept]
            groups = [groups[index] for index in kept.tolist()] if groups else groups
        return LabeledImages(self.where, images, labels, read.names, notes), groups

    def _images(self, split: str, files: Sequence[ArrowFile]) -> ImageSource:
        prefix = f"{split}/" if split else ""
        paths = [file.paths(self.image) for file in files]
        named = [name for one in paths for name in one or ()]
        is_named = all(one is not None for one in paths) and _are_keys(named)
        parts: list[ImageSource] = []
        for file, own in zip(files, paths, strict=True):
            read = file.images(self.image)
            count = len(file.column(self.labels[0]))
            if count:
                check_first(file, read, own)
            stem = f"{file.path.stem}/" if len(files) > 1 else ""
            keys = own if is_named and own else [f"{stem}{n:05d}" for n in range(count)]
            parts.append(ContentImages(tuple(f"{prefix}{key}" for key in keys), read))
        return parts[0] if len(parts) == 1 else ConcatImages(tuple(parts))


def _are_keys(paths: Sequence[str | None]) -> bool:
    """Whether paths of images identify them, wherever the files lie."""
    return len(set(paths)) == len(paths) and all(
        path and not path.startswith("/") and path[1:2] != ":" for path in paths
    )


def _group_column(
    where: str, features: Mapping[str, Any], options: DataOptions, others: set[str]
) -> str | None:
    """The column that says which images belong together. Raises RequestError as for CSV files."""
    chosen = options.get("group_column")
    if chosen == INDEPENDENT or options.get("group_pattern"):
        return None
    if chosen is not None:
        return existing_column(where, features, chosen)
    for column in features.keys() - others:
        if plain(column) in GROUPS:
            return column
        if names_a_group(column) == "member":
            raise RequestError(
                f"{where}: by {column!r} several images may belong together; divided over splits, "
                f"they would make results too good. Set `group_column='{column}'` to keep them "
                "together, or `group_column='none'` if all images are independent."
            )
    return None
