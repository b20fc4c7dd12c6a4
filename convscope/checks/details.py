"""Whether two images that look alike from afar agree in their details, as copies do.

Signatures hold the lowest frequencies of a thumbnail. Two ships at the same place on two seas have
nearly the same ones; the frequencies above differ. They are compared by their correlation, of
windows of one image with the whole other one, since one may be cropped.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from convscope.checks.signatures import SIDE, turned, window_cosines

AGREEMENT = 0.8
"""The correlation of details from which two images are copies."""

_LOWEST, _COUNT = 6, 14  # the frequencies that are compared, of SIDE along each side
_SIDES = (0.98, 0.965, 0.95, 0.93, 0.915, 0.9, 0.885)  # of windows, as fractions of the image's
_STEPS = (0.0, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)  # of what is cut off, before a window
_LEAST = 0.5 * SIDE  # of the length of details: half a level of brightness on average, or noise
_BACK = (0, 1, 2, 3, 4, 6, 5, 7)  # the turn that undoes each turn


def details_agree(first: NDArray[np.float32], second: NDArray[np.float32], turn: int) -> bool:
    """Whether the second gray thumbnail (SIDE, SIDE) is a copy of the first, after a turn.

    Images without details agree.
    """
    of_first, of_second = _details(first), _details(second)
    if not of_first.any() or not of_second.any():
        return True
    if (turned(of_first, turn) @ of_second[0]).item() >= AGREEMENT:
        return True
    pairs = ((first, turned(of_second, _BACK[turn])), (second, turned(of_first, turn)))
    return any((_windows(image) @ other[0]).max() >= AGREEMENT for image, other in pairs)


def _details(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, _COUNT · _COUNT) of length 1; zeros where there are none."""
    cosines = _cosines(1.0)[0]
    return _of_details((cosines @ thumbnail @ cosines.T)[None])


def _windows(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    """(windows, _COUNT · _COUNT) the details of every window of a thumbnail."""
    found = np.empty((len(_SIDES), len(_STEPS), len(_STEPS), _COUNT, _COUNT), np.float32)
    for number, side in enumerate(_SIDES):
        cosines = _cosines(side)
        found[number] = (cosines @ thumbnail)[:, None] @ cosines.transpose(0, 2, 1)
    return _of_details(found.reshape(-1, _COUNT, _COUNT))


def _of_details(coefficients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the frequencies that signatures hold, each of length 1."""
    coefficients[:, :_LOWEST, :_LOWEST] = 0
    flat = coefficients.reshape(len(coefficients), -1)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(lengths < _LEAST, 0, flat / np.maximum(lengths, _LEAST))


@cache
def _cosines(side: float) -> NDArray[np.float32]:
    """(steps, _COUNT, SIDE) for the windows of a side; for 1, the only one."""
    steps = (0.0,) if side == 1 else _STEPS
    return np.stack([window_cosines(side, step, _COUNT) for step in steps]).astype(np.float32)
