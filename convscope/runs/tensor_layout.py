"""Where tensors lie in a safetensors file, and their bytes, a few megabytes at a time."""

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from convscope.errors import WorkError

CHUNK = 4 << 20
"""Bytes that are held at a time."""

_MAX_DIMENSIONS, _MAX_ELEMENTS = 64, 2**48
_DTYPES = {
    torch.uint64: "U64", torch.int64: "I64", torch.float64: "F64", torch.complex64: "C64",
    torch.float32: "F32", torch.uint32: "U32", torch.int32: "I32",
    torch.bfloat16: "BF16", torch.float16: "F16", torch.uint16: "U16", torch.int16: "I16",
    torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""In the order in which the library writes them: the largest elements first, so all are aligned."""
_BY_NAME = {name: dtype for dtype, name in _DTYPES.items()}


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: `length` bytes from byte `start` on, counted behind the header."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    length: int


def is_storable(dtype: torch.dtype) -> bool:
    """Whether a file can hold tensors of a type."""
    return dtype in _DTYPES


def ordered(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    """Tensors in the order of a file. Raises WorkError for one that the format cannot hold."""
    ranks = {dtype: rank for rank, dtype in enumerate(_DTYPES)}
    for name, tensor in tensors.items():
        if tensor.dtype not in ranks or tensor.layout != torch.strided:
            raise WorkError(
                f"{name} cannot be saved: it is a tensor of {tensor.dtype} and {tensor.layout}."
            )
    return sorted(tensors.items(), key=lambda item: (ranks[item[1].dtype], item[0]))


def table_of(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The entries of a header for these tensors."""
    table: dict[str, Any] = {}
    start = 0
    for name, tensor in ordered(tensors):
        stop = start + tensor.nbytes
        table[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    return table


def places_of(table: Mapping[str, Any], space: int) -> Iterator[tuple[str, Place]]:
    """The tensors of a header in the order in which they fill `space` bytes behind it.

    Raises ValueError and its like where they do not.
    """
    start = 0
    for name, entry in sorted(table.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = _BY_NAME[entry["dtype"]], entry["shape"]
        length = _num_elements(name, shape) * dtype.itemsize
        if entry["data_offsets"] != [start, start + length] or start + length > space:
            raise ValueError(f"{name} does not lie where its shape says")
        yield name, Place(dtype, tuple(shape), start, length)
        start += length
    if start != space:
        raise ValueError("it has bytes that belong to no tensor")


def _num_elements(name: str, shape: list[object]) -> int:
    """How many elements a shape has. Raises ValueError for one that no tensor has."""
    sides = [side for side in shape if type(side) is int and side >= 0]
    too_large = math.prod(max(side, 1) for side in sides) > _MAX_ELEMENTS
    if len(sides) < len(shape) or len(shape) > _MAX_DIMENSIONS or too_large:
        raise ValueError(f"{name} has an impossible shape")
    return math.prod(sides)


def read_tensor(file: io.BufferedReader, place: Place) -> Tensor:
    """The tensor that begins where `file` is. Raises ValueError where the file ends early."""
    tensor = torch.empty(place.shape, dtype=place.dtype)
    for piece in pieces(tensor):
        if file.readinto(piece) != len(piece):
            raise ValueError("it ends early")
    return tensor


def pieces(tensor: Tensor) -> Iterator[memoryview]:
    """The bytes of a tensor in row-major order, a few megabytes at a time.

    They are its own memory where that is contiguous and on the CPU. Else they are copied to one
    buffer, so each piece holds only until the next.
    """
    if not tensor.numel():
        return
    is_plain = tensor.is_cpu and tensor.is_contiguous()
    if is_plain and not tensor.is_conj() and not tensor.is_neg():
        memory = _bytes_of(tensor)
        yield from (memory[begin : begin + CHUNK] for begin in range(0, len(memory), CHUNK))
        return
    buffer = torch.empty(min(CHUNK // tensor.element_size(), tensor.numel()), dtype=tensor.dtype)
    for part in _parts(tensor):
        copy = buffer[: part.numel()]
        copy.view(part.shape).copy_(part)
        yield _bytes_of(copy)


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    """Views of a tensor in row-major order, each of a few megabytes at most."""
    if tensor.nbytes <= CHUNK:
        yield tensor
    elif tensor.nbytes // len(tensor) > CHUNK:
        for row in tensor:
            yield from _parts(row)
    else:
        yield from tensor.split(CHUNK * len(tensor) // tensor.nbytes)


def _bytes_of(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor, whose stride along a side of one may be any number."""
    return tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8).numpy().data
