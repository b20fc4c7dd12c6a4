"""Damage to files: in their tree of keys and values, in their bytes.

A file is parsed to a tree, one to three of its nodes are changed, and it is written again, so that
the damage lies in what a file says and not only in how it is spelled. Every mutation follows from
its seed.
"""

import contextlib
import copy
import csv
import io
import json
import random
import struct
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import torch

from convscope.runs.tensor_file import load_tensors, pack_tensors

DEEP = 2000  # levels of nesting: more than Python's parsers can follow


class Raw(str):
    """A value as it is to be spelled."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object of keys and values, in which a key may come twice."""


_TEXTS = (
    *("", " ", "x", "1", "-1", "true", "none", "3x3x3", "../..", "a" * 100_000, "naïve ✓"),
    *("٣", "²", "\x1b[31mred", "\x00", "\u202e", "\n", "\r\n", "=1+1", "\ufeff", "1e999"),
)
ATOMS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 5, 7, -1, 255, 256, 100_001, 10**9, 2**63, 10**30, 10**400),
    *(0.0, -0.0, 0.5, 1.0, 2.0, 1e-320, 1e-30, 1e300, -1e300, 1e-9, 1e39),
    *map(Raw, ("NaN", "nan", "Infinity", "inf", "-inf", "1e999", "9" * 5000, "1979-05-27")),
    *_TEXTS,
    *([], Pairs(), [[]], [None], Pairs([("x", 1)]), [1] * 1000),
    *(Raw("[" * DEEP + "]" * DEEP), Raw('{"a":' * DEEP + "1" + "}" * DEEP)),
    *(Raw("{a=" * 300 + "1" + "}" * 300), Raw('"\\ud800"')),
)


def tree_of(value: object) -> Any:
    """A value as JSON or TOML reads it, as a tree that can be changed."""
    if isinstance(value, dict):
        return Pairs((key, tree_of(item)) for key, item in value.items())
    return [tree_of(item) for item in value] if isinstance(value, list) else value


def _nodes(tree: Any) -> list[tuple[Any, int]]:
    """Every place in a tree: its container, and its index there."""
    if not isinstance(tree, list):
        return []
    inner = [item[1] for item in tree] if isinstance(tree, Pairs) else tree
    here = [(tree, index) for index in range(len(tree))]
    return here + [place for item in inner for place in _nodes(item)]


def _get(container: Any, index: int) -> Any:
    return container[index][1] if isinstance(container, Pairs) else container[index]


def _set(container: Any, index: int, value: Any) -> None:
    container[index] = (container[index][0], value) if isinstance(container, Pairs) else value


