"""Groups from the names of files: `12_left.jpg` and `12_right.jpg` are of one patient."""

import re
from collections.abc import Sequence
from dataclasses import replace

from convscope.data.classes import quote_names
from convscope.data.dataset import Dataset, keys_of
from convscope.errors import RequestError


def groups_by_pattern(
    keys: Sequence[str], pattern: str, *, where: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The group of each image by a regular expression, and warnings.

    The expression is searched in the file's name, or, if it has a `/`, in the whole key. Its group
    `group`, else its first group, else the whole match is the name of the image's group. An image
    that does not match has the group "": it is a group of its own.

    Raises RequestError for an invalid expression, and for one that matches no image.
    """
    expression = compile_pattern(pattern)
    groups = tuple(group_of(key, expression) for key in keys)
    unmatched = [key for key, group in zip(keys, groups, strict=True) if not group]
    if len(unmatched) == len(keys):
        raise RequestError(
            f"`group_pattern='{pattern}'` matches none of the {len(keys):,} images of {where}, the "
            f"first is {keys[0]!r}."
        )
    count = f"{len(keys) - len(unmatched):,} of {len(keys):,} images"
    sentence = f"{where}: {count} are in {len({*groups} - {''}):,} groups by `group_pattern`"
    if unmatched:
        shown = quote_names(unmatched, max_shown=3)
        sentence += f"; those that do not match are taken as groups of their own: {shown}"
    return groups, (f"{sentence}.",)


def grouped_by_pattern(dataset: Dataset, pattern: str, *, where: str) -> Dataset:
    """The data with the groups of `groups_by_pattern`, and its warnings."""
    groups, said = groups_by_pattern(keys_of(dataset.images), pattern, where=where)
    return replace(dataset, groups=groups).with_warnings(said)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile an expression of the user's. Raises RequestError where it is invalid."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise RequestError(
            f"`group_pattern='{pattern}'` is not a regular expression: {error}."
        ) from error


def group_of(key: str, expression: re.Pattern[str]) -> str:
    """The group of one image; "" if the expression does not match."""
    text = key if "/" in expression.pattern else key.rpartition("/")[2]
    match = expression.search(text)
    if match is None:
        return ""
    if "group" in expression.groupindex:
        return match["group"] or ""
    return (match[1] if expression.groups else match[0]) or ""
