"""Patterns of file names: `train-{000000..000004}.tar`, `{train,val}/*.parquet`."""

import glob
import re
from itertools import product
from pathlib import Path

from convscope.errors import RequestError

MAX_FILES = 100_000
_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def is_pattern(text: str) -> bool:
    """Whether a text stands for several files."""
    return bool(glob.has_magic(text) or _BRACES.search(text))


def files_of(pattern: str) -> list[Path]:
    """The files that a pattern names: braces as in bash, then `*`, `?` and `[...]`; sorted.

    Raises RequestError for a file between braces that does not exist, and for a pattern that
    matches nothing.
    """
    files: set[Path] = set()
    for text in expand_braces(pattern):
        path = Path(text).expanduser()
        found = [path] if path.exists() else list(map(Path, glob.glob(str(path))))  # noqa: PTH207
        if not found:
            is_glob = glob.has_magic(text)
            raise RequestError(f"No file matches {text}." if is_glob else f"{text} does not exist.")
        files.update(found)
    return sorted(files)


def expand_braces(pattern: str) -> list[str]:
    """All texts of a pattern with braces, as in bash: ranges of numbers, and lists.

    Raises RequestError for more than 100,000.

    >>> expand_braces("{a,b}-{08..10}.tar")[:4]
    ['a-08.tar', 'a-09.tar', 'a-10.tar', 'b-08.tar']
    """
    pieces = _BRACES.split(pattern)
    choices = [[piece] if n % 2 == 0 else _choices(piece) for n, piece in enumerate(pieces)]
    count = 1
    for texts in choices:
        count *= len(texts)
    if count > MAX_FILES:
        raise RequestError(f"{pattern} stands for {count:,} files; {MAX_FILES:,} are allowed.")
    return ["".join(texts) for texts in product(*choices)]


def _choices(inside: str) -> list[str]:
    if found := _RANGE.fullmatch(inside):
        first, last = int(found[1]), int(found[2])
        if abs(last - first) >= MAX_FILES:
            raise RequestError(f"{{{inside}}} stands for too many files.")
        step = 1 if first <= last else -1
        width = max(map(len, found.groups())) if "0" in {found[1][0], found[2][0]} else 0
        return [f"{n:0{width}d}" for n in range(first, last + step, step)]
    return inside.split(",") if "," in inside else [f"{{{inside}}}"]
