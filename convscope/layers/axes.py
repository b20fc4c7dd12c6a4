"""One number for both axes of a map, or one for each: how a layer is told its window."""

from convscope.errors import RequestError

Both = int | tuple[int, int]


def both(name: str, value: Both, *, least: int = 1) -> tuple[int, int]:
    """Read `value` as (vertical, horizontal).

    Raises RequestError where a number is less than `least`.

        >>> both("stride", 2)
        (2, 2)
    """
    vertical, horizontal = (value, value) if isinstance(value, int) else value
    if min(vertical, horizontal) < least:
        raise RequestError(f"{name} is {value}; it must be {least} or more on both axes.")
    return vertical, horizontal
