"""data.yaml of YOLO: which images are of which split, and the names of the classes."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from convscope.data.voc_xml import read_text
from convscope.errors import RequestError

_SPLITS = {"train": "train", "val": "val", "valid": "val", "test": "test"}


@dataclass(frozen=True)
class YoloFile:
    """What a description says.

    Attributes:
        path: of the description, or of a folder that has none.
        names: of the classes, in the order of their numbers.
        splits: for train, val and test the folders or lists of images, as they are written.
        stated_root: `path` in the description, "" where it has none.
    """

    path: Path
    names: tuple[str, ...] = ()
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    stated_root: str = ""

    @property
    def root(self) -> Path:
        """The folder of the images: `path`, if it is there, else that of the description."""
        if self.path.is_dir():
            return self.path
        folder = self.path.parent
        stated = folder / self.stated_root
        return stated if stated.is_dir() else folder

    def place(self, entry: str) -> Path | None:
        """The file or folder below `root` that is meant by an entry, of which leading folders may
        be missing there; None where it is nowhere.
        """
        parts = [part for part in entry.replace("\\", "/").split("/") if part not in ("", ".")]
        for start in range(len(parts)):
            key = posixpath.normpath("/".join(parts[start:]))
            if not key.startswith("..") and (self.root / key).exists():
                return self.root / key
        return None


def read_yolo_file(path: Path) -> YoloFile:
    """Read a description. Raises RequestError for one without names, or that cannot be read."""
    values = _values(path)
    names = values.get("names", [])
    splits: dict[str, list[str]] = {}
    for key, split in _SPLITS.items():
        if entries := values.get(key):
            splits[split] = [*splits.get(split, []), *entries]
    if not names:
        raise RequestError(f"{path} does not name the classes: `names: [cat, dog]`.")
    if len(set(names)) < len(names):
        raise RequestError(f"{path} names a class twice.")
    count = "".join(values.get("nc", []))
    if count and count != str(len(names)):
        raise RequestError(f"{path} has nc: {count} and {len(names)} names.")
    return YoloFile(path, tuple(names), splits, "".join(values.get("path", [])))


def _values(path: Path) -> dict[str, list[str]]:
    """Each key with its texts. Raises RequestError for what is no YAML."""
    import yaml  # noqa: PLC0415 -- for such files alone

    try:  # every scalar is a text: a class may be called no, or 1e3
        found: object = yaml.load(read_text(path), Loader=yaml.BaseLoader)  # noqa: S506 -- it makes texts, lists and dicts
    except yaml.YAMLError as error:
        raise RequestError(f"{path} is not `key: value` in lines of YAML ({error}).") from error
    if not isinstance(found, dict):
        raise RequestError(f"{path} is not `key: value` in lines of YAML.")
    return {str(key): _texts(value) for key, value in cast("dict[object, object]", found).items()}


def _texts(value: object) -> list[str]:
    """A text, the texts of a list, or names by their numbers, from 0 without a gap; else none."""
    if isinstance(value, dict):
        by_number = {
            int(key): name
            for key, name in cast("dict[str, object]", value).items()
            if key.isdecimal()
        }
        in_order = [*range(len(by_number))] == sorted(by_number)
        value = [by_number[n] for n in range(len(by_number))] if in_order else []
    several = cast("list[object]", value) if isinstance(value, list) else [value]
    return [one for one in several if isinstance(one, str) and one not in ("", "~", "null")]
