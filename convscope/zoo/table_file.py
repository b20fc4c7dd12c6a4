"""A network as a table in a text file: what the file says, row by row.

    input = "1x32x32"            # channels x height x width; may be left out
    layers = \"\"\"
    layer     filters  size  stride  padding  activation
    conv1           6     5       1     same  tanh
    avgpool1        .     2       2        .  .
    fc1       classes     .       .        .  .
    \"\"\"

The columns are the lecture's, in any order, and `dilation` and `groups` beside them. The file is
TOML; nothing in it is imported or evaluated.
"""

import re
import tomllib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from convscope.errors import RequestError, nearest

Activation = Literal["relu", "tanh", "scaled-tanh", "sigmoid", "gelu", "silu", "leaky-relu", "none"]
Pair = tuple[int, int]

# Of each kind of layer: the columns in which it must say something, and those in which it may.
_WINDOW = "stride padding activation"
_KINDS = {
    "conv": ("filters size", f"{_WINDOW} dilation groups"),
    "local": ("filters size", f"{_WINDOW} dilation groups"),
    "pool": ("size", _WINDOW),
    "maxpool": ("size", _WINDOW),
    "avgpool": ("size", _WINDOW),
    "minpool": ("size", _WINDOW),
    "subsample": ("size", "stride activation"),
    "globalpool": ("", "activation"),
    "bn": ("", "activation"),
    "lrn": ("", "size groups activation"),
    "dropout": ("", "filters"),
    "flatten": ("", ""),
    "fc": ("filters", "activation"),
    "dense": ("filters", "activation"),
}
_COLUMNS = ("layer", "filters", "size", "stride", "padding", "dilation", "groups", "activation")
_KEYS = ("input", "layers")
_LONGEST = 1_000_000  # bytes; a thousand layers are a tenth of it


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer of a table; None and () where its row says nothing.

    `place` names it in errors, `number` counts layers from 1, `rate` is dropout's. What has two
    axes is (vertical, horizontal).
    """

    place: str
    number: int
    name: str
    kind: str
    filters: int | Literal["classes"] | None
    rate: float
    size: Pair | None
    stride: Pair | None
    padding: Pair | Literal["same"]
    dilation: Pair
    groups: int
    activation: Activation


@dataclass(frozen=True)
class Table:
    """What a file says: its path and text, the input where it names one, and the layers."""

    path: str
    text: str
    in_channels: int | None
    input_size: tuple[int, int] | None
    rows: tuple[Row, ...]


def is_table(name: str) -> bool:
    """Whether a network's name is that of a layer table: a file whose name ends in .toml."""
    return name.lower().endswith(".toml")


def read_table(path: str) -> Table:
    """Read a layer table. Raises RequestError, naming file and row, for whatever is wrong in it."""
    text = _read(path)
    try:
        words = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RequestError(f"{path} is not TOML: {error}.") from error
    for word in words:
        if word not in _KEYS:
            raise RequestError(
                f"{path} has a key {word!r}; there are input and layers.{nearest(word, _KEYS)}"
            )
    layers = words.get("layers")
    if not isinstance(layers, str):
        raise RequestError(
            f'{path} has no table of layers: write one as text, layers = """ ... """.'
        )
    channels, size = _input(path, words["input"]) if "input" in words else (None, None)
    return Table(path, text, channels, size, tuple(_rows(path, layers)))


