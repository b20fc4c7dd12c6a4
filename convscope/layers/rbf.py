"""The output layer of 1998: each class has an image, and its score is the distance from it."""

from torch import Tensor, nn

from convscope.errors import RequestError


class RadialBasis(nn.Module):
    """Score each class by the negative squared distance to its code.

    y_i = -Σ_j (x_j - w_ij)², where row i of `codes` (num_classes, features) is the fixed code w_i
    of class i: a buffer, not a parameter. (n, features) -> (n, num_classes).

    Deviation: the paper's unit is the distance itself, and the smallest wins. Here it is negative,
    so that argmax and softmax treat it like any logit; cross-entropy is then the paper's equation
    (9) without its constant e^-j. The differences are squared and added directly: the expansion
    |x|² - 2xw + |w|², one matrix product, would lose the digits of a small distance.

    Raises RequestError if `codes` is not a matrix.

        >>> import torch
        >>> RadialBasis(torch.tensor([[1.0, 1.0], [-1.0, 1.0]]))(torch.tensor([[1.0, 1.0]]))
        tensor([[-0., -4.]])

    Reference: LeCun, Bottou, Bengio & Haffner, 1998, equations (7) and (9).
    """

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        if codes.ndim != 2:
            raise RequestError(
                f"codes has the shape {tuple(codes.shape)}; it must be (num_classes, features)."
            )
        self.register_buffer("codes", codes.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.codes).square().sum(-1)

    def extra_repr(self) -> str:
        classes, features = self.codes.shape
        return f"{features}, {classes}"
