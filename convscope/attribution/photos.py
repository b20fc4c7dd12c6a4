"""An image as a person has it, as the network gets it, and where the one lies in the other."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from convscope.attribution.interpolation import Floats, bilinear, nearest, positions
from convscope.card import Card
from convscope.data.depth import note_of, size_of, to_bytes
from convscope.data.fit import fit_image
from convscope.data.images import ImageLike, open_image
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.data.unreadable import UnreadableImage
from convscope.errors import RequestError

_LONGEST, _SHORTEST = 560, 320  # pixels of the longer side of the photograph that is shown


@dataclass(frozen=True)
class Axis:
    """How a side of the network's input lies in the photograph: at `start`, `scale` to a pixel."""

    start: float
    scale: float

    def pixels(self, count: int) -> Floats:
        """For the middle of each pixel of the photograph, the position in the input: 0 is the
        middle of its first pixel.
        """
        return positions(count, self.start, self.scale) - 0.5


@dataclass(frozen=True)
class Photo:
    """An image that was handed over.

    Attributes:
        name: of its file; "image 1" where it has none.
        pixels: the image as it was, uint8 (h, w, 3), scaled to be looked at.
        vertical, horizontal: where the network's input lies in it; it may reach outside, where
            images are padded, and leave a border, where they are cropped.
        input: what the network is fed, (1, c, h, w).
        note: what is to be said of it; empty for most.
    """

    name: str
    pixels: NDArray[np.uint8]
    vertical: Axis
    horizontal: Axis
    input: Tensor
    note: str = ""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the network's input in the photograph."""
        height, width = self.input.shape[2:]
        left, top = self.horizontal.start, self.vertical.start
        return left, top, left + width * self.horizontal.scale, top + height * self.vertical.scale

    def place(self, values: Floats, *, is_smooth: bool) -> Floats:
        """A map of the network's input, (h, w), on the photograph; NaN where nothing was seen.

        Between pixels it is interpolated linearly if `is_smooth`, else the nearest counts.
        """
        height, width = self.pixels.shape[:2]
        rows, columns = self.vertical.pixels(height), self.horizontal.pixels(width)
        placed = (bilinear if is_smooth else nearest)(values, rows, columns).copy()
        placed[(rows < -0.5) | (rows > values.shape[0] - 0.5)] = np.nan
        placed[:, (columns < -0.5) | (columns > values.shape[1] - 0.5)] = np.nan
        return placed


def open_photo(image: ImageLike, card: Card, name: str) -> Photo:
    """Read an image and prepare it as the card says; a tensor of fractions is the input itself.

    Raises RequestError for what cannot be read.
    """
    if isinstance(image, Tensor) and image.is_floating_point() and _is_input(image):
        return _of_input(image.detach(), card, name)
    try:
        decoded = open_image(image, card)
        pixels = resize_image(decoded, card)
        upright = to_bytes(open_image(image), card.value_range).convert("RGB")
    except UnreadableImage as error:
        raise RequestError(f"{name} {str(error).rstrip('.')}.") from error
    file_size = size_of(decoded)
    shown = _resized(upright)
    factors = shown.width / upright.width, shown.height / upright.height
    horizontal, vertical = _axes(file_size, card, factors)
    network_input = normalize(torch.tensor(pixels)[None], card, channels_last=False)
    note = note_of(decoded)
    return Photo(
        name,
        np.asarray(shown),
        vertical,
        horizontal,
        network_input,
        f"{name} {note}." if note else "",
    )


def _is_input(image: Tensor) -> bool:
    return image.ndim == 3 or (image.ndim == 4 and len(image) == 1)


def _of_input(image: Tensor, card: Card, name: str) -> Photo:
    """A tensor as it is fed to a network: (c, h, w) or (1, c, h, w)."""
    batch = image if image.ndim == 4 else image[None]
    channels = batch.shape[1]
    values = batch[0].float().cpu()
    note = ""
    if len(card.mean) == channels:
        mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (card.mean, card.std))
        values = values * std + mean
    if values.min() < -0.05 or values.max() > 1.05:
        values = (values - values.min()) / (values.max() - values.min()).clamp_min(1e-12)
        note = "The tensor is shown from its least value, black, to its largest, white."
    shown = values if channels == 3 else values.mean(0, keepdim=True).expand(3, -1, -1)
    rgb = (shown.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    picture = _resized(Image.fromarray(rgb))
    scale_x, scale_y = picture.width / rgb.shape[1], picture.height / rgb.shape[0]
    return Photo(name, np.asarray(picture), Axis(0, scale_y), Axis(0, scale_x), batch, note)


def _axes(
    file_size: tuple[int, int], card: Card, factors: tuple[float, float]
) -> tuple[Axis, Axis]:
    """Where the input lies in the photograph that is shown, which is `factors` times the file."""
    height, width = card.input_size
    if file_size == (width, height) and card.resize_size is None:
        return Axis(0, factors[0]), Axis(0, factors[1])
    fit = fit_image(file_size, card)
    scales, margins = fit.factors, ((width - fit.size[1]) // 2, (height - fit.size[0]) // 2)
    starts = fit.box[0] - margins[0] * scales[0], fit.box[1] - margins[1] * scales[1]
    across, down = (
        Axis(start * factor, scale * factor)
        for start, scale, factor in zip(starts, scales, factors, strict=True)
    )
    return across, down


def _resized(image: Image.Image) -> Image.Image:
    """A copy to be looked at: a small image has whole pixels enlarged, a large one is reduced."""
    longest = max(image.size)
    if longest < _SHORTEST:
        times = max(1, _SHORTEST // longest)
        return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    if longest <= _LONGEST:
        return image
    width, height = (max(1, round(side * _LONGEST / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def name_of(image: object, number: int) -> str:
    """The name of an image in messages and captions."""
    return Path(image).name if isinstance(image, str | PathLike) else f"image {number}"
