"""Occlusion: how much the score falls where a window of the image is covered.

Reference: Zeiler & Fergus, 2014, https://arxiv.org/abs/1311.2901, section 4.2.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from convscope.attribution.raw_map import RawMap, as_values
from convscope.attribution.subject import Subject, batch_size
from convscope.errors import RequestError

_WINDOWS = 8  # windows along the shorter side by default


def window_and_stride(
    size: tuple[int, int], window: int | None, stride: int | None
) -> tuple[int, int]:
    """The window's side and the stride in pixels; by default an eighth of the image, and half that.

    Raises RequestError for a window that is larger than the image, and for gaps.
    """
    side = max(1, round(min(size) / _WINDOWS)) if window is None else window
    step = max(1, side // 2) if stride is None else stride
    if not 1 <= side <= min(size):
        raise RequestError(
            f"`window` is {side} pixels, and the network's input is {size[0]}x{size[1]}; give 1 to "
            f"{min(size)}."
        )
    if not 1 <= step <= side:
        raise RequestError(
            f"`stride` is {step}, and the window {side} pixels; give 1 to {side}, so that every "
            "pixel is covered."
        )
    return side, step


def occlusion(
    subject: Subject,
    baseline: Tensor,
    window: int,
    stride: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> RawMap:
    """The mean fall of the score over the windows that cover a pixel.

    The last windows end at the border, so that every one is whole.
    """
    image = subject.image
    height, width = image.shape[2:]
    places = [
        (top, left)
        for top in starts(height, window, stride)
        for left in starts(width, window, stride)
    ]
    whole = float(subject.target.score(subject.logits(image))[0])
    falls = torch.zeros(height, width, dtype=torch.float64)
    counts = torch.zeros(height, width, dtype=torch.float64)
    per_batch = batch_size(image)
    for first in range(0, len(places), per_batch):
        part = places[first : first + per_batch]
        covered = image.repeat(len(part), 1, 1, 1)
        for each, (top, left) in zip(covered, part, strict=True):
            spot = slice(top, top + window), slice(left, left + window)
            each[:, *spot] = baseline[0][:, *spot]
        scores = cast(
            "list[float]", subject.target.score(subject.logits(covered)).double().tolist()
        )
        for (top, left), score in zip(part, scores, strict=True):
            falls[top : top + window, left : left + window] += whole - score
            counts[top : top + window, left : left + window] += 1
        on_progress(first + len(part), len(places))
    values = falls / counts
    reason = "" if values.any() else "The score is the same whichever window is covered."
    notes = [f"{len(places):,} windows of {window}x{window} pixels, stride {stride}."]
    return RawMap(as_values(values), notes=notes, reason=reason)


def starts(length: int, window: int, stride: int) -> list[int]:
    """Where windows begin along a side; the last one ends with it.

    >>> starts(8, 3, 2)
    [0, 2, 4, 5]
    """
    found = list(range(0, length - window + 1, stride))
    return found if found[-1] == length - window else [*found, length - window]
