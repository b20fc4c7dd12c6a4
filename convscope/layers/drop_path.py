"""Stochastic depth: residual branches are dropped at random in training."""

from typing import Literal

from torch import Tensor, nn

from convscope.errors import RequestError


def linear_decay(blocks: int, *, last: float = 0.5) -> list[float]:
    """Return the survival probabilities of `blocks` blocks: p_l = 1 - l/L (1 - p_L).

    l counts from 1 to L = `blocks`, and p_L is `last`; the input, "block 0", always survives. The
    `drop_prob` of a block's `DropPath` is 1 - p_l.

    Raises RequestError for fewer than one block or a probability outside (0, 1].

        >>> linear_decay(4)
        [0.875, 0.75, 0.625, 0.5]

    Reference: Huang et al., 2016, https://arxiv.org/abs/1603.09382, equation (4).
    """
    if blocks < 1:
        raise RequestError(f"blocks is {blocks}; it must be 1 or more.")
    if not 0 < last <= 1:
        raise RequestError(f"last is {last}; a survival probability lies in (0, 1].")
    return [1 - block / blocks * (1 - last) for block in range(1, blocks + 1)]


class DropPath(nn.Module):
    """Drop a residual branch with probability `drop_prob` in training.

    With the survival probability p = 1 - drop_prob, and s drawn as 1 with probability p, else 0:

        training    y = s x        evaluation    y = p x

    Apply it to the output of a branch, before the sum with the shortcut; input and output have any
    shape (n, ...). The paper draws one s per mini-batch, as with `per="batch"`; `per="sample"`
    draws one per image. The paper scales in evaluation; `scale_by_keep=True` does what is common
    today: y = s x / p in training, and y = x in evaluation. A dropped branch is computed all the
    same and gets a gradient of zero, so that every weight has a gradient.

    Raises RequestError for a `drop_prob` outside [0, 1).

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
            raise RequestError(f"drop_prob is {drop_prob}; a drop probability lies in [0, 1).")
        self.drop_prob, self.per, self.scale_by_keep = drop_prob, per, scale_by_keep

    def forward(self, x: Tensor) -> Tensor:
        survival = 1 - self.drop_prob
        if not self.training:
            return x if self.scale_by_keep else x * survival
        draws = x.shape[0] if self.per == "sample" else 1
        survives = x.new_empty(draws, *(1,) * (x.ndim - 1)).bernoulli_(survival)
        return x * (survives / survival if self.scale_by_keep else survives)

    def extra_repr(self) -> str:
        return f"{self.drop_prob:.4g}, per={self.per!r}, scale_by_keep={self.scale_by_keep}"
