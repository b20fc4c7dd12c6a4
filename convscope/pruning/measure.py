"""What each group of channels does over images: in the maps that are read, and for the loss."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.loading import LoadedDataset
from convscope.data.normalize import normalize
from convscope.forward import call_network, like_parameters
from convscope.inference import eval_with_gradients, to_logits
from convscope.losses import image_losses
from convscope.pruning.channels import Numbers
from convscope.pruning.structure import Structure

Matrix = NDArray[np.float64]

_BATCH = 32


@dataclass(eq=False)
class Reader:
    """The maps that a layer reads, summed over images.

    Attributes:
        channels: the group of each map.
        units: positions of a map that are features of their own, for a dense layer behind maps.
        products: (k, k), the sum over all units of the product of every two maps.
        sums, count: the sum of each map, and the units of one.
    """

    channels: Numbers
    units: int
    products: Matrix
    sums: NDArray[np.float64]
    count: int = 0

    def add(self, read: Tensor, *, is_last: bool) -> None:
        """Add what the layer reads of a batch."""
        maps = read.detach().movedim(-1, 1) if is_last and read.ndim > 2 else read.detach()
        if is_last and maps.ndim == 2:
            maps = maps.reshape(len(maps), -1, self.units)
        rows = maps.movedim(1, 0).flatten(1).double()
        self.products += (rows @ rows.T).cpu().numpy()
        self.sums += rows.sum(1).cpu().numpy()
        self.count += rows.shape[1]


@dataclass(eq=False)
class Measured:
    """What was measured of a network's groups.

    Attributes:
        readers: by the path of the layer.
        importance: of each group, see `measure`.
    """

    readers: dict[str, Reader] = field(default_factory=dict[str, Reader])
    importance: dict[int, float] = field(default_factory=dict[int, float])


def measure(
    net: nn.Module,
    structure: Structure,
    card: Card,
    loaded: LoadedDataset,
    indices: NDArray[np.int64],
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Measured:
    """Run forward and backward over images, in eval mode.

    The importance of a group is the first-order estimate of how much the loss changes without it,
    squared and summed over batches of 32 images: (Σ w · ∂L/∂w)² over all weights w that read its
    maps. Reference: Molchanov, Mallya, Tyree, Frosio & Kautz, 2019, arxiv.org/abs/1906.10771,
    equation 8, for the weights that read in place of those that make.
    """
    found = Measured({}, dict.fromkeys(structure.groups, 0.0))
    for slot in structure.slots:
        if slot.role == "reads":
            units = _units(slot.channels)
            count = len(slot.channels) // units
            found.readers[slot.layer] = Reader(
                slot.channels[::units], units, np.zeros((count, count)), np.zeros(count)
            )
    layers = {path: net.get_submodule(path) for path in found.readers}
    batches = [indices[start : start + _BATCH] for start in range(0, len(indices), _BATCH)]
    done = 0
    with eval_with_gradients(net, of_weights=True), _watching(layers, found.readers):
        for some, pixels in zip(batches, loaded.batch_source.batches(batches), strict=True):
            fed = like_parameters(net, normalize(pixels, card, channels_last=False))
            targets = torch.from_numpy(loaded.dataset.truth(some))
            net.zero_grad(set_to_none=True)
            output = to_logits(call_network(net, fed, len(card.classes)), card)
            image_losses(output, targets.to(output.device), card.task).mean().backward()
            _add_importance(found.importance, layers, structure)
            done += len(some)
            on_progress(done, len(indices))
    net.zero_grad(set_to_none=True)
    return found


def _units(channels: Numbers) -> int:
    """How many features in a row belong to the same map."""
    changes = np.flatnonzero(np.diff(channels)) + 1
    return int(np.gcd.reduce([*changes.tolist(), len(channels)]))


def _add_importance(
    importance: dict[int, float], layers: dict[str, nn.Module], structure: Structure
) -> None:
    batch = dict.fromkeys(importance, 0.0)
    for slot in structure.slots:
        if slot.role != "reads":
            continue
        weight = layers[slot.layer].get_parameter("weight")
        if weight.grad is None:
            continue
        products = (weight.detach() * weight.grad).transpose(0, 1).flatten(1).sum(1)
        changes = cast("list[float]", products.double().tolist())
        for group, change in zip(slot.channels.tolist(), changes, strict=True):
            if group in batch:
                batch[group] += change
    for group, change in batch.items():
        importance[group] += change**2


@contextmanager
def _watching(layers: dict[str, nn.Module], readers: dict[str, Reader]) -> Generator[None]:
    def watch(path: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        is_last = isinstance(layers[path], nn.Linear)
        return lambda _module, inputs: readers[path].add(inputs[0], is_last=is_last)

    handles = [layer.register_forward_pre_hook(watch(path)) for path, layer in layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
