"""The packed weights of quantized layers: taken apart for a file, and packed again."""

from collections.abc import Mapping
from typing import Any

import torch

from convscope.explanation.saved.tensors import TensorReader, TensorWriter

_QUANTIZED: Any = torch.ops.quantized


def packer(writer: TensorWriter) -> Any:
    """What `encode` asks about packed weights: a table, or None for anything else."""
    known: dict[int, dict[str, Any]] = {}
    alive: list[Any] = []  # so that no number is used twice

    def pack(value: Any) -> dict[str, Any] | None:
        kind = _kind(value)
        if kind is None:
            return None
        if id(value) not in known:
            alive.append(value)
            name = f"packed/{len(known) + 1}"
            weight, bias = value.unpack()
            writer.add(f"{name}/weight", weight)
            if bias is not None:
                writer.add(f"{name}/bias", bias)
            known[id(value)] = {
                "packed": {
                    "kind": kind,
                    "name": name,
                    "has_bias": bias is not None,
                    "settings": {} if kind == "Linear" else _settings(value),
                }
            }
        return known[id(value)]

    return pack


def unpacker(reader: TensorReader) -> Any:
    """What `decode` asks for packed weights; raises ValueError for anything else."""
    made: dict[str, Any] = {}

    def unpack(content: Mapping[str, Any]) -> Any:
        if list(content) != ["packed"]:
            raise ValueError(f"an argument of the unknown kind {list(content)}")
        form = content["packed"]
        name = form["name"]
        if name not in made:
            bias = reader[f"{name}/bias"] if form["has_bias"] else None
            made[name] = _packed(form["kind"], reader[f"{name}/weight"], bias, form["settings"])
        return made[name]

    return unpack


def _kind(value: Any) -> str | None:
    """`Conv2d`, `Conv3d` or `Linear`."""
    if not isinstance(value, torch.ScriptObject):
        return None
    name = value._type().qualified_name()  # noqa: SLF001
    kind = name.rpartition(".")[2].removesuffix("PackedParamsBase")
    return kind if kind in ("Conv2d", "Conv3d", "Linear") else None


def _settings(packed: Any) -> dict[str, Any]:
    return {
        "stride": list(packed.stride()),
        "padding": list(packed.padding()),
        "output_padding": list(packed.output_padding()),
        "dilation": list(packed.dilation()),
        "groups": int(packed.groups()),
        "transpose": bool(packed.transpose()),
    }


def _packed(kind: str, weight: Any, bias: Any, settings: Mapping[str, Any]) -> Any:
    if kind == "Linear":
        half = not weight.is_quantized
        return (_QUANTIZED.linear_prepack_fp16 if half else _QUANTIZED.linear_prepack)(weight, bias)
    axes = {"Conv2d": "2d", "Conv3d": "3d"}[kind]
    stride, padding, dilation = settings["stride"], settings["padding"], settings["dilation"]
    groups = settings["groups"]
    if settings["transpose"]:
        prepack = getattr(_QUANTIZED, f"conv_transpose{axes}_prepack")
        more = settings["output_padding"]
        return prepack(weight, bias, stride, padding, more, dilation, groups)
    prepack = getattr(_QUANTIZED, f"conv{axes}_prepack")
    return prepack(weight, bias, stride, padding, dilation, groups)
