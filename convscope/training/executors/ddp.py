"""A step of several processes, each of which computes it for its part of the batch.

The gradient of the mean loss over the whole batch is the sum of the gradients of all images'
losses, divided by the sum of their weights. Each process computes the first for its own images, and
both sums are taken over all processes; the first by FSDP, where weights are divided among them. So
a last batch that cannot be divided evenly counts as in one process (PyTorch's
DistributedDataParallel takes the mean of the processes' means instead).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # pyright: ignore[reportPrivateUsage]

from convscope.distributed.group import Group
from convscope.distributed.local import is_divided, local
from convscope.training.optimizer import Optimizer
from convscope.training.state import TrainState


@dataclass(frozen=True)
class Share:
    """What one process computed in a step.

    Attributes:
        loss: the mean over its images.
        weight: what it counts, see `BatchLoss.weight`; 0 for images that count elsewhere.
        num_correct, num_images: of its images.
        unit: by what the weight was divided in the backward pass; the same in all processes.
    """

    loss: float
    weight: float
    num_correct: int
    num_images: int
    unit: float = 1.0


class GradientSum:
    """Adds up what the processes computed in a step, so that all make the same update.

    Batch norm normalizes with the statistics of each process's images, as in
    DistributedDataParallel. Its running statistics are those of all images: after each step the
    mean over the processes, weighted by their images. Other buffers are those of rank 0.

    Args:
        group: the processes.
        network, optimizer: the same in each of them.
        seed: from which, with step and rank, the processes but the first draw their dropout.
    """

    def __init__(self, group: Group, network: nn.Module, optimizer: Optimizer, seed: int) -> None:
        self.group, self.network, self.optimizer, self.seed = group, network, optimizer, seed

    def begin(self, state: TrainState) -> None:
        """Draw random numbers of one's own in this step, the same after a restart.

        Rank 0 goes on with the generator whose state checkpoints hold.
        """
        if self.group.rank:
            drawn = np.random.SeedSequence([self.seed, state.step, self.group.rank])
            torch.manual_seed(int(drawn.generate_state(1)[0]))

    def add_up(self, state: TrainState, mine: Share) -> tuple[float, int]:
        """Replace the gradients of the sum of the losses by those of the mean over all images.

        `mine` is this process's share of the step, whose loss was multiplied by its weight before
        the backward pass. Returns the mean loss and the number of correct ones of all.
        """
        doing = f"at step {state.step + 1}"
        weights = self.optimizer.weights
        has_gradient = [float(one.grad is not None) for one in weights]
        right, here = (mine.num_correct, mine.num_images) if mine.weight else (0, 0)
        counted = [mine.loss * mine.weight, mine.weight, right, here]
        sums = torch.tensor([*counted, *has_gradient], dtype=torch.float64)
        self.group.add_up([sums], doing)
        numbers = [float(number) for number in sums]
        total, whole, correct, images = numbers[:4]
        used = zip(weights, numbers[4:], strict=True)
        gradients = [self._gradient(weight) for weight, count in used if count]
        statistics, others = self._buffers()
        for buffer in statistics:
            buffer.mul_(here / images)
        for buffer in others if self.group.rank else ():
            buffer.zero_()
        undivided = [gradient for gradient in gradients if not is_divided(gradient)]
        self.group.add_up([*undivided, *statistics, *others], doing)
        for gradient in gradients:
            share = whole / mine.unit
            is_mean = is_divided(gradient)  # FSDP's, over the processes
            local(gradient).div_(share / self.group.size if is_mean else share)
        return total / whole, round(correct)

    def _gradient(self, weight: Tensor) -> Tensor:
        """Zeros where only other processes' images took the way on which this weight lies."""
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        return weight.grad

    def _buffers(self) -> tuple[list[Tensor], list[Tensor]]:
        """Running statistics that this step has changed, and other buffers of fractions."""
        statistics: list[Tensor] = []
        kept: set[int] = set()
        for module in self.network.modules():
            if isinstance(module, _NormBase):
                mine = [one for one in (module.running_mean, module.running_var) if one is not None]
                kept |= {id(one) for one in mine}
                statistics += mine if module.training else []
        others = [
            one for one in self.network.buffers() if one.is_floating_point() and id(one) not in kept
        ]
        return statistics, others
