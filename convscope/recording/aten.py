"""Aten's operators, which exported programs run, in the words of the table of kinds.

Torch's functions and aten's operators differ in the order and the names of their arguments, so the
arguments of an operator are named by its own schema. Where an operator says in its name what a
function takes as an argument, as `reflection_pad2d` does, the table below adds that argument.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch._ops import OpOverload, OpOverloadPacket

from convscope.recording.kinds import KINDS, get_kind

Arguments = dict[str, Any]
_TORCH: Any = torch  # some of which is private


@dataclass(frozen=True, slots=True)
class Form:
    """An operator of aten as a function of torch.

    Attributes:
        kind: of the function.
        names: the function's names of arguments, by the operator's.
        settings: arguments of the function that the operator has in its name.
        results: how many of the operator's results the function has too; the others serve the
            backward pass. None for all.
        change: makes the function's arguments of the operator's where names alone do not.
    """

    kind: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    results: int | None = None
    change: Callable[[Arguments], Arguments] | None = None


def form_of(function: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Form:
    """The form of a call."""
    namespace, _, name = _qualified_name(function.overloadpacket).partition("::")
    if namespace != "aten":
        return Form(f"{namespace}::{name}")
    if name in _CONVOLUTIONS:
        given = _given(function, args, kwargs)
        kind = "conv_transpose" if given["transposed"] else "conv"
        return Form(f"{kind}{len(given['weight'].shape) - 2}d", change=_convolution)
    if name.startswith("index_put") and _given(function, args, kwargs).get("accumulate"):
        return Form(name.strip("_"))  # adds to what is there
    if name in ("elu", "elu_"):
        given = {"alpha": 1, "scale": 1, "input_scale": 1, **_given(function, args, kwargs)}
        scales = tuple(float(given[name]) for name in ("alpha", "scale", "input_scale"))
        return Form("selu" if scales == _SELU else "elu" if scales[1:] == (1, 1) else "scaled_elu")
    return _FORMS.get(str(function).removeprefix("aten.")) or _form(name)


def name_arguments_of(
    function: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Arguments:
    """The arguments of a call by the names of the function of torch that does the same."""
    form = form_of(function, args, kwargs)
    given = _given(function, args, kwargs)
    if form.change is not None:
        return form.change(given)
    known = {name.lstrip("*") for name in get_kind(form.kind).arguments}
    named = {form.names.get(name) or _renamed(name, known): v for name, v in given.items()}
    if named.get("dim") == [] and get_kind(form.kind).field == "reduction":
        named["dim"] = None  # over all
    return {**named, **form.settings}


def overload_of(
    function: OpOverloadPacket, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> OpOverload | OpOverloadPacket:
    """The operator that `torch.ops.aten.add(x, 1)` runs: `add.Tensor`; the packet if unknown."""
    try:
        name = _TORCH._C._jit_resolve_packet(  # noqa: SLF001 -- no other way
            _qualified_name(function), *args, **kwargs
        )
    except RuntimeError:
        return function
    return getattr(function, name or "default")


def _given(function: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
    return {**dict(zip(argument_names(function), args, strict=False)), **kwargs}


def _qualified_name(function: Any) -> str:
    return function._qualified_op_name  # noqa: SLF001 -- there is no other way


@cache
def argument_names(function: Any) -> tuple[str, ...]:
    """The names of an operator's arguments, in order."""
    return tuple(argument.name for argument in function._schema.arguments)  # noqa: SLF001 -- there is no other way


def _renamed(name: str, known: set[str]) -> str:
    """An argument's name in a row of the table that has these names."""
    if name == "self":
        return "input"
    return next((other for other in _SYNONYMS.get(name, ()) if other in known), name)


@cache
def _form(name: str) -> Form:
    if name in _FORMS:
        return _FORMS[name]
    plain = name.strip("_")
    plain = _KINDS.get(plain, plain)
    return _FORMS.get(plain) or Form(_ALIASES.get(plain, plain))


def _convolution(given: Arguments) -> Arguments:
    arguments = {name: given[name] for name in _FILTER if name in given}
    if given["transposed"]:
        arguments["output_padding"] = given["output_padding"]
    return arguments


def _slice(given: Arguments) -> Arguments:
    """`x[:, start:end:step]`."""
    return {"input": given["self"], "index": _slice_index(given)}


def _slice_index(given: Arguments) -> tuple[Any, ...]:
    dim = given.get("dim", 0) % len(given["self"].shape)
    span = slice(*(given.get(name) for name in ("start", "end", "step")))
    return (*[slice(None)] * dim, span)


def _index(given: Arguments) -> Arguments:
    """`x[:, rows]`."""
    return {"input": given["self"], "index": _index_of(given["indices"])}


