"""Scale a box of an image to another size.

Two implementations, which differ by at most 1 of 255 in photographs and 2 in noise where both scale
by less than 6: Pillow, and PyTorch, whose bilinear kernel for bytes takes a quarter of the time.
From 6 on Pillow averages blocks of pixels first, which is faster than either kernel.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.card import Interpolation
from convscope.data.fit import Fit

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
GAP = 3.0
"""Times the final size to which Pillow averages blocks before it interpolates."""
BLOCKS = 2 * GAP  # the factor from which it does


def by_pillow(image: Image.Image, fit: Fit, interpolation: Interpolation) -> NDArray[np.uint8]:
    """Scale the box to (h, w) or (h, w, 3). A box may begin within a pixel."""
    height, width = fit.size
    scaled = image.resize((width, height), _RESAMPLING[interpolation], fit.box, reducing_gap=GAP)
    return np.asarray(scaled, dtype=np.uint8)


def by_torch(image: Image.Image | NDArray[np.uint8], fit: Fit) -> NDArray[np.uint8]:
    """Scale the box, of whole pixels, bilinearly to (h, w) or (h, w, 3)."""
    import torch  # noqa: PLC0415 -- exported networks answer without it
    from torch.nn.functional import interpolate  # noqa: PLC0415

    left, top, right, bottom = map(int, fit.box)
    is_array = isinstance(image, np.ndarray)
    cut = image[top:bottom, left:right] if is_array else image.crop((left, top, right, bottom))
    pixels = np.require(cut, requirements=["C", "W"])  # no copy of a whole image
    # A batch of one before the permutation: its strides are then those of channels_last, which the
    # kernel takes as they are.
    planes = torch.from_numpy(pixels)[None].view(1, *pixels.shape[:2], -1).permute(0, 3, 1, 2)
    scaled = interpolate(planes, fit.size, mode="bilinear", antialias=True)
    return scaled.permute(0, 2, 3, 1).reshape(*fit.size, *pixels.shape[2:]).numpy()


def box_by_pillow(image: Image.Image | NDArray[np.uint8], fit: Fit) -> NDArray[np.uint8]:
    """What `by_torch` returns, to rounding: pixels outside the box have no part in it."""
    left, top, right, bottom = map(int, fit.box)
    if isinstance(image, np.ndarray):
        box = Image.fromarray(image[top:bottom, left:right])
    else:
        box = image.crop((left, top, right, bottom))
    inside = Fit((0.0, 0.0, float(right - left), float(bottom - top)), fit.size)
    return by_pillow(box, inside, "bilinear")


def suits_torch(fit: Fit, interpolation: Interpolation) -> bool:
    """Whether `by_torch` gives what Pillow would, but for rounding, if the box has whole pixels."""
    return interpolation == "bilinear" and max(fit.factors) < BLOCKS
