"""The same image, or the same patient or other group, in two splits that the source has."""

from collections import defaultdict
from collections.abc import Iterator

from convscope.checks.inspection import Inspection
from convscope.checks.near_duplicates import describe_pair
from convscope.checks.outcome import Finding, Outcome
from convscope.data.duplicates import count_images

NAME, TITLE = "leaks", "Images in two splits"


def find_leaks(inspection: Inspection) -> Outcome | None:
    """Images whose copy, or whose group, is in another split.

    Nothing is compared with images that are in no split: train keeps copies and groups together.
    """
    found = [*_equal(inspection), *_similar(inspection), *_groups(inspection)]
    if not found:
        return None
    dataset = inspection.dataset
    images = {finding.images[0] for finding in found}
    is_published = dataset.has_published_splits
    as_published = f" {dataset.name} was published so." if is_published else ""
    return Outcome(
        NAME,
        TITLE,
        "warning" if is_published else "error",
        f"{count_images(images)} of one split also in another, as an equal or similar image or by "
        f"the group.{as_published}",
        "Accuracy on them says little about new images. Remove them from one of the splits, or let "
        "train make the splits.",
        tuple(found),
    )


def _equal(inspection: Inspection) -> Iterator[Finding]:
    for indices in inspection.copies:
        firsts: dict[str, int] = {}
        for index in indices:
            if split := inspection.split(index):
                firsts.setdefault(split, index)
        if len(firsts) < 2:
            continue
        original = next(iter(firsts.values()))
        for index in indices:
            split = inspection.split(index)
            if split and split != inspection.split(original):
                yield Finding(
                    (index, original),
                    f"in {split} and {inspection.split(original)}, with equal pixels",
                )


def _similar(inspection: Inspection) -> Iterator[Finding]:
    for pair in inspection.similar:
        one, other = inspection.split(pair.first), inspection.split(pair.second)
        if one and other and one != other:
            yield Finding(
                (pair.second, pair.first),
                f"in {other} and {one}: {describe_pair(pair)}",
                pair.similarity,
            )


def _groups(inspection: Inspection) -> Iterator[Finding]:
    groups = inspection.dataset.groups
    if groups is None:
        return
    firsts: dict[str, dict[str, int]] = defaultdict(dict)
    for index, group in enumerate(groups):
        if group and (split := inspection.split(index)):
            firsts[group].setdefault(split, index)
    for group, by_split in firsts.items():
        (split, original), *others = by_split.items()
        for other, index in others:
            yield Finding((index, original), f"group {group!r} is in {split} and {other}")
