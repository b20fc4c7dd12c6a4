"""Stochastic depth: a residual branch is left out at random while the network trains."""

from typing import Literal

from torch import Tensor, nn

from convscope.errors import RequestError


def linear_decay(blocks: int, *, last: float = 0.5) -> list[float]:
    """The probability with which each of `blocks` survives: p_l = 1 - l/L (1 - p_L).

    l counts from 1 to L = `blocks`, and p_L is `last`; the input, "block 0", always survives. The
    rate of a block's `DropPath` is 1 - p_l.

    Raises RequestError for fewer than one block, or a probability outside (0, 1].

        >>> linear_decay(4)
        [0.875, 0.75, 0.625, 0.5]

    Reference: Huang et al., 2016, https://arxiv.org/abs/1603.09382, equation (4).
    """
    if blocks < 1:
        raise RequestError(f"blocks is {blocks}; there must be 1 or more.")
    if not 0 < last <= 1:
        raise RequestError(f"last is {last}; a probability of survival lies in (0, 1].")
    return [1 - block / blocks * (1 - last) for block in range(1, blocks + 1)]


class DropPath(nn.Module):
    """Leave out a residual branch with probability `rate` while training.

    With the survival probability p = 1 - rate, and s drawn as 1 with probability p, else 0:

        training    y = s x        evaluation    y = p x

    Apply it to what a branch gives, before the sum with the shortcut; any shape (n, ...) in and
    out. The paper draws one s for the mini-batch, and so does `per="batch"`; `per="sample"` draws
    one for each image. The paper leaves training as it is and scales at the test; `rescale=True`
    does what is common now: y = s x / p in training, and y = x in evaluation. A branch left out is
    computed all the same and takes a gradient of zero, as every weight then gets one.

    Raises RequestError for a rate outside [0, 1).

    Reference: Huang et al., 2016, https://arxiv.org/abs/1603.09382, equations (2) and (5).
    """

    drop_prob: float
    per: Literal["batch", "sample"]
    scale_by_keep: bool

    def __init__(
        self,
        drop_prob: float,
        *,
        per: Literal["batch", "sample"] = "batch",
        scale_by_keep: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= drop_prob < 1:
            raise RequestError(
                f"rate is {drop_prob}; the probability of leaving out lies in [0, 1)."
            )
        self.drop_prob, self.per, self.scale_by_keep = drop_prob, per, scale_by_keep

    def forward(self, x: Tensor) -> Tensor:
        survival = 1 - self.drop_prob
        if not self.training:
            return x if self.scale_by_keep else x * survival
        drawn = len(x) if self.per == "sample" else 1
        survives = x.new_empty(drawn, *(1,) * (x.ndim - 1)).bernoulli_(survival)
        return x * (survives / survival if self.scale_by_keep else survives)

    def extra_repr(self) -> str:
        return f"{self.drop_prob:.4g}, per={self.per!r}, rescale={self.scale_by_keep}"
