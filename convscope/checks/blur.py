"""Blurred images: the variance of the Laplacian is far below what is usual in the data set.

Pech-Pacheco et al., 2000, "Diatom autofocusing in brightfield microscopy". It is divided by the
variance of the gray values, so that contrast does not count, and compared by its logarithm.
"""

import numpy as np

from convscope.checks.exposure import is_blank
from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.checks.robust import robust_scores
from convscope.data.duplicates import count_images

NAME, TITLE = "blurred", "Blurred images"
_FAR = 3.5  # robust standard deviations below the median
_LEAST = 0.3  # of the logarithm's standard deviation


def find_blurred(inspection: Inspection) -> Outcome | None:
    known = inspection.readable & ~is_blank(inspection) & (inspection.sharpness > 0)
    logarithms = np.log(np.maximum(inspection.sharpness, 1e-9))
    scores = robust_scores(logarithms, known, least=_LEAST)
    found = np.flatnonzero(scores < -_FAR)
    if not len(found):
        return None
    usual = float(np.median(inspection.sharpness[known]))
    return Outcome(
        NAME,
        TITLE,
        "warning",
        f"{count_images(found)} far less sharp than the others.",
        "Look at them: they may be out of focus, or shaken, or enlarged from small ones.",
        tuple(
            Finding(
                (i,),
                f"sharpness {inspection.sharpness[i] / usual:.1%} of the median",
                float(inspection.sharpness[i]),
            )
            for i in found[np.argsort(scores[found], kind="stable")].tolist()
        ),
    )
