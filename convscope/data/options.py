"""How a folder or a table is to be read, where its names do not say so."""

from collections.abc import Mapping
from typing import Any, TypedDict

INDEPENDENT = "none"
"""The `group_column` that says that the images belong to no groups."""


class DataOptions(TypedDict, total=False):
    """Keyword arguments of `open_source` that a caller passes on.

    Attributes:
        image_column: the column of a table that names the image files; by its header or, counted
            from 1, by its place.
        label_column: the column of the classes, likewise; with commas, several columns of 0 and 1,
            one for each label.
        group_column: the column that says which images belong together (of one patient, for
            example) and must not be divided over splits; "none" if all images are independent.
        group_pattern: a regular expression that is searched in the files' names, or, if it has a
            `/`, in their paths below the folder. Its group `group`, else its first one, else what
            it matches names the group of an image.
        task: "multi-label" where an image may have any number of labels; "auto" lets several label
            columns say so; see `convscope.card.TaskName`.
        for_training: whether every class needs training images, and there must be at least two;
            True by default.
    """

    image_column: str | None
    label_column: str | None
    group_column: str | None
    group_pattern: str | None
    task: str
    for_training: bool


def saved_options(config: Mapping[str, Any]) -> DataOptions:
    """The options with which the data of a run are opened again.

    Groups are left out: the run's list of splits has already kept them together.
    """
    return {
        "image_column": config.get("image_column"),
        "label_column": config.get("label_column"),
        "group_column": INDEPENDENT,
        "task": config.get("task", "auto"),
    }
