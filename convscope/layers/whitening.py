"""Preprocessing of a whole image as layers: global contrast normalization and ZCA whitening."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import RequestError

MAX_VALUES = 3 * 48 * 48
"""Values of an image that ZCA whitens at most: its matrix has the square of this, 191 MB."""


class GlobalContrastNorm(nn.Module):
    """Bring every image to the mean 0 and the same length.

    y = s·(x - m) / √(Σ (x - m)² + ε), where m is the mean of all pixels and channels of one
    image. Input and output are (n, c, h, w). An image in one shade of gray becomes zeros.

    Deviation: the authors' program divides by 1 where the length is below 1e-8; here ε is added to
    its square, so that rounding in an image in one shade is not enlarged. It stands for a length
    of 1e-3, a quarter of a level of one byte.

    Args:
        scale: the length s, 55 as in maxout networks, so that a pixel of a color image of 32x32
            has a variance of about 1.
        eps: ε.

    Reference: Goodfellow et al., 2013, "Maxout networks", section 5.2, as in pylearn2.
    """

    scale: float
    eps: float

    def __init__(self, *, scale: float = 55.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.scale, self.eps = scale, eps

    def forward(self, x: Tensor) -> Tensor:
        centered = x - x.mean((1, 2, 3), keepdim=True)
        length = (centered.square().sum((1, 2, 3), keepdim=True) + self.eps).sqrt()
        return self.scale * centered / length

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}, eps={self.eps:g}"


class ZCAWhitening(nn.Module):
    """Remove the correlations between all pixels and channels, and change images least by it.

    y = W·(x - m), with W = V (Λ + b)^-1/2 Vᵀ, where m is the mean of the training images, V Λ Vᵀ
    the eigendecomposition of their covariance, and b `filter_bias`, which limits how much noise is
    enlarged. Input and output are (n, c, h, w).

    `fit` computes m and W. They are buffers, saved with the weights; before, m is 0 and W is the
    identity. A training fits the layer to its training images before the first step.

    Raises RequestError for images of more than MAX_VALUES values, and in `forward` for images of
    another size than `shape`, (c, h, w).

    Reference: Krizhevsky, 2009, "Learning multiple layers of features from tiny images", appendix
    A; the bias as in pylearn2.
    """

    mean: Tensor
    weight: Tensor
    shape: tuple[int, int, int]
    filter_bias: float

    def __init__(self, shape: tuple[int, int, int], *, filter_bias: float = 0.1) -> None:
        super().__init__()
        channels, height, width = shape
        values = channels * height * width
        if values > MAX_VALUES:
            raise RequestError(
                f"ZCA whitening of {height}x{width}x{channels} needs a matrix of {values:,} x "
                f"{values:,} numbers. It is for small images, of up to {MAX_VALUES:,} values, such "
                "as 48x48x3. Set a smaller `input_size`, or choose a network without it."
            )
        if not filter_bias > 0:
            raise RequestError(f"filter_bias is {filter_bias}; it must be above 0.")
        self.shape, self.filter_bias = shape, filter_bias
        self.register_buffer("mean", torch.zeros(values))
        self.register_buffer("weight", torch.eye(values))

    @property
    def is_fitted(self) -> bool:
        """Whether it changes an image at all."""
        return not torch.equal(self.weight, torch.eye(len(self.mean), device=self.weight.device))

    @torch.no_grad()
    def fit(self, batches: Iterable[Tensor]) -> None:
        """Compute mean and matrix of the images in `batches`, each (n, c, h, w), in float64."""
        size, count = len(self.mean), 0
        total = torch.zeros(size, dtype=torch.float64)
        products = torch.zeros(size, size, dtype=torch.float64)
        origin: Tensor | None = None  # close to the mean: products of large numbers lose digits
        for batch in batches:
            rows = batch.flatten(1).double().cpu()
            origin = rows.mean(0) if origin is None else origin
            rows = rows - origin
            total += rows.sum(0)
            products.addmm_(rows.T, rows)
            count += len(rows)
        if origin is None:
            raise RequestError("ZCA whitening cannot be fitted to no images.")
        mean = total / count
        covariance = products / count - torch.outer(mean, mean)
        values, vectors = cast("tuple[Tensor, Tensor]", torch.linalg.eigh(covariance))
        scales = (values.clamp(min=0) + self.filter_bias).rsqrt()
        self.mean.copy_(mean + origin)
        self.weight.copy_((vectors * scales) @ vectors.T)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1:] != self.shape:
            channels, height, width = self.shape
            raise RequestError(
                f"ZCA whitening was made for images of {height}x{width}x{channels}, not "
                f"{x.shape[2]}x{x.shape[3]}x{x.shape[1]}. Bring images to that size."
            )
        return F.linear(x.flatten(1) - self.mean, self.weight).reshape(x.shape)

    def extra_repr(self) -> str:
        return f"{self.shape}, filter_bias={self.filter_bias:g}"
