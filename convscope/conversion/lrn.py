"""Local response normalization as ONNX's one operation LRN, for which engines have a kernel.

PyTorch composes it of eight operations before its exporter sees it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

_composed = F.local_response_norm


@contextmanager
def lrn_as_one_operation() -> Generator[None]:
    """Have `F.local_response_norm`, and the layers that call it, exported as LRN."""
    with patch.object(F, "local_response_norm", _local_response_norm):
        yield


def _local_response_norm(
    input: Tensor,  # noqa: A002 -- the signature of PyTorch's
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Tensor:
    """Of an even size, ONNX's window lies one map further on; of other than maps (n, c, h, w),
    ONNX Runtime knows none.
    """
    if input.dim() != 4 or size % 2 == 0:
        return _composed(input, size, alpha, beta, k)
    attributes: dict[str, int | float] = {"size": size, "alpha": alpha, "beta": beta, "bias": k}
    return torch.onnx.ops.symbolic(
        "LRN", (input,), {**attributes}, dtype=input.dtype, shape=input.shape
    )
