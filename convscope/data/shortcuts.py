"""Shortcuts: properties of the files that alone tell the class, such as their size or camera.

A network can learn such a property instead of what the images show, and is wrong where images come
from elsewhere: Geirhos et al., 2020, "Shortcut learning in deep neural networks".

For each property and class the rule "these values are of this class" is found on one half of the
images and tried on the other. How well it tells the class is Youden's J (1950): the fraction of the
class that it finds, less the fraction of the others that it takes for the class; 0 is chance, 1 is
perfect. Whether that could be chance is told by Fisher's exact test (1922), with all tests of a
data set together wrong once in a thousand. Of a group, such as a patient, one image of a class is
looked at, for the images of a patient share their camera.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.data.dataset import Dataset
from convscope.data.exact_test import fisher_exact
from convscope.data.file_properties import PROPERTIES, read_properties

MAX_IMAGES = 4000  # whose headers are read
LEAST = 0.25  # Youden's J from which a property is a shortcut: it halves the errors of a coin
_CHANCE = 1e-3  # that a data set without shortcuts has one
_SHOWN = 3  # values of a class in a table
_SEED = 0
_BINNED = ("resolution", "aspect ratio")
_FEW_SIZES = 12  # different sizes, up to which these say no more than the size


@dataclass(frozen=True)
class ClassRule:
    """How well a property alone tells one class from all others.

    Attributes:
        name: of the class.
        found: fraction of its images that the rule finds.
        mistaken: fraction of all others that it takes for them.
        values: the commonest values of its images, each with its share of the class and of the
            others.
    """

    name: str
    found: float
    mistaken: float
    values: tuple[tuple[str, float, float], ...]

    @property
    def youden(self) -> float:
        return self.found - self.mistaken


@dataclass(frozen=True)
class Shortcut:
    """A property of the files that tells classes, on images that its rules were not made from.

    Attributes:
        name: of the property, as in PROPERTIES.
        subject: what the classes are: "class", or "split" where splits of the source were compared.
        accuracy: fraction of images whose class the property tells.
        largest: that of always answering the largest class.
        classes: those that it tells, the best told first.
        num_images: that were looked at.
    """

    name: str
    subject: str
    accuracy: float
    largest: float
    classes: tuple[ClassRule, ...]
    num_images: int

    @property
    def youden(self) -> float:
        """That of the class that is told best."""
        return self.classes[0].youden

    def describe(self) -> str:
        """How well it tells the classes, with an example, in a sentence."""
        best = self.classes[0]
        value, share, others = best.values[0]
        if self.accuracy >= self.largest + LEAST * (1 - self.largest):
            said = (
                f"tells its {self.subject} for {self.accuracy:.0%} "
                f"(the largest {self.subject}: {self.largest:.0%})"
            )
        else:
            said = (
                f"finds {best.found:.0%} of {best.name!r} and takes {best.mistaken:.0%} of all "
                "others for it"
            )
        return (
            f"The {self.name} of an image alone {said}: {share:.0%} of {best.name!r} and "
            f"{others:.0%} of all others have {value}."
        )

    def to_dict(self) -> dict[str, object]:
        """The same as values of JSON."""
        return {
            "property": self.name,
            "subject": self.subject,
            "accuracy": self.accuracy,
            "largest": self.largest,
            "num_images": self.num_images,
            "classes": [
                {
                    "name": rule.name,
                    "found": rule.found,
                    "mistaken": rule.mistaken,
                    "values": [
                        {"value": value, "share": share, "others": others}
                        for value, share, others in rule.values
                    ],
                }
                for rule in self.classes
            ],
        }


def find_shortcuts(dataset: Dataset, *, max_images: int = MAX_IMAGES) -> list[Shortcut]:
    """The properties of the files that tell the class or, where the source has splits of its own,
    the split; the best of each first.

    At most `max_images` are looked at, drawn at random, always the same; only their headers are
    read. Data that are not files have no such properties.
    """
    return shortcuts_of(dataset, sample_properties(dataset, max_images))


def sample_properties(dataset: Dataset, max_images: int) -> dict[int, Mapping[str, str]]:
    """The properties of at most so many images, drawn at random, by their indices, in that order;
    see `read_properties`.
    """
    chosen = _sample(dataset, max_images).tolist()
    return read_properties(dataset.images, chosen, workers=min(8, 2 * (os.cpu_count() or 1)))


def shortcuts_of(dataset: Dataset, properties: Mapping[int, Mapping[str, str]]) -> list[Shortcut]:
    """`find_shortcuts` by the properties that `sample_properties` read."""
    read = np.array([*properties], dtype=np.int64)
    if not len(read) or dataset.is_multi_label:
        return []
    columns = {name: [properties[index][name] for index in read.tolist()] for name in PROPERTIES}
    found = shortcuts_in(columns, dataset.labels[read], dataset.classes)
    if len(names := np.unique(dataset.split[read])) > 1 and "" not in names:
        splits = np.searchsorted(names, dataset.split[read])
        found += shortcuts_in(columns, splits, names.tolist(), subject="split")
    return found


def _sample(dataset: Dataset, max_images: int) -> NDArray[np.int64]:
    """Indices of at most so many images, one of each class and group, in random order."""
    order = np.random.default_rng(_SEED).permutation(len(dataset))
    if dataset.groups is not None:
        seen = set[tuple[str, int, str]]()
        kept: list[int] = []
        for index in order.tolist():
            group = str(dataset.groups[index])
            key = group, int(dataset.labels[index]), str(dataset.split[index])
            if not group or key not in seen:
                seen.add(key)
                kept.append(index)
        order = np.array(kept, dtype=np.int64)
    return order[:max_images]


def shortcuts_in(
    columns: Mapping[str, Sequence[str]],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    *,
    subject: str = "class",
) -> list[Shortcut]:
    """The properties that tell the class, the best first.

    Args:
        columns: the value of each image, by property; images in random order.
        labels: (n,) indices into `classes`.
        classes: their names.
        subject: what they are, for sentences.
    """
    tables = {name: _coded(values) for name, values in columns.items() if len({*values}) > 1}
    if len({*columns.get("size", ())}) <= _FEW_SIZES:
        tables = {name: table for name, table in tables.items() if name not in _BINNED}
    halves = _halves(labels)
    if not tables or min(map(len, halves)) == 0:
        return []
    tests = 2 * len(tables) * len(np.unique(labels))
    found = [
        shortcut
        for name, (values, codes) in tables.items()
        if (shortcut := _examined(name, subject, values, codes, labels, classes, halves, tests))
    ]
    return sorted(found, key=lambda shortcut: (-round(shortcut.youden, 3), -shortcut.accuracy))


def _coded(values: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    names, codes = np.unique(np.array(values, dtype=object), return_inverse=True)
    return names.tolist(), codes.astype(np.int64)


def _halves(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every second image of each class, and the others."""
    order = np.argsort(labels, kind="stable")
    return np.sort(order[::2]), np.sort(order[1::2])


