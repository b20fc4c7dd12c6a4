"""Mixed precision: operations in bf16 by PyTorch's autocast, weights and their updates in float32.

bf16 has the range of float32 and 8 significant bits, so no loss must be scaled for it.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from convscope.errors import RequestError


@contextmanager
def autocast(device: torch.device, *, bf16: bool) -> Generator[None]:
    """Compute in bf16 what PyTorch's autocast chooses to, or, without `bf16`, nothing.

    That holds inside an autocast of the caller's too. Weights are converted once within the context
    and never kept beyond it: the caller's context would keep them while they are updated.
    """
    kind = device.type
    if not bf16 and not torch.is_autocast_enabled(kind):
        yield
        return
    try:
        with torch.autocast(kind, torch.bfloat16, enabled=bf16):
            yield
    finally:
        torch.clear_autocast_cache()


def bf16_instructions() -> str:
    """The instructions by which PyTorch multiplies bf16 on this processor; "" for none.

    AMX, AVX512-BF16, or BF16 on Arm. Without them bf16 is computed by converting to float32 and
    back, which is slower than float32 alone.
    """
    if not torch.backends.mkldnn.is_available():
        return ""
    known = dict(getattr(torch.cpu, "get_capabilities", dict[str, bool])())  # of new versions
    if getattr(torch.cpu, "_is_avx512_bf16_supported", bool)():
        known["avx512_bf16"] = True
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16", "bf16": "BF16"}
    return next((name for key, name in names.items() if known.get(key)), "")


def check_bf16(device: torch.device) -> str:
    """A sentence for the user where a device has no instructions for bf16, else "".

    Raises RequestError where PyTorch has no bf16 for it.
    """
    kind = device.type
    is_possible = torch.amp.is_autocast_available(kind)
    if kind == "mps":
        is_possible = is_possible and torch.backends.mps.is_macos_or_newer(14, 0)
    if not is_possible:
        raise RequestError(
            f"PyTorch has no bf16 for the device {device}. Choose `precision='float32'`."
        )
    has_instructions = {
        "cpu": bf16_instructions,
        "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
    }.get(kind, lambda: True)
    if has_instructions():
        return ""
    return (
        f"The {'processor' if kind == 'cpu' else 'GPU'} has no instructions for bf16, so steps are "
        "slower than in float32 (`precision='float32'`)."
    )
