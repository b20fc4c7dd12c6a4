"""Tensors of every type that a recording holds, as plain ones and a table that says what they were.

Bits, strides and shared memory are kept, because functions may compute other last bits where the
strides differ. Tensors with gaps or overlaps are kept without them, as `clone` copies them.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from convscope.errors import RequestError
from convscope.recording.retention import storage_id
from convscope.runs.tensor_layout import is_storable

_TORCH: Any = torch  # some of which is private
_DTYPES = {
    str(value).removeprefix("torch."): value
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}
_BY_CHANNEL = (torch.per_channel_affine,)


class TensorWriter:
    """Collects tensors under names.

    Attributes:
        tensors: plain tensors, by the name in the file.
        table: by the name of each tensor what it was, as JSON.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.table: dict[str, dict[str, Any]] = {}
        self._stored: dict[tuple[Any, ...], str] = {}  # by the place in memory
        self._keep: list[Tensor] = []  # so that no memory is used twice

    def add(self, name: str, tensor: Tensor) -> None:
        """Raises RequestError for a type of tensor that no file can hold."""
        kind: Any = type(tensor)
        is_plain = kind.__torch_dispatch__ is _TORCH.Tensor.__torch_dispatch__
        if not is_plain or tensor.layout != torch.strided or tensor.is_nested or tensor.is_meta:
            raise RequestError(
                f"{name.partition('/')[2]} is a {kind.__name__} of {tensor.layout}, which the file "
                "of a recording cannot hold. Record with `keep`, without it."
            )
        plain, entry = tensor.detach(), dict[str, Any](device=str(tensor.device))
        if plain.is_quantized:
            entry["quantized"] = self._quantization(name, plain)
            plain = plain.int_repr()
        if plain.is_conj():
            plain, entry["is_conj"] = plain.conj(), True
        if plain.is_neg():
            plain, entry["is_neg"] = _TORCH._neg_view(plain), True  # noqa: SLF001
        if not _is_dense(plain):
            plain = plain.clone()
        entry |= self._store(name, plain)
        self.table[name] = entry

    def _store(self, name: str, plain: Tensor) -> dict[str, Any]:
        place = storage_id(plain), plain.storage_offset(), plain.dtype, plain.numel()
        if place not in self._stored or not plain.numel():
            self._stored[place] = name
            self._keep.append(plain)
            stored = plain
            if not plain.is_contiguous():
                stored = plain.as_strided((plain.numel(),), (1,))
            is_known = is_storable(plain.dtype)
            self.tensors[name] = stored if is_known else stored.reshape(-1).view(torch.uint8)
        return {
            "stored": self._stored[place],
            "dtype": str(plain.dtype).removeprefix("torch."),
            "shape": list(plain.shape),
            "stride": list(plain.stride()),
        }

    def _quantization(self, name: str, tensor: Tensor) -> dict[str, Any]:
        if tensor.qscheme() == torch.per_tensor_affine:
            return {"scale": tensor.q_scale(), "zero_point": tensor.q_zero_point()}
        if tensor.qscheme() not in _BY_CHANNEL or tensor.dtype == _TORCH.quint4x2:
            raise RequestError(
                f"{name.partition('/')[2]} is a tensor of {tensor.dtype} and {tensor.qscheme()}, "
                "which the file of a recording cannot hold."
            )
        self.add(f"{name}/scales", tensor.q_per_channel_scales())
        self.add(f"{name}/zero_points", tensor.q_per_channel_zero_points())
        return {"axis": tensor.q_per_channel_axis()}


class TensorReader:
    """Tensors that a TensorWriter collected, as they were.

    `device` is where they go; None for where each of them was.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], table: Mapping[str, Mapping[str, Any]], device: Any
    ) -> None:
        self._tensors, self._table, self._device = tensors, table, device
        self._moved: dict[tuple[str, str], Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        """Raises KeyError, ValueError or RuntimeError where the file does not hold it."""
        entry = self._table[name]
        dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
        flat = self._flat(entry["stored"], str(self._device or entry["device"]), dtype)
        if flat.numel() != math.prod(shape):
            raise ValueError(f"{name} has another size than its shape says")
        tensor = flat.as_strided(shape, entry["stride"])
        if entry.get("is_neg"):
            tensor = _TORCH._neg_view(tensor)  # noqa: SLF001
        if entry.get("is_conj"):
            tensor = tensor.conj()
        if "quantized" not in entry:
            return tensor
        form = entry["quantized"]
        if "axis" not in form:
            make = _TORCH._make_per_tensor_quantized_tensor  # noqa: SLF001
            return make(tensor, form["scale"], form["zero_point"])
        make = _TORCH._make_per_channel_quantized_tensor  # noqa: SLF001
        return make(tensor, self[f"{name}/scales"], self[f"{name}/zero_points"], form["axis"])

    def _flat(self, name: str, device: str, dtype: torch.dtype) -> Tensor:
        if (name, device) not in self._moved:
            self._moved[name, device] = self._tensors[name].to(device)
        flat = self._moved[name, device].reshape(-1)
        return flat if flat.dtype == dtype else flat.view(dtype)


def _is_dense(tensor: Tensor) -> bool:
    """Whether the numbers lie in memory without gaps, each once."""
    expected = 1
    sides = zip(tensor.stride(), tensor.shape, strict=True)
    for stride, side in sorted((stride, side) for stride, side in sides if side != 1):
        if stride != expected:
            return tensor.numel() == 0
        expected *= side
    return True
