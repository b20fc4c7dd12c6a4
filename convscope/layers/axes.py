"""Arguments that are one number for both axes of a map, or one for each."""

from convscope.errors import RequestError

IntPair = int | tuple[int, int]


def pair(name: str, value: IntPair, *, minimum: int = 1) -> tuple[int, int]:
    """Read `value` as (vertical, horizontal).

    Raises RequestError for a number less than `minimum`.

        >>> pair("stride", 2)
        (2, 2)
    """
    vertical, horizontal = (value, value) if isinstance(value, int) else value
    if min(vertical, horizontal) < minimum:
        raise RequestError(f"{name} is {value}; it must be {minimum} or more on both axes.")
    return vertical, horizontal
