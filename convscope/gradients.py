"""Gradients that are right where PyTorch's batch norm would read them in the wrong order."""

from torch import Tensor
from torch.autograd.graph import Node


def contiguous_gradients(output: Tensor) -> Tensor:
    """Return `output` itself, prepared so that its gradients through batch norm will be right.

    On the CPU, PyTorch's batch norm reads the gradient from above in the wrong order if there is
    one image, (1, c, h, w) or (1, c, d, h, w), contiguous in memory, and the gradient arrives with
    the channels innermost, as from tokens (`flatten(2).transpose(1, 2)`). The gradients of its
    input, weight and bias are then wrong by as much as themselves. Instance norm is computed as
    batch norm of one image of n·c channels, so there it can happen with any number of images.

    Every batch norm in the graph of `output` gets a hook that makes such a gradient contiguous:
    the same values in another layout. That covers functional calls, train and eval mode,
    TorchScript, second derivatives, `torch.utils.checkpoint(use_reentrant=False)`, and, called
    on what the function returns, `torch.func.grad` and `torch.autograd.functional.jacobian`.
    Reentrant checkpoints, and `torch.compile` with a backend that keeps batch norm
    ("aot_eager"), have graphs of their own, which are not reached.

        >>> import torch
        >>> tokens = torch.nn.BatchNorm2d(4)(torch.rand(1, 4, 3, 3)).flatten(2).transpose(1, 2)
        >>> contiguous_gradients((tokens @ torch.rand(4, 2)).square().sum()).backward()

    Seen in PyTorch 2.13.0; the details are in docs/pytorch.md.
    """
    waiting = [output.grad_fn] if output.device.type == "cpu" else []
    seen: set[Node] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if "BatchNorm" in node.name():
            node.register_prehook(_make_contiguous)
        waiting += [below for below, _ in node.next_functions]
    return output


def _make_contiguous(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(
        gradient.contiguous() if gradient is not None and len(gradient) == 1 else gradient
        for gradient in gradients
    )
