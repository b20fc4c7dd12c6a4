"""Local response normalization in the notation of its paper."""

from torch import Tensor, nn
from torch.nn import functional as F

from convscope.errors import RequestError


class LocalResponseNorm(nn.Module):
    """Divide each unit by a power of the squared units at its position in neighboring maps.

    b_i = a_i / (k + α Σ_j a_j²)^β, where j runs over the n maps around i, fewer at both ends.
    Input and output are (n, c, h, w). The defaults are AlexNet's: n 5, k 2, α 1e-4, β 0.75.

    α multiplies the sum, as in the paper; `nn.LocalResponseNorm` divides its alpha by n, so it
    equals this layer if its alpha is n·α. With `groups` the maps are split into equal parts, each
    normalized by itself: AlexNet's towers, where a map's neighbors are on the same GPU.

    Raises RequestError for an even n, which has no middle, and in `forward` if `groups` does not
    divide the number of maps.

    Reference: Krizhevsky, Sutskever & Hinton, 2012, section 3.3.
    """

    n: int
    k: float
    alpha: float
    beta: float
    groups: int

    def __init__(
        self,
        *,
        n: int = 5,
        k: float = 2.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        groups: int = 1,
    ) -> None:
        super().__init__()
        if n < 1 or n % 2 == 0:
            raise RequestError(f"n is {n}; it must be odd, so that n maps have one in the middle.")
        if groups < 1:
            raise RequestError(f"groups is {groups}; it must be 1 or more.")
        self.n, self.k, self.alpha, self.beta, self.groups = n, k, alpha, beta, groups

    def forward(self, x: Tensor) -> Tensor:
        maps = x.shape[1]
        if maps % self.groups:
            raise RequestError(
                f"{self.groups} groups do not divide {maps} maps. Choose a number of groups that "
                "does."
            )
        grouped = x.reshape(x.shape[0] * self.groups, maps // self.groups, *x.shape[2:])
        normed = F.local_response_norm(grouped, self.n, self.n * self.alpha, self.beta, self.k)
        return normed.reshape(x.shape)

    def extra_repr(self) -> str:
        letters = f"n={self.n}, k={self.k}, alpha={self.alpha}, beta={self.beta}"
        return f"{letters}, groups={self.groups}"
