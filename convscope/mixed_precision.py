"""Mixed precision: operations in 16 bits by PyTorch's autocast, weights and updates in float32.

bf16 has the range of float32 and 8 significant bits, so no loss must be scaled for it. fp16 has 11
and so small a range that gradients vanish unless the loss is scaled: `training.loss_scaler`.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from convscope.device import Precision
from convscope.errors import RequestError

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_INSTRUCTIONS = {
    "bf16": {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "bf16": "BF16"},
    "fp16": {"amx_fp16": "AMX", "avx512_fp16": "AVX512-FP16", "fp16": "FP16"},
}
"""By PyTorch's names of a processor's capabilities, the best first."""


@contextmanager
def autocast(device: torch.device, precision: Precision) -> Generator[None]:
    """Compute in 16 bits what PyTorch's autocast chooses to, or, in float32, nothing.

    That holds inside an autocast of the caller's too. Weights are converted once within the context
    and never kept beyond it: the caller's context would keep them while they are updated.
    """
    kind, dtype = device.type, _TYPES.get(precision)
    if dtype is None and not torch.is_autocast_enabled(kind):
        yield
        return
    try:
        with torch.autocast(kind, dtype or torch.bfloat16, enabled=dtype is not None):
            yield
    finally:
        torch.clear_autocast_cache()


def instructions(precision: Precision) -> str:
    """The instructions by which PyTorch multiplies 16-bit numbers on this processor; "" for none.

    Without them they are converted to float32 and back, which is slower than float32 alone.
    """
    if not torch.backends.mkldnn.is_available():
        return ""
    known = dict(getattr(torch.cpu, "get_capabilities", dict[str, bool])())  # of new versions
    if getattr(torch.cpu, "_is_avx512_bf16_supported", bool)():
        known["avx512_bf16"] = True
    names = _INSTRUCTIONS.get(precision, {})
    return next((name for key, name in names.items() if known.get(key)), "")


def check_precision(device: torch.device, precision: Precision) -> str:
    """A sentence for the user where another precision serves a device better, else "".

    Raises RequestError where PyTorch has no such numbers for it.
    """
    if precision == "float32":
        return ""
    kind = device.type
    is_possible = torch.amp.is_autocast_available(kind)
    if kind == "mps" and precision == "bf16":
        is_possible = is_possible and torch.backends.mps.is_macos_or_newer(14, 0)
    if not is_possible:
        raise RequestError(
            f"PyTorch has no {precision} for the device {device}. Choose `precision='float32'`."
        )
    if kind == "cpu" and not instructions(precision):
        return (
            f"The processor has no instructions for {precision}, so steps are slower than in "
            "float32 (`precision='float32'`)."
        )
    return _better_on_gpu(precision) if kind == "cuda" else ""


def _better_on_gpu(precision: Precision) -> str:
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bf16" and not has_bf16:
        return (
            "The GPU has no instructions for bf16, so steps are slower than in float32. "
            "`precision='fp16'` is for such GPUs."
        )
    if precision == "fp16" and has_bf16:
        return "The GPU has bf16, which is as fast and skips no steps: `precision='bf16'`."
    return ""
