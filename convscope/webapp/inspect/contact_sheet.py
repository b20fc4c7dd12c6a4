"""A contact sheet: activation maps of some convolutions, from edges to parts, as in the lecture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.features.colors import color_scale, colorize
from convscope.features.ranking import mean_magnitude
from convscope.features.sheets.output import to_png
from convscope.features.sheets.sheet import Row, Scale, Section, Sheet, Tile
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.maps import volume_of

_CONVOLUTIONS = 5  # of a sheet


def over_depth(count: int) -> list[int]:
    """All of so many convolutions, counted from 1, or five from the first to the last.

    >>> over_depth(3), over_depth(13)
    ([1, 2, 3], [1, 4, 7, 10, 13])
    """
    shown = min(count, _CONVOLUTIONS)
    return [int(number) for number in np.linspace(1, count, shown).round()]


def contact_sheet(
    recording: Recording,
    rows: Sequence[GraphRow],
    pixels: NDArray[np.uint8],
    *,
    convolutions: Sequence[int] | None = None,
    maps: int = 8,
) -> bytes:
    """A PNG: the image, and below it the strongest maps of each of the convolutions.

    Without `convolutions` they are those of `over_depth`.
    Each row of maps has one color scale, orange below zero and blue above. Convolutions that the
    network does not have are left out. Raises RequestError if it has none of them.
    """
    layers = [row for row in rows if row.op == "conv" and row.shape[1] > 1]
    numbers = over_depth(len(layers)) if convolutions is None else convolutions
    chosen = [(n, layers[n - 1]) for n in numbers if 1 <= n <= len(layers)]
    if not chosen:
        raise RequestError("This network has none of the requested convolutions.")
    image = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    size = f"{pixels.shape[0]}x{pixels.shape[1]}"
    sections = [Section("Image", (Row((Tile(image, "image", (size,)),)),))]
    sections += [_section(number, row, recording, maps) for number, row in chosen]
    lines = ("Maps are ranked by mean magnitude.",)
    return to_png(Sheet("Activation maps", lines, tuple(sections), tile=128, columns=maps))


def _section(number: int, row: GraphRow, recording: Recording, maps: int) -> Section:
    count, height, width = row.shape
    volume = volume_of(recording, row)
    peak = float(np.nan_to_num(np.abs(volume)).max()) or 1.0
    tiles = tuple(
        Tile(
            colorize(volume[c] / peak),
            f"map {c}",
            (f"largest {volume[c].max():.3g}", f"mean {volume[c].mean():.3g}"),
        )
        for c in np.argsort(-mean_magnitude(volume))[:maps]
    )
    low = -1.0 if (volume < 0).any() else 0.0
    scale = Scale(
        color_scale(low, 1.0),
        f"{low * peak:.3g}",
        f"{peak:.3g}",
        "white is 0; the largest magnitude of all maps of the layer is darkest",
    )
    title = f"Convolution {number}: {row.name}"
    return Section(title, (Row(tiles),), f"{count} maps of {height}x{width}", scale)
