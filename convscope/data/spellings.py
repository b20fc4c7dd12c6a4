"""Class names that are surely the same: in spaces, quotes, Unicode form, or as `3` and `3.0`."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from unicodedata import category, normalize

MAX_SHOWN = 8  # names

_INTEGRAL = re.compile(r"([+-]?\d+)\.0*")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019", "`": "`"}


def merge_spellings(
    labels: Iterable[str], *, where: str, numeric: bool = False
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The one spelling of each label, and a warning about those that were merged.

    Labels that differ only in the form of Unicode, in spaces, in invisible characters or in quotes
    around them are one; if `numeric` and all are numbers, so are `3` and `3.0`. A label without
    another spelling stays as it is.
    """
    counts = Counter(labels)
    integral = numeric and all(_NUMBER.fullmatch(tidy(label)) for label in counts)
    spellings: dict[str, list[str]] = {}
    for label in counts:
        spellings.setdefault(_integral(tidy(label)) if integral else tidy(label), []).append(label)
    merged = {
        label: same if len(found) > 1 else found[0]
        for same, found in spellings.items()
        for label in found
    }
    several = [name for found in spellings.values() if len(found) > 1 for name in found]
    if not several:
        return merged, ()
    shown = ", ".join(map(repr, sorted(several)[:MAX_SHOWN]))
    return merged, (f"{where}: taken as the same class: {shown}.",)


def tidy(label: str) -> str:
    """A label in Unicode NFC without surrounding quotes, invisible characters and extra spaces.

    >>> tidy(' "no  tumor"\\u200b ')
    'no tumor'
    """
    text = normalize("NFC", "".join(c for c in label if category(c) != "Cf"))
    text = " ".join(text.split())
    while len(text) > 2 and _QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text or label


def alike(name: str) -> str:
    """A class name without what people spell differently: case, what divides words, `3` and `03.0`.

    >>> alike("No_Tumor") == alike("no tumor")
    True
    """
    text = re.sub(r"(?<=.)[\s_-]+", " ", _integral(tidy(name)).casefold()).strip()
    return re.sub(r"^0+(?=\d+$)", "", text)


def match_names(names: Sequence[str], known: Sequence[str]) -> list[int | None]:
    """For each class name its index in `known`: of itself, else of the only one spelled alike.

    Two names never have one index. None stands for a name that is not among them.

    >>> match_names(["cat", "Dog", "cow"], ["Dog", "Cat"])
    [1, 0, None]
    """
    places = {name: index for index, name in enumerate(known)}
    found = [places.get(name) for name in names]
    if None not in found:
        return found
    spelled: dict[str, list[int]] = {}
    for name, index in places.items():
        spelled.setdefault(alike(name), []).append(index)
    for number, name in enumerate(names):
        same = spelled.get(alike(name), []) if found[number] is None else []
        if len(same) == 1 and same[0] not in found:
            found[number] = same[0]
    return found


def in_order(classes: Iterable[str]) -> list[str]:
    """Class names sorted: by their values if all are numbers, so that 10 comes after 9."""
    names = list(classes)
    if all(_NUMBER.fullmatch(name) for name in names):
        return sorted(names, key=lambda name: (float(name), name))
    return sorted(names)


def _integral(label: str) -> str:
    """
    >>> _integral("3.0"), _integral("3.5")
    ('3', '3.5')
    """
    match = _INTEGRAL.fullmatch(label)
    return match[1] if match else label
