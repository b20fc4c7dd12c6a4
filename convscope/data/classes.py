"""Checks that the splits of a source have the same classes, matched by name."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Dataset
from convscope.data.spellings import alike, match_names
from convscope.errors import RequestError


def check_classes(dataset: Dataset, *, where: str, for_training: bool = True) -> Dataset:
    """Check that every class has training images; warn of classes that val or test lacks.

    A class of val or test that is spelled alike one of train (`Cat` and `cat`) is that one, which a
    warning says; so does one about classes of train that are spelled alike. Data that are not
    `for_training` may have any classes in any split, and nothing is checked. `where` names the
    source in messages.

    Raises RequestError for fewer than two classes, and for a class of val or test that has no image
    in train, nor one whose split is still undecided.
    """
    if not for_training:
        return dataset
    dataset = _tied_to_train(dataset, where)
    if len(dataset.classes) < 2:
        raise RequestError(
            f"{where} has a single class, {''.join(dataset.classes)!r}. "
            f"{_NEEDS_TWO[dataset.is_multi_label]}"
        )
    num_train = dataset.counts("train") + dataset.counts("")
    names = np.array(dataset.classes, dtype=object)
    if missing := list(names[num_train == 0]):
        raise RequestError(
            f"{where}: val or test has images of {quote_names(missing)}, train has none. Classes "
            "are matched by name: is it spelled differently there?"
        )
    warnings = tuple(
        f"{where}: {split} has no images of {quote_names(list(names[dataset.counts(split) == 0]))}."
        for split in ("val", "test")
        if dataset.counts(split).any() and not dataset.counts(split).all()
    )
    return replace(dataset, warnings=(*dataset.warnings, *warnings, *_alike(dataset, where)))


_NEEDS_TWO = {
    False: "A classifier needs at least two.",
    True: "Of a single label, yes and no are two classes: `task='single-label'`.",
}
"""What to say of data with a single class, by whether an image may have several labels."""


def _tied_to_train(dataset: Dataset, where: str) -> Dataset:
    """The data with classes of val and test renamed to those of train that are spelled alike."""
    num_train = dataset.counts("train") + dataset.counts("")
    known = [name for name, count in zip(dataset.classes, num_train, strict=True) if count]
    same = {name: [k for k in known if alike(k) == alike(name)] for name in dataset.classes}
    ties = {n: k[0] for n, k in same.items() if n not in known and len(k) == 1}
    if not ties:
        return dataset
    classes = tuple(name for name in dataset.classes if name not in ties)
    indices = np.array([classes.index(ties.get(name, name)) for name in dataset.classes], np.int64)
    said = ", ".join(f"{name!r} as {other!r}" for name, other in list(ties.items())[:5])
    warning = f"{where}: classes of val or test taken: {said}."
    return _reindexed(dataset, indices, classes).with_warnings([warning])


def _reindexed(dataset: Dataset, indices: NDArray[np.int64], classes: Sequence[str]) -> Dataset:
    """The data with other classes; `indices` says which of them each of the present ones is."""
    if dataset.targets is None:
        return replace(dataset, classes=tuple(classes), labels=indices[dataset.labels])
    if dataset.objects is not None:
        objects = dataset.objects.relabeled(indices[dataset.objects.labels])
        return replace(dataset, classes=tuple(classes)).with_objects(objects)
    targets = np.zeros((len(dataset), len(classes)), np.uint8)
    for column, index in zip(dataset.targets.T, indices, strict=True):
        targets[:, index] |= column
    return dataset.with_targets(targets, classes)


def _alike(dataset: Dataset, where: str) -> tuple[str, ...]:
    """A warning about classes whose names differ only in case, spaces, underscores or hyphens."""
    by_name: dict[str, list[str]] = {}
    for name in dataset.classes:
        by_name.setdefault(alike(name), []).append(name)
    several = [" and ".join(map(repr, names)) for names in by_name.values() if len(names) > 1]
    if not several:
        return ()
    shown = "; ".join(several[:3])
    return (f"{where}: {shown} are trained as different classes. Rename one if they are the same.",)


def match_classes(dataset: Dataset, classes: Sequence[str]) -> Dataset:
    """The data with labels that are indices of `classes`, those of a network's outputs, by name.

    Training, resuming and evaluating tie labels to outputs here alone, and the head of pretrained
    weights is tied by the same `match_names`. Names that differ only in case or in what divides
    words are the same, which a warning says. Raises RequestError for a class that is not among
    `classes`.
    """
    if dataset.classes == tuple(classes):
        return dataset
    matches = match_names(dataset.classes, classes)
    indices = [index for index in matches if index is not None]
    if len(indices) < len(matches):
        unknown = [n for n, index in zip(dataset.classes, matches, strict=True) if index is None]
        raise RequestError(
            f"{dataset.name} has classes that the network was not trained on: "
            f"{quote_names(unknown)}. It knows {quote_names([*classes], max_shown=20)}. "
            "Rename them, or leave their images out."
        )
    pairs = zip(dataset.classes, indices, strict=True)
    ties = [f"{n!r} as {classes[index]!r}" for n, index in pairs if n != classes[index]]
    said = [f"{dataset.name}: classes taken: {', '.join(ties[:5])}."] if ties else []
    return _reindexed(dataset, np.array(indices, np.int64), classes).with_warnings(said)


def quote_names(names: list[str], *, max_shown: int = 5) -> str:
    """The first few names in quotes.

    >>> quote_names(["cat", "dog", "owl"], max_shown=2)
    "'cat', 'dog' and 1 more"
    """
    shown = ", ".join(map(repr, names[:max_shown]))
    return f"{shown} and {len(names) - max_shown} more" if len(names) > max_shown else shown
