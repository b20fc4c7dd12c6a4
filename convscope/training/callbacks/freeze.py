"""Layers that a training holds fixed, and when it lets them go."""

from torch import nn

from convscope.errors import RequestError, nearest


class Frozen:
    """Everything up to and including one layer, in the order in which a network lists its layers.

    What is held has no gradient, and computes as it does in evaluation: batch norm keeps its
    statistics, dropout rests. After every `every` epochs (0: never) one stage more is let go, the
    last first; a stage is a top-level layer with weights, and what stands behind it without any.

    Attributes:
        stages: by their names, in their order, the modules of the top-level layers that are held.

    Raises RequestError for a layer that the network has not, and where nothing would be left to
    train.
    """

    def __init__(self, net: nn.Module, last: str | None, *, every: int = 0) -> None:
        self.net, self.every = net, every
        self.stages = {} if last is None else _stages(net, last)
        self.weights = {
            name: [
                weight
                for module in modules
                for weight in module.parameters(recurse=False)
                if weight.requires_grad
            ]
            for name, modules in self.stages.items()
        }
        held = {id(weight) for weights in self.weights.values() for weight in weights}
        trainable = (weight for weight in net.parameters() if weight.requires_grad)
        if held and all(id(weight) in held for weight in trainable):
            raise RequestError(
                f"--freeze {last} would hold every weight and leave nothing to train. Name a layer "
                "further from the end."
            )

    def held(self, epoch: int) -> list[str]:
        """The top-level layers that are held, all or in part, in this epoch; the first is 0."""
        names = list(self.stages)
        weighted = [name for name in names if self.weights[name]]
        let_go = epoch // self.every if self.every else 0
        if not let_go:
            return names
        kept = weighted[:-let_go]
        return names[: names.index(kept[-1]) + 1] if kept else []

    def hold(self, epoch: int) -> None:
        """Put the network in training mode, but for what this epoch holds."""
        self.net.train()
        held = self.held(epoch)
        for name, modules in self.stages.items():
            for weight in self.weights[name]:
                weight.requires_grad_(name not in held)
            if name in held:
                for module in modules:
                    module.eval()


def _stages(net: nn.Module, last: str) -> dict[str, list[nn.Module]]:
    modules = dict[str, nn.Module](net.named_modules())
    del modules[""]
    if last not in modules:
        top = ", ".join(name for name, _ in net.named_children())
        raise RequestError(
            f"--freeze names no layer of the network: {last!r}.{nearest(last, modules)} Its layers "
            f"are {top}."
        )
    names = list(modules)
    end = max(place for place, name in enumerate(names) if f"{name}.".startswith(f"{last}."))
    stages: dict[str, list[nn.Module]] = {}
    for name in names[: end + 1]:
        if not last.startswith(f"{name}."):  # a block that is held in part is not held itself
            stages.setdefault(name.partition(".")[0], []).append(modules[name])
    return stages
