"""The data set of a CSV file with boxes."""

from dataclasses import replace
from pathlib import Path

from convscope.data.boxes.annotations import ImageBoxes, dataset_of_boxes
from convscope.data.boxes.sheet import read_box_sheet
from convscope.data.boxes.sizes import upright_sizes
from convscope.data.dataset import Dataset
from convscope.data.file_finder import FileFinder
from convscope.data.group_pattern import grouped_by_pattern
from convscope.data.options import INDEPENDENT
from convscope.errors import RequestError


def read_box_table(
    path: Path,
    *,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    group_pattern: str | None = None,
) -> Dataset:
    """The images that a table names, with their boxes; see `dataset_of_boxes`.

    A row is an object, or an image without one; columns of splits and of groups are followed, see
    `DataOptions`. Paths are absolute
    or relative to the table's folder; `FileFinder` says where others are looked for. Images that
    cannot be read are left out, and said.

    Raises RequestError for rows that are none of these, for boxes without a class, and if none of
    the images can be read.
    """
    if group_column is not None and group_pattern is not None:
        raise RequestError("`group_column` and `group_pattern` exclude each other; choose one.")
    images = read_box_sheet(
        path,
        image_column=image_column,
        label_column=label_column,
        group_column=INDEPENDENT if group_pattern else group_column,
    )
    names = list(images)
    keys, found = FileFinder(path.parent, names).locate(names)
    nameless = [where for one in images.values() for where, box in one.boxes if not box.label]
    if nameless:
        raise RequestError(f"{nameless[0]}: the box has no class; name it in a column label.")
    sizes = upright_sizes(path.parent, keys)
    notes = [f"{path}: {sentence}." for sentence in found]
    if missing := [key for key in keys if key not in sizes]:
        if len(missing) == len(keys):
            raise RequestError(
                f"{path}: none of its {len(keys):,} images can be read, the first is "
                f"{path.parent / keys[0]}. Paths are relative to the folder of the CSV file."
            )
        notes.append(
            f"{path}: images that are not there or cannot be read are left out: "
            f"{len(missing):,}, first {missing[0]}."
        )
    read: dict[str, ImageBoxes] = {}
    groups: dict[str, str] = {}
    for name, key in zip(names, keys, strict=True):
        if key not in sizes:
            continue
        one = read.setdefault(key, ImageBoxes(sizes[key], images[name].split))
        groups[key] = images[name].group
        if one.split != images[name].split:
            raise RequestError(f"{path}: {key} is in {one.split!r} and in {images[name].split!r}.")
        one.boxes += [box for _, box in images[name].boxes]
    where = str(path)
    dataset = dataset_of_boxes(read, root=path.parent, name=path.stem, where=where, notes=notes)
    if group_pattern is not None:
        dataset = grouped_by_pattern(dataset, group_pattern, where=where)
    elif any(groups.values()):
        dataset = replace(dataset, groups=tuple(groups[key] for key in sorted(groups)))
    _refuse_divided(dataset, where)
    return dataset


def _refuse_divided(dataset: Dataset, where: str) -> None:
    """Raise RequestError for a group whose images are in two of the splits of the table."""
    first: dict[str, str] = {}
    for group, split in zip(dataset.groups or (), dataset.split.tolist(), strict=False):
        if group and split and first.setdefault(group, split) != split:
            raise RequestError(
                f"{where}: group {group!r} is in {first[group]} and in {split}. A group must be in "
                "a single split."
            )
