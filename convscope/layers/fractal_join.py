"""FractalNet's join, and the one sampler that decides what every join of a network lets through."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from convscope.errors import RequestError


class DropPathSampler:
    """Decide for each forward pass of a network which of its columns take part.

    One sampler serves all the joins of a network, and the network calls `draw` once, before its
    first layer. While training, half of the passes are *global*: one column, the same in every
    block, drawn uniformly, is alone (`column` is its number, from 1); a `global_share` other than
    0.5 changes the half. The rest are *local*: all columns run (`column` is None), and each join
    drops each of its inputs with probability `rate`. In evaluation all columns run and nothing is
    dropped. Set `only` to hold every pass to one column: the paper's extraction of a plain network.

    The draws come from PyTorch's generator on the CPU, so `torch.manual_seed` decides them.

    Raises RequestError for fewer than one column, a rate outside [0, 1), a share outside [0, 1].

    Reference: Larsson, Maire & Shakhnarovich, 2017, https://arxiv.org/abs/1605.07648, section 3.
    """

    columns: int
    drop_prob: float
    global_prob: float
    column: int | None
    only: int | None

    def __init__(self, columns: int, *, drop_prob: float = 0.15, global_prob: float = 0.5) -> None:
        if columns < 1:
            raise RequestError(f"columns is {columns}; a block has 1 or more.")
        if not 0 <= drop_prob < 1:
            raise RequestError(f"rate is {drop_prob}; the probability of a drop lies in [0, 1).")
        if not 0 <= global_prob <= 1:
            raise RequestError(f"global_share is {global_prob}; a share lies in [0, 1].")
        self.columns, self.drop_prob, self.global_prob = columns, drop_prob, global_prob
        self.column = self.only = None
        self._drops = False

    def draw(self, *, training: bool) -> None:
        """Begin a forward pass: decide whether it is global, and by which column."""
        alone = (
            training
            and self.only is None
            and float(torch.rand((), device="cpu")) < self.global_prob
        )
        self.column = (
            int(torch.randint(1, self.columns + 1, (), device="cpu")) if alone else self.only
        )
        self._drops = training and self.column is None

    def is_active(self, column: int) -> bool:
        """Whether a column takes part in the pass; a network need not compute those that do not."""
        return self.column is None or self.column == column

    def draw_survivors(self, inputs: int) -> list[int]:
        """Which of a join's `inputs` survive the local drop: in order, and always at least one."""
        if not self._drops:
            return list(range(inputs))
        survive = torch.rand(inputs, device="cpu") >= self.drop_prob
        survivors = [place for place in range(inputs) if survive[place]]
        return survivors or [int(torch.randint(inputs, (), device="cpu"))]


class FractalJoin(nn.Module):
    """Join columns by the mean of the inputs that survive.

    Called with one input per entry of `columns`, in that order: the tensor in which that column
    arrives, or None where the column was not run. All tensors have one shape.

        evaluation          the mean of all inputs
        training, local     the mean of those that `sampler` keeps: each is dropped with its rate,
                            on its own, and where all would be, one drawn uniformly is kept
        training, global    the input of the one column that runs, as it is; None where that column
                            does not arrive here

    An input that is None is as if its column did not arrive. So a join in the middle of a block
    whose columns all stand still answers None, a convolution fed with None is not run, and the next
    join that the running column reaches passes it on. In a block every column arrives at the last
    join: its answer is always a tensor.

    The mean is over the active inputs alone; that keeps the scale, and nothing else is rescaled.
    Columns that do not run take no gradient at all in that pass (None, not zero).

    Raises RequestError for no column, or one that the sampler has not.

    Reference: Larsson, Maire & Shakhnarovich, 2017, https://arxiv.org/abs/1605.07648, section 3.
    """

    columns: tuple[int, ...]
    sampler: DropPathSampler

    def __init__(self, columns: Sequence[int], sampler: DropPathSampler) -> None:
        super().__init__()
        self.columns, self.sampler = tuple(columns), sampler
        if not self.columns or min(self.columns) < 1 or max(self.columns) > sampler.columns:
            raise RequestError(
                f"columns is {self.columns}; name those that arrive, of 1 to {sampler.columns}."
            )

    def forward(self, inputs: Sequence[Tensor | None]) -> Tensor | None:
        arrived = [
            volume
            for column, volume in zip(self.columns, inputs, strict=True)
            if volume is not None and self.sampler.is_active(column)
        ]
        if not arrived:
            return None
        first, *rest = (arrived[place] for place in self.sampler.draw_survivors(len(arrived)))
        return sum(rest, first) / (1 + len(rest)) if rest else first

    def extra_repr(self) -> str:
        return f"columns={self.columns}"
