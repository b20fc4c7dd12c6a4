"""Scores by which the maps of a layer are ranked: magnitude, distance from a mean, importance."""

import re
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.gradients import contiguous_gradients

Volume = NDArray[np.float32]
Scores = NDArray[np.float32]


def mean_magnitude(volume: Volume) -> Scores:
    """The mean absolute value of each map of a volume (c, h, w); NaN counts as 0.

    >>> mean_magnitude(np.float32([[[1, -3]], [[0, 0]]])).tolist()
    [2.0, 0.0]
    """
    return np.nan_to_num(np.abs(volume)).mean(axis=(1, 2))


def distance_from_mean(volume: Volume, mean: Volume) -> Scores:
    """The root mean square difference of each map from the same map of `mean`."""
    return np.sqrt(np.square(volume - mean).mean(axis=(1, 2)))


def gradient_times_activation(net: nn.Module, image: Tensor, operation: str) -> Tensor | None:
    """The gradient of the largest output by an operation's result, times that result.

    Args:
        net: in eval mode.
        image: (1, c, h, w), preprocessed.
        operation: a recorded operation's name; `relu_2` is the second call of the module `relu`.

    Returns:
        A tensor of the result's shape; None where the operation is not a module's output, or the
        output has no gradient by it.
    """
    module, call = _module_and_call(net, operation)
    if module is None:
        return None
    outputs: list[Tensor] = []

    def make_leaf(_module: nn.Module, _inputs: object, output: Any) -> Any:
        outputs.append(output)
        if len(outputs) != call:
            return output
        outputs[-1] = output.detach().requires_grad_()
        return outputs[-1]

    handle = module.register_forward_hook(make_leaf)
    try:
        with torch.enable_grad():
            scores = net(image.clone())
            top = scores.flatten()[int(scores.argmax())]
            activation = outputs[call - 1]
            (gradient,) = torch.autograd.grad(contiguous_gradients(top), activation)
    except (RuntimeError, AttributeError, IndexError):
        return None
    finally:
        handle.remove()
    return gradient * activation.detach()


def _module_and_call(net: nn.Module, operation: str) -> tuple[nn.Module | None, int]:
    modules = dict(net.named_modules())
    numbered = re.fullmatch(r"(.+)_(\d+)", operation)
    if numbered and operation not in modules:
        return modules.get(numbered[1]), int(numbered[2])
    return modules.get(operation), 1
