"""How the papers initialize weights; each network names the scheme that it uses.

Every function draws from torch's generator and writes in place. Biases are set to zero, and batch
norm stays at PyTorch's initialization, the identity.
"""

from typing import Literal

from torch import nn

WeightedLayer = nn.Conv2d | nn.Linear


def gaussian(net: nn.Module, std: float) -> None:
    """Draw the weights of convolutions and dense layers from N(0, std²)."""
    for layer in _weighted(net):
        nn.init.normal_(layer.weight, std=std)


def he(
    net: nn.Module,
    *,
    fan: Literal["fan_in", "fan_out"] = "fan_in",
    per_group: bool = False,
    dense: bool = True,
) -> None:
    """Draw weights from N(0, 2/n), for rectifiers: He et al., 2015, arxiv.org/abs/1502.01852.

    n is the number of inputs of a unit (`fan_in`: k·k·input channels of its group, equation 10) or
    of units that an input reaches (`fan_out`: k·k·output channels of all groups, equation 14; with
    `per_group`, of its own group). The authors find both equally good. With `dense=False`, dense
    layers keep PyTorch's initialization, uniform in ±1/sqrt(fan_in): no rectifier follows a
    classifier.
    """
    for layer in _weighted(net):
        if dense or isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode=fan, nonlinearity="relu")
        if per_group and fan == "fan_out" and isinstance(layer, nn.Conv2d):
            layer.weight.data.mul_(layer.groups**0.5)


def gaussian_head(net: nn.Module, std: float) -> None:
    """Draw the weights of dense layers from N(0, std²)."""
    for layer in _weighted(net):
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=std)


def glorot(net: nn.Module) -> None:
    """Draw weights uniformly with variance 2/(fan_in + fan_out): Glorot & Bengio, 2010."""
    for layer in _weighted(net):
        nn.init.xavier_uniform_(layer.weight)


def _weighted(net: nn.Module) -> list[WeightedLayer]:
    """Return all convolutions and dense layers, with their biases set to zero."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers:
        bias = layer.get_parameter("bias") if layer.bias is not None else None  # pyright: ignore[reportUnnecessaryComparison]
        if bias is not None:
            nn.init.zeros_(bias)
    return layers
