"""What a step minimises and by which rule: class weights, and the optimiser."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from convscope.train.settings import Settings


class Optimiser:
    """SGD with momentum, or AdamW, over the weights of a network that can be trained.

    The arithmetic is that of torch.optim's own functions, one kernel for all weights where the
    device has it. Their classes do the same and import the compiler of torch.compile on the way:
    two seconds of every start, whether anything is compiled or not.

    Attributes:
        state: per name of a quantity, one tensor for each weight, in their order.
    """

    def __init__(self, net: nn.Module, settings: Settings) -> None:
        self.settings = settings
        self.weights = [weight for weight in net.parameters() if weight.requires_grad]
        self.fused = all(weight.device.type in ("cpu", "cuda") for weight in self.weights)
        names = ("exp_avg", "exp_avg_sq") if settings.optimiser == "adamw" else ("momentum_buffer",)
        self.state = {name: [torch.zeros_like(w) for w in self.weights] for name in names}
        if settings.optimiser == "adamw":
            self.state["step"] = [torch.zeros((), device=w.device) for w in self.weights]

    def forget_gradients(self) -> None:
        """Let the next backward pass write gradients instead of adding to the last ones."""
        for weight in self.weights:
            weight.grad = None

    def step(self, rate: float) -> None:
        """Move every weight that has a gradient, at this learning rate."""
        moved = [place for place, weight in enumerate(self.weights) if weight.grad is not None]
        weights: list[Tensor] = [self.weights[place] for place in moved]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        state = {name: [own[place] for place in moved] for name, own in self.state.items()}
        decay, fused = self.settings.weight_decay, self.fused
        with torch.no_grad():
            if self.settings.optimiser == "adamw":
                adamw(
                    weights,
                    gradients,
                    state["exp_avg"],
                    state["exp_avg_sq"],
                    [],
                    state["step"],
                    fused=fused,
                    amsgrad=False,
                    beta1=0.9,
                    beta2=0.999,
                    lr=rate,
                    weight_decay=decay,
                    eps=1e-8,
                    maximize=False,
                )
            else:
                sgd(
                    weights,
                    gradients,
                    [*state["momentum_buffer"]],
                    fused=fused,
                    weight_decay=decay,
                    momentum=self.settings.momentum,
                    lr=rate,
                    dampening=0,
                    nesterov=False,
                    maximize=False,
                )


def class_weights(
    counts: NDArray[np.int64], settings: Settings, device: torch.device
) -> Tensor | None:
    """Weights that make every class count the same in the loss: n / (classes · count)."""
    if settings.class_weights == "none":
        return None
    weights = counts.sum() / (len(counts) * np.maximum(counts, 1))
    return torch.tensor(weights, dtype=torch.float32, device=device)
