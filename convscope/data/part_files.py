"""Data sets in several files: which split each is, by its name or its folder's."""

import re
from collections.abc import Sequence
from pathlib import Path

from convscope.data.dataset import Split
from convscope.data.split_names import find_splits
from convscope.data.walk import list_folder

_NUMBER = re.compile(r"([-_.]?\d+([-_]of[-_]\d+)?)$")


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files with an ending in a folder and the folders in it, sorted. Raises RequestError."""
    entries = list_folder(folder)
    inner = [Path(entry.path) for entry in entries if entry.is_dir()]
    for here in inner:
        entries += list_folder(here)
    return sorted(
        Path(entry.path)
        for entry in entries
        if entry.name.lower().endswith(ending) and entry.is_file()
    )


def find_file_splits(
    root: Path, paths: Sequence[Path], *, where: str
) -> tuple[dict[Split | str, list[Path]], tuple[str, ...]]:
    """The files below `root` of each split, "" if there are none, and a sentence about others.

    `train-00000-of-00002.parquet`, `images-train-0000.tar` and `train/0000.tar` are of train.
    """
    stems = {path: _NUMBER.sub("", path.stem) for path in paths}
    splits = find_splits(sorted(set(stems.values())))
    if not splits:
        stems = {path: path.relative_to(root).parent.name for path in paths}
        splits = find_splits(sorted(set(stems.values())))
    if not splits:
        return {"": list(paths)}, ()
    found: dict[Split | str, list[Path]] = {}
    for path, stem in stems.items():
        found.setdefault(splits.get(stem, "other"), []).append(path)
    others = found.pop("other", [])
    more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
    notes = (f"{where}: ignored beside the splits: {others[0].name}{more}.",) if others else ()
    return {split: found[split] for split in ("train", "val", "test") if split in found}, notes
