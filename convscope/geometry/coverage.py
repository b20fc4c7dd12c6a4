"""Which cells of an input no window reads."""

from collections.abc import Sequence

from convscope.geometry.sizes import Padding, output_size, padding_pair

_LISTED = 6  # indices told before the rest is only counted


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

    They lie at the end where the stride does not fit, between the windows where the stride is
    larger than the kernel, and between the taps where dilation and stride leave gaps.

    Raises RequestError as `output_size` does.

        >>> uncovered(6, 3, stride=2), uncovered(7, 2, stride=3)
        ((5,), (2, 5, 6))
    """
    before, _ = padding_pair(size, kernel, stride=stride, padding=padding, dilation=dilation)
    windows = output_size(
        size, kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    read = _repeated(_repeated(1, kernel, dilation), windows, stride) >> before
    return tuple(cell for cell in range(size) if not read >> cell & 1)


def _repeated(bits: int, count: int, step: int) -> int:
    """A set of cells, one bit for each, `count` times, each time `step` further; by doubling."""
    done = 1
    while done < count:
        more = min(done, count - done)
        bits |= bits << more * step
        done += more
    return bits


def describe_uncovered(
    rows: Sequence[int], columns: Sequence[int], *, height: int, width: int
) -> str:
    """Say in words which rows and columns of a map are never read; "" where all are.

    `rows` and `columns` are what `uncovered` finds along the two axes of a map of `height` and
    `width`. Long lists are cut, and the rest is counted.

        >>> tell_uncovered([5], [5], height=6, width=6)
        'the last row and column are never read'
        >>> tell_uncovered([], [2, 5, 6], height=7, width=7)
        'columns 2, 5 and 6 (counted from 0) are never read'
    """
    placed = [
        (_place(cells, size), f"{name}s" if len(cells) > 1 else name)
        for cells, size, name in ((rows, height, "row"), (columns, width, "column"))
        if cells
    ]
    if not placed:
        return ""
    places, nouns = zip(*placed, strict=True)
    if len(set(places)) == 1:
        told = places[0].format(" and ".join(nouns))
    else:
        told = " and ".join(place.format(noun) for place, noun in placed)
    one = len(rows) + len(columns) == 1
    return f"{told} {'is' if one else 'are'} never read"


def _place(cells: Sequence[int], size: int) -> str:
    """Where the cells are, with a gap for what they are."""
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
