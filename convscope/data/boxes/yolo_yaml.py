"""data.yaml of YOLO: which images are of which split, and the names of the classes.

Of YAML only what such files have is read: at the left margin `key: value`, where a value is a text,
a list in brackets or of lines with `-`, or lines of `number: name`. Other keys are passed over.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from convscope.data.voc_xml import read_text
from convscope.errors import RequestError

_KEY = re.compile(r"(['\"]?)([\w-]+)\1\s*:(?:\s+(.*)|\s*)$")
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
        return (
            stated
            if self.stated_root and (stated := folder / self.stated_root).is_dir()
            else (folder)
        )

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
    """Each key at the left margin with its texts."""
    blocks: list[tuple[str, list[str]]] = []
    for line in read_text(path).split("\n"):
        bare = _without_comment(line).rstrip()
        if not bare.strip() or bare.strip() in ("---", "..."):
            continue
        found = _KEY.match(bare)
        if found is not None:
            blocks.append((found[2], [found[3] or ""]))
        elif blocks:
            blocks[-1][1].append(bare.strip())
        else:
            raise RequestError(f"{path}: {bare.strip()!r} is not `key: value`.")
    return {key: _texts(lines) for key, lines in blocks}


def _texts(lines: Sequence[str]) -> list[str]:
    """The texts of a value: what stands behind its key, and the lines below."""
    inline = " ".join(lines).strip()
    return _inline(inline) if lines[0] or inline[:1] in ("[", "{") else _listed(lines[1:])


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", line) if "'" not in line and '"' not in line else line


def _inline(text: str) -> list[str]:
    """The texts of `a`, of `[a, b]`, and of `{0: a, 1: b}`."""
    text = text.strip()
    if text[:1] == "[" and text[-1:] == "]":
        return _divided(text[1:-1])
    if text[:1] == "{" and text[-1:] == "}":
        return _numbered(_divided(text[1:-1]))
    return [_plain(text)] if text and text not in ("~", "null", "|", ">") else []


def _listed(lines: Sequence[str]) -> list[str]:
    """The texts of lines of a list, or of numbers with names."""
    if all(line.startswith("-") for line in lines):
        return [_plain(line[1:]) for line in lines]
    return _numbered(lines) if all(re.match(r"\d+\s*:", line) for line in lines) else []


def _numbered(pairs: Sequence[str]) -> list[str]:
    """The names of `0: a`, `1: b`, by their numbers, from 0 without a gap; else none."""
    found = dict(pair.split(":", 1) for pair in pairs if ":" in pair)
    by_number = {int(key): _plain(name) for key, name in found.items() if key.strip().isdecimal()}
    return (
        [by_number[n] for n in range(len(by_number))]
        if [*sorted(by_number)] == [*range(len(by_number))]
        else []
    )


def _divided(text: str) -> list[str]:
    """The texts between commas outside of quotes."""
    pieces = re.findall(r"""\s*("[^"]*"|'[^']*'|[^,]+)\s*(?:,|$)""", text)
    return [_plain(piece) for piece in pieces if piece.strip()]


def _plain(text: str) -> str:
    text = text.strip()
    quote = text[:1]
    return text[1:-1] if quote in ("'", '"') and text.endswith(quote) and len(text) > 1 else text