def changed_tree(tree: Any, rng: random.Random) -> Any:
    """A copy of a tree with one to three changes."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _nodes(tree)
        if not places:
            return copy.deepcopy(rng.choice(ATOMS))
        container, index = rng.choice(places)
        match rng.randrange(12):
            case 0:
                del container[index]
            case 1:
                container.insert(index, copy.deepcopy(container[index]))
            case 2:
                other, at = rng.choice(places)
                if at < len(other):
                    value = copy.deepcopy(_get(other, at))
                    _set(container, index, value)
            case 3 if isinstance(container, Pairs):
                key = rng.choice(("", "x", "version", "٣", "\x1b", container[index][0] * 2))
                container[index] = (key, container[index][1])
            case 4:
                _set(container, index, [_get(container, index)])
            case 5:
                _set(container, index, _other_form(_get(container, index)))
            case _:
                _set(container, index, copy.deepcopy(rng.choice(ATOMS)))
    return tree


def _other_form(value: Any) -> Any:  # noqa: PLR0911 -- one for each type
    """The same value in a form that a careless reader takes for it."""
    match value:
        case bool():
            return int(value)
        case int():
            return float(value) if abs(value) < 2**53 else str(value)
        case float():
            return str(value)
        case str():
            return [*value[:20]]
        case Pairs():
            return [[key, item] for key, item in value]
        case list():
            return "".join(item for item in value if isinstance(item, str)) or Pairs(
                (str(index), item) for index, item in enumerate(value)
            )
        case _:
            return "null"


def to_json(tree: Any) -> str:
    """A tree as JSON, or as what passes for it."""
    match tree:
        case Raw():
            return str(tree)
        case Pairs():
            return "{" + ", ".join(f"{json.dumps(k)}: {to_json(v)}" for k, v in tree) + "}"
        case list():
            return "[" + ", ".join(map(to_json, tree)) + "]"
        case _:
            return json.dumps(tree)


def to_toml(tree: Any) -> str:
    """A tree as TOML, or as what passes for it."""
    if not isinstance(tree, Pairs):
        return _toml_value(tree)
    lines = [
        f"{_toml_key(key)} = {_toml_value(value)}"
        for key, value in tree
        if not isinstance(value, Pairs)
    ]
    for key, value in tree:
        if isinstance(value, Pairs):
            lines += [f"[{_toml_key(key)}]"]
            lines += [f"{_toml_key(name)} = {_toml_value(inner)}" for name, inner in value]
    return "\n".join(lines) + "\n"


def _toml_key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False)


def _toml_value(tree: Any) -> str:  # noqa: PLR0911 -- one for each type
    match tree:
        case Raw():
            return str(tree)
        case Pairs():
            inside = ", ".join(f"{_toml_key(key)} = {_toml_value(value)}" for key, value in tree)
            return "{" + inside + "}"
        case list():
            return "[" + ", ".join(map(_toml_value, tree)) + "]"
        case None:
            return "null"
        case float():
            return repr(tree) if "." in repr(tree) else repr(tree).replace("e", ".0e")
        case str():
            return json.dumps(tree, ensure_ascii=False)
        case _:
            return json.dumps(tree)


def json_text(data: bytes, rng: random.Random) -> bytes:
    return to_json(changed_tree(tree_of(json.loads(data)), rng)).encode()


def json_lines(data: bytes, rng: random.Random) -> bytes:
    """A file with a JSON value on each line."""
    lines = data.decode().splitlines()
    tree = changed_tree([tree_of(json.loads(line)) for line in lines], rng)
    return b"".join(json_text_of(line) + b"\n" for line in (tree if isinstance(tree, list) else []))


def json_text_of(tree: Any) -> bytes:
    return to_json(tree).encode()


def toml_text(data: bytes, rng: random.Random) -> bytes:
    return to_toml(changed_tree(tree_of(tomllib.loads(data.decode())), rng)).encode()


def layer_table(data: bytes, rng: random.Random) -> bytes:
    """A table of layers: its cells, or the file around it."""
    content = tomllib.loads(data.decode())
    if rng.random() < 0.2:
        return toml_text(data, rng)
    rows = [line.split() for line in content["layers"].splitlines() if line.split()]
    for _ in range(rng.choice((1, 1, 2, 3))):
        row = rng.choice(rows)
        if not row:
            continue
        index = rng.randrange(len(row))
        match rng.randrange(8):
            case 0:
                del row[index]
            case 1:
                rows.insert(rng.randrange(len(rows)), list(row))
            case 2:
                row.insert(index, row[index])
            case 3:
                other = rng.choice(rows)
                row[index] = rng.choice(other or ["."])
            case _:
                row[index] = rng.choice(_CELLS)
    body = "\n".join(" ".join(row) for row in rows)
    return f"input = {json.dumps(content['input'])}\nlayers = '''\n{body}\n'''\n".encode()


_CELLS = (
    *(".", "0", "1", "2", "3", "64", "999999", "1000000", "1000000000", "9" * 5000, "-1", "1.5"),
    *("1e3", "nan", "inf", "٣", "²", "x", "3x", "x3", "3x3x3", "3x5", "999999x999999", "same"),
    *("valid", "classes", "relu", "softmax", "conv1", "fc9", "pool", "dropout", "bn", "flatten"),
    *("lrn", "local7", "globalpool", "minpool", "subsample", "a" * 10_000, "\x1b[31m", "#", "="),
)


def csv_rows(data: bytes, rng: random.Random) -> bytes:
    """A table with a header."""
    rows = [*csv.reader(io.StringIO(data.decode(), newline=""))]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(rows)) if rows else 0
        if not rows or not rows[at]:
            continue
        row = rows[at]
        cell = rng.randrange(len(row))
        match rng.randrange(9):
            case 0:
                del rows[at]
            case 1:
                rows.insert(at, list(row))
            case 2:
                del row[cell]
            case 3:
                row.insert(cell, row[cell])
            case 4:
                row[:] = row[::-1]
            case 5:
                other = rng.choice(rows)
                row[cell] = rng.choice(other or [""])
            case 6:
                rows[at] = []
            case _:
                row[cell] = str(rng.choice((*_TEXTS, "Train", "holdout", "test ", "0", "a\nb")))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def safetensors_header(data: bytes, rng: random.Random) -> bytes:
    """The header of a file of tensors: names, shapes, offsets, metadata."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json_text(data[8 : 8 + size], rng)
    length = rng.choice((len(header), len(header), len(header), size, 2**63, len(data)))
    return struct.pack("<Q", length) + header + data[8 + size :]


def stored_tensors(data: bytes, rng: random.Random) -> bytes:
    """A file of tensors that says other things, with a digest that is right."""
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        file.write(data)
        file.flush()
        stored = load_tensors(Path(file.name))
    tensors, metadata = dict(stored.tensors), stored.metadata
    if rng.random() < 0.3:
        name = rng.choice([*tensors])
        tensor = tensors.pop(name)
        forms = (tensor.to(torch.float64), tensor.flatten(), tensor[:0], tensor[None], tensor)
        tensors |= (
            {rng.choice((name, "x", "-1", "٣")): rng.choice(forms)} if rng.random() < 0.8 else {}
        )
    for _ in range(20):
        text = to_json(changed_tree(tree_of(dict(metadata)), rng))
        with contextlib.suppress(ValueError, RecursionError, AttributeError):
            return pack_tensors(tensors, json.loads(text))
    return pack_tensors(tensors, {})


def damaged_bytes(data: bytes, rng: random.Random) -> bytes:
    """The bytes of a file of any kind: flipped, cut, doubled, marked."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        start = rng.randrange(len(data) + 1)
        stop = min(len(data), start + rng.choice((1, 1, 4, 64)))
        match rng.randrange(10):
            case 0:
                data = data[:start]
            case 1:
                data = data[:start] + data[stop:]
            case 2:
                data = data[:stop] + data[start:stop] + data[stop:]
            case 3:
                data = (
                    data[:start] + rng.choice((b"\0", b"\xff", b"\x1b", b"\n", b"'")) + data[start:]
                )
            case 4:
                data = rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\n")) + data
            case 5:
                data = data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"")))
            case 6:
                data = rng.choice((b"", data * 2, data.decode("latin-1").encode("utf-16")))
            case _:
                if start < len(data):
                    flipped = data[start] ^ (1 << rng.randrange(8))
                    data = data[:start] + bytes([flipped]) + data[start + 1 :]
    return data
