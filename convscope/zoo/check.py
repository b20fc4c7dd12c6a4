"""Trials of a network: which images it takes, and what it returns for them."""

from functools import partial

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from convscope.card import NetworkOutput
from convscope.errors import RequestError
from convscope.inference import are_probabilities, inference_mode

_TRIALS = 4  # images that must all give probabilities


def check_network(
    net: nn.Module, *, in_channels: int, input_size: tuple[int, int], num_classes: int, name: str
) -> None:
    """Run the network on one black image and check its output; mode and weights stay unchanged.

    Raises RequestError with the layer that failed, or with the shape of an output that is not
    (1, num_classes).
    """
    inside: list[str] = []
    layers = dict[str, nn.Module](net.named_modules())
    handles: list[RemovableHandle] = []
    for path, layer in layers.items():
        if path and not any(layer.children()):
            handles.append(layer.register_forward_pre_hook(partial(_enter, path, inside)))
    weight = next(net.parameters(), torch.empty(0))
    image = torch.zeros(1, in_channels, *input_size, device=weight.device)
    shape = f"{in_channels}x{input_size[0]}x{input_size[1]}"
    try:
        with inference_mode(net):
            answer = net(image)
    except Exception as error:
        where = f" at layer {inside[-1]}" if inside else ""
        raise RequestError(
            f"{name} cannot take images of {shape}: it failed{where} ({_line(error)}). "
            "Choose `input_size` and `in_channels` that fit the network."
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(answer, torch.Tensor) or answer.shape != (1, num_classes):
        output = tuple(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        raise RequestError(
            f"{name} maps an image of {shape} to {output}; with {num_classes} classes the "
            f"output must be logits of shape (1, {num_classes}). Give the builder a `num_classes` "
            "argument, or change its last layer."
        )


def network_output(
    net: nn.Module, *, in_channels: int, input_size: tuple[int, int]
) -> NetworkOutput:
    """Whether a network returns logits or probabilities, by trial on a few random images.

    Outputs that are never negative and always add up to 1 are probabilities. Logarithms of
    probabilities are logits: their softmax gives the probabilities back. So is what cannot be
    tried. Leaves modes, weights, buffers and the random state as found.
    """
    weight = next(net.parameters(), torch.empty(0))
    random = torch.Generator().manual_seed(0)
    buffers = [(buffer, buffer.clone()) for buffer in net.buffers()]
    try:
        with inference_mode(net), torch.random.fork_rng(devices=()):
            for _ in range(_TRIALS):
                image = torch.randn(1, in_channels, *input_size, generator=random)
                output = net(image.to(weight.device))
                is_vector = isinstance(output, torch.Tensor) and output.ndim == 2
                if not is_vector or not are_probabilities(output):
                    return "logits"
    except Exception:  # noqa: BLE001 -- `check_network` says what is wrong with it
        return "logits"
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
    return "probabilities"


def _enter(path: str, inside: list[str], _layer: nn.Module, _args: object) -> None:
    inside.append(path)


def _line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def reads_channels_last(net: nn.Module, *, in_channels: int, input_size: tuple[int, int]) -> bool:
    """Tell whether the network accepts images in channels-last memory layout, which is faster.

    A network that reshapes the output of a convolution with `view` does not.
    """
    weight = next(net.parameters(), torch.empty(0))
    images = torch.zeros(2, *input_size, in_channels, device=weight.device).permute(0, 3, 1, 2)
    try:
        with inference_mode(net):
            net(images)
    except RuntimeError:
        return False
    return True
