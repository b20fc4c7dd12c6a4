"""Assemble a `LayerGraph` layer by layer, and know the shape and the order of every value.

Axes are counted without that of images. The files have maps as (height, width, maps), PyTorch as
(maps, height, width): each value has the order of its axes, and a layer gets them as it needs.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.foreign.graph import LayerGraph, Step
from convscope.foreign.modules import Permute, Reorder, Reshape

IMAGE = (2, 0, 1)
"""The order of (height, width, maps) in PyTorch: maps first."""

Weights = Mapping[str, Tensor] | None
"""The state of a layer; None leaves it random."""

_MAX_UNITS = 2**31  # of one value, for one image


@dataclass(frozen=True)
class Value:
    """What a layer takes or gives.

    Attributes:
        number: of the value in the graph.
        meta: a tensor without memory, of the shape that it has in PyTorch for one image.
        order: axis i in PyTorch is axis `order[i]` in the file.
        index: of a vector, unit i in PyTorch is unit `index[i]` in the file; None: the same.
    """

    number: int
    meta: Tensor
    order: tuple[int, ...]
    index: Tensor | None = None

    @property
    def rank(self) -> int:
        return len(self.order)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in the file, without the axis of images."""
        sizes = dict(zip(self.order, self.meta.shape[1:], strict=True))
        return tuple(sizes[axis] for axis in range(self.rank))

    def dim(self, axis: int) -> int:
        """The dimension of the tensor that is an axis in the file, which may be below 0."""
        return self.order.index(axis % self.rank) + 1


@dataclass(frozen=True)
class _Built:
    """A layer of the graph: how it prints, a copy without memory, its weights."""

    description: str
    shapes: nn.Module
    weights: Weights


@dataclass
class GraphBuilder:
    """A graph under construction; `where` names the file in errors."""

    where: str
    net: LayerGraph = field(default_factory=LayerGraph)
    steps: list[Step] = field(default_factory=list[Step])
    _built: "dict[str, _Built]" = field(default_factory=dict[str, "_Built"])

    def input(self, shape: Sequence[int], order: Sequence[int]) -> Value:
        """The network's input, of a shape in PyTorch."""
        return Value(0, torch.empty(1, *shape, device="meta"), tuple(order))

    def apply(
        self,
        name: str,
        module: nn.Module,
        *inputs: Value,
        order: tuple[int, ...] | None = None,
        index: Tensor | None = None,
        weights: Weights = None,
    ) -> Value:
        """Call a layer that was made on the meta device; the order is the first input's unless
        given.

        A layer that is there already is called again, if it is the same with the same weights.
        """
        name, shapes = self._register(name, module, weights)
        try:
            result: Tensor = shapes(*(value.meta for value in inputs))
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            sizes = " and ".join("x".join(map(str, value.shape)) for value in inputs)
            raise RequestError(
                f"{self.where}: the layer {name} cannot take a value of {sizes} "
                f"({str(error).splitlines()[0][:200]})."
            ) from error
        if result.numel() > _MAX_UNITS or 0 in result.shape:
            sizes = "x".join(map(str, result.shape[1:]))
            raise RequestError(f"{self.where}: the layer {name} would give a value of {sizes}.")
        step = Step(name, tuple(value.number for value in inputs), len(self.steps) + 1)
        self.steps.append(step)
        return Value(step.output, result, inputs[0].order if order is None else order, index)

    def apply_graph(self, name: str, net: LayerGraph, x: Value, output: Value) -> Value:
        """Call a graph that was built for `x`, as one layer; `output` is its output's value."""
        name, known = self._unused(name, _described(net), net.state_dict())
        if known is None:
            self.net.add_module(name, net)
            self._built[name] = _Built(_described(net), net, net.state_dict())
        step = Step(name, (x.number,), len(self.steps) + 1)
        self.steps.append(step)
        return Value(step.output, output.meta, output.order, output.index)

    def ordered(self, x: Value, order: Sequence[int], name: str) -> Value:
        """The value with its axes in an order, by a layer `name`_permute where it has another."""
        order = tuple(order)
        if x.order == order:
            return x
        axes = [x.order.index(axis) for axis in order]
        return self.apply(f"{name}_permute", Permute(axes), x, order=order)

    def plain(self, x: Value, name: str) -> Value:
        """The value as it is in the file: its axes, and the units of a vector."""
        if x.index is None:
            return self.ordered(x, range(x.rank), name)
        with torch.device("meta"):
            module = Reorder(len(x.index))
        return self.apply(f"{name}_reorder", module, x, weights={"index": torch.argsort(x.index)})

    def reshaped(self, x: Value, shape: tuple[int, ...], name: str) -> Value:
        """The value with another shape in the file. Maps of 1x1 become maps in PyTorch's order."""
        x = self.plain(x, name)
        is_pixel = len(shape) == 3 and shape[:2] == (1, 1)
        order = IMAGE if is_pixel else tuple(range(len(shape)))
        return self.apply(name, Reshape([shape[axis] for axis in order]), x, order=order)

    def finish(self, output: Value) -> LayerGraph:
        """The graph, with its output."""
        self.net.set_steps(self.steps, output.number)
        return self.net.eval()

    def _register(self, name: str, module: nn.Module, weights: Weights) -> tuple[str, nn.Module]:
        """The name of a layer in the graph, and its copy without memory."""
        name, known = self._unused(name, repr(module), weights)
        if known is not None:
            return name, known.shapes
        shapes = copy.deepcopy(module).eval()
        self._built[name] = _Built(repr(module), shapes, weights)
        self.net.add_module(name, _with(module, weights))
        return name, shapes

    def _unused(self, name: str, description: str, weights: Weights) -> tuple[str, "_Built | None"]:
        """A name that is free, or that of the same layer."""
        base = _identifier(name)
        unique, count = base, 1
        while unique in self._built or hasattr(self.net, unique):
            known = self._built.get(unique)
            if known and known.description == description and _same(known.weights, weights):
                return unique, known
            count += 1
            unique = f"{base}_{count}"
        return unique, None


def _with(module: nn.Module, weights: Weights) -> nn.Module:
    """The layer in memory with its weights, or with random ones."""
    if weights is not None:
        counters = {
            name: torch.zeros_like(value, device="cpu")
            for name, value in module.state_dict().items()
            if name.endswith("num_batches_tracked")
        }
        module.load_state_dict({**counters, **weights}, assign=True)
        return module
    if any(True for _ in module.state_dict()):
        module.to_empty(device="cpu")
        for part in module.modules():
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
    return module


def _described(net: LayerGraph) -> str:
    return f"{net!r} {net.steps}"


def _same(first: Weights, second: Weights) -> bool:
    if first is None or second is None:
        return first is second
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def _identifier(name: str) -> str:
    """A name as PyTorch allows one: no dots, and of reasonable length."""
    return re.sub(r"[^\w]+", "_", name)[:200] or "layer"
