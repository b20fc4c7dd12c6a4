"""A network, and the process around it, are after a recording what they were before."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from convscope.explanation.recording import Recording
from convscope.recording.operation import tensors_in
from tests.sweep.faults import Findings

Facts = dict[str, Any]


def facts_of(net: nn.Module) -> Facts:
    """Everything that a recording could change, by name; tensors as copies."""
    facts: Facts = {
        "torch's random state": torch.get_rng_state(),
        "numpy's random state": str(np.random.get_state()),  # noqa: NPY002 -- what networks draw from
        "Python's random state": random.getstate(),
        "gradients enabled": torch.is_grad_enabled(),
    }
    for path, module in net.named_modules():
        for name, value in vars(module).items():
            facts |= _of_attribute(f"{path}.{name}", value)
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        facts[f"{name} itself"] = id(tensor)
        facts[f"{name}: its storage"] = tensor.data_ptr(), tensor.stride(), tensor.dtype
        facts[f"{name}: requires_grad, grad, attributes"] = (
            tensor.requires_grad,
            tensor.grad is None,
            sorted(vars(tensor)),
        )
    return facts


def _of_attribute(name: str, value: Any) -> Iterator[tuple[str, Any]] | Facts:
    """A number, a tensor, or the keys and tensors of a dict, as those of hooks and parameters."""
    if isinstance(value, Tensor):
        return {name: value.detach().clone()}
    if isinstance(value, Mapping):
        tensors = {f"{name}[{k}]": v.detach().clone() for k, v in value.items() if _is(v)}
        return {name: [*map(str, value)], **tensors}
    if isinstance(value, list | tuple):
        copies = [t.detach().clone() for t in tensors_in(value)]
        return {f"{name}: length": len(value), **{f"{name}[{n}]": t for n, t in enumerate(copies)}}
    return {name: value if isinstance(value, int | float | str | type(None)) else id(value)}


def _is(value: Any) -> bool:
    return isinstance(value, Tensor)


def check_unchanged(before: Facts, net: nn.Module, findings: Findings) -> None:
    after = facts_of(net)
    changed = [
        name
        for name in {**before, **after}
        if name not in before or name not in after or not _same(before[name], after[name])
    ]
    findings.figures["facts that were left alone"] += len(before) - len(changed)
    findings.figures["networks left as they were"] += not changed
    for name in changed[:3]:
        findings.add("trace left", f"{name} has changed ({len(changed)} in all)")


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, Tensor) and isinstance(after, Tensor):
        same_kind = before.shape == after.shape and before.dtype == after.dtype
        return same_kind and torch.equal(before.nan_to_num(), after.nan_to_num())
    return type(before) is type(after) and before == after


def check_output(recording: Recording, net: nn.Module, image: Tensor, findings: Findings) -> None:
    """The network computes alone what was recorded, bit for bit."""
    with torch.no_grad():
        outputs = list(tensors_in(net(image.clone())))
    recorded = recording[recording.output].tensor
    if outputs and _same(recorded, outputs[0]):
        findings.figures["outputs equal to a plain run"] += 1
    else:
        findings.add("output", f"{recording.output} differs from a plain run's output")
