"""The values of weights: numbers that a network can compute with, or an error by name."""

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.finite import is_finite

_VARIANCE = "running_var"  # of batch norm


def checked(
    name: str, theirs: Tensor, ours: Tensor, *, source: str, may_be_infinite: bool = False
) -> Tensor:
    """A tensor of a file as plain values of the network's kind: dense, and finite where float.

    Half precision is taken; it is converted when it is loaded. `may_be_infinite` is for buffers
    that are built with such values, see `infinite_buffers`.

    Raises RequestError, naming the tensor, for integers, truth values, complex, quantized or 8-bit
    numbers where the network has floating point, for values that lie on one another in memory, for
    variances below zero, and for values that are not finite, there or after the conversion to the
    network's precision.
    """
    if ours.is_meta:
        return theirs
    if theirs.is_meta:
        raise RequestError(
            f"{source}: {name} has a shape and no values; it was saved on the meta device."
        )
    differs = theirs.is_quantized or _kind(theirs.dtype) != _kind(ours.dtype)
    if differs and not (_kind(ours.dtype) == _INTEGERS and _is_integral(theirs)):
        raise RequestError(
            f"{source}: {name} holds {_words(theirs)}, and the network has {_words(ours)} there. "
            "Save the weights as floating point numbers of 16 or 32 bits."
        )
    _check_memory(name, theirs, ours, source)
    dense = theirs if theirs.layout is torch.strided else theirs.to_dense()
    if not may_be_infinite:
        for values in (dense, dense.to(ours.dtype)):
            _check_finite(name, values, source)
    if name.endswith(_VARIANCE) and (negative := int((dense < 0).sum())):
        raise RequestError(
            f"{source}: {name} has {negative} of {dense.numel()} values below zero, and a variance "
            "is not. The file is damaged: take an earlier checkpoint."
        )
    return dense


def infinite_buffers(net: nn.Module) -> frozenset[str]:
    """The names of buffers with values that are not finite, as a mask of attention may have."""
    return frozenset(
        name
        for name, buffer in net.named_buffers(remove_duplicate=False)
        if not buffer.is_meta and buffer.layout is torch.strided and not is_finite(buffer)
    )


def _check_memory(name: str, theirs: Tensor, ours: Tensor, source: str) -> None:
    """Refuse what would take more memory than the file, and values that are one number."""
    if theirs.layout is not torch.strided:
        if theirs.shape != ours.shape:
            raise RequestError(
                f"{source}: {name} is sparse, of the shape {tuple(theirs.shape)} instead of "
                f"{tuple(ours.shape)}. Save it dense."
            )
        return
    reach = 1
    strides = zip(theirs.stride(), theirs.shape, strict=True)
    for stride, size in sorted((stride, size) for stride, size in strides if size > 1):
        if stride < reach and theirs.numel():
            raise RequestError(
                f"{source}: {name} has {theirs.numel()} values that share memory, so not all of "
                "them were saved. Save a copy: `tensor.clone()`."
            )
        reach += stride * (size - 1)


def _check_finite(name: str, values: Tensor, source: str) -> None:
    if is_finite(values):
        return
    values = values.float() if values.element_size() == 1 else values  # float8: few operators
    bad = values.numel() - int(torch.isfinite(values).sum())
    kind = "NaN" if bool(torch.isnan(values).any()) else "infinite"
    raise RequestError(
        f"{source}: {name} has {bad} of {values.numel()} values that are not finite ({kind}). "
        "Its training went wrong, or the file is damaged: take an earlier checkpoint."
    )


_INTEGERS = "integers"


def _kind(dtype: torch.dtype) -> str:
    if dtype == torch.bool:
        return "truth values"
    if dtype.is_complex:
        return "complex numbers"
    if not dtype.is_floating_point:
        return _INTEGERS
    return "8-bit numbers" if dtype.itemsize == 1 else "floating point numbers"


def _words(tensor: Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    kind = "quantized numbers" if tensor.is_quantized else _kind(tensor.dtype)
    return f"{kind} ({dtype})"


def _is_integral(tensor: Tensor) -> bool:
    """Whether these are whole numbers, as of a counter that was averaged."""
    is_plain = tensor.is_floating_point() and not tensor.is_quantized
    return is_plain and bool((tensor == tensor.round()).all())
