"""Read a network from a table of layers in a text file.

    input = "1x32x32"            # channels x height x width; optional
    layers = \"\"\"
    layer     filters  size  stride  padding  activation
    conv1           6     5       1     same  tanh
    avgpool1        .     2       2        .  .
    fc1       classes     .       .        .  .
    \"\"\"

The columns are the lecture's, in any order, with `dilation` and `groups` in addition. The file is
TOML; nothing in it is imported or evaluated. A table [pruned] says which layers are narrower than
that; then `model` may name a network in place of the layers, see `narrowed`.
"""

import re
import tomllib
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from convscope.errors import RequestError, nearest
from convscope.foreign import ARCHITECTURES
from convscope.regular_files import open_regular
from convscope.strict import shown
from convscope.zoo.narrowed import Sizes, Widths

Activation = Literal["relu", "tanh", "scaled-tanh", "sigmoid", "gelu", "silu", "leaky-relu", "none"]
Pair = tuple[int, int]

# The required and the optional columns of each kind of layer.
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
COLUMNS = ("layer", "filters", "size", "stride", "padding", "dilation", "groups", "activation")
_KEYS = ("input", "layers", "model", "pruned")
_MAX_CELL = 100
_MAX_BYTES = 1_000_000  # ten times the size of a table with a thousand layers
_MAX_JSON = 100_000_000  # bytes, of the architecture of another library
_STARTS = tuple(f"{kind} = ".encode() for kind in ARCHITECTURES)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One layer of a table; None where its row has no value.

    `location` names the row in errors, `number` counts rows from 1, and `dropout` is the
    probability of a dropout layer. Pairs are (vertical, horizontal).
    """

    location: str
    number: int
    name: str
    kind: str
    filters: int | Literal["classes"] | None
    dropout: float
    size: Pair | None
    stride: Pair | None
    padding: Pair | Literal["same"]
    dilation: Pair
    groups: int
    activation: Activation


@dataclass(frozen=True)
class Table:
    """The contents of a file: its path, its text, the input if it names one, and the layers.

    `model` names the network in place of layers, `pruned` what is narrower in either. `foreign` is
    the architecture of another library: its kind, and its JSON.
    """

    path: str
    text: str
    in_channels: int | None
    input_size: tuple[int, int] | None
    rows: tuple[Row, ...]
    model: str | None = None
    pruned: Widths = field(default_factory=dict[str, Sizes])
    foreign: tuple[str, object] | None = None


def is_table(name: str) -> bool:
    """Tell whether a network's name is the path of a layer table: it ends in .toml."""
    return name.lower().endswith(".toml")


def read_table(path: str) -> Table:
    """Read a layer table. Raises RequestError, naming file and row, for any error in it."""
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} is not TOML: {error}.") from error
    if len(data) == 1 and (kind := next(iter(data))) in ARCHITECTURES:
        return Table(path, text, None, None, (), foreign=(kind, data[kind]))
    for key in data:
        if key not in _KEYS:
            raise RequestError(
                f"{path} has a key {shown(key)}; the keys are input and layers."
                f"{nearest(key, _KEYS)}"
            )
    if "model" in data:
        return _pruned_network(path, text, data)
    layers = data.get("layers")
    if not isinstance(layers, str):
        raise RequestError(
            f'{path} has no table of layers: write one as text, layers = """ ... """.'
        )
    channels, size = _input(path, data["input"]) if "input" in data else (None, None)
    rows, pruned = tuple(_rows(path, layers)), _widths(path, data.get("pruned", {}))
    return Table(path, text, channels, size, rows, pruned=pruned)


def read_widths(path: str) -> Widths:
    """What is left of each layer, from a file that has a table [pruned] and nothing else.

    A run of a network of somebody's own code has such a file, where it was pruned. Raises
    RequestError for another one.
    """
    try:
        data = tomllib.loads(_read(path))
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} is not TOML: {error}.") from error
    if set(data) != {"pruned"}:
        raise RequestError(
            f"{path} must have a table [pruned] alone, since the network is of code of its own."
        )
    return _widths(path, data["pruned"])


def _pruned_network(path: str, text: str, data: Mapping[str, object]) -> Table:
    """A file that names a network and says which of its layers are narrower."""
    model = data["model"]
    if set(data) != {"pruned", "model"} or not isinstance(model, str):
        raise RequestError(
            f'{path} names a network: model = "resnet18" goes with a table [pruned] alone, which '
            "says what is left of its layers."
        )
    if is_table(model) or (":" in model and not model.startswith(_LIBRARIES)):
        raise RequestError(
            f"{path} is a pruned {shown(model)}; it must be a name of the zoo, timm:NAME or "
            "torchvision:NAME, for a table runs no code."
        )
    return Table(path, text, None, None, (), model, _widths(path, data["pruned"]))


_LIBRARIES = ("timm:", "torchvision:")


def _widths(path: str, value: object) -> Widths:
    layers = cast("Mapping[str, object]", value) if isinstance(value, dict) else None
    if layers is None or not all(isinstance(sizes, dict) for sizes in layers.values()):
        raise RequestError(
            f"{path}: [pruned] has a line for each layer, such as conv1 = {{out_channels = 12}}."
        )
    return cast("Widths", layers)


@contextmanager
def errors_at(location: str) -> Generator[None]:
    """Prefix the message of any RequestError raised inside with a location."""
    try:
        yield
    except RequestError as error:
        raise RequestError(f"{location}: {error}") from error


