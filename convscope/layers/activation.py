"""The squashing function of the early networks."""

import torch
from torch import Tensor, nn


class ScaledTanh(nn.Module):
    """Apply f(x) = A tanh(S x) elementwise, with A = 1.7159 and S = 2/3.

    With these constants f(1) = 1, f(-1) = -1, and the second derivative is largest there, so units
    trained towards ±1 neither saturate nor stay linear. Input and output have the same shape.

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
