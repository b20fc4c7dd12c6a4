"""Many answers of one shape in few bytes: their numbers as columns, exact, compressed."""

import math
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import numpy as np

from convscope.words.json_text import to_json

_LEVEL = 6  # 9 takes eight times as long, for 1% less


def pack(answers: Sequence[Any]) -> bytes:
    """Compress JSON values of which many have the same structure.

    Numbers and texts are taken out of the structure, which is written once. The numbers are float64
    in columns, one for each place in the structure, and of these first all lowest bytes, then the
    next ones: equal bytes come together. `static/page_file/unpack.js` reads it.

    Format: deflate of a uint32 (little-endian), the length of the header; the header, JSON with
    `templates` (the structures: 0 for a number, "" for a text), `of` (for each answer its template)
    and `texts`; for each template its bytes.
    """
    templates: dict[str, list[list[float]]] = {}
    texts: dict[str, int] = {}
    of: list[int] = []
    order: dict[str, int] = {}
    for answer in answers:
        numbers: list[float] = []
        template = _take_out(answer, numbers, texts)
        templates.setdefault(template, []).append(numbers)
        of.append(order.setdefault(template, len(order)))
    header = (
        f'{{"templates":[{",".join(templates)}],"of":{to_json(of)},"texts":{to_json([*texts])}}}'
    )
    head = header.encode()
    body = b"".join(map(_columns, templates.values()))
    return deflate(len(head).to_bytes(4, "little") + head + body)


def pack_floats(values: np.ndarray[Any, Any]) -> bytes:
    """Compress float32 values of any shape: all lowest bytes first, then the next ones."""
    data = np.ascontiguousarray(values, "<f4").view(np.uint8).reshape(-1, 4)
    return deflate(data.T.tobytes())


def deflate(data: bytes) -> bytes:
    """Compress bytes as the browser's `DecompressionStream("deflate")` reads them."""
    return zlib.compress(data, _LEVEL)


def _take_out(value: Any, numbers: list[float], texts: dict[str, int]) -> str:
    """A value's structure as JSON, while its numbers and texts are added to the others."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        if not math.isfinite(value):
            return "null"
        numbers.append(value)
        return "0"
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        inside = [f"{_key(key)}:{_take_out(part, numbers, texts)}" for key, part in parts.items()]
        return f"{{{','.join(inside)}}}"
    if isinstance(value, list | tuple):
        inside = [_take_out(part, numbers, texts) for part in cast("Sequence[Any]", value)]
        return f"[{','.join(inside)}]"
    if isinstance(value, str):
        numbers.append(texts.setdefault(value, len(texts)))
        return '""'
    return to_json(value)


@lru_cache(maxsize=256)
def _key(key: str) -> str:
    return to_json(key)


def _columns(rows: list[list[float]]) -> bytes:
    columns = np.ascontiguousarray(np.array(rows, "<f8").T)
    return columns.view(np.uint8).reshape(*columns.shape, 8).transpose(2, 0, 1).tobytes()
