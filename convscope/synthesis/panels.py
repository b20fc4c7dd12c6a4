"""A picture with what is written below it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Caption:
    """A title, lines of figures, and a note that is to be read."""

    title: str
    lines: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """Bytes (h, w, c), or None where there is no picture and the caption says why."""

    pixels: NDArray[np.uint8] | None
    caption: Caption
