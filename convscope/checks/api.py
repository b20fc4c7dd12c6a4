"""`convscope.check`: run all checks on a data set."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from convscope.card import TaskName
from convscope.checks import (
    balance,
    blur,
    duplicates,
    exposure,
    leaks,
    mixtures,
    outliers,
    shortcuts,
    sizes,
    unreadable,
    wrong_labels,
)
from convscope.checks import near_duplicates as near
from convscope.checks.boxes import BOX_CHECKS
from convscope.checks.inspection import Inspection, ProgressCallback, inspect
from convscope.checks.outcome import SEVERITIES, Outcome
from convscope.checks.report import DataReport
from convscope.checks.similar import find_similar
from convscope.data.path_source import has_boxes
from convscope.data.patients import group_by_patient
from convscope.data.source import NAMES as DATA_NAMES
from convscope.data.source import DataLike, open_source
from convscope.errors import RequestError, nearest

CHECKS: dict[str, Callable[[Inspection], Outcome | None]] = {
    leaks.NAME: leaks.find_leaks,
    duplicates.CONFLICTS: duplicates.find_conflicts,
    unreadable.NAME: unreadable.find_unreadable,
    **BOX_CHECKS,
    shortcuts.NAME: shortcuts.find_shortcut_properties,
    balance.NAME: balance.find_imbalance,
    duplicates.REPEATED: duplicates.find_repeated,
    near.NAME: near.find_near_duplicates,
    exposure.BLANK: exposure.find_blank,
    exposure.FAINT: exposure.find_faint,
    exposure.DARK: exposure.find_dark,
    exposure.BRIGHT: exposure.find_bright,
    blur.NAME: blur.find_blurred,
    sizes.NAME: sizes.find_unusual_sizes,
    outliers.NAME: outliers.find_outliers,
    mixtures.NAME: mixtures.find_mixtures,
}
"""The checks of what was measured, in the order in which they are shown within a severity."""

NAMES = (*CHECKS, wrong_labels.NAME)
"""All checks, by which they are left out."""

_COARSE = 16  # pixels of the shorter side, below which many different images look alike


def check(
    data: DataLike,
    *,
    skip: Collection[str] = (),
    data_dir: Path | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    group_pattern: str | None = None,
    class_names: Sequence[str] | None = None,
    task: Literal["auto"] | TaskName = "auto",
    on_progress: ProgressCallback = lambda activity, done, total: None,
) -> DataReport:
    """Find what is wrong with a data set, before anyone trains on it. Nothing is changed.

    `data` is what `train` takes; `skip` names checks to leave out, see NAMES, of which
    "near-duplicates" and "wrong-labels" take the longest; the columns, the pattern and the names of
    classes are those of `train`, and so is `task`, which says whether an image has one label,
    several, or objects with boxes; by default it has them where boxes can be read. `on_progress` is
    called with what is being done, how much of it is done, and how much there is.

    Raises RequestError for invalid data, and for a check that there is not.
    """
    for name in skip:
        if name not in NAMES:
            raise RequestError(
                f"There is no check {name!r}.{nearest(name, NAMES)} Checks: {', '.join(NAMES)}."
            )
    dataset = open_source(
        data,
        data_dir=data_dir,
        image_column=image_column,
        label_column=label_column,
        group_column=group_column,
        group_pattern=group_pattern,
        class_names=class_names,
        task="detection" if task == "auto" and _have_boxes(data) else task,
        for_training=False,
        with_faults=True,
    )
    if dataset.groups is None and group_column is None:
        dataset = group_by_patient(dataset)
    inspection = inspect(dataset, on_progress)
    if not inspection.readable.any():
        index, reason = next(iter(sorted(inspection.problems.items())))
        raise RequestError(
            f"None of the {len(dataset):,} images of {dataset.name} can be read: "
            f"{inspection.key(index)} {reason}."
        )
    if near.NAME not in skip:
        _search_similar(inspection, on_progress)
    found = [find(inspection) for name, find in CHECKS.items() if name not in skip]
    skipped = dict.fromkeys(skip, "left out on request")
    if dataset.is_multi_label:
        skipped.setdefault(shortcuts.NAME, "an image may have several labels")
    if wrong_labels.NAME not in skip:
        doubted = wrong_labels.find_wrong_labels(
            inspection, lambda done, total: on_progress("Predicting labels", done, total)
        )
        if isinstance(doubted, str):
            skipped[wrong_labels.NAME] = doubted
        else:
            found.append(doubted)
    outcomes = [outcome for outcome in found if outcome is not None]
    outcomes.sort(key=lambda outcome: SEVERITIES.index(outcome.severity))
    return DataReport(tuple(outcomes), skipped, inspection)


def _have_boxes(data: DataLike) -> bool:
    if not isinstance(data, str | Path) or data in DATA_NAMES:
        return False
    path = Path(data).expanduser()
    return path.exists() and has_boxes(path)


def _search_similar(inspection: Inspection, on_progress: ProgressCallback) -> None:
    """Find copies among the images that are not copies by their pixels, nor very small."""
    is_leader = inspection.leaders == np.arange(len(inspection.leaders))
    is_large = inspection.sizes.min(axis=1) >= _COARSE
    inspection.similar.extend(
        find_similar(
            inspection.thumbnails,
            np.flatnonzero(inspection.readable & is_leader & is_large),
            on_progress=lambda done, total: on_progress("Comparing images", done, total),
        )
    )
