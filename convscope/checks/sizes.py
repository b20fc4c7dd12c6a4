"""Images much smaller, or of a much other shape, than is usual in the data set."""

import numpy as np

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.data.duplicates import count_images

NAME, TITLE = "sizes", "Unusual sizes"
_SMALL = 0.25  # of the median shorter side
_SHAPE = 2.5  # times the median ratio of width to height, or the other way round


def find_unusual_sizes(inspection: Inspection) -> Outcome | None:
    known = inspection.readable
    if not known.any():
        return None
    sizes = np.maximum(inspection.sizes, 1).astype(float)
    shorter = sizes.min(axis=1)
    shape = np.log(sizes[:, 0] / sizes[:, 1])
    median_side, median_shape = np.median(shorter[known]), np.median(shape[known])
    is_small = known & (shorter < _SMALL * median_side)
    is_long = known & (np.abs(shape - median_shape) > np.log(_SHAPE))
    found = np.flatnonzero(is_small | is_long)
    if not len(found):
        return None
    width, height = (int(np.median(sizes[known, axis])) for axis in (0, 1))
    return Outcome(
        NAME,
        TITLE,
        "warning",
        f"{count_images(found)} much smaller or of another shape than most, which have about "
        f"{width:,}x{height:,} pixels.",
        "Look whether they are previews, strips or screenshots, and remove those.",
        tuple(
            Finding((i,), "{}x{} pixels".format(*inspection.sizes[i]), float(shorter[i]))
            for i in found[np.argsort(shorter[found], kind="stable")].tolist()
        ),
    )
