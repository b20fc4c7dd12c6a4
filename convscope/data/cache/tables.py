"""The index of a file of pixels: which images it holds, and what was learned as they were read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from convscope.words.json_text import to_json

_KEY = "V16"  # a digest
FILES = np.dtype(
    [("name", _KEY), ("size", "<i8"), ("modified", "<i8"), ("changed", "<i8"), ("digest", _KEY)]
)
"""Image files: the digest of the name, the status when they were read, that of the content."""
IMAGES = np.dtype(
    [
        ("digest", _KEY), ("pixel_digest", _KEY), ("is_deep", "u1"), ("is_declared", "u1"),
        ("range", "<i8", 2), ("extremes", "<i8", 2), ("note", "<i4"),
        ("window", "<i4"),
    ]
)  # fmt: skip
"""Decoded images, by the digest of the content: what `ImageSurvey` and `pixel_digests` keep."""
PIXELS = np.dtype([("id", _KEY), ("offset", "<i8"), ("shape", "<i4", 3), ("crc", "<u4")])
"""Scaled images, see `pixels_id`: where their bytes begin, (h, w, c), and their CRC-32."""

_DTYPES = {"files": FILES, "images": IMAGES, "pixels": PIXELS}
_DIGEST = 32  # bytes at the end of an index


@dataclass(frozen=True)
class Tables:
    """The rows of an index; `notes` are the texts that images refer to, also of windows, `size`
    the bytes of pixels that belong to it.
    """

    files: NDArray[Any]
    images: NDArray[Any]
    pixels: NDArray[Any]
    notes: tuple[str, ...]
    size: int

    def to_bytes(self) -> bytes:
        """The index as a file, which ends in its own digest."""
        text = to_json({"notes": self.notes, "size": self.size}).encode()
        tensors = {name: _as_bytes(getattr(self, name)) for name in _DTYPES}
        content = save({**tensors, "rest": np.frombuffer(text, np.uint8)})
        return content + _digest(content)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Tables":
        """The tables of a file. Raises ValueError for one that is damaged or cut off."""
        content, digest = content[:-_DIGEST], content[-_DIGEST:]
        if _digest(content) != digest:
            raise ValueError("its digest is another one")
        try:
            tensors = load(content)
            rest = json.loads(tensors["rest"].tobytes())
            rows = {name: _rows(tensors[name], dtype) for name, dtype in _DTYPES.items()}
            tables = cls(**rows, notes=tuple(rest["notes"]), size=int(rest["size"]))
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"it is none of ours: {error}") from error
        ends = tables.pixels["offset"] + tables.pixels["shape"].astype(np.int64).prod(1)
        if (tables.pixels["offset"] < 0).any() or (ends > tables.size).any():
            raise ValueError("it has pixels outside its file")
        return tables


def _as_bytes(rows: NDArray[Any]) -> NDArray[np.uint8]:
    return np.frombuffer(rows.tobytes(), np.uint8)


def _rows(content: NDArray[np.uint8], dtype: "np.dtype[Any]") -> NDArray[Any]:
    return np.frombuffer(content.tobytes(), dtype)


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST).digest()


def table(rows: Sequence[tuple[Any, ...]], dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Rows as an array of one of the types above."""
    return np.array(list(rows), dtype)


def keys_of(column: NDArray[Any]) -> list[bytes]:
    """The digests of a column."""
    raw = np.ascontiguousarray(column).tobytes()
    return [raw[start : start + 16] for start in range(0, len(raw), 16)]


def key_of(name: str) -> bytes:
    """The digest of a file's name."""
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def pixels_id(digest: bytes, *, is_whole: bool, value_range: tuple[int, int] | None) -> bytes:
    """What identifies scaled pixels in a folder.

    Args:
        digest: of the file's content.
        is_whole: whether all of the image is there, for windows to be cut from it.
        value_range: by which an image of more than 8 bits was scaled; None for others.
    """
    kind = f"{'whole' if is_whole else 'fed'} {value_range}".encode()
    return blake2b(digest + kind, digest_size=16).digest()
