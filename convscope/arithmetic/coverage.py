"""Input cells that no window reads."""

from collections.abc import Sequence

from convscope.arithmetic.sizes import Padding, output_size, padding_pair

_LISTED = 6  # indices listed; the rest is only counted


def uncovered(
    size: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> tuple[int, ...]:
    """List the input cells along one axis, counted from 0, that no window reads.

    They are at the end if the stride does not divide evenly, between windows if the stride is
    larger than the kernel, and between taps if dilation and stride leave gaps.

    Raises RequestError as `output_size` does.

        >>> uncovered(6, 3, stride=2), uncovered(7, 2, stride=3)
        ((5,), (2, 5, 6))
    """
    before, _ = padding_pair(size, kernel, stride=stride, padding=padding, dilation=dilation)
    windows = output_size(
        size, kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    read = _repeat(_repeat(1, kernel, dilation), windows, stride) >> before
    return tuple(cell for cell in range(size) if not read >> cell & 1)


def _repeat(bits: int, count: int, step: int) -> int:
    """Unite `count` copies of a set of cells (its bits), `step` cells apart, by doubling."""
    done = 1
    while done < count:
        more = min(done, count - done)
        bits |= bits << more * step
        done += more
    return bits


def describe_uncovered(
    rows: Sequence[int], columns: Sequence[int], *, height: int, width: int
) -> str:
    """Describe which rows and columns of a map are never read; "" if all are read.

    `rows` and `columns` are the results of `uncovered` for the axes of a map of `height` and
    `width`. Long lists are shortened to a count.

        >>> describe_uncovered([5], [5], height=6, width=6)
        'the last row and column are never read'
        >>> describe_uncovered([], [2, 5, 6], height=7, width=7)
        'columns 2, 5 and 6 (counted from 0) are never read'
    """
    parts = [
        (_location(cells, size), f"{name}s" if len(cells) > 1 else name)
        for cells, size, name in ((rows, height, "row"), (columns, width, "column"))
        if cells
    ]
    if not parts:
        return ""
    locations, nouns = zip(*parts, strict=True)
    if len(set(locations)) == 1:
        text = locations[0].format(" and ".join(nouns))
    else:
        text = " and ".join(location.format(noun) for location, noun in parts)
    return f"{text} {'is' if len(rows) + len(columns) == 1 else 'are'} never read"


def _location(cells: Sequence[int], size: int) -> str:
    """Say where the cells are, with a placeholder for the noun."""
    count = len(cells)
    number = f"{count} " if count > 1 else ""
    if cells[0] == size - count:
        return f"the last {number}{{}}"
    if cells[-1] == count - 1:
        return f"the first {number}{{}}"
    shown = [str(cell) for cell in cells[:_LISTED]]
    last = f"{count - _LISTED:,} more" if count > _LISTED else shown.pop()
    listed = f"{', '.join(shown)} and {last}" if shown else last
    return f"{{}} {listed} (counted from 0)"
