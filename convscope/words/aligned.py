"""Text in columns, as wide as a terminal shows it."""

from collections.abc import Iterable

from rich.cells import cell_len

from convscope.words.visible import visible


def aligned(cells: Iterable[str], *, right: bool = False) -> list[str]:
    """Cells of a column as visible text, all as wide as the widest; Han signs are two wide.

    >>> aligned(["猫", "cat"]), aligned(["1", "20"], right=True)
    (['猫 ', 'cat'], [' 1', '20'])
    """
    shown = [visible(cell) for cell in cells]
    widths = [cell_len(cell) for cell in shown]
    spaces = [" " * (max(widths) - width) for width in widths]
    return [s + c if right else c + s for c, s in zip(shown, spaces, strict=True)]
