"""FractalNet's join, and the sampler that decides which inputs the joins of a network keep."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from convscope.errors import RequestError


class DropPathSampler:
    """Decide for each forward pass of a network which of its columns are active.

    All joins of a network share one sampler, and the network calls `draw` once, before its first
    layer. In training, a pass is *global* with probability `global_prob`: a single column, the same
    in every block and drawn uniformly, is active (`column` is its number, from 1). Otherwise it is
    *local*: all columns are active (`column` is None), and each join drops each of its inputs with
    probability `drop_prob`. In evaluation all columns are active and nothing is dropped. Set `only`
    to restrict every pass to one column: the paper's extraction of a plain network.

    The draws come from PyTorch's generator on the CPU, so `torch.manual_seed` determines them.

    Raises RequestError for fewer than one column, a `drop_prob` outside [0, 1), or a `global_prob`
    outside [0, 1].

    Reference: Larsson, Maire & Shakhnarovich, 2017, https://arxiv.org/abs/1605.07648, section 3.
    """

    columns: int
    drop_prob: float
    global_prob: float
    column: int | None
    only: int | None

    def __init__(self, columns: int, *, drop_prob: float = 0.15, global_prob: float = 0.5) -> None:
        if columns < 1:
            raise RequestError(f"columns is {columns}; it must be 1 or more.")
        if not 0 <= drop_prob < 1:
            raise RequestError(f"drop_prob is {drop_prob}; a drop probability lies in [0, 1).")
        if not 0 <= global_prob <= 1:
            raise RequestError(f"global_prob is {global_prob}; a probability lies in [0, 1].")
        self.columns, self.drop_prob, self.global_prob = columns, drop_prob, global_prob
        self.column = self.only = None
        self._drops = False

    def draw(self, *, training: bool) -> None:
        """Start a forward pass: draw whether it is global, and its column."""
        is_global = (
            training
            and self.only is None
            and float(torch.rand((), device="cpu")) < self.global_prob
        )
        self.column = (
            int(torch.randint(1, self.columns + 1, (), device="cpu")) if is_global else self.only
        )
        self._drops = training and self.column is None

    def is_active(self, column: int) -> bool:
        """Tell whether a column is active in this pass; inactive ones need not be computed."""
        return self.column is None or self.column == column

    def draw_survivors(self, inputs: int) -> list[int]:
        """Draw which of a join's `inputs` survive the local drop, in order; at least one does."""
        if not self._drops:
            return list(range(inputs))
        survive = torch.rand(inputs, device="cpu") >= self.drop_prob
        survivors = [index for index in range(inputs) if survive[index]]
        return survivors or [int(torch.randint(inputs, (), device="cpu"))]


class FractalJoin(nn.Module):
    """Join columns by the mean of the inputs that survive.

    Called with one input per entry of `columns`, in that order: the output of that column, or None
    if the column was not run. All tensors have the same shape.

        evaluation          the mean of all inputs
        training, local     the mean of those that `sampler` keeps: each is dropped independently
                            with `drop_prob`; if all are dropped, one drawn uniformly is kept
        training, global    the unchanged input of the active column; None if that column does not
                            end here

    An input of None counts as absent. So a join in the middle of a block returns None if none of
    its columns is active, a convolution whose input is None is not run, and the next join that the
    active column reaches passes it on. All columns of a block end in its last join, which always
    returns a tensor.

    The mean is over the active inputs only, which keeps the scale; nothing else is rescaled.
    Columns that do not run get no gradient at all in that pass (None, not zero).

    Raises RequestError for an empty `columns`, or a column that the sampler does not have.

    Reference: Larsson, Maire & Shakhnarovich, 2017, https://arxiv.org/abs/1605.07648, section 3.
    """

    columns: tuple[int, ...]
    sampler: DropPathSampler

    def __init__(self, columns: Sequence[int], sampler: DropPathSampler) -> None:
        super().__init__()
        self.columns, self.sampler = tuple(columns), sampler
        if not self.columns or min(self.columns) < 1 or max(self.columns) > sampler.columns:
            raise RequestError(
                f"columns is {self.columns}; list the columns that end here, of 1 to "
                f"{sampler.columns}."
            )

    def forward(self, inputs: Sequence[Tensor | None]) -> Tensor | None:
        present = [
            volume
            for column, volume in zip(self.columns, inputs, strict=True)
            if volume is not None and self.sampler.is_active(column)
        ]
        if not present:
            return None
        first, *rest = (present[index] for index in self.sampler.draw_survivors(len(present)))
        return sum(rest, first) / (1 + len(rest)) if rest else first

    def extra_repr(self) -> str:
        return f"columns={self.columns}"
