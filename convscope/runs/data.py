"""The images that a run was trained, validated and tested on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.classes import match_classes
from convscope.data.dataset import Dataset, Split
from convscope.data.options import saved_options
from convscope.data.source import NAMES, is_here, open_source
from convscope.data.split import apply_splits
from convscope.runs.folder import Run


def is_data_here(config: Mapping[str, Any]) -> bool:
    """Whether the data of a run can be opened without a download."""
    name, folder = config.get("data"), config.get("data_dir")
    if not isinstance(name, str) or name not in NAMES:
        return True
    return is_here(name, data_dir=Path(folder) if isinstance(folder, str) else None)


def open_run_data(
    run: Run,
    config: Mapping[str, Any],
    split: Split,
    data_dir: Path | None = None,
    *,
    with_groups: bool = False,
) -> tuple[Dataset, NDArray[np.int64]]:
    """The data set of a run with the run's splits, and the indices of one of them.

    `with_groups` says which images belong together, as the training had it.

    Raises RequestError for data that have changed since the run was trained.
    """
    if data_dir is None and "data_dir" in config:
        data_dir = Path(config["data_dir"])
    options = saved_options(config)
    if with_groups:
        options["group_column"] = config.get("group_column")
        options["group_pattern"] = config.get("group_pattern")
    dataset = open_source(config["data"], data_dir=data_dir, **options)
    card = run.read_card()
    dataset = match_classes(dataset, card.classes)
    splits = run.read_bound("splits.csv", card)
    dataset = apply_splits(dataset, splits, where=str(run.path / "splits.csv"))
    return dataset, dataset.indices(split)
