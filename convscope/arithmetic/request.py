"""Sizes, windows and paddings as people write them: numbers, tuples, or text such as 32x32x3."""

import re
from collections.abc import Sequence

from convscope.arithmetic.cost import MapPadding, Volume
from convscope.arithmetic.sizes import Padding
from convscope.errors import RequestError

Sides = int | str | Sequence[int]
"""One number for both axes, (vertical, horizontal), or text such as 3x5."""

_LARGEST = 1_000_000  # anything larger is a typing error, and would take minutes


def read_numbers(value: Sides, name: str, *, most: int, example: str) -> tuple[int, ...]:
    """The numbers of 32, (32, 32, 3) or "32x32x3", which may also be written with × or *.

    Raises RequestError, naming `name`.
    """
    text = _as_text(value)
    parts = [part.strip() for part in re.split("[x×*]", text.lower())]
    if len(parts) > most or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise RequestError(f"{name} cannot be {text!r}. Valid forms: {example}.")
    numbers = tuple(map(int, parts))
    if max(numbers) > _LARGEST:
        raise RequestError(f"{name} cannot be {text!r}; numbers go up to {_LARGEST:,}.")
    return numbers


def read_number(value: int | str, name: str) -> int:
    return read_numbers(value, name, most=1, example="3")[0]


def read_volume(value: Sides, name: str = "The size") -> Volume:
    """A volume from height x width x channels; 28x28 has one channel, and 28 is 28x28."""
    numbers = read_numbers(value, name, most=3, example="32x32x3, 28x28 or 28")
    height, width, *channels = numbers * 2 if len(numbers) == 1 else numbers
    return Volume(channels[0] if channels else 1, height, width)


def read_pair(value: Sides, name: str) -> tuple[int, int]:
    """(vertical, horizontal)."""
    example = "3 or 3x5 (vertical x horizontal)"
    numbers = read_numbers(value, name, most=2, example=example)
    return numbers[0], numbers[-1]


def read_padding(value: Sides) -> MapPadding:
    """Padding of both axes: a number, before,after, same or valid for each."""
    text = _as_text(value)
    sides: list[Padding] = [_side(part) for part in re.split("[x×*]", text.lower())]
    if len(sides) > 2:
        raise RequestError(f"`padding` cannot be {text!r}; a map has two axes.")
    return sides[0], sides[-1]


def _as_text(value: Sides) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _side(text: str) -> Padding:
    if text in {"same", "valid"}:
        return "same" if text == "same" else "valid"
    if not re.fullmatch("[0-9]{1,6}(,[0-9]{1,6})?", text):
        raise RequestError(
            f"`padding` cannot contain {text!r}. Valid are a number; before,after such as 0,1; "
            "same; and valid. Separate vertical and horizontal padding by an x if they differ."
        )
    cells = [int(part) for part in text.split(",")]
    return cells[0], cells[-1]
