"""Freezing the first layers, and unfreezing them step by step."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm  # pyright: ignore[reportPrivateUsage]

from convscope.errors import RequestError, nearest
from convscope.training.callbacks.base import Callback
from convscope.training.events import EpochStart
from convscope.training.optimizer import head_of
from convscope.training.state import TrainState

BODY = ("body", "backbone")
"""What `freeze` calls all layers but the last, where no layer of the network has that name."""


class LayerFreezing(Callback):
    """Freezes everything up to and including one layer, in the order of `named_modules`.

    Frozen layers have no gradient and compute as in evaluation: batch norm keeps its statistics,
    dropout is off. After every `every` epochs (0: never) one more stage is unfrozen, the last
    first; a stage is a top-level layer with weights and the layers without weights behind it.

    `body` stands for everything but the last layer with weights, if no layer has that name.

    With `batch_norm`, batch norm keeps its statistics and computes with them wherever it is; its
    scales and shifts are trained like other weights.

    Attributes:
        stages: by name, in order, the modules of the top-level layers that are frozen at first.

    Raises RequestError for a layer that the network does not have, and where nothing would be left
    to train.
    """

    def __init__(
        self,
        network: nn.Module,
        last: str | None,
        *,
        every: int = 0,
        batch_norm: bool = False,
    ) -> None:
        self.network, self.every = network, every
        self.batch_norms = batch_norms(network) if batch_norm else []
        self.stages = {} if last is None else _stages(network, last)
        self.weights = {
            name: [
                weight
                for module in modules
                for weight in module.parameters(recurse=False)
                if weight.requires_grad
            ]
            for name, modules in self.stages.items()
        }
        frozen = {id(weight) for weights in self.weights.values() for weight in weights}
        trainable = (weight for weight in network.parameters() if weight.requires_grad)
        if frozen and all(id(weight) in frozen for weight in trainable):
            raise RequestError(
                f"`freeze={last!r}` would freeze every weight and leave nothing to train. Name an "
                "earlier layer."
            )

    def on_epoch_start(self, state: TrainState, event: EpochStart) -> None:
        self.apply(state.epoch)

    def frozen_layers(self, epoch: int) -> list[str]:
        """The top-level layers that are frozen, wholly or in part, in this epoch, from 0."""
        names = list(self.stages)
        with_weights = [name for name in names if self.weights[name]]
        unfrozen = epoch // self.every if self.every else 0
        if not unfrozen:
            return names
        kept = with_weights[:-unfrozen]
        return names[: names.index(kept[-1]) + 1] if kept else []

    def apply(self, epoch: int) -> None:
        """Put the network in training mode, except for what this epoch freezes."""
        self.network.train()
        frozen = self.frozen_layers(epoch)
        for name, modules in self.stages.items():
            for weight in self.weights[name]:
                weight.requires_grad_(name not in frozen)
            if name in frozen:
                for module in modules:
                    module.eval()
        for module in self.batch_norms:
            module.eval()


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """The layers of batch norm that have running statistics."""
    layers = (module for module in network.modules() if isinstance(module, BatchNorm))
    return [layer for layer in layers if layer.track_running_stats]


def _stages(network: nn.Module, last: str) -> dict[str, list[nn.Module]]:
    modules = dict[str, nn.Module](network.named_modules())
    del modules[""]
    if last not in modules and last in BODY:
        head = head_of(network)
        body = (name for name in modules if not f"{head}.".startswith(f"{name}."))
        return _by_top_layer({name: modules[name] for name in body})
    if last not in modules:
        top = ", ".join(name for name, _ in network.named_children())
        raise RequestError(
            f"`freeze` names no layer of the network: {last!r}.{nearest(last, modules)} Its layers "
            f"are {top}; body is all but the last."
        )
    names = list(modules)
    end = max(index for index, name in enumerate(names) if f"{name}.".startswith(f"{last}."))
    # A block that is frozen in part is not frozen itself.
    frozen = (name for name in names[: end + 1] if not last.startswith(f"{name}."))
    return _by_top_layer({name: modules[name] for name in frozen})


def _by_top_layer(modules: dict[str, nn.Module]) -> dict[str, list[nn.Module]]:
    stages: dict[str, list[nn.Module]] = {}
    for name, module in modules.items():
        stages.setdefault(name.partition(".")[0], []).append(module)
    return stages
