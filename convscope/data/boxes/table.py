"""The data set of a CSV file with boxes."""

from pathlib import Path

from convscope.data.boxes.annotations import ImageBoxes, dataset_of_boxes
from convscope.data.boxes.sheet import read_box_sheet
from convscope.data.boxes.sizes import upright_sizes
from convscope.data.dataset import Dataset
from convscope.data.file_finder import FileFinder
from convscope.errors import RequestError


def read_box_table(
    path: Path, *, image_column: str | None = None, label_column: str | None = None
) -> Dataset:
    """The images that a table names, with their boxes; see `dataset_of_boxes`.

    A row is an object, or an image without one; a column of splits is followed. Paths are absolute
    or relative to the table's folder; `FileFinder` says where others are looked for. Images that
    cannot be read are left out, and said.

    Raises RequestError for rows that are none of these, for boxes without a class, and if none of
    the images can be read.
    """
    images = read_box_sheet(path, image_column=image_column, label_column=label_column)
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
    for name, key in zip(names, keys, strict=True):
        if key not in sizes:
            continue
        one = read.setdefault(key, ImageBoxes(sizes[key], images[name].split))
        if one.split != images[name].split:
            raise RequestError(f"{path}: {key} is in {one.split!r} and in {images[name].split!r}.")
        one.boxes += [box for _, box in images[name].boxes]
    return dataset_of_boxes(read, root=path.parent, name=path.stem, where=str(path), notes=notes)
