"""The squashing function of the early networks."""

import torch
from torch import Tensor, nn


class ScaledTanh(nn.Module):
    """Squash every unit: f(x) = A tanh(S x), with A = 1.7159 and S = 2/3.

    The constants make f(1) = 1 and f(-1) = -1, and bend the curve most there, so that units trained
    towards ±1 neither saturate nor stay linear. Any shape in, the same shape out.

        >>> ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-1.0000,  0.0000,  1.0000])

    Reference: LeCun, Bottou, Bengio & Haffner, 1998, equation (6) and appendix A.
    """

    amplitude: float
    slope: float

    def __init__(self, *, amplitude: float = 1.7159, slope: float = 2 / 3) -> None:
        super().__init__()
        self.amplitude, self.slope = amplitude, slope

    def forward(self, x: Tensor) -> Tensor:
        return self.amplitude * torch.tanh(self.slope * x)

    def extra_repr(self) -> str:
        return f"amplitude={self.amplitude}, slope={self.slope:.4g}"