@contextmanager
def told_at(place: str) -> Generator[None]:
    """Put the place before whatever RequestError is raised inside."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{place}: {error}") from error


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_LONGEST + 1)
    except FileNotFoundError as error:
        raise RequestError(
            f"There is no {path}. A network whose name ends in .toml is a layer table in a file."
        ) from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read as a layer table: {error.strerror}.") from error
    if len(content) > _LONGEST:
        raise RequestError(f"{path} is longer than a layer table can be ({_LONGEST:,} bytes).")
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{path} is not UTF-8 text (byte {error.start:,}). Save it as UTF-8."
        ) from error


def _input(path: str, told: object) -> tuple[int, tuple[int, int]]:
    sides = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})[x×](\d{1,6})", str(told).replace(" ", ""))
    channels, height, width = map(int, sides.groups()) if sides else (0, 0, 0)
    if channels not in (1, 3) and width in (1, 3):
        raise RequestError(
            f"{path}: input is {told!r}, with the channels last. Write them first: "
            f'input = "{width}x{channels}x{height}".'
        )
    if channels not in (1, 3) or min(height, width) < 1:
        raise RequestError(
            f'{path}: input is {told!r}; write channels x height x width, such as "3x32x32", with '
            "1 channel for gray and 3 for color."
        )
    return channels, (height, width)


def _rows(path: str, layers: str) -> list[Row]:
    lines = [line.partition("#")[0].split() for line in layers.splitlines()]
    header, *body = [words for words in lines if words] or [[]]
    columns = _header(path, header)
    rows: list[Row] = []
    for number, words in enumerate(body, start=1):
        place = f"{path}, row {number} ({words[0]})"
        with told_at(place):
            if len(words) != len(columns):
                raise RequestError(
                    f"{len(words)} cells stand under {len(columns)} columns "
                    f"({' '.join(columns)}). Write . where nothing applies."
                )
            if words[0] in (row.name for row in rows):
                raise RequestError("a row above has this name too; give each layer its own.")
            told = {
                column: cell for column, cell in zip(columns, words, strict=True) if cell != "."
            }
            rows.append(_row(place, number, words[0], told))
    if not rows:
        raise RequestError(f"{path} has no layers below its row of columns.")
    return rows


def _header(path: str, header: list[str]) -> list[str]:
    columns = [word.lower() for word in header]
    if columns[:1] != ["layer"]:
        raise RequestError(
            f"{path}: the first row of the table must name its columns, as in "
            "`layer filters size stride padding activation`."
        )
    for place, column in enumerate(columns):
        if column not in _COLUMNS:
            hint = nearest(column, _COLUMNS) or f" There are {', '.join(_COLUMNS)}."
            raise RequestError(f"{path}: there is no column {column!r}.{hint}")
        if column in columns[:place]:
            raise RequestError(f"{path}: the column {column!r} stands there twice.")
    return columns


def _row(place: str, number: int, name: str, told: Mapping[str, str]) -> Row:
    kind, cells = _kind(name), {column: cell.lower() for column, cell in told.items()}
    needed, allowed = (columns.split() for columns in _KINDS[kind])
    for column in cells:
        if column not in ("layer", *needed, *allowed):
            raise RequestError(f"{kind} has no {column}; write . there.")
    for column in needed:
        if column not in cells:
            example = {"filters": "their number, or classes", "size": "3, or 3x5"}[column]
            raise RequestError(f"{kind} needs {column}: write {example}.")
    rate = kind == "dropout"
    return Row(
        place=place,
        number=number,
        name=name,
        kind=kind,
        filters=None if rate or "filters" not in cells else _filters(cells["filters"]),
        rate=_rate(cells.get("filters", "0.5")) if rate else 0.0,
        size=_pair("size", cells["size"]) if "size" in cells else None,
        stride=_pair("stride", cells["stride"]) if "stride" in cells else None,
        padding=_padding(cells.get("padding", "0")),
        dilation=_pair("dilation", cells.get("dilation", "1")),
        groups=_pair("groups", cells.get("groups", "1"), axes=1)[0],
        activation=_activation(cells.get("activation", "none")),
    )


def _kind(name: str) -> str:
    """The letters that a layer's name begins with."""
    split = re.fullmatch(r"([a-z]+)([0-9_][a-z0-9_]*)?", name, re.ASCII | re.IGNORECASE)
    if split is None:
        raise RequestError("a layer's name is its kind and a number, such as conv1 or conv3_2.")
    kind = split[1].lower()
    if kind not in _KINDS:
        raise RequestError(f"there is no kind of layer {kind!r}.{_hint(kind, _KINDS)}")
    return kind


def _filters(cell: str) -> int | Literal["classes"]:
    if cell == "classes":
        return cell
    with _told_as("filters", cell, "must be a number of 1 or more, or classes"):
        return _whole(cell, least=1)


def _rate(cell: str) -> float:
    with _told_as("filters", cell, "must be the share that is dropped, such as 0.5"):
        rate = float(cell)
        if not 0 <= rate < 1:
            raise ValueError
        return rate


def _padding(cell: str) -> Pair | Literal["same"]:
    if cell == "same":
        return cell
    return (0, 0) if cell == "valid" else _pair("padding", cell, least=0)


def _pair(column: str, cell: str, *, least: int = 1, axes: int = 2) -> Pair:
    """One number for both axes, or two with an x between: vertical, horizontal."""
    told = f"must be a number of {least} or more{', or two such as 3x5' if axes == 2 else ''}"
    words = " (or same, or valid)" if column == "padding" else ""
    with _told_as(column, cell, told + words):
        sides = [_whole(side, least=least) for side in re.split("[x×]", cell)]
        if len(sides) > axes:
            raise ValueError
        return sides[0], sides[-1]


def _activation(cell: str) -> Activation:
    if cell in get_args(Activation):
        return cast("Activation", cell)
    hint = (
        " The softmax belongs to the loss: write . there."
        if cell == "softmax"
        else _hint(cell, get_args(Activation))
    )
    raise RequestError(f"there is no activation {cell!r}.{hint}")


def _whole(text: str, *, least: int) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < least:
        raise ValueError
    return int(text)


@contextmanager
def _told_as(column: str, cell: str, told: str) -> Generator[None]:
    try:
        yield
    except ValueError as error:
        raise RequestError(f"{column} is {cell!r}; it {told}.") from error


def _hint(word: str, known: Iterable[str]) -> str:
    return nearest(word, known) or f" There are {', '.join(known)}."
