"""Prune a network in rounds: measure, remove a little, let the rest take over."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.data.loading import LoadedDataset
from convscope.errors import WorkError
from convscope.forward import call_network, like_parameters
from convscope.inference import inference_mode
from convscope.pruning.choice import least_important, redundant_groups
from convscope.pruning.compensation import compensate
from convscope.pruning.measure import Measured, measure
from convscope.pruning.structure import Structure
from convscope.pruning.surgery import silence, without_groups

ROUNDS = 4
_TOLERANCE = 1e-3  # of the largest logit


@dataclass(frozen=True)
class Wish:
    """How far a network is pruned.

    Attributes:
        multiply_adds: the share that is left, 0..1; None for redundant groups alone.
        similarity: cosine from which two maps count as the same.
    """

    multiply_adds: float | None
    similarity: float


@dataclass(frozen=True, eq=False)
class Images:
    """The images on which groups are measured."""

    loaded: LoadedDataset
    indices: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pruned:
    """A pruned network.

    Attributes:
        net: the network.
        redundant: how many groups were removed as dead or as twins.
        others: how many for the budget.
    """

    net: nn.Module
    redundant: int
    others: int


def prune_network(
    net: nn.Module,
    card: Card,
    images: Images,
    wish: Wish,
    *,
    is_good: Callable[[nn.Module], bool] = lambda net: True,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Pruned:
    """A pruned copy of a network; first what is redundant, then down to the budget in rounds.

    Before a round the groups are measured again, on the network as it is. It ends before the first
    round whose result is not `is_good`.
    """
    shape = (card.in_channels, *card.input_size)
    net = copy.deepcopy(net)
    structure = Structure.of(net, shape)
    whole = structure.multiply_adds()
    measured = _measured(net, structure, card, images, "redundant filters", on_progress)
    removed = redundant_groups(structure, measured, similarity=wish.similarity)
    kept = _next(net, structure, card, measured, removed)
    if not is_good(kept):
        return Pruned(net, 0, 0)
    net, redundant, others = kept, len(removed), 0
    if wish.multiply_adds is None:
        return Pruned(net, redundant, others)
    start = Structure.of(net, shape).multiply_adds()
    goal = wish.multiply_adds * whole
    for turn in range(1, ROUNDS + 1):
        structure = Structure.of(net, shape)
        target = round(start * (goal / start) ** (turn / ROUNDS)) if start > goal else start
        if structure.multiply_adds() <= target:
            continue
        what = f"round {turn} of {ROUNDS}"
        measured = _measured(net, structure, card, images, what, on_progress)
        removed = least_important(structure, measured, multiply_adds=target)
        kept = _next(net, structure, card, measured, removed)
        if not is_good(kept):
            break
        net, others = kept, others + len(removed)
    return Pruned(net, redundant, others)


def _measured(
    net: nn.Module,
    structure: Structure,
    card: Card,
    images: Images,
    what: str,
    on_progress: Callable[[str, int, int], None],
) -> Measured:
    return measure(
        net,
        structure,
        card,
        images.loaded,
        images.indices,
        on_progress=lambda done, total: on_progress(what, done, total),
    )


def _next(
    net: nn.Module, structure: Structure, card: Card, measured: Measured, removed: list[int]
) -> nn.Module:
    """The network without some groups, which the others make up for; checked by a forward pass."""
    net = copy.deepcopy(net)
    compensate(net, measured, removed)
    pruned, _ = without_groups(net, structure, removed)
    noise = torch.randn(
        2, card.in_channels, *card.input_size, generator=torch.Generator().manual_seed(0)
    )
    outputs: list[torch.Tensor] = []
    for each in (pruned, silence(net, structure, removed)):
        with inference_mode(each):
            outputs.append(call_network(each, like_parameters(each, noise), len(card.classes)))
    difference = float((outputs[0] - outputs[1]).abs().max())
    if not difference <= _TOLERANCE * float(outputs[1].abs().max()) + 1e-6:
        raise WorkError(
            "The network without some filters does not compute what it should: it may read the "
            "number of channels from elsewhere than its layers. It was not pruned."
        )
    return pruned
