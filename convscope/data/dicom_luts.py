"""Lookup tables of DICOM: of modality, window and palette.

pydicom's own index the tables of 8 bits by bytes, which loses all but the first 256 entries, and
refuse some of 10 to 16 bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.depth import ValueRange, scale_to_bytes
from convscope.data.medical_libraries import library
from convscope.data.unreadable import UnreadableImage

_COLORS = ("Red", "Green", "Blue")


def look_up(header: Any, table: Any, values: NDArray[Any]) -> tuple[NDArray[Any], ValueRange]:
    """The entries of a modality or VOI LUT for some values, and the range of its bits.

    Values before the first that is mapped have the first entry, those behind the last have the
    last. Reference: PS3.3, C.11.1 and C.11.2.
    """
    count, first, bits = _descriptor(table.LUTDescriptor)
    content = table.LUTData
    if isinstance(content, bytes):
        is_bytes = len(content) < 2 * count
        content = np.frombuffer(content, "u1" if is_bytes else f"{_order(header)}u2")
    entries = np.asarray(content).astype(np.int64)[:count]
    return _entries(entries, first, values), (0, (1 << bits) - 1)


def palette_of(header: Any, stored: NDArray[Any]) -> NDArray[np.uint8]:
    """(h, w, 3) of the indices of a palette. Reference: PS3.3, C.7.6.3.1.5 and C.7.6.3.1.6."""
    count, first, bits = _descriptor(header.RedPaletteColorLookupTableDescriptor)
    if "RedPaletteColorLookupTableData" not in header:
        if bits == 8 and count > 256:
            raise UnreadableImage("has a palette of more than 256 entries of 8 bits in segments")
        colors = library("pydicom.pixels").apply_color_lut(stored, header)[..., :3]
        return scale_to_bytes(colors, (0, (1 << bits) - 1))
    channels: list[NDArray[np.uint8]] = []
    for color in _COLORS:
        content = bytes(header[f"{color}PaletteColorLookupTableData"].value)
        kind = f"{_order(header)}u2" if len(content) >= 2 * count else "u1"
        entries = np.frombuffer(content, kind)[:count]
        channels.append(scale_to_bytes(_entries(entries, first, stored), (0, (1 << bits) - 1)))
    return np.stack(channels, -1)


def _descriptor(descriptor: Any) -> tuple[int, int, int]:
    """The number of entries, the first value that is mapped, the bits of an entry."""
    count, first, bits = map(int, descriptor)
    if not 1 <= bits <= 16:
        raise UnreadableImage(f"has a lookup table of {bits} bits, where 8 to 16 are allowed")
    return count or 1 << 16, first, bits


def _entries(entries: NDArray[Any], first: int, values: NDArray[Any]) -> NDArray[Any]:
    if not len(entries):
        raise UnreadableImage("has an empty lookup table")
    whole = np.rint(values).astype(np.int64)
    if first >= 1 << 15 and whole.min() < 0:  # a signed number that was read as unsigned
        first -= 1 << 16
    return entries[np.clip(whole - first, 0, len(entries) - 1)]


def _order(header: Any) -> str:
    syntax = header.file_meta.TransferSyntaxUID
    return "<" if syntax.is_little_endian else ">"
