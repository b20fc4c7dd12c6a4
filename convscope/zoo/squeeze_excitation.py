"""Squeeze and excitation: maps are weighted by what all of them show of the whole image."""

from collections.abc import Callable

from torch import Tensor, nn


class SqueezeExcitation(nn.Module):
    """Multiply each map by a gate that is computed from the means of all maps.

    With z the means of the maps over height and width: y = x · gate(fc2(activation(fc1(z)))).

    fc1 reduces z to `squeezed` numbers, and fc2 has one output for each map. Input and output are
    (n, channels, h, w). The paper has ReLU for `activation` and the sigmoid for `gate`. The dense
    layers are 1x1 convolutions, as z keeps the form (n, channels, 1, 1).

    Reference: Hu, Shen & Sun, 2018, https://arxiv.org/abs/1709.01507, section 3.
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        *,
        activation: Callable[[], nn.Module] = nn.ReLU,
        gate: Callable[[], nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.activation = activation()
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.activation(self.fc1(self.pool(x)))
        return x * self.gate(self.fc2(squeezed))
