"""How a step updates the weights."""

import torch
from torch import nn
from torch.optim.adamw import adamw
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from convscope.distributed.local import local
from convscope.training.config import TrainConfig, decided


class Optimizer:
    """SGD with momentum, AdamW or RMSprop, over the trainable weights of a network.

    The arithmetic is that of torch.optim's own functions, one kernel for all weights where the
    device has it. Their classes do the same and import the compiler of torch.compile on the way:
    two seconds of every start, whether anything is compiled or not.

    Attributes:
        state: by name of a quantity, one tensor for each weight, in their order.
        groups: by factor of the learning rate, the indices of the weights that have it.
    """

    def __init__(self, network: nn.Module, config: TrainConfig) -> None:
        self.config = config = config.with_defaults()
        named = [
            (name, weight) for name, weight in network.named_parameters() if weight.requires_grad
        ]
        self.weights = [weight for _, weight in named]
        self.fused = all(weight.device.type in ("cpu", "cuda") for weight in self.weights)
        self.state = {
            name: [torch.zeros_like(w) for w in self.weights]
            for name in _STATE[decided(config.optimizer)]
        }
        if config.optimizer != "sgd":
            self.state["step"] = [torch.zeros((), device=w.device) for w in self.weights]
        head = head_of(network)
        self.groups: dict[float, list[int]] = {}
        for index, (name, _) in enumerate(named):
            scale = 1.0 if name.rpartition(".")[0] == head else decided(config.backbone_lr_scale)
            self.groups.setdefault(scale, []).append(index)

    @property
    def param_groups(self) -> list[dict[str, list[nn.Parameter]]]:
        """As torch.optim has them, for torch.amp.GradScaler."""
        return [{"params": self.weights}]

    def zero_grad(self) -> None:
        """Let the next backward pass write gradients instead of adding to the last ones."""
        for weight in self.weights:
            weight.grad = None

    def step(self, lr: float) -> None:
        """Update every weight that has a gradient, at its factor of this learning rate."""
        for scale, indices in self.groups.items():
            with_gradient = [index for index in indices if self.weights[index].grad is not None]
            if with_gradient:
                self._update(with_gradient, scale * lr)

    def _update(self, indices: list[int], lr: float) -> None:
        chosen = [self.weights[index] for index in indices]
        weights = [local(weight) for weight in chosen]
        gradients = [local(weight.grad) for weight in chosen if weight.grad is not None]
        state = {
            name: [local(values[index]) for index in indices] for name, values in self.state.items()
        }
        weight_decay, fused = self.config.weight_decay, self.fused
        with torch.no_grad():
            if self.config.optimizer == "adamw":
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
                    lr=lr,
                    weight_decay=weight_decay,
                    eps=1e-8,
                    maximize=False,
                )
            elif self.config.optimizer == "rmsprop":
                rmsprop(
                    weights,
                    gradients,
                    state["square_avg"],
                    [],
                    state["momentum_buffer"],
                    [*state["step"]],
                    alpha=0.9,
                    eps=0.0316,
                    momentum=self.config.momentum,
                    centered=False,
                    lr=lr,
                    weight_decay=weight_decay,
                )
            else:
                sgd(
                    weights,
                    gradients,
                    [*state["momentum_buffer"]],
                    fused=fused,
                    weight_decay=weight_decay,
                    momentum=self.config.momentum,
                    lr=lr,
                    dampening=0,
                    nesterov=self.config.nesterov,
                    maximize=False,
                )


_STATE = {
    "sgd": ("momentum_buffer",),
    "adamw": ("exp_avg", "exp_avg_sq"),
    "rmsprop": ("square_avg", "momentum_buffer"),
}
"""What an optimizer keeps for each weight, by torch's names."""


def head_of(network: nn.Module) -> str:
    """The name of the last layer that has weights of its own."""
    layers = [name.rpartition(".")[0] for name, _ in network.named_parameters()]
    return layers[-1] if layers else ""