def _index_of(indices: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(slice(None) if index is None else index for index in indices)


def _index_put(given: Arguments) -> Arguments:
    """`x[rows] = values`."""
    index = _index_of(given["indices"])
    return {"input": given["self"], "index": index, "value": given["values"]}


def _slice_scatter(given: Arguments) -> Arguments:
    """`x[:, start:end:step] = src`."""
    return {"input": given["self"], "index": _slice_index(given), "value": given["src"]}


def _select_scatter(given: Arguments) -> Arguments:
    """`x[:, index] = src`."""
    dim = given["dim"] % len(given["self"].shape)
    index = (*[slice(None)] * dim, given["index"])
    return {"input": given["self"], "index": index, "value": given["src"]}


def _power_of_number(given: Arguments) -> Arguments:
    """`2 ** x`."""
    return {"input": given["exponent"], "other": given["self"]}


def _interpolation(mode: str, *, antialias: bool = False) -> Callable[[Arguments], Arguments]:
    def change(given: Arguments) -> Arguments:
        scales = [given[name] for name in _SCALES if given.get(name) is not None]
        return {
            "input": given.get("input", given.get("self")),
            "size": given["output_size"],
            "scale_factor": given.get("scale_factors") or scales or None,
            "mode": mode,
            "align_corners": given.get("align_corners"),
            "antialias": antialias,
        }

    return change


_SCALES = ("scales", "scales_d", "scales_h", "scales_w")
_CONVOLUTIONS = frozenset(("convolution", "_convolution", "convolution_overrideable"))
_FILTER = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_SELU = 1.6732632423543772, 1.0507009873554805, 1.0  # alpha and scale: Klambauer et al., 2017

_SYNONYMS = {
    "size": ("shape", "sizes"),
    "train": ("training",),
    "mat2": ("other",),
    "vec": ("other",),
    "vec2": ("other",),
    "tensor": ("other",),
    "split_sizes": ("split_size",),
    "sections": ("indices_or_sections",),
    "indices": ("indices_or_sections",),
    "axis0": ("dim0",),
    "axis1": ("dim1",),
    "qx": ("tensors",),
}
"""Aten's names of arguments that a row of the table may have under another name."""

_KINDS = {
    **{f"linalg_{n}": n for n in ("vector_norm", "matrix_norm", "norm", "multi_dot", "cross")},
    "log_sigmoid": "logsigmoid",
    "numpy_T": "T",
    "im2col": "unfold",
    "col2im": "fold",
    "grid_sampler": "grid_sample",
    "grid_sampler_2d": "grid_sample",
    "grid_sampler_3d": "grid_sample",
    "split_with_sizes": "split",
    "to_copy": "to",
    "lift_fresh": "clone",
    "lift_fresh_copy": "clone",
    "unsafe_view": "view",
    "reshape_alias": "view",
    "scalar_tensor": "full",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
}
"""Kinds of torch's functions whose operators have another name and nothing else that differs."""

_ALIASES = {alias: kind.name for kind in KINDS.values() for alias in kind.aliases}
_SUM = {
    "self": "bias",
    **dict.fromkeys(("mat1", "batch1", "mat", "vec1"), "input"),
    **dict.fromkeys(("mat2", "batch2", "vec", "vec2"), "other"),
}
_ATTENTION = Form("scaled_dot_product_attention", results=1)
_BATCH_NORM = Form("batch_norm", results=1)


def _resizing() -> dict[str, Form]:
    modes = {
        "upsample_nearest{}d": ("nearest", (1, 2, 3)),
        "_upsample_nearest_exact{}d": ("nearest-exact", (1, 2, 3)),
        "upsample_linear{}d": ("linear", (1,)),
        "upsample_bilinear{}d": ("bilinear", (2,)),
        "upsample_trilinear{}d": ("trilinear", (3,)),
        "upsample_bicubic{}d": ("bicubic", (2,)),
    }
    forms = {
        name.format(n): Form("interpolate", change=_interpolation(mode))
        for name, (mode, axes) in modes.items()
        for n in axes
    }
    for mode in ("bilinear", "bicubic"):
        change = _interpolation(mode, antialias=True)
        forms[f"_upsample_{mode}2d_aa"] = Form("interpolate", change=change)
    return forms


_FORMS: dict[str, Form] = {
    **_resizing(),
    **{
        f"{mode}ion_pad{n}d": Form("pad", {"padding": "pad"}, {"mode": word})
        for mode, word in (("reflect", "reflect"), ("replicat", "replicate"))
        for n in (1, 2, 3)
    },
    "constant_pad_nd": Form("pad", settings={"mode": "constant"}),
    **{kind: Form(kind, _SUM) for kind, row in KINDS.items() if row.arguments[:1] == ("bias",)},
    "slice": Form("getitem", change=_slice),
    "index": Form("getitem", change=_index),
    "_unsafe_index": Form("getitem", change=_index),
    "pow.Scalar": Form("rpow", change=_power_of_number),
    "repeat_interleave.Tensor": Form("repeated_indices"),
    "index_put": Form("setitem", change=_index_put),
    "_index_put_impl_": Form("setitem", change=_index_put),
    "slice_scatter": Form("setitem", change=_slice_scatter),
    "select_scatter": Form("setitem", change=_select_scatter),
    "native_layer_norm": Form("layer_norm", results=1),
    "native_group_norm": Form("group_norm", {"group": "num_groups"}, results=1),
    "native_batch_norm": _BATCH_NORM,
    "_native_batch_norm_legit": _BATCH_NORM,
    "_native_batch_norm_legit_functional": _BATCH_NORM,
    "_native_batch_norm_legit_no_training": Form(
        "batch_norm", settings={"training": False}, results=1
    ),
    "_batch_norm_with_update": Form("batch_norm", settings={"training": True}, results=1),
    "_batch_norm_no_update": Form("batch_norm", settings={"training": False}, results=1),
    "cudnn_batch_norm": Form("batch_norm", {"epsilon": "eps"}, results=1),
    "native_dropout": Form("dropout", results=1),
    "log_sigmoid_forward": Form("logsigmoid", results=1),
    **{
        f"fake_quantize_per_{part}_affine_cachemask": Form(
            f"fake_quantize_per_{part}_affine", results=1
        )
        for part in ("tensor", "channel")
    },
    "_scaled_dot_product_flash_attention_for_cpu": _ATTENTION,
    "_scaled_dot_product_flash_attention": _ATTENTION,
    "_scaled_dot_product_efficient_attention": _ATTENTION,
    "_scaled_dot_product_cudnn_attention": _ATTENTION,
    "_scaled_dot_product_attention_math": _ATTENTION,
}
"""Operators whose names or arguments differ from those of the function that does the same."""
