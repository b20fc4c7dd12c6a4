"""Windows of DICOM: which values of a monochrome image become black and white."""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RequestError

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """A center c and a width w, in units of the values after rescaling, as DICOM defines them.

    - LINEAR: (x - (c - 0.5)) / (w - 1) + 0.5, within 0..1;
    - LINEAR_EXACT: (x - c) / w + 0.5, within 0..1;
    - SIGMOID: 1 / (1 + exp(-4 (x - c) / w)).

    Reference: PS3.3, C.11.2.1.2 and C.11.2.1.3.
    """

    center: float
    width: float
    function: Function = "LINEAR"

    @property
    def is_valid(self) -> bool:
        """Whether the width is one that the function allows."""
        is_finite = math.isfinite(self.center) and math.isfinite(self.width)
        return is_finite and self.width >= 1 if self.function == "LINEAR" else self.width > 0

    def __str__(self) -> str:
        return f"{self.center:g}/{self.width:g}"

    def to_bytes(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """round(255 · y) of values of any type and shape."""
        centered = values.astype(np.float64) - self.center
        if self.function == "SIGMOID":
            shares = 1 / (1 + np.exp(np.clip(-4 * centered / self.width, -700, 700)))
        elif self.function == "LINEAR_EXACT":
            shares = centered / self.width + 0.5
        elif self.width == 1:
            shares = (centered > -0.5).astype(np.float64)
        else:
            shares = (centered + 0.5) / (self.width - 1) + 0.5
        return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)


_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"


def parse_window(text: str) -> tuple[float, float]:
    """The center and the width of "40/400". Raises RequestError for any other text.

    >>> parse_window("40/400"), parse_window("-600/1500")
    ((40.0, 400.0), (-600.0, 1500.0))
    """
    match = re.fullmatch(rf"\s*({_NUMBER})\s*/\s*({_NUMBER})\s*", text)
    window = Window(float(match[1]), float(match[2])) if match else None
    if window is None or not window.is_valid:
        raise RequestError(
            f"`window={text!r}` is not a window. Write its center and its width, at least 1: "
            "40/400 for soft tissue in CT, -600/1500 for lungs."
        )
    return window.center, window.width
