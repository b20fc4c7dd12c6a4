"""Labels that may be no classes: measurements, several labels in one, words for "none"."""

import re
from collections import Counter
from collections.abc import Collection, Iterable

_NONE = frozenset({"none", "na", "n/a", "?"})
_SEPARATORS = re.compile(r"\s*[|,;]\s*")


def doubts_about(labels: Iterable[str]) -> list[str]:
    """Sentences about labels that are taken as classes and may be none.

    >>> doubts_about(["0.25", "1.5", "7"])
    ["labels such as '0.25' look like measurements; each value is a class for itself"]
    """
    counts = Counter(labels)
    found: list[str] = []
    if none := {label: n for label, n in counts.items() if label.casefold() in _NONE}:
        shown = ", ".join(f"{label!r} ({count:,})" for label, count in none.items())
        found.append(f"a class for itself is {shown}")
    if fractions := _fractions(counts):
        found.append(
            f"labels such as {fractions[0]!r} look like measurements; each value is a class for "
            "itself"
        )
    if lists := [label for label in counts if _lists_labels(label, counts)]:
        found.append(
            f"labels such as {lists[0]!r} look like several in one; each such list is a class for "
            "itself, and `task='multi-label'` divides them"
        )
    return found


def _fractions(labels: Collection[str]) -> list[str]:
    """The labels that are no whole numbers, if all are numbers."""
    try:
        return [label for label in labels if not float(label).is_integer()]
    except ValueError:
        return []


def _lists_labels(label: str, labels: Collection[str]) -> bool:
    """Whether a label is a list with a separator, of which a part is a label of its own."""
    parts = _SEPARATORS.split(label)
    return len(parts) > 1 and any(part in labels for part in parts)
