"""What went wrong in a step: where the first number that is none came from, or no memory."""

from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from convscope.errors import WorkError
from convscope.training.state import Counters

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def first_bad_layer(net: nn.Module, images: Tensor | None) -> str:
    """Name the first weight that is no finite number, else the first layer whose output is not."""
    for name, weight in net.named_parameters():
        if not bool(weight.isfinite().all()):
            return name
    if images is None:
        return ""
    bad: list[str] = []
    layers = dict[str, nn.Module](net.named_modules())
    handles: list[RemovableHandle] = []
    for name, layer in layers.items():
        hook = partial(_look, name, bad)
        handles += [layer.register_forward_hook(hook)] if name else []
    try:
        with torch.no_grad():
            net(images)
    finally:
        for handle in handles:
            handle.remove()
    return bad[0] if bad else "the loss"


def _look(name: str, bad: list[str], _layer: nn.Module, _args: object, output: object) -> None:
    if isinstance(output, Tensor) and not bool(output.isfinite().all()):
        bad.append(name)


def no_number(
    what: str, net: nn.Module, images: Tensor | None, *, at: Counters, rate: float, run: Path
) -> WorkError:
    """The error to raise for a number that is none any more; `at` is where the training was."""
    layer = first_bad_layer(net, images)
    return WorkError(
        f"{what} at step {at.step + 1} (epoch {at.epoch + 1}, learning rate {rate:g})"
        f"{f', first in {layer}' if layer else ''}. The last good state is kept in {run}. Train "
        "again with a smaller --lr, or with --clip-grad-norm 1."
    )


def explained(error: Exception, batch_size: int, run: Path) -> Exception:
    """The error to raise for a step that failed: advice where the reason is known, else itself."""
    told = str(error).lower()
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        line = str(error).strip().splitlines()[0]
        return WorkError(
            f"torch.compile failed: {line} It needs a C++ compiler and a network that it "
            "understands; train without --compile."
        )
    if not isinstance(error, MemoryError) and not any(phrase in told for phrase in _OUT_OF_MEMORY):
        return error
    advice = f"--batch-size {batch_size // 2}" if batch_size > 1 else "a smaller --input-size"
    return WorkError(
        f"Out of memory with batches of {batch_size} images. Train again with {advice}; the last "
        f"good state is kept in {run}."
    )
