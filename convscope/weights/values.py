"""The values of weights: numbers that a network can compute with, or an error by name."""

import torch
from torch import Tensor

from convscope.errors import RequestError
from convscope.finite import is_finite


def checked(name: str, theirs: Tensor, ours: Tensor, *, source: str) -> Tensor:
    """A tensor of a file as plain values of the network's kind: dense, and finite where float.

    Raises RequestError, naming the tensor, for integers, truth values, complex or quantized numbers
    where the network has floating point, and for values that are not finite, there or after the
    conversion to the network's precision.
    """
    if ours.is_meta:
        return theirs
    if theirs.is_meta:
        raise RequestError(
            f"{source}: {name} has a shape and no values; it was saved on the meta device."
        )
    differs = theirs.is_quantized or _kind(theirs.dtype) != _kind(ours.dtype)
    if differs and not (_kind(ours.dtype) == "integers" and _is_integral(theirs)):
        raise RequestError(
            f"{source}: {name} holds {_words(theirs)}, and the network has {_words(ours)} there. "
            "Save the weights as floating point numbers."
        )
    dense = theirs if theirs.layout is torch.strided else theirs.to_dense()
    for values in (dense, dense.to(ours.dtype)):
        _check_finite(name, values, source)
    return dense


def _check_finite(name: str, values: Tensor, source: str) -> None:
    if not is_finite(values):
        values = values.float() if values.element_size() == 1 else values  # float8: few operators
        bad = values.numel() - int(torch.isfinite(values).sum())
        kind = "NaN" if bool(torch.isnan(values).any()) else "infinite"
        raise RequestError(
            f"{source}: {name} has {bad} of {values.numel()} values that are not finite ({kind}). "
            "Its training went wrong, or the file is damaged: take an earlier checkpoint."
        )


def _kind(dtype: torch.dtype) -> str:
    if dtype == torch.bool:
        return "truth values"
    if dtype.is_complex:
        return "complex numbers"
    return "floating point numbers" if dtype.is_floating_point else "integers"


def _words(tensor: Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    kind = "quantized numbers" if tensor.is_quantized else _kind(tensor.dtype)
    return f"{kind} ({dtype})"


def _is_integral(tensor: Tensor) -> bool:
    """Whether these are whole numbers, as of a counter that was averaged."""
    is_plain = tensor.is_floating_point() and not tensor.is_quantized
    return is_plain and bool((tensor == tensor.round()).all())
