"""The label of an image in an object of JSON, as a sample of a shard has beside its image."""

import json
from collections.abc import Mapping
from typing import Any, cast

from convscope.data.column_names import LABELS, plain
from convscope.data.label_values import several_columns
from convscope.errors import RequestError


def label_in_json(text: str, asked: str, *, name: str) -> Any:
    """The label of the key that was asked for, or of the only one that is usual for labels.

    A text; a list, where the value is one; where several keys were asked for (`N,D,G`), the value
    of each. Raises RequestError, beginning with `name`, for JSON without a label.
    """
    try:
        parsed: Any = json.loads(text)
    except ValueError as error:
        raise RequestError(f"{name} cannot be read ({error}).") from error
    if not isinstance(parsed, Mapping):
        raise RequestError(f"{name} is no object with keys, so it has no label.")
    values = cast("Mapping[str, Any]", parsed)
    keys = [asked] if asked else [key for key in values if plain(key) in LABELS]
    several = several_columns(asked or None, values)
    if (len(keys) != 1 and not several) or not {*(several or keys)} <= values.keys():
        what = f"several labels ({', '.join(keys)})" if len(keys) > 1 else "no label"
        raise RequestError(
            f"{name} has {what}; its keys are {', '.join(values)}. Name one with "
            "`label_column`, or with commas a key of yes and no for each label."
        )
    if several:
        return {key: values[key] for key in several}
    value = values[keys[0]]
    if isinstance(value, list):
        return cast("list[Any]", value)
    if isinstance(value, bool) or not isinstance(value, str | int) or str(value).strip() == "":
        raise RequestError(
            f"{name} has the {keys[0]} {value!r}; the number or the name of one class is "
            "expected, or a list of them."
        )
    return str(value).strip()
