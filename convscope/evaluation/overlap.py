"""Which of the evaluated images a run was trained on, by their content."""

from dataclasses import dataclass, replace

import numpy as np

from convscope.data.loading import LoadedDataset
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.runs.trained_images import read_trained_images

_UNKNOWN = (
    "The network may have been trained on these images: its run is of an earlier version, and does "
    "not list them by their pixels. Without DATA, evaluate uses the test split, which was set "
    "aside."
)


@dataclass(frozen=True)
class Overlap:
    """The evaluated images that a run knows.

    Attributes:
        loaded: the images; those that were left out are in no split.
        note: a sentence for the user, or "".
        in_training: how many were in training; None if the run does not say.
        in_validation: how many of the others were in validation.
    """

    loaded: LoadedDataset
    note: str = ""
    in_training: int | None = None
    in_validation: int | None = None


def find_overlap(
    run: Run | None, loaded: LoadedDataset, *, exclude: bool, is_run_data: bool
) -> Overlap:
    """Count the images of the test split of `loaded` that a run was trained and validated on.

    With `exclude`, they are left out. Raises RequestError if it is not known which they are, and
    if none is left.
    """
    known = None if run is None else read_trained_images(run)
    if run is None or known is None:
        if exclude:
            where = "A network without its run" if run is None else f"{run.path}, an older run,"
            raise RequestError(
                f"{where} has no list of its training images. Leave out `exclude_trained`."
            )
        is_said = run is not None and not is_run_data
        return Overlap(loaded, _UNKNOWN if is_said else "")
    indices = loaded.dataset.indices("test")
    origin = known.split_of(loaded.pixel_digests[indices])
    train, val = (int((origin == split).sum()) for split in ("train", "val"))
    if not train and not val:
        return Overlap(loaded, "", 0, 0)
    total = f"{len(indices):,} image{'s' if len(indices) != 1 else ''}"
    counts = f"{train:,} were in training and {val:,} in validation"
    if not exclude:
        note = (
            f"Of {total}, {counts} of this run: accuracy on them says little about new images. "
            "`exclude_trained` leaves them out."
        )
        return Overlap(loaded, note, train, val)
    if train + val == len(indices):
        raise RequestError(f"Of {total}, {counts} of this run, and none is left to evaluate on.")
    split = loaded.dataset.split.copy()
    split[indices[origin != ""]] = ""
    kept = replace(loaded, dataset=loaded.dataset.with_split(np.array(split)))
    return Overlap(kept, f"Of {total}, {counts} of this run and are left out.", train, val)
