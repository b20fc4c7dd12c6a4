"""Trials of a network: which images it takes, and what it returns for them."""

from collections.abc import Generator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.parameter import is_lazy

from convscope.card import NetworkOutput, TaskName
from convscope.device import Precision
from convscope.errors import ConvscopeError, NetworkError, RequestError
from convscope.forward import (
    first_line,
    like_parameters,
    logits_of,
    main_output,
    network_error,
    num_outputs,
    where_raised,
)
from convscope.inference import are_fractions, are_probabilities, inference_mode
from convscope.mixed_precision import autocast

USUAL_SIZES = [
    (side, side) for side in (224, 32, 28, 64, 96, 128, 48, 256, 299, 227, 160, 384, 512)
]
"""Sizes that networks are made for, in the order in which they are tried where none is known."""

_TRIALS = 4  # images that must all give probabilities
_BATCHES = (2, 4, 8, 16, 32, 64)  # that a network which takes no single image may be made for


def check_network(
    net: nn.Module, *, in_channels: int, input_size: tuple[int, int], num_classes: int, name: str
) -> None:
    """Run the network on one black image and check its output; mode and weights stay unchanged.

    Raises RequestError for parameters without values, with the layer that failed, or with the shape
    of an output that has no logits (1, num_classes); see `convscope.forward.main_output`.
    """
    _check_values(net, name)
    shape = f"{in_channels}x{input_size[0]}x{input_size[1]}"
    image = torch.zeros(1, in_channels, *input_size)
    try:
        with inference_mode(net):
            output = net(like_parameters(net, image))
    except NetworkError:
        raise
    except Exception as error:
        if (batch := _only_batch(net, image)) is not None:
            raise NetworkError(
                f"{name} takes batches of {batch} images and no single image: its batch size is "
                f"fixed, {where_raised(error, net).strip() or 'in its forward'}. Use the size of "
                "its input there, as in `x.flatten(1)` or `x.view(x.size(0), -1)`."
            ) from error
        raise NetworkError(
            f"{name} cannot take images of {shape}: it failed{where_raised(error, net)}: "
            f"{type(error).__name__}: {first_line(error)}. {_remedy(error)}"
        ) from error
    logits_of(output, 1, num_classes, name=name)


def _remedy(error: Exception) -> str:
    if any(word in str(error) for word in ("CUDA", "NVIDIA", "same device")):
        return "Let its forward use the device of its input, `x.device`, instead of `.cuda()`."
    return "Choose `input_size` and `in_channels` that fit the network."


def _only_batch(net: nn.Module, image: Tensor) -> int | None:
    """The only batch size that a network takes, of a few that are tried."""
    for size in _BATCHES:
        with suppress(Exception), inference_mode(net):
            output = main_output(net(like_parameters(net, image.expand(size, -1, -1, -1))))
            if output is not None and output.shape[:1] == (size,):
                return size
    return None


def _check_values(net: nn.Module, name: str) -> None:
    for path, tensor in (*net.named_parameters(), *net.named_buffers()):
        if is_lazy(tensor):
            raise RequestError(
                f"{name} has lazy layers, whose shapes are open: {path}. Run it once on an image: "
                "`net(torch.zeros(1, channels, height, width))`."
            )
        if tensor.is_meta:
            raise RequestError(
                f"{name} is on the meta device, which has no values: {path}. Create it on the CPU."
            )


def check_training(
    net: nn.Module,
    *,
    in_channels: int,
    input_size: tuple[int, int],
    num_classes: int,
    name: str,
    batch_size: int = 2,
    precision: Precision = "float32",
) -> str:
    """One step's forward and backward pass in training mode, on noise; the network stays unchanged.

    It is tried in float32, and in another `precision` too, where other layers may fail.

    Returns a sentence for the user where it returns more logits than one, else "". Raises
    NetworkError where it fails, with the layer, and RequestError where nothing can be trained.
    """
    _check_trainable(net, name, precision)
    noise = torch.Generator().manual_seed(0)
    images = torch.randn(batch_size, in_channels, *input_size, generator=noise)
    images = like_parameters(net, images)
    targets = torch.zeros(batch_size, dtype=torch.int64, device=images.device)
    shape = f"{in_channels}x{input_size[0]}x{input_size[1]}"
    doing = f"in training mode, for {batch_size} image{'s' if batch_size > 1 else ''} of {shape}"
    output = _trial(net, images, targets, num_classes, name=name, doing=doing)
    if precision != "float32":
        doing += f", in {precision}"
        _trial(net, images, targets, num_classes, name=name, doing=doing, precision=precision)
    more = num_outputs(output, num_classes) - 1
    if more < 1 or type(output).__module__.startswith("convscope."):
        return ""
    return (
        f"In training mode, {name} returns logits {more + 1} times; the first are trained, and the "
        "losses of the others are not used."
    )


