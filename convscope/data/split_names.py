"""The spellings of train, val and test that people use: `Training`, `test_set`, `seg_train`."""

import re
from collections.abc import Sequence

from convscope.data.dataset import Split

_WORDS = {
    "train": ("train", "training", "trn", "trainval"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "tests", "testing", "tst", "holdout", "heldout"),
    "eval": ("eval", "evaluation"),  # of validation or test, by what there is beside it
}
_SHORT = {"tr": "train", "va": "val", "vl": "val", "te": "test", "ts": "test"}
_FILLING = frozenset({
    "set", "sets", "data", "dataset", "images", "image", "imgs", "img", "pictures", "photos",
    "files", "folder", "dir", "split",
})  # fmt: skip
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words}
_SUFFIX = re.compile(r"(?<=.{2})(set|data|images|imgs|img)$")
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


def split_of(name: str) -> Split | None:
    """The split that a single word names, as a table's cell has it; None for another word.

    >>> split_of("Training set"), split_of("VALID"), split_of("held-out"), split_of("cat")
    ('train', 'val', 'test', None)
    """
    if short := _SHORT.get(name.strip().casefold()):
        return _split(short, {short})
    kind, rest = _parse(name)
    return None if kind is None or rest else _split(kind, {kind})


def find_splits(names: Sequence[str]) -> dict[str, Split]:
    """The folders among `names` that are splits by their names; empty if none is.

    What stands beside the word must be the same in all (`fundus_train`, `fundus_test`), except
    numbers and words like `set` and `images`; then at least two are needed. Two folders of one
    split are both listed.

    >>> find_splits(["seg_pred", "seg_test", "seg_train"])
    {'seg_test': 'test', 'seg_train': 'train'}
    >>> find_splits(["bullet_train", "tram"])
    {}
    """
    if names and all(name.casefold() in _SHORT for name in names):
        return _resolved({name: _SHORT[name.casefold()] for name in names})
    by_rest: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        kind, rest = _parse(name)
        if kind is not None:
            by_rest.setdefault(rest, {})[name] = kind
    plain = by_rest.pop((), {})
    if "train" in plain.values() or not by_rest:
        return _resolved(plain)
    for found in by_rest.values():
        if "train" in found.values() and len(set(found.values())) > 1:
            return _resolved(found)
    return _resolved(plain)


def _parse(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The kind of split that a name speaks of, and its other words; None if it is not just one."""
    joined = re.sub(r"(?i)\b(hold|held)[-_ ]?out", r"\1out", name)
    tokens = [token.casefold() for token in _TOKEN.findall(joined)]
    kinds = [_KINDS.get(token) or _KINDS.get(_SUFFIX.sub("", token)) for token in tokens]
    found = [kind for kind in kinds if kind]
    if len(found) != 1:
        return None, ()
    rest = [
        token
        for token, kind in zip(tokens, kinds, strict=True)
        if not kind and token not in _FILLING and not token.isdigit()
    ]
    return found[0], tuple(rest)


def _resolved(kinds: dict[str, str]) -> dict[str, Split]:
    present = set(kinds.values())
    return {name: _split(kind, present) for name, kind in kinds.items()}


def _split(kind: str, present: set[str]) -> Split:
    if kind == "train":
        return "train"
    if kind == "eval":
        return "test" if "val" in present and "test" not in present else "val"
    return "val" if kind == "val" else "test"
