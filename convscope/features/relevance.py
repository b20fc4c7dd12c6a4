"""How much each unit of some layers adds to one output: gradient times activation."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from convscope.features.unit_layers import UnitLayer
from convscope.forward import like_parameters, main_output
from convscope.gradients import contiguous_gradients
from convscope.inference import inference_mode
from convscope.recording import run_once


def gradients_times_units(
    net: nn.Module, image: Tensor, layers: Sequence[UnitLayer], target: int, num_classes: int
) -> dict[str, Tensor | None]:
    """The gradient of output `target` by the units of each layer, times the units.

    To first order, that is by how much the output falls if a unit is set to 0. The image is a
    preprocessed batch of one. Results of functions are taken as well as those of modules, each as
    it was before anything was written to it.

    Returns:
        By the layer's name units (1, c, h, w) or (1, c); None where the output has no gradient by
        the layer. Parameters' gradients stay as they are.
    """
    units: dict[int, Tensor] = {}
    slopes: dict[int, Tensor] = {}
    numbers = {layer.number for layer in layers}

    def take(number: int, result: Tensor) -> None:
        if number in numbers and result.grad_fn is not None:
            units[number] = result.detach().clone()
            result.grad_fn.register_prehook(_keep(slopes, number, result.output_nr))

    outputs: list[Any] = []
    with inference_mode(net), torch.inference_mode(mode=False):
        handle = net.register_forward_hook(lambda _net, _args, output: outputs.append(output))
        try:
            leaf = like_parameters(net, image.detach().clone()).requires_grad_()
            with torch.enable_grad():
                run_once(
                    net,
                    leaf.clone(),
                    should_keep=lambda module, kind: False,
                    on_result=take,
                    with_gradients=True,
                )
                output = main_output(outputs[-1], num_classes)
        finally:
            handle.remove()
        if output is None or output.grad_fn is None:
            return dict.fromkeys((layer.name for layer in layers), None)
        top = contiguous_gradients(output[0, target])
        torch.autograd.grad(top, leaf, allow_unused=True)
    return {
        layer.name: layer.units(slopes[layer.number] * units[layer.number])
        if layer.number in slopes
        else None
        for layer in layers
    }


def _keep(
    slopes: dict[int, Tensor], number: int, output: int
) -> Callable[[tuple[Tensor | None, ...]], None]:
    def hook(gradients: tuple[Tensor | None, ...]) -> None:
        gradient = gradients[output]
        if gradient is not None:
            slopes[number] = gradient.detach().clone()

    return hook
