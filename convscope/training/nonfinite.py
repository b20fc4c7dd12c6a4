"""What went wrong in a step: where the first NaN or infinity came from, or no memory."""

from collections.abc import Set as AbstractSet
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from convscope.distributed.local import local
from convscope.errors import WorkError
from convscope.finite import is_finite
from convscope.memory import is_out_of_memory
from convscope.runs.weight_values import infinite_buffers
from convscope.training.events import StepEnd
from convscope.training.state import TrainState


class StepError(WorkError):
    """A step could not be made; the state before it is intact."""


class NonfiniteError(StepError):
    """A loss or a weight is NaN or infinite."""


def first_nonfinite_layer(network: nn.Module, images: Tensor | None) -> str:
    """Name the first weight that is not finite, else the first layer whose output is not."""
    for name, weight in network.named_parameters():
        if not is_finite(local(weight)):
            return name
    if images is None:
        return ""
    nonfinite: list[str] = []
    handles: list[RemovableHandle] = []
    for name, layer in dict[str, nn.Module](network.named_modules()).items():
        hook = partial(_check_output, name, nonfinite)
        handles += [layer.register_forward_hook(hook)] if name else []
    try:
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return nonfinite[0] if nonfinite else "the loss"


def _check_output(
    name: str, nonfinite: list[str], _layer: nn.Module, _inputs: object, output: object
) -> None:
    if isinstance(output, Tensor) and not is_finite(output):
        nonfinite.append(name)


def check_finite(
    network: nn.Module,
    infinite: AbstractSet[str],
    *,
    state: TrainState,
    lr: float | None = None,
) -> None:
    """Check weights and buffers before they are saved, but for buffers in `infinite`.

    Raises StepError, naming the first that is not finite.
    """
    buffers = infinite_buffers(network) - infinite
    if buffers or not all(is_finite(local(weight)) for weight in network.parameters()):
        what = f"{min(buffers)} is" if buffers else "A weight is"
        raise nonfinite_error(f"{what} not finite", network, None, state=state, lr=lr)


def nonfinite_error(
    what: str, network: nn.Module, images: Tensor | None, *, state: TrainState, lr: float | None
) -> NonfiniteError:
    """The error to raise for a NaN or an infinity; `images` are those that the network was fed."""
    layer = first_nonfinite_layer(network, images)
    if state.step == 0 and images is not None:
        where = f", first in {layer}" if layer != "the loss" else ""
        return NonfiniteError(
            f"{what} at the first step, before any weight has changed: the network itself returns "
            f"it{where}. Look for a division by zero, a logarithm or a root in its code."
        )
    rate = "" if lr is None else f", learning rate {lr:g}"
    return NonfiniteError(
        f"{what} at step {state.step + 1} (epoch {state.epoch + 1}{rate})"
        f"{f', first in {layer}' if layer else ''}. Train again with a smaller `lr`, or "
        "with `clip_grad_norm=1`."
    )


def nonfinite_gradients(event: StepEnd) -> NonfiniteError:
    """The error to raise where gradients in fp16 are not finite, however small the loss is made."""
    return NonfiniteError(
        f"Gradients are not finite at step {event.step} (epoch {event.epoch}, learning rate "
        f"{event.lr:g}), whatever the scale of the loss. Train again with a smaller `lr`, or with "
        "`precision='float32'`."
    )


def explained(error: Exception, batch_size: int) -> Exception:
    """The error to raise for a step that failed: advice where the cause is known, else itself."""
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        line = str(error).strip().splitlines()[0]
        return StepError(
            f"torch.compile failed: {line} It needs a C++ compiler and a network that it "
            "understands; train without `compile`."
        )
    if not is_out_of_memory(error):
        return error
    advice = f"`batch_size={batch_size // 2}`" if batch_size > 1 else "a smaller `input_size`"
    return StepError(
        f"Out of memory with batches of {batch_size} images. Train again with {advice}."
    )
