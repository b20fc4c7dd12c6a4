"""The summary's parameters and multiply-adds beside what torch itself counts."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from convscope.recording.operation import tensors_in
from convscope.recording.retention import storage_id
from convscope.summaries.api import summary
from convscope.summaries.table import Summary
from tests.sweep.faults import Findings


def check_costs(net: nn.Module, image: Tensor, findings: Findings) -> None:
    try:
        table = summary(net, tuple(image.shape[1:]))
    except Exception as error:  # noqa: BLE001 -- any is a fault
        findings.add("summary", f"raises {type(error).__name__}: {error}")
        return
    findings.figures["summaries"] += 1
    findings.figures["summaries whose network had to run with memory"] += bool(table.note)
    used, flops = _run(net, image)
    parameters = dict(net.named_parameters())
    total = sum(tensor.numel() for tensor in parameters.values())
    findings.figures["parameters"] += total
    if table.parameters == total:
        findings.figures["summaries with all parameters"] += 1
    else:
        findings.add("parameters", f"{table.parameters:,} of {total:,}")
    unused = sum(t.numel() for t in parameters.values() if storage_id(t) not in used)
    not_run = [row for row in table.rows if row.type == "not run"]
    if sum(row.parameters for row in not_run) == unused:
        findings.figures["summaries with the right parameters not run"] += 1
    else:
        rows = ", ".join(f"{row.layer} ({row.parameters:,})" for row in not_run[:4])
        findings.add(
            "not run", f"{unused:,} parameters were not used; the rows are {rows or 'none'}"
        )
    _compare(table, flops // 2, findings)


def _compare(table: Summary, expected: int, findings: Findings) -> None:
    found = table.multiply_adds
    findings.figures["multiply-adds"] += found
    if not table.is_counted:
        findings.figures["summaries with multiply-adds at least"] += 1
        if found > expected:
            findings.add("multiply-adds", f"at least {found:,}, where torch counts {expected:,}")
    elif found == expected:
        findings.figures["summaries with torch's multiply-adds"] += 1
    else:
        findings.add("multiply-adds", f"{found:,}, where torch counts {expected:,}")


def _run(net: nn.Module, image: Tensor) -> tuple[set[int], int]:
    """The storages that a pass reads, and torch's count of its floating-point operations.

    Attention and recurrent layers run as their products, for torch does not count every kernel of
    them. Its counter cannot run without gradients where a parameter that has one is passed around.
    """
    reads, counter = _Reads(), FlopCounterMode(display=False)
    net.requires_grad_(requires_grad=False)
    with torch.no_grad(), _as_products(), counter, reads:
        net(image.clone())
    return reads.storages, counter.get_total_flops()


@contextmanager
def _as_products() -> Generator[None]:
    """Switch off the kernels of attention and recurrence that compute everything in one."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a flag that is left as it is
            with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class _Reads(TorchDispatchMode):
    """Notes the storage of every tensor that an operation takes."""

    def __init__(self) -> None:
        super().__init__()
        self.storages = set[int]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self.storages.update(storage_id(t) for t in tensors_in([args, kwargs]))
        return func(*args, **kwargs)
