"""Warnings about images that seem to belong together, or do, and lie in different splits."""

import re
from collections import Counter

from convscope.data.content_images import ContentImages
from convscope.data.dataset import Dataset, FileImages
from convscope.data.group_pattern import group_of

MAX_IMAGES = 200_000
"""How many names are looked at."""

PATTERNS = (
    r"(?i)^(.*\d.*?)[-_. ]?(left|right)\b",
    r"(?i)^(.*\d.*?)[-_. ](l|r|od|os)\.",
    r"^(.+)[._](jpe?g|png|bmp)\.rf\.",  # how Roboflow calls what it has augmented
    r"(?i)(?<![a-z])((patient|subject|case|person|study|participant|subj|sub|pat|pid)[-_ ]?\d+)",
    r"(?i)^(.*\d.*?)[-_. ]?(slice|frame|view|scan|crop|patch|tile|aug|rot|flip|visit|z)[-_ ]?\d+\.",
    r"(?i)^(.*?\d.*?)( ?\(\d+\)|[-_ ]+copy\d*)?\.\w+$",
    r"^(.*\d.*?)[-_. ]\d{1,4}\.",
    r"([^/]+)/[^/]+$",  # the folder
)
"""What names of images of one patient or scene look like: most are a stem with a number in it, and
what differs. Plain numbering such as `cat_12.jpg` and `img_0012.jpg` fits none."""

_SUFFICIENT = 0.1  # share of the images that must be in groups of two or more


def suggest_groups(dataset: Dataset) -> tuple[str, ...]:
    """A warning if the names of the files show groups, and these are divided over splits.

    Groups are shown by the first of PATTERNS by which at least two stems have two or more images, a
    tenth of all images are in such groups, and no group is more than half of its class: the stem
    would be another name of the class.
    """
    if dataset.groups is not None or not isinstance(dataset.images, FileImages | ContentImages):
        return ()
    count = min(len(dataset), MAX_IMAGES)
    keys = [dataset.images.key(index) for index in range(count)]
    sizes: Counter[int] = Counter(dataset.labels[:count].tolist())
    for pattern in PATTERNS:
        expression = re.compile(pattern)
        members: dict[str, list[int]] = {}
        for index, key in enumerate(keys):
            if group := group_of(key, expression):
                members.setdefault(group, []).append(index)
        groups = {
            name: indices
            for name, indices in members.items()
            if len(indices) > 1 and not _is_a_class(dataset, indices, sizes)
        }
        in_groups = sum(map(len, groups.values()))
        if len(groups) > 1 and in_groups >= _SUFFICIENT * count and not _is_copy(groups, keys):
            return _sentence(dataset, groups, keys, pattern)
    return ()


def _is_a_class(dataset: Dataset, indices: list[int], sizes: Counter[int]) -> bool:
    """Whether a group is most of its class, so that its name says the class."""
    label = int(dataset.labels[indices[0]])
    return len(indices) > max(2, sizes[label] / 2)


def _is_copy(groups: dict[str, list[int]], keys: list[str]) -> bool:
    """Whether all images of each group have the same name, in different folders."""
    return all(
        len({keys[index].rpartition("/")[2] for index in indices}) == 1
        for indices in groups.values()
    )


def _sentence(
    dataset: Dataset, groups: dict[str, list[int]], keys: list[str], pattern: str
) -> tuple[str, ...]:
    divided = [
        name
        for name, indices in groups.items()
        if len({*dataset.split[indices].tolist()} - {""}) > 1
    ]
    if not divided:
        return ()
    example = " and ".join(repr(keys[index]) for index in groups[divided[0]][:2])
    sentence = (
        f"{dataset.name}: by their names, {len(groups):,} groups of images may belong together, "
        f"such as {example}; {len(divided):,} of them are divided over splits, which makes results "
        f"look too good. If they do, set `group_pattern='{pattern}'`."
    )
    return (sentence,)


def divided_groups(dataset: Dataset) -> tuple[str, ...]:
    """A warning about groups that the data themselves divide over splits."""
    if dataset.groups is None:
        return ()
    first: dict[str, int] = {}
    divided: dict[str, tuple[int, int]] = {}
    for index, (group, split) in enumerate(zip(dataset.groups, dataset.split, strict=True)):
        if group and split:
            other = first.setdefault(group, index)
            if dataset.split[other] != split:
                divided.setdefault(group, (other, index))
    if not divided:
        return ()
    name, (one, other) = next(iter(divided.items()))
    key = dataset.images.key
    places = f"{key(one)!r} in {dataset.split[one]}, {key(other)!r} in {dataset.split[other]}"
    sentence = (
        f"{dataset.name}: {len(divided):,} groups are in several splits of the data, such as "
        f"{name!r}: {places}."
    )
    return (sentence,)