def _trial(
    net: nn.Module,
    images: Tensor,
    targets: Tensor,
    num_classes: int,
    *,
    name: str,
    doing: str,
    precision: Precision = "float32",
) -> object:
    """What the network returns in a step, whose backward pass is tried as well."""
    with unchanged(net):
        net.train()
        try:
            with autocast(images.device, precision):
                output = net(images)
        except Exception as error:
            remedy = "" if precision == "float32" else _FLOAT32
            raise network_error(error, net, name=name, doing=doing, remedy=remedy) from error
        logits = logits_of(output, len(images), num_classes, name=f"In training mode, {name}")
        try:
            logits = logits if precision == "float32" else logits.float()
            F.cross_entropy(logits, targets).backward()
        except RuntimeError as error:
            remedy = _BACKWARD if precision == "float32" else _FLOAT32
            doing = "in the backward pass"
            raise network_error(error, net, name=name, doing=doing, remedy=remedy) from error
    return output


_FLOAT32 = "In float32 it works: `precision='float32'`."
_BACKWARD = (
    "Its outputs must depend on its parameters by operations that have gradients, and nothing that "
    "these need may be changed in place."
)


def _check_trainable(net: nn.Module, name: str, precision: Precision) -> None:
    parameters = list(net.parameters())
    if not parameters:
        raise RequestError(f"{name} has no parameters, so there is nothing to train.")
    if not any(parameter.requires_grad for parameter in parameters):
        raise RequestError(
            f"All parameters of {name} are frozen (requires_grad is False), so there is nothing to "
            "train. Unfreeze the last layer at least: `net.fc.requires_grad_(True)`."
        )
    low = {str(p.dtype).removeprefix("torch.") for p in parameters if p.dtype in _LOW}
    if low:
        raise RequestError(
            f"{name} has parameters in {' and '.join(sorted(low))}, in which small updates are "
            "lost. Train it in float32: `net.float()`."
        )
    if precision != "float32" and any(p.dtype == torch.float64 for p in parameters):
        raise RequestError(
            f"{name} has parameters in float64, which are not converted to {precision}. Choose "
            "`precision='float32'`, which leaves them as they are, or `net.float()`."
        )


_LOW = (torch.float16, torch.bfloat16)


@contextmanager
def unchanged(net: nn.Module) -> Generator[None]:
    """Modes, buffers, gradients and the random state as before, whatever happens inside."""
    modes = {module: module.training for module in net.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in net.buffers()]
    gradients = [(parameter, parameter.grad) for parameter in net.parameters()]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, gradient in gradients:
            parameter.grad = gradient
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def network_output(
    net: nn.Module,
    *,
    in_channels: int,
    input_size: tuple[int, int],
    num_classes: int | None = None,
    task: TaskName = "single-label",
) -> NetworkOutput:
    """Whether a network returns logits or probabilities, by trial on a few random images.

    Outputs that are never negative and always add up to 1 are probabilities; of several labels,
    outputs that are always from 0 to 1, also with weights of other signs. Logarithms of
    probabilities are logits: their softmax gives the probabilities back. So is what cannot be
    tried. Leaves modes, weights, buffers and the random state as found.
    """
    random = torch.Generator().manual_seed(0)
    are_of_task = are_fractions if task == "multi-label" else are_probabilities
    try:
        with unchanged(net), inference_mode(net):
            for _ in range(_TRIALS):
                image = torch.randn(1, in_channels, *input_size, generator=random)
                image = like_parameters(net, image)
                if task == "multi-label":
                    returned = functional_call(net, _other_signs(net, random), (image,))
                else:
                    returned = net(image)
                output = main_output(returned, num_classes)
                if output is None or output.ndim != 2 or not are_of_task(output):
                    return "logits"
    except Exception:  # noqa: BLE001 -- `check_network` says what is wrong with it
        return "logits"
    return "probabilities"


def _other_signs(net: nn.Module, random: torch.Generator) -> dict[str, Tensor]:
    """The parameters with random signs, a row each: few logits of random weights stay in 0..1."""
    signed: dict[str, Tensor] = {}
    for name, value in net.named_parameters():
        signs = torch.randint(2, value.shape[:1], generator=random) * 2 - 1
        rows = signs.reshape(-1, *[1] * (value.ndim - 1)) if value.ndim else signs
        signed[name] = value * rows.to(value)
    return signed


TRIED = 2
"""Images of a trial of the memory layout: of a single one, most layouts are the same."""


def reads_channels_last(net: nn.Module, *, in_channels: int, input_size: tuple[int, int]) -> bool:
    """Tell whether the network accepts images in channels-last memory layout, which is faster.

    A network that reshapes the output of a convolution with `view` does not.
    """
    images = torch.zeros(TRIED, *input_size, in_channels).permute(0, 3, 1, 2)
    try:
        with inference_mode(net):
            net(like_parameters(net, images))
    except ConvscopeError:
        raise
    except Exception:  # noqa: BLE001 -- somebody's network may raise anything
        return False
    return True
