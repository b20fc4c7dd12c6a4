"""JSON that every program can read, whatever the names and numbers are."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from convscope.words.escapes import escape_halves, unescape

_CONTROLS = re.compile("[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_NEEDS_CARE = re.compile(r"[\ud800-\udfff]|\\\\u[0-9a-f]{4}")


def to_json(value: object, *, indent: int | None = None) -> str:
    r"""A value as strict JSON: valid Unicode, without control characters, NaN or Infinity.

    A number that is not finite becomes null. A byte of a name that is not UTF-8 becomes `\udce9`:
    see `convscope.words.escapes`, whose `unescape` gives the name back.

    >>> to_json({"loss": float("nan"), "file": "caf\udce9"})
    '{"loss": null, "file": "caf\\\\udce9"}'
    """
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
        is_strict = not _NEEDS_CARE.search(text)
    except ValueError:
        text, is_strict = "", False
    if not is_strict:
        text = json.dumps(_strict(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return _CONTROLS.sub(lambda match: rf"\u{ord(match[0]):04x}", text)


def originals(value: Any) -> Any:
    """What a JSON reader made of the text of `to_json`, with the names as they were."""
    match value:
        case str():
            return unescape(value)
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {unescape(name): originals(item) for name, item in items}
        case list():
            return [originals(item) for item in cast("list[Any]", value)]
        case _:
            return value


def _strict(value: object) -> object:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str():
            return escape_halves(value)
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            return {escape_halves(k) if isinstance(k, str) else k: _strict(v) for k, v in items}
        case list() | tuple():
            return [_strict(item) for item in cast("Sequence[object]", value)]
        case _:
            return value