def _read(path: str) -> str:
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_BYTES + 1)
            if content.startswith(_STARTS):
                content += file.read(_MAX_JSON)
    except FileNotFoundError as error:
        raise RequestError(
            f"There is no file {path}. A model name ending in .toml is the path of a layer table."
        ) from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read as a layer table: {error.strerror}.") from error
    if len(content) > (_MAX_JSON if content.startswith(_STARTS) else _MAX_BYTES):
        raise RequestError(
            f"{path} is too long for a layer table (more than {_MAX_BYTES:,} bytes)."
        )
    try:
        return content.decode("utf-8-sig")  # some editors start files with a byte order mark
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{path} is not UTF-8 text (byte {error.start:,}). Save it as UTF-8."
        ) from error


def _input(path: str, value: object) -> tuple[int, tuple[int, int]]:
    sides = re.fullmatch(r"(\d{1,6})[x×](\d{1,6})[x×](\d{1,6})", str(value).replace(" ", ""))
    channels, height, width = map(int, sides.groups()) if sides else (0, 0, 0)
    if channels not in (1, 3) and width in (1, 3):
        raise RequestError(
            f"{path}: input is {shown(value)}, with the channels last. Write them first: "
            f'input = "{width}x{channels}x{height}".'
        )
    if channels not in (1, 3) or min(height, width) < 1:
        raise RequestError(
            f'{path}: input is {shown(value)}; write channels x height x width, such as "3x32x32", '
            "with 1 channel for gray and 3 for color."
        )
    return channels, (height, width)


def _rows(path: str, layers: str) -> list[Row]:
    lines = [line.partition("#")[0].split() for line in layers.splitlines()]
    header, *body = [cells for cells in lines if cells] or [[]]
    columns = _header(path, header)
    rows: list[Row] = []
    for number, cells in enumerate(body, start=1):
        if max(map(len, cells)) > _MAX_CELL:
            raise RequestError(f"{path}, row {number} has a cell of more than {_MAX_CELL} letters.")
        location = f"{path}, row {number} ({cells[0]})"
        with errors_at(location):
            if len(cells) != len(columns):
                raise RequestError(
                    f"it has {len(cells)} cells for {len(columns)} columns "
                    f"({' '.join(columns)}). Write . in empty cells."
                )
            if cells[0] in (row.name for row in rows):
                raise RequestError("an earlier row has the same name; give each layer its own.")
            texts = {
                column: cell for column, cell in zip(columns, cells, strict=True) if cell != "."
            }
            rows.append(parse_row(location, number, cells[0], texts))
    if not rows:
        raise RequestError(f"{path} has no layers below its column names.")
    return rows


def _header(path: str, header: list[str]) -> list[str]:
    columns = [name.lower()[:_MAX_CELL] for name in header]
    if columns[:1] != ["layer"]:
        raise RequestError(
            f"{path}: the first row of the table must name its columns, as in "
            "`layer filters size stride padding activation`."
        )
    for index, column in enumerate(columns):
        if column not in COLUMNS:
            hint = _hint(column, COLUMNS)
            raise RequestError(f"{path}: there is no column {column!r}.{hint}")
        if column in columns[:index]:
            raise RequestError(f"{path}: the column {column!r} appears twice.")
    return columns


def parse_row(location: str, number: int, name: str, texts: Mapping[str, str]) -> Row:
    kind, cells = _kind(name), {column: cell.lower() for column, cell in texts.items()}
    needed, allowed = (columns.split() for columns in _KINDS[kind])
    for column in cells:
        if column not in ("layer", *needed, *allowed):
            raise RequestError(f"{kind} takes no {column}; write . there.")
    for column in needed:
        if column not in cells:
            example = {"filters": "a number, or classes", "size": "3, or 3x5"}[column]
            raise RequestError(f"{kind} needs {column}: write {example}.")
    is_dropout = kind == "dropout"
    return Row(
        location=location,
        number=number,
        name=name,
        kind=kind,
        filters=None if is_dropout or "filters" not in cells else _filters(cells["filters"]),
        dropout=_probability(cells.get("filters", "0.5")) if is_dropout else 0.0,
        size=_pair("size", cells["size"]) if "size" in cells else None,
        stride=_pair("stride", cells["stride"]) if "stride" in cells else None,
        padding=_padding(cells.get("padding", "0")),
        dilation=_pair("dilation", cells.get("dilation", "1")),
        groups=_pair("groups", cells.get("groups", "1"), axes=1)[0],
        activation=_activation(cells.get("activation", "none")),
    )


def _kind(name: str) -> str:
    """Read the letters at the start of a layer's name."""
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
    with _cell_errors("filters", cell, "must be a whole number from 1 to 999,999, or classes"):
        return _integer(cell, minimum=1)


def _probability(cell: str) -> float:
    with _cell_errors("filters", cell, "must be the probability of a drop, such as 0.5"):
        probability = float(cell)
        if not 0 <= probability < 1:
            raise ValueError
        return probability


def _padding(cell: str) -> Pair | Literal["same"]:
    if cell == "same":
        return cell
    return (0, 0) if cell == "valid" else _pair("padding", cell, minimum=0)


def _pair(column: str, cell: str, *, minimum: int = 1, axes: int = 2) -> Pair:
    """One number for both axes, or two with an x between: vertical, horizontal."""
    two = ", or two such as 3x5" if axes == 2 else ""
    rule = f"must be a whole number from {minimum} to 999,999{two}"
    more = " (or same, or valid)" if column == "padding" else ""
    with _cell_errors(column, cell, rule + more):
        sides = [_integer(side, minimum=minimum) for side in re.split("[x×]", cell)]
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


def _integer(text: str, *, minimum: int) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < minimum:
        raise ValueError
    return int(text)


@contextmanager
def _cell_errors(column: str, cell: str, rule: str) -> Generator[None]:
    try:
        yield
    except ValueError as error:
        raise RequestError(f"{column} is {cell!r}; it {rule}.") from error


def _hint(name: str, known: Iterable[str]) -> str:
    return nearest(name, known) or f" Known: {', '.join(known)}."
