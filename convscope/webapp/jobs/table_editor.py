"""A network's layer table that is edited in the page: its sizes, and the file that is trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from convscope.arithmetic import Volume
from convscope.errors import RequestError
from convscope.zoo.table_sizes import format_table, size_table

_LARGEST = 4096  # pixels of a side

Cells = Sequence[Mapping[str, str]]

_STARTS = {
    "LeNet-5": (
        (1, 32, 32),
        """conv1 6 5 . . tanh
avgpool1 . 2 2 . .
conv2 16 5 . . tanh
avgpool2 . 2 2 . .
conv3 120 5 . . tanh
fc1 84 . . . tanh
fc2 classes . . . .""",
    ),
    "ConvNetJS, digits": (
        (1, 24, 24),
        """conv1 8 5 1 same relu
maxpool1 . 2 2 . .
conv2 16 5 1 same relu
maxpool2 . 3 3 . .
fc1 classes . . . .""",
    ),
    "ConvNetJS, CIFAR-10": (
        (3, 32, 32),
        """conv1 16 5 1 same relu
maxpool1 . 2 2 . .
conv2 20 5 1 same relu
maxpool2 . 2 2 . .
conv3 20 5 1 same relu
maxpool3 . 2 2 . .
fc1 classes . . . .""",
    ),
    "One dense layer": ((1, 16, 16), "fc1 classes . . . ."),
}
_COLUMNS = ("layer", "filters", "size", "stride", "padding", "activation")


def starts() -> list[dict[str, Any]]:
    """Tables to begin with: their names, inputs and rows, without empty cells."""
    return [
        {
            "name": name,
            "input": [*image],
            "rows": [
                {
                    column: cell
                    for column, cell in zip(_COLUMNS, line.split(), strict=True)
                    if cell != "."
                }
                for line in text.splitlines()
            ],
        }
        for name, (image, text) in _STARTS.items()
    ]


def sizes(rows: Cells, image: Sequence[int], num_classes: int) -> dict[str, Any]:
    """The sizes of a table's rows as the page shows them. Raises RequestError for an input."""
    found = size_table(rows, _volume(image), num_classes=_classes(num_classes))
    return {
        "rows": [
            {
                "shape": None if row.output is None else _shape(row.output),
                "parameters": row.parameters,
                "error": row.error,
            }
            for row in found.rows
        ],
        "parameters": found.parameters,
        "error": found.error,
        "is_right": found.is_right,
    }


def checked_text(rows: Cells, image: Sequence[int], num_classes: int) -> str:
    """The file of a table. Raises RequestError, naming the row, for one that cannot be trained."""
    volume = _volume(image)
    found = size_table(rows, volume, num_classes=_classes(num_classes))
    for number, row in enumerate(found.rows, 1):
        if row.error:
            raise RequestError(f"Row {number} of the network: {row.error}")
    if found.error:
        raise RequestError(f"The network: {found.error}")
    return format_table(rows, volume)


def _shape(volume: Volume) -> list[int]:
    return [volume.channels, volume.height, volume.width]


def _classes(count: int) -> int:
    if not 1 <= count <= 1_000_000:
        raise RequestError("Classes must be a number from 1 to 1,000,000.")
    return count


def _volume(image: Sequence[int]) -> Volume:
    if len(image) != 3 or image[0] not in (1, 3) or not all(0 < n <= _LARGEST for n in image):
        raise RequestError(
            "The input is channels, height and width: 1 or 3 channels, and sides of 1 to "
            f"{_LARGEST:,} pixels."
        )
    return Volume(*image)
