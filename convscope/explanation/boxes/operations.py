"""The decoding of one box as operations like those of the network, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from convscope.boxes.coding import BoxCoding
from convscope.explanation.recording import Recording
from convscope.recording import Call, Operation, Shape, Source

AXES = (("x", "u", "left", "right"), ("y", "v", "top", "bottom"))
"""Of both axes: the outputs that place a box, and its edges."""


@dataclass(frozen=True)
class Placement:
    """How a number along an axis of the network's input, a share, becomes one in pixels.

    Attributes:
        scale, offset: a share t lies at scale · t + offset.
        size: of the image in pixels, where edges end.
    """

    scale: float
    offset: float
    size: float

    @property
    def has_bars(self) -> bool:
        """Whether an edge may lie beside the image, in a bar on one side of it or on both."""
        return bool(self.offset) or self.scale > self.size * (1 + 1e-9)


@dataclass
class BoxOperations:
    """Builds the operations of one box, with their results.

    Attributes:
        prefix: of their names: `box1.`.
        output: the network's output, (1, num_outputs).
    """

    prefix: str
    output: Source
    recording: Recording
    done: list[tuple[Operation, Tensor]] = field(default_factory=list[tuple[Operation, Tensor]])

    def add(
        self, name: str, kind: str, function: Callable[..., Tensor], *args: Any, **named: Any
    ) -> Source:
        """Compute one operation, whose name follows the prefix."""
        known = {operation.name: value for operation, value in self.done}

        def value(argument: Any) -> Any:
            if not isinstance(argument, Source):
                return argument
            found = known.get(argument.name)
            return self.recording[argument.name].tensor if found is None else found

        result = function(*map(value, args), **named)
        operands = tuple(argument.name for argument in args if isinstance(argument, Source))
        operation = Operation(
            name=self.prefix + name,
            kind=kind,
            module="",
            layer=None,
            operands=operands,
            parameters=(),
            call=Call(function, args, named),
            shape=tuple(result.shape),
            output_index=0,
        )
        self.done.append((operation, result))
        return Source("result", operation.name, Shape(result.shape))

    def take(self, name: str, source: Source, index: int | slice) -> Source:
        """One number of a result, or several, in float64."""
        return self.add(name, "getitem", _take, source, (slice(None), index))


def _take(tensor: Tensor, index: tuple[Any, ...]) -> Tensor:
    return tensor[index].double()


def with_box(
    recording: Recording,
    coding: BoxCoding,
    name: str,
    *,
    cell: tuple[int, int, int],
    label: int,
    placements: tuple[Placement, Placement],
) -> Recording:
    """The recording with the operations behind the network's output that lead to a box.

    `name` is that of the box, `cell` its row, column and number in the cell, `label` the class.
    The results are called `NAME.left` and so on; the last ones are `NAME.left`, `NAME.top`,
    `NAME.right`, `NAME.bottom` in pixels and `NAME.score`. `placements` are of x and y.
    """
    if f"{name}.score" in recording:
        return recording
    shape = Shape(recording[recording.output].tensor.shape)
    output = Source("result", recording.output, shape)
    box = BoxOperations(f"{name}.", output, recording)
    row, column, number = cell
    for axis, place in enumerate((column, row)):
        _place(box, coding, axis, place, cell, placements[axis])
    _score(box, coding, number, cell, label)
    return recording.followed_by(box.done)


def output_index(coding: BoxCoding, channel: int, cell: tuple[int, int, int]) -> int:
    """Where the number of a channel of a cell is among a network's outputs."""
    rows, columns = coding.grid
    return (channel * rows + cell[0]) * columns + cell[1]


def _first_channel(coding: BoxCoding, number: int) -> int:
    """The channel of x of a box of each cell; those of y, u, v and the confidence follow."""
    return number * (5 + coding.num_classes if coding.name == "anchors" else 5)


def _place(
    box: BoxOperations,
    coding: BoxCoding,
    axis: int,
    place: int,
    cell: tuple[int, int, int],
    placement: Placement,
) -> None:
    """The two edges along an axis: 0 is x, from left to right, 1 is y, from top to bottom."""
    at, extent, low, high = AXES[axis]
    side, count = ("width", "height")[axis], coding.grid[1 - axis]
    first = _first_channel(coding, cell[2])
    offset = box.take(at, box.output, output_index(coding, first + axis, cell))
    size = box.take(extent, box.output, output_index(coding, first + 2 + axis, cell))
    if coding.name == "anchors":
        anchor = coding.anchors[cell[2]][1 - axis]
        offset = box.add(f"offset_{at}", "sigmoid", torch.sigmoid, offset)
        size = box.add(f"factor_{extent}", "exp", torch.exp, size)
        size = box.add(side, "mul", torch.mul, size, anchor)
    else:
        size = box.add(side, "square", torch.square, size)
    center = box.add(f"cell_{at}", "add", torch.add, offset, place)
    center = box.add(f"center_{at}", "div", torch.div, center, count)
    for edge, function, kind in ((low, torch.sub, "sub"), (high, torch.add, "add")):
        share = box.add(f"{edge}_uncut", kind, function, center, size, alpha=0.5)
        share = box.add(f"{edge}_share", "clamp", torch.clamp, share, 0.0, 1.0)
        name = f"{edge}_in_input" if placement.has_bars else edge
        pixels = box.add(name, "mul", torch.mul, share, placement.scale)
        if placement.offset:
            pixels = box.add(f"{edge}_in_image", "add", torch.add, pixels, placement.offset)
        if placement.has_bars:
            box.add(edge, "clamp", torch.clamp, pixels, 0.0, placement.size)


def _score(
    box: BoxOperations, coding: BoxCoding, number: int, cell: tuple[int, int, int], label: int
) -> None:
    first = _first_channel(coding, number)
    cells = coding.grid[0] * coding.grid[1]
    is_anchored = coding.name == "anchors"
    confidence_name = "o" if is_anchored else "confidence"
    confidence = box.take(confidence_name, box.output, output_index(coding, first + 4, cell))
    begin = first + 5 if is_anchored else 5 * coding.num_boxes
    start = output_index(coding, begin, cell)
    stop = output_index(coding, begin + coding.num_classes - 1, cell) + 1
    name = "classes" if is_anchored else "probabilities"
    shares = box.take(name, box.output, slice(start, stop, cells))
    if is_anchored:
        confidence = box.add("confidence", "sigmoid", torch.sigmoid, confidence)
        shares = box.add("probabilities", "softmax", torch.softmax, shares, -1)
    share = box.take("probability", shares, label)
    box.add("score", "mul", torch.mul, confidence, share)
