"""The weights that a network brings along: whether they can be trained, and a head that is new."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm  # pyright: ignore[reportPrivateUsage]

from convscope.errors import RequestError
from convscope.weights.head import head_layers, start_head

_SMALL = 0.02  # the standard deviation of a head's weights that needs no smaller start


def check_trained(network: nn.Module, name: str) -> None:
    """Refuse a network whose batch norm shows that no weights were loaded into it.

    Training moves running means and variances, so a network in which all are as at the start has
    seen no image. Without batch norm nothing can be said.

    Raises RequestError for such a network.
    """
    norms = [
        norm
        for norm in network.modules()
        if isinstance(norm, BatchNorm)
        and norm.running_mean is not None
        and norm.running_var is not None
    ]
    if norms and all(map(_is_new, norms)):
        raise RequestError(
            f"`pretrained` says that the weights of {name} are trained, but its batch norm has "
            "seen no image: all running means are 0 and all variances 1. Load its weights first, "
            "as `convscope.load_weights(net, ...)` does, or leave out `pretrained`."
        )


def _is_new(norm: BatchNorm) -> bool:
    mean, variance = norm.running_mean, norm.running_var
    return not (mean is None or variance is None or mean.any() or (variance != 1).any())


def restart_new_head(network: nn.Module, num_classes: int) -> str:
    """Draw the weights of a head small where it is new and large; what was done, or "".

    One whose biases are all exactly 0 is new: no training leaves them there. See `start_head`.
    """
    [name, *_] = head_layers(network.state_dict())
    head = network.get_submodule(name)
    bias, weight = getattr(head, "bias", None), getattr(head, "weight", None)
    if not (isinstance(bias, torch.Tensor) and isinstance(weight, torch.Tensor)):
        return ""
    if bias.any() or len(weight) != num_classes or float(weight.detach().std()) <= _SMALL:
        return ""
    start_head(network, num_classes)
    return f"{name} is new, for its biases are all 0, and starts small"
