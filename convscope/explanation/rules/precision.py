"""How operations round: by the type of their result, the device, and torch's settings."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor

from convscope.recording import get_kind
from convscope.recording.kinds import Rule
from convscope.terms import Precision

CONVOLUTIONS: frozenset[Rule | None] = frozenset({"convolution", "transposed_convolution"})
MATRIX_PRODUCTS: frozenset[Rule | None] = frozenset({"dense", "matrix_product"})
_PRODUCT_SUMS = {"einsum", "scaled_dot_product_attention"}  # with a rule for all linear operations

_C: Any = vars(torch)["_C"]  # where the getters of some settings are
_EPSILON = {"tf32": 2.0**-10, "bf16": 2.0**-7}
"""The machine epsilons of the types to which factors in float32 may be rounded."""


def is_product(kind: str) -> bool:
    """Whether an operation is a convolution or a matrix product: what autocast casts."""
    return get_kind(kind).rule in CONVOLUTIONS | MATRIX_PRODUCTS or kind in _PRODUCT_SUMS


class Settings:
    """Torch's settings for the precision of products, as they were when this was created.

    On CPUs, `torch.set_float32_matmul_precision("medium")` lets matrix products round their float32
    factors to bfloat16 if the processor has instructions for that; on GPUs, convolutions round them
    to TF32 by default. There, matrix products of float16 and bfloat16 may round partial sums, too.

    Reference: https://docs.pytorch.org/docs/stable/notes/numerical_accuracy.html
    """

    def __init__(self) -> None:
        old = {"high": "tf32", "medium": "bf16"}  # before PyTorch 2.9
        matmul = old.get(_read("get_float32_matmul_precision") or "highest", "ieee")
        self._factors = {
            ("cpu", "conv"): _factors("mkldnn.conv", otherwise="ieee"),
            ("cpu", "matmul"): _factors("mkldnn.matmul", otherwise=matmul),
            ("cuda", "conv"): _factors("cudnn.conv", otherwise="tf32"),
            ("cuda", "matmul"): _factors("cuda.matmul", otherwise=matmul),
        }
        cuda: Any = torch.backends.cuda.matmul
        self._partial_sums = {
            ("cuda", torch.float16): bool(cuda.allow_fp16_reduced_precision_reduction),
            ("cuda", torch.bfloat16): bool(cuda.allow_bf16_reduced_precision_reduction),
            ("cpu", torch.float16): bool(_read("_get_cpu_allow_fp16_reduced_precision_reduction")),
        }

    def to_dict(self) -> dict[str, Any]:
        """The settings as values of JSON."""
        partial = [[device, str(kind), on] for (device, kind), on in self._partial_sums.items()]
        return {
            "factors": [[*at, error] for at, error in self._factors.items()],
            "partial": partial,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Settings":
        """Settings of another process. Raises ValueError and its like for other values."""
        settings = cls()
        types = {str(kind): kind for kind in (torch.float16, torch.bfloat16)}
        settings._factors = {(str(a), str(b)): float(error) for a, b, error in values["factors"]}
        settings._partial_sums = {(str(a), types[b]): bool(on) for a, b, on in values["partial"]}
        return settings

    def precision(self, kind: str, result: Tensor) -> Precision:
        """How an operation of a kind rounded to get a result."""
        dtype = result.dtype
        if not dtype.is_floating_point:
            return Precision(unit=0.0, sums=0.0)
        own = torch.finfo(dtype)
        inner = own if own.bits >= _FLOAT32.bits else _FLOAT32
        sums, factors, device = inner.eps / 2, 0.0, result.device.type
        if is_product(kind):
            what = "conv" if get_kind(kind).rule in CONVOLUTIONS else "matmul"
            if dtype == torch.float32:
                factors = self._factors.get((device, what), 0.0)
            elif what == "matmul" and self._partial_sums.get((device, dtype)):
                sums = own.eps / 2
        return Precision(
            unit=own.eps / 2,
            sums=sums,
            factors=factors,
            spacing=own.smallest_normal * own.eps,
            normal=inner.smallest_normal,
            largest=own.max,
            largest_sum=inner.max,
        )


_FLOAT32 = torch.finfo(torch.float32)


def _factors(backend: str, *, otherwise: str) -> float:
    """The relative error of a product of two factors in float32, each rounded or truncated."""
    try:
        setting = attrgetter(f"{backend}.fp32_precision")(torch.backends)
    except (AttributeError, RuntimeError):
        setting = otherwise
    epsilon = _EPSILON.get(setting, 0.0)
    return 2 * epsilon + epsilon * epsilon


def _read(getter: str) -> Any:
    """What a getter of torch's says; None where it is missing, or two interfaces are mixed."""
    function = getattr(torch, getter, None) or getattr(_C, getter, None)
    try:
        return function and function()
    except RuntimeError:
        return None


def uses_onednn(dtype: torch.dtype) -> bool:
    """Whether oneDNN computes convolutions of 16-bit numbers on this CPU."""
    onednn: Any = torch.ops.mkldnn
    name = "bf16" if dtype == torch.bfloat16 else "fp16"
    is_supported = getattr(onednn, f"_is_mkldnn_{name}_supported")
    return bool(_read("_get_mkldnn_enabled") and is_supported())
