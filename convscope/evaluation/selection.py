"""The images to evaluate on: a split of a run's own data, or of other data, by class name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convscope.data.classes import match_classes, quote_names
from convscope.data.dataset import Dataset, Split
from convscope.data.file_patterns import is_pattern
from convscope.data.options import INDEPENDENT
from convscope.data.source import DataLike, open_source
from convscope.data.task_error import TaskError
from convscope.errors import RequestError, shell_word
from convscope.models import OpenedModel
from convscope.network_card import is_numbered
from convscope.runs.data import open_run_data
from convscope.runs.folder import Run


class MissingSplitError(RequestError):
    """The data have no images of the split that is asked for."""


class UnnamedClassesError(RequestError):
    """The data name their classes, and a network has numbers alone; `difference` says so."""

    def __init__(self, difference: str) -> None:
        super().__init__(f"{difference} Name them, in their order, with `class_names`.")
        self.difference = difference


@dataclass(frozen=True)
class Selection:
    """Images to evaluate, as the test split of `dataset`, and a description of them.

    `split` is the split that they are of; "" where they are all of the data.
    """

    dataset: Dataset
    description: str
    split: Split | Literal[""]


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """The arguments of `evaluate` that say which images are meant."""

    split: Split | None
    data_dir: Path | None
    image_column: str | None
    label_column: str | None
    group_column: str | None = None
    group_pattern: str | None = None


def select_run_images(run: Run, config: Mapping[str, Any], request: DataRequest) -> Selection:
    """A split of a run's own data."""
    split = request.split or "test"
    data = str(config["data"])
    if request.group_column or request.group_pattern:
        raise RequestError(
            f"`{'group_column' if request.group_column else 'group_pattern'}` is for other data: "
            "the groups of a run's own are those of its training. Name the data, or leave it out."
        )
    if os.sep in data and not is_pattern(data) and not Path(data).exists():
        raise RequestError(
            f"{data}, on which {run.path} was trained, does not exist. If the images were moved, "
            f"say where they are now: `convscope evaluate {shell_word(run.path)} DATA`."
        )
    dataset, indices = open_run_data(run, config, split, request.data_dir, with_groups=True)
    if not len(indices):
        raise MissingSplitError(f"The data of {run.path} have no {split} split.")
    chosen = dataset.subset(indices, "test")
    return Selection(chosen, f"the {split} split of {dataset.name}", split)


def select_images(request: DataRequest, opened: OpenedModel, data: DataLike) -> Selection:
    """The requested split of other data, by default the test split; of data that are divided into
    images for training and for validation alone, as ImageNet's, the latter; else all.

    Raises RequestError for classes that the network does not have.
    """
    card = opened.card
    try:
        dataset = open_source(
            data,
            data_dir=request.data_dir,
            image_column=request.image_column,
            label_column=request.label_column,
            task=card.task,
            group_column=request.group_column or (None if request.group_pattern else INDEPENDENT),
            group_pattern=request.group_pattern,
            default_names=card.classes,
            for_training=False,
        )
    except TaskError as error:
        raise RequestError(_of_another_task(opened, error.fault)) from error
    if opened.run is None and is_numbered(card) and not {*dataset.classes} <= {*card.classes}:
        raise UnnamedClassesError(
            f"{dataset.name} has the classes {quote_names([*dataset.classes])}, and the outputs of "
            f"{opened.name} have numbers alone, 0 to {len(card.classes) - 1}."
        )
    dataset = match_classes(dataset, card.classes)
    split = request.split
    if split is None and {*dataset.split.tolist()} == {"train", "val"}:
        split = "val"
    if split is None and not (dataset.split == "test").any():
        everything = np.arange(len(dataset))
        return Selection(dataset.subset(everything, "test"), f"all of {dataset.name}", "")
    indices = np.flatnonzero(dataset.split == (split or "test"))
    if not len(indices):
        raise MissingSplitError(
            f"{dataset.name} has no {split} split. Leave out `split` to use all of it."
        )
    description = f"the {split or 'test'} split of {dataset.name}"
    return Selection(dataset.subset(indices, "test"), description, split or "test")


def _of_another_task(opened: OpenedModel, fault: str) -> str:
    """What to say of labels of another kind than the network's: its card has the task."""
    if opened.card.task == "multi-label":
        return (
            f"{opened.name} gives an image any number of labels, and {fault}. Name the labels in a "
            "table, with a column for each or lists such as a;b, or pass lists of names or rows of "
            "0 and 1 in Python."
        )
    return f"{opened.name} gives each image one class, and {fault}. Leave out the other images."
