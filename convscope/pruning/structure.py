"""The structure of a network as pruning sees it: groups of channels, and what each one costs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.errors import RequestError
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.pruning.channels import Slot
from convscope.pruning.follower import Follower
from convscope.pruning.rules import rule_of
from convscope.recording import ForwardPass, run_once
from convscope.recording.wrappers import modules_by_path
from convscope.summaries.counts import multiply_adds


@dataclass(frozen=True)
class LayerCost:
    """The multiply-adds of a layer for one image, as often as it runs."""

    layer: str
    multiply_adds: int


@dataclass(frozen=True, eq=False)
class Structure:
    """Which channels of a network can be removed, and together with what.

    A group is what has to go together: the filters that make a map, the numbers of batch norm that
    belong to it, and the slices of all filters that read it. Its number is that of a channel.

    Attributes:
        slots: the axes of layers, with the group of each position.
        pinned: groups that cannot be removed, and why.
        costs: multiply-adds by layer.
        other_cost: multiply-adds of what is no such layer.
        unseen: layers with parameters that did not run.
    """

    slots: tuple[Slot, ...]
    pinned: Mapping[int, str]
    costs: tuple[LayerCost, ...]
    other_cost: int
    unseen: tuple[str, ...]

    @classmethod
    def of(cls, net: nn.Module, image: Sequence[int]) -> "Structure":
        """Follow the channels of one forward pass in eval mode on noise (c, h, w).

        Raises what the network raises.
        """
        noise = torch.randn(1, *image, generator=torch.Generator().manual_seed(0))
        with inference_mode(net), torch.inference_mode(mode=False):
            fed = like_parameters(net, noise)
            done = run_once(net, fed, should_keep=lambda module, kind: False)
        modules = modules_by_path(net)
        follower = Follower(modules, (1, *image))
        for operation in done.operations:
            follower.follow(operation, rule_of(operation.kind))
        _pin_results(follower, done)
        slots = follower.numbers.slots()
        costs, other = _costs(done, {slot.layer for slot in slots})
        seen = {name.rpartition(".")[0] for op in done.operations for name in op.parameters}
        unseen = [
            path
            for path, module in modules.items()
            if path not in seen and [*module.parameters(recurse=False)]
        ]
        return cls(slots, follower.numbers.pinned(), costs, other, tuple(unseen))

    @cached_property
    def groups(self) -> tuple[int, ...]:
        """The groups that filters make and that can be removed, in the network's order."""
        made = [slot.channels for slot in self.slots if slot.role == "makes"]
        numbers = dict.fromkeys(int(n) for channels in made for n in channels)
        return tuple(number for number in numbers if number not in self.pinned)

    def layers_of(self, group: int) -> dict[str, list[int]]:
        """The filters of a group: by the path of each layer that makes it, their indices."""
        return {
            slot.layer: [int(n) for n in np.flatnonzero(slot.channels == group)]
            for slot in self.slots
            if slot.role == "makes" and (slot.channels == group).any()
        }

    def group_of(self, layer: str, index: int) -> int:
        """The group of a filter. Raises RequestError for a layer without filters of its own."""
        for slot in self.slots:
            if slot.layer == layer and slot.role == "makes":
                return int(slot.channels[index])
        raise RequestError(f"{layer} has no filters that can be followed.")

    def left(self, removed: Collection[int]) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """Which positions of each axis stay without some groups, by layer and role."""
        gone = np.array(sorted(removed), dtype=np.int64)
        return {(slot.layer, slot.role): ~np.isin(slot.channels, gone) for slot in self.slots}

    def multiply_adds(self, removed: Collection[int] = ()) -> int:
        """What the network costs without some groups."""
        shares: dict[str, float] = {}
        for (layer, role), left in self.left(removed).items():
            if role != "fills":
                shares[layer] = shares.get(layer, 1.0) * float(left.mean())
        return self.other_cost + round(
            sum(cost.multiply_adds * shares.get(cost.layer, 1.0) for cost in self.costs)
        )

    def savings(self, removed: Collection[int] = ()) -> dict[int, float]:
        """Multiply-adds that each group costs, once others are gone: what its removal saves."""
        left = self.left(removed)
        counts = {key: max(int(mask.sum()), 1) for key, mask in left.items()}
        shares: dict[str, float] = {}
        for (layer, role), mask in left.items():
            if role != "fills":
                shares[layer] = shares.get(layer, 1.0) * float(mask.mean())
        costs = {
            cost.layer: cost.multiply_adds * shares.get(cost.layer, 1.0) for cost in self.costs
        }
        saved = dict.fromkeys(self.groups, 0.0)
        for slot in self.slots:
            key = slot.layer, slot.role
            if slot.role == "fills" or slot.layer not in costs:
                continue
            each = costs[slot.layer] / counts[key]
            for group in slot.channels[left[key]].tolist():
                if group in saved:
                    saved[group] += each
        return saved


def _pin_results(follower: Follower, done: ForwardPass) -> None:
    """Keep the channels of the output, and of whatever nobody reads."""
    read = {name for operation in done.operations for name in operation.operands}
    for operation in done.operations:
        maps = follower.of(operation.name)
        if maps is not None and (operation.name not in read or operation.name == done.output):
            follower.numbers.pin(maps.channels, "they are the network's output")


def _costs(done: ForwardPass, layers: Collection[str]) -> tuple[tuple[LayerCost, ...], int]:
    costs: dict[str, int] = {}
    other = 0
    for operation in done.operations:
        count = multiply_adds(operation) or 0
        owners = {name.rpartition(".")[0] for name in operation.parameters} & {*layers}
        if owners:
            costs[min(owners)] = costs.get(min(owners), 0) + count
        else:
            other += count
    return tuple(LayerCost(layer, count) for layer, count in costs.items()), other
