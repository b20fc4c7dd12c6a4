"""A box regressor on the last maps of a trained classifier, whose weights stay as they are.

OverFeat and VGG regress four numbers from the features of the classification network with a squared
error: for every class its own (VGG's per-class regression, OverFeat's first), or one box whatever
the class. Here the features are the last maps of more than one position, averaged to at most 7x7,
and one hidden layer lies between.

References: Sermanet et al., 2014, https://arxiv.org/abs/1312.6229, section 4.2; Simonyan &
Zisserman, 2015, https://arxiv.org/abs/1409.1556, appendix A.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from convscope.errors import RequestError
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.localization.component import Edges

_SIDE = 7
_HIDDEN, _DROPOUT = 256, 0.3
_BATCH = 16
_LR, _DECAY = 2e-3, 1e-4
EPOCHS = 100


class BoxRegressor(nn.Module):
    """Features (n, d) -> edges (n, boxes, 4), as shares of the input's sides."""

    def __init__(self, features: int, boxes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(()))
        self.hidden = nn.Linear(features, _HIDDEN)
        self.dropout = nn.Dropout(_DROPOUT)
        self.edges = nn.Linear(_HIDDEN, 4 * boxes)
        self.boxes = boxes

    def forward(self, features: Tensor) -> Tensor:
        scaled = (features - self.get_buffer("mean")) / self.get_buffer("std")
        hidden = self.dropout(self.hidden(scaled).relu())
        return self.edges(hidden).unflatten(1, (self.boxes, 4))


@dataclass(frozen=True)
class Features:
    """What of a network is regressed from: the output of one of its modules."""

    module: str

    @classmethod
    def of(cls, net: nn.Module, images: Tensor) -> "Features":
        """The last maps of more than one position. Raises RequestError where there are none."""
        found = ""
        outputs = list[tuple[str, Tensor]]()
        with _watched(net, lambda name, output: outputs.append((name, output))):
            _run(net, images)
        for name, output in outputs:
            if output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
                found = name
        if not found:
            raise RequestError(
                "No module of this network has maps of more than one position, from which boxes "
                "could be regressed."
            )
        return cls(found)

    def compute(self, net: nn.Module, images: Tensor) -> Tensor:
        """(n, d) for images (n, c, h, w)."""
        kept = list[Tensor]()

        def keep(name: str, output: Tensor) -> None:
            if name == self.module:
                kept.append(output)

        with _watched(net, keep):
            _run(net, images)
        maps = kept[-1].float()
        side = min(_SIDE, maps.shape[2]), min(_SIDE, maps.shape[3])
        return adaptive_avg_pool2d(maps, side).flatten(1).cpu()


def train_regressor(
    features: Tensor,
    boxes: Tensor,
    labels: Tensor,
    *,
    num_classes: int,
    is_per_class: bool,
    epochs: int,
    seed: int,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> BoxRegressor:
    """Fit boxes (n, 4), shares of the input's sides, of images with features (n, d).

    The loss is the mean squared error of the four edges, of the true class's box alone where each
    class has its own.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        net = BoxRegressor(features.shape[1], num_classes if is_per_class else 1)
        net.get_buffer("mean").copy_(features.mean(0))
        spread = (features - features.mean(0)).square().mean().sqrt()
        net.get_buffer("std").copy_(spread.clamp_min(1e-6))  # one for all: idle maps stay idle
        optimizer = torch.optim.Adam(net.parameters(), lr=_LR, weight_decay=_DECAY)
        places = labels if is_per_class else torch.zeros_like(labels)
        for epoch in range(epochs):
            optimizer.param_groups[0]["lr"] = _LR * (1 - epoch / epochs)
            total, shuffled = 0.0, torch.randperm(len(features))
            for start in range(0, len(features), _BATCH):
                batch = shuffled[start : start + _BATCH]
                found = net(features[batch])[torch.arange(len(batch)), places[batch]]
                loss = (found - boxes[batch]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
            on_epoch(epoch + 1, total / len(features))
    return net.eval()


def regressed_boxes(
    net: BoxRegressor, features: Tensor, labels: Sequence[int], size: tuple[int, int]
) -> list[Edges]:
    """For each class the box of one image with features (1, d), in pixels of an input of (h, w)."""
    with torch.inference_mode():
        edges = net(features)[0].double()
    height, width = size
    found: list[Edges] = []
    for label in labels:
        left, top, right, bottom = edges[label if net.boxes > 1 else 0].clamp(0, 1).tolist()
        found.append((left * width, top * height, right * width, bottom * height))
    return found


def _run(net: nn.Module, images: Tensor) -> None:
    with inference_mode(net):
        net(like_parameters(net, images))


class _watched:  # noqa: N801 -- used as a context manager alone
    """Calls a function with the name and the output of each module without modules in it."""

    def __init__(self, net: nn.Module, function: Callable[[str, Tensor], None]) -> None:
        self._net, self._function = net, function

    def __enter__(self) -> None:
        self._handles = [*self._hooks()]

    def __exit__(self, *_error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _hooks(self) -> Iterator["torch.utils.hooks.RemovableHandle"]:
        for name, module in dict[str, nn.Module](self._net.named_modules()).items():
            if next(module.children(), None) is None:

                def keep(
                    _module: nn.Module, _inputs: object, output: object, name: str = name
                ) -> None:
                    if isinstance(output, Tensor):
                        self._function(name, output.detach())

                yield module.register_forward_hook(keep)
