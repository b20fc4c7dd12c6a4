"""How a step moves the weights."""

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from convscope.training.config import TrainConfig


class Optimizer:
    """SGD with momentum, or AdamW, over the weights of a network that can be trained.

    The arithmetic is that of torch.optim's own functions, one kernel for all weights where the
    device has it. Their classes do the same and import the compiler of torch.compile on the way:
    two seconds of every start, whether anything is compiled or not.

    Attributes:
        state: per name of a quantity, one tensor for each weight, in their order.
        places: per share of the learning rate, the places of the weights that move at it.
    """

    def __init__(self, net: nn.Module, settings: TrainConfig) -> None:
        self.settings = settings
        named = [(name, weight) for name, weight in net.named_parameters() if weight.requires_grad]
        self.weights = [weight for _, weight in named]
        self.fused = all(weight.device.type in ("cpu", "cuda") for weight in self.weights)
        names = ("exp_avg", "exp_avg_sq") if settings.optimizer == "adamw" else ("momentum_buffer",)
        self.state = {name: [torch.zeros_like(w) for w in self.weights] for name in names}
        if settings.optimizer == "adamw":
            self.state["step"] = [torch.zeros((), device=w.device) for w in self.weights]
        head = head_of(net)
        self.places: dict[float, list[int]] = {}
        for place, (name, _) in enumerate(named):
            share = 1.0 if name.rpartition(".")[0] == head else settings.backbone_lr_scale
            self.places.setdefault(share, []).append(place)

    def forget_gradients(self) -> None:
        """Let the next backward pass write gradients instead of adding to the last ones."""
        for weight in self.weights:
            weight.grad = None

    def step(self, rate: float) -> None:
        """Move every weight that has a gradient, at its share of this learning rate."""
        for share, places in self.places.items():
            moved = [place for place in places if self.weights[place].grad is not None]
            if moved:
                self._move(moved, share * rate)

    def _move(self, moved: list[int], rate: float) -> None:
        weights: list[Tensor] = [self.weights[place] for place in moved]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        state = {name: [own[place] for place in moved] for name, own in self.state.items()}
        decay, fused = self.settings.weight_decay, self.fused
        with torch.no_grad():
            if self.settings.optimizer == "adamw":
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


def head_of(net: nn.Module) -> str:
    """The name of the last layer that has weights of its own."""
    layers = [name.rpartition(".")[0] for name, _ in net.named_parameters()]
    return layers[-1] if layers else ""
