"""Words for WordNet's synsets, `n01440764 tench`, from the files that come with ImageNet."""

import importlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from convscope.data.dataset import Dataset
from convscope.errors import RequestError
from convscope.regular_files import read_regular

SYNSET = re.compile(r"n\d{8}")
WORDS = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt", "map_clsloc.txt", "meta.mat")
"""Files with a synset and its words in each line, or the devkit's table."""
CALLED = {"n02012849": "crane bird", "n03710721": "maillot tank suit"}
"""Two of ImageNet's classes share their first word with another; these are torchvision's names."""

_ABOVE = 4  # folders above the images in which files are looked for
_DEVKITS = ("", "devkit/data", "ILSVRC2012_devkit_t12/data", "ILSVRC/devkit/data", "data")


def nearby(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of some files in a folder, in those above it, and in a devkit in one of these."""
    here = folder.resolve()
    for above in (here, *list(here.parents)[:_ABOVE]):
        for inner in _DEVKITS:
            for name in names:
                if (path := above / inner / name).is_file():
                    return path
    return None


def name_synsets(dataset: Dataset, folder: Path) -> Dataset:
    """The data with the first word of each class whose name is a synset, in the same order.

    Without a file of words near the folder, or with one that lacks a class, names stay as they are;
    a warning says so.
    """
    if not all(map(SYNSET.fullmatch, dataset.classes)):
        return dataset
    path = nearby(folder, WORDS)
    words = {} if path is None else dict(_words(path))
    if not all(words.get(synset) for synset in dataset.classes):
        sentence = (
            f"{folder}: the classes are called by their synsets, such as {dataset.classes[0]}. "
            f"With {WORDS[0]} or {WORDS[1]} beside the images, they have names."
        )
        return dataset.with_warnings([sentence])
    first = {
        synset: CALLED.get(synset, words[synset].partition(",")[0].strip().replace("_", " "))
        for synset in dataset.classes
    }
    counts = Counter(first.values())
    names = [f"{one} ({s})" if counts[one] > 1 else one for s, one in first.items()]
    return replace(dataset, classes=tuple(names))


def read_numbers(folder: Path) -> dict[int, str]:
    """The synset of each ILSVRC2012_ID, by the devkit's files in a folder. Raises RequestError."""
    if (path := folder / "map_clsloc.txt").is_file():
        rows = (line.split() for line in read_text(path).splitlines())
        return {int(row[1]): row[0] for row in rows if len(row) > 1 and row[1].isdecimal()}
    if (path := folder / "meta.mat").is_file():
        return {number: synset for number, synset, _ in _table(path)}
    raise RequestError(
        f"{folder} has neither meta.mat nor map_clsloc.txt, which say the synsets of the devkit's "
        "numbers."
    )


def read_text(path: Path) -> str:
    """The text of a file. Raises RequestError."""
    try:
        return read_regular(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read ({error}).") from error


def _words(path: Path) -> Iterator[tuple[str, str]]:
    if path.name == "meta.mat":
        yield from ((synset, words) for _, synset, words in _table(path))
        return
    for line in read_text(path).splitlines():
        synset, _, words = line.replace("\t", " ").partition(" ")
        if path.name == "map_clsloc.txt":
            words = words.partition(" ")[2]
        if SYNSET.fullmatch(synset):
            yield synset, words.strip()


def _table(path: Path) -> list[tuple[int, str, str]]:
    """The number, the synset and the words of each class that has images, from meta.mat."""
    try:
        io: Any = importlib.import_module("scipy.io")
    except ImportError as error:
        raise RequestError(
            f"{path} is read by SciPy, which is not installed: `pip install scipy`. Or put "
            "LOC_val_solution.csv (Kaggle) beside the images."
        ) from error
    try:
        rows = io.loadmat(path, squeeze_me=True)["synsets"]
        return [(int(row[0]), str(row[1]), str(row[2])) for row in rows if int(row[4]) == 0]
    except Exception as error:  # whatever SciPy raises
        raise RequestError(f"{path} cannot be read ({type(error).__name__}: {error}).") from error