def _examined(
    name: str,
    subject: str,
    values: list[str],
    codes: NDArray[np.int64],
    labels: NDArray[np.integer],
    classes: Sequence[str],
    halves: tuple[NDArray[np.int64], NDArray[np.int64]],
    tests: int,
) -> Shortcut | None:
    """The shortcut that a property is, if it is one."""
    shape = len(values), len(classes)
    counts = [_counts(codes[half], labels[half], shape) for half in halves]
    told = _told_classes(counts, _CHANCE / tests)
    if not told:
        return None
    both = counts[0] + counts[1]
    hits = sum(_hits(counts[half], counts[1 - half]) for half in (0, 1))
    rules = [
        ClassRule(classes[label], found, mistaken, _commonest(values, both, label))
        for label, (found, mistaken) in told.items()
    ]
    return Shortcut(
        name=name,
        subject=subject,
        accuracy=hits / len(labels),
        largest=float(both.sum(axis=0).max()) / len(labels),
        classes=tuple(sorted(rules, key=lambda rule: -rule.youden)),
        num_images=len(labels),
    )


def _counts(
    codes: NDArray[np.int64], labels: NDArray[np.integer], shape: tuple[int, int]
) -> NDArray[np.int64]:
    """(values, classes) how many images have each value and class."""
    flat = np.bincount(codes * shape[1] + labels, minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def _hits(rule: NDArray[np.int64], tried: NDArray[np.int64]) -> int:
    """How many images of one half have the class that is commonest for their value in the other;
    of a value that the other half lacks, its largest class.
    """
    answers = rule.argmax(axis=1)
    answers[~rule.any(axis=1)] = rule.sum(axis=0).argmax()
    return int(tried[np.arange(len(tried)), answers].sum())


def _told_classes(
    counts: Sequence[NDArray[np.int64]], chance: float
) -> dict[int, tuple[float, float]]:
    """The classes that are told, each with the fractions that are found and mistaken."""
    totals = counts[0].sum(axis=0) + counts[1].sum(axis=0)
    flagged = np.zeros((2, len(totals)), np.int64)  # of the class, and of all others
    least = np.ones(len(totals))
    for half in (0, 1):
        rule, tried = counts[half], counts[1 - half]
        others = rule.sum(axis=1, keepdims=True) - rule
        size = rule.sum(axis=0)
        is_flagged = rule * np.maximum(1, size.sum() - size) > others * np.maximum(1, size)
        inside = (tried * is_flagged).sum(axis=0)
        outside = (tried.sum(axis=1, keepdims=True) * is_flagged).sum(axis=0) - inside
        flagged += np.stack([inside, outside])
        sizes = tried.sum(axis=0)
        for label in np.flatnonzero(sizes).tolist():
            p = fisher_exact(
                int(inside[label]), int(outside[label]), int(sizes[label]), int(sizes.sum())
            )
            least[label] = min(least[label], p)
    found = flagged[0] / np.maximum(1, totals)
    mistaken = flagged[1] / np.maximum(1, totals.sum() - totals)
    told = np.flatnonzero((least < chance) & (found - mistaken >= LEAST)).tolist()
    return {label: (float(found[label]), float(mistaken[label])) for label in told}


def _commonest(
    values: list[str], counts: NDArray[np.int64], label: int
) -> tuple[tuple[str, float, float], ...]:
    """The commonest values of a class, by how much commoner they are in it than elsewhere."""
    sizes = counts.sum(axis=0)
    own, others = counts[:, label], counts.sum(axis=1) - counts[:, label]
    share, elsewhere = own / sizes[label], others / max(1, sizes.sum() - sizes[label])
    excess = Counter(dict(enumerate((share - elsewhere).tolist())))
    return tuple(
        (values[code], float(share[code]), float(elsewhere[code]))
        for code, _ in excess.most_common(_SHOWN)
    )
