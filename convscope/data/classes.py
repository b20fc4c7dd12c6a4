"""Whether the splits of a source agree about its classes, which are tied by name."""

from dataclasses import replace

import numpy as np

from convscope.data.dataset import Dataset
from convscope.errors import RequestError


def tie_classes(dataset: Dataset, *, where: str) -> Dataset:
    """Check that every class can be learned, and warn of those that cannot be measured.

    `where` names the source in messages. Raises RequestError for fewer than two classes and for a
    class that the source has in val or test but not in train (nor among pictures whose split is
    still open). A class that a given val or test split lacks becomes a warning.
    """
    if len(dataset.classes) < 2:
        raise RequestError(
            f"{where} has one class only, {''.join(dataset.classes)!r}. "
            "A classifier needs two or more."
        )
    learnable = dataset.counts("train") + dataset.counts("")
    names = np.array(dataset.classes, dtype=object)
    if unseen := list(names[learnable == 0]):
        raise RequestError(
            f"{where}: no picture of {listed(unseen)} is in train, although val or test has some. "
            "Classes are matched by name over the splits: is it written differently there?"
        )
    warnings = tuple(
        f"{where}: {split} has no picture of {listed(list(names[dataset.counts(split) == 0]))}."
        for split in ("val", "test")
        if dataset.counts(split).any() and not dataset.counts(split).all()
    )
    return replace(dataset, warnings=dataset.warnings + warnings)


def listed(names: list[str], *, most: int = 5) -> str:
    """The names quoted, the first few: `'cat', 'dog' and 3 more`.

    >>> listed(["cat", "dog", "owl"], most=2)
    "'cat', 'dog' and 1 more"
    """
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
